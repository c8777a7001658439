package home

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ad-ldap-connector/pkg/config"
)

func TestOpenCreatesNothing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "none")
	h := open(t, dir)
	if h.Exists() {
		t.Error("it exists")
	}
	if _, err := h.Config(); err != nil {
		t.Error(err)
	}
	if _, err := h.Keys(config.Default()); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if script, name, err := h.Mapper(config.Default()); script != "" || name != "" || err != nil {
		t.Errorf("%q, %q, %v", script, name, err)
	}
	if err := h.LoadState("clock", new(int)); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder was made: %v", err)
	}
}

func TestOpenMakesPathsAbsolute(t *testing.T) {
	t.Chdir(t.TempDir())
	h := open(t, "here")
	here, err := filepath.Abs("here")
	if err != nil {
		t.Fatal(err)
	}
	if h.Dir() != here || h.Path("certs", "cert.pem") != filepath.Join(here, "certs", "cert.pem") {
		t.Errorf("%s, %s", h.Dir(), h.Path("certs", "cert.pem"))
	}
}

func TestCreateRefuses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	root := filepath.VolumeName(file) + string(filepath.Separator)
	for dir, want := range map[string]string{
		root:                         "it is the root of a file system",
		file:                         "it is a file, not a folder",
		filepath.Join(file, "below"): file,
	} {
		h := &Home{dir: dir}
		if err := h.Create(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", dir, err, want)
		}
	}
	if open(t, file).Exists() {
		t.Error("a file is taken for a home")
	}
}

func TestConfigLayers(t *testing.T) {
	dir := lay(t, map[string]string{configFile: "\ufeff{\"CONNECTION\": \"file\", \"SITE_NAME\": \"file\"}"}).Dir()
	c, err := open(t, dir, "SITE_NAME=env").Config()
	if err != nil {
		t.Fatal(err)
	}
	if c.Tenant.Connection != "file" || c.Tenant.SiteName != "env" || c.SignIn.Port != config.Default().SignIn.Port {
		t.Errorf("%q, %q, %d", c.Tenant.Connection, c.Tenant.SiteName, c.SignIn.Port)
	}
}

// config.json as it may be found: what is said of a bad one.
func TestConfigRefuses(t *testing.T) {
	for name, tt := range map[string]struct{ text, want string }{
		"not JSON":  {"{\n \"CONNECTION\": x}", "config.json"},
		"cut short": {"{\"CONNECTION\": \"a", "config.json"},
		"an array":  {"[]", "config.json"},
		"too large": {"{\"X\": \"" + strings.Repeat("x", maxFile) + "\"}", "it is larger than 4 MiB"},
	} {
		h := lay(t, map[string]string{configFile: tt.text})
		_, err := h.Config()
		if err == nil || !strings.HasPrefix(err.Error(), "read "+h.Path(configFile)+": ") || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := open(t, h.Dir(), "OVERRIDE_CONFIG=false").Config(); err != nil {
			t.Errorf("%s: read although only the environment counts: %v", name, err)
		}
	}
	h := lay(t, map[string]string{configFile + "/x": ""})
	if _, err := h.Config(); err == nil || !strings.Contains(err.Error(), "it is a folder") {
		t.Error(err)
	}
}

func TestSaveConfig(t *testing.T) {
	before := configured(t)
	dir := lay(t, before).Dir()
	h := open(t, dir, "SITE_NAME=env")
	c, err := h.Config()
	if err != nil {
		t.Fatal(err)
	}
	c.Tenant.Connection = "other"
	if err := h.SaveConfig(c); err != nil {
		t.Fatal(err)
	}
	want := strings.Replace(before[configFile], "corp-ad", "other", 1)
	if got := filesBelow(t, dir)[configFile]; got != want {
		t.Errorf("more changed than was to be, or less (the environment stays out):\n%s", cmp.Diff(want, got))
	}
}

func TestSaveConfigMakesTheHome(t *testing.T) {
	h := open(t, filepath.Join(t.TempDir(), "a", "b"))
	c := config.Default()
	c.Tenant.Connection = "corp-ad"
	if err := h.SaveConfig(c); err != nil {
		t.Fatal(err)
	}
	again, err := h.Config()
	if err != nil || again.Tenant.Connection != "corp-ad" {
		t.Errorf("%q, %v", again.Tenant.Connection, err)
	}
}

func TestEnvironmentOnly(t *testing.T) {
	before := configured(t)
	h := open(t, lay(t, before).Dir(), "OVERRIDE_CONFIG=false", "CONNECTION=env")
	c, err := h.Config()
	if err != nil {
		t.Fatal(err)
	}
	if c.Tenant.Connection != "env" || c.Directory.BindUser != "" {
		t.Errorf("%q, %q", c.Tenant.Connection, c.Directory.BindUser)
	}
	c.Tenant.Hub = "https://hub.example"
	if err := h.SaveConfig(c); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, filesBelow(t, h.Dir())); diff != "" {
		t.Errorf("files changed: %s", diff)
	}
}

func TestKeys(t *testing.T) {
	certA, keyA := testPair(t, "a").PEM()
	certB, keyB := testPair(t, "b").PEM()
	withKeys := func(cert, key []byte) config.Config {
		c := config.Default()
		c.Keys.Certificate, c.Keys.Key = string(cert), config.Secret(key)
		return c
	}
	none := config.Default()
	both := map[string]string{certFile: string(certA), keyFile: string(keyA)}
	for name, tt := range map[string]struct {
		files map[string]string
		conf  config.Config
		key   string // whose key is expected
		err   string // or what error
	}{
		"files":                    {both, none, string(keyA), ""},
		"configuration":            {nil, withKeys(certB, keyB), string(keyB), ""},
		"configuration first":      {both, withKeys(certB, keyB), string(keyB), ""},
		"key set, certificate not": {both, withKeys(nil, keyA), "", "read the key pair: AUTH_CERT: "},
		"halves of two pairs":      {both, withKeys(certA, keyB), "", "in AUTH_CERT and AUTH_CERT_KEY: read the key pair: the private key does not belong"},
		"certificate only":         {map[string]string{certFile: string(certA)}, none, "", "but its private key "},
		"key only":                 {map[string]string{keyFile: string(keyA)}, none, "", "but its certificate "},
		"AUTH_CERT only":           {nil, withKeys(certA, nil), "", "read the key pair: AUTH_CERT_KEY: "},
		"key is garbage":           {map[string]string{certFile: string(certA), keyFile: "x"}, none, "", "read the private key: it is not PEM"},
		"key is a folder":          {map[string]string{certFile: string(certA), keyFile + "/x": ""}, none, "", "it is a folder"},
	} {
		pair, err := lay(t, tt.files).Keys(tt.conf)
		if tt.err != "" {
			if err == nil || !strings.Contains(err.Error(), tt.err) || errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s: error is %v, want %q", name, err, tt.err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if _, key := pair.PEM(); string(key) != tt.key {
			t.Errorf("%s: another key, or not byte for byte", name)
		}
	}
}

func TestSaveKeys(t *testing.T) {
	h := open(t, filepath.Join(t.TempDir(), "home"))
	h.now = fixedClock
	for _, ref := range []string{"a", "a", "c"} {
		if err := h.SaveKeys(testPair(t, ref)); err != nil {
			t.Fatal(err)
		}
		pair, err := h.Keys(config.Default())
		if err != nil {
			t.Fatal(err)
		}
		if _, key := pair.PEM(); string(key) != throwAway.Keys[ref] {
			t.Errorf("%s: the key is not there byte for byte", ref)
		}
	}
	got := filesBelow(t, h.Dir())
	if got["backups/20250301-120000/"+keyFile] != throwAway.Keys["a"] || len(got) != 4 {
		t.Errorf("the former pair was not kept, or not once: %d files", len(got))
	}
}

func TestMapper(t *testing.T) {
	elsewhere := filepath.Join(t.TempDir(), "elsewhere.js")
	if err := os.WriteFile(elsewhere, []byte("elsewhere"), 0o600); err != nil {
		t.Fatal(err)
	}
	h := lay(t, map[string]string{mapperFile: "lib", "lib/own.js": "own", "lib/sub/bare": "bare", "lib/folder/x": ""})
	for name, tt := range map[string]struct{ source, file, script, from, err string }{
		"file of the home":   {"", "", "lib", h.Path("lib", "profileMapper.js"), ""},
		"source":             {"source", "own.js", "source", "PROFILE_MAPPER", ""},
		"named":              {"", "own.js", "own", h.Path("lib", "own.js"), ""},
		"named as a module":  {"", "./own", "own", h.Path("lib", "own.js"), ""},
		"without extension":  {"", "sub/bare", "bare", h.Path("lib", "sub", "bare"), ""},
		"absolute":           {"", elsewhere, "elsewhere", elsewhere, ""},
		"missing":            {"", "missing.js", "", "", "PROFILE_MAPPER_FILE: read " + h.Path("lib", "missing.js")},
		"a folder":           {"", "folder", "", "", "it is a folder"},
		"a name with a NUL":  {"", "a\x00b", "", "", "PROFILE_MAPPER_FILE: read"},
		"the system's place": {"", "../lib/own.js", "own", h.Path("lib", "own.js"), ""},
	} {
		c := config.Default()
		c.Mapper.Source, c.Mapper.File = tt.source, tt.file
		script, from, err := h.Mapper(c)
		if tt.err != "" {
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if script != tt.script || from != tt.from || err != nil {
			t.Errorf("%s: %q from %q, %v", name, script, from, err)
		}
	}
}

func TestSaveMapper(t *testing.T) {
	h := lay(t, map[string]string{mapperFile: "old", "lib/users.js": "the program"})
	if err := h.SaveMapper("new"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{mapperFile: "new", "lib/users.js": "the program"}, filesBelow(t, h.Dir())); diff != "" {
		t.Error(diff)
	}
	if err := h.SaveMapper(strings.Repeat("x", maxFile+1)); err == nil || !strings.Contains(err.Error(), "larger than 4 MiB") {
		t.Errorf("wrote what it would not read: %v", err)
	}
}

func TestState(t *testing.T) {
	h := open(t, filepath.Join(t.TempDir(), "home"))
	type seen struct{ Logins int }
	if err := h.SaveState("hub-link", seen{7}); err != nil {
		t.Fatal(err)
	}
	var got seen
	if err := h.LoadState("hub-link", &got); err != nil || got.Logins != 7 {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := os.Stat(h.Path("state", "hub-link.json")); err != nil {
		t.Error(err)
	}
	if err := h.SaveState("bad", func() {}); err == nil {
		t.Error("a func was saved")
	}
	for _, name := range []string{"", "../config", "a/b", `a\b`, "A", "a.b", "-", "a b", "ä", strings.Repeat("a", 41), "a\n"} {
		if err := h.SaveState(name, 1); err == nil || !strings.Contains(err.Error(), "name a state") {
			t.Errorf("saved as %q: %v", name, err)
		}
		if err := h.LoadState(name, new(int)); err == nil || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("loaded %q: %v", name, err)
		}
	}
	damaged := lay(t, map[string]string{"state/hub-link.json": "{"})
	if err := damaged.LoadState("hub-link", &got); err == nil || errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "hub-link.json") {
		t.Errorf("damaged: %v", err)
	}
}

func TestSystemDir(t *testing.T) {
	if runtime.GOOS == "windows" {
		if got := systemDir(`D:\Programs`); got != `D:\Programs\Auth0\AD LDAP Connector` {
			t.Error(got)
		}
		return
	}
	root := t.TempDir()
	ours, adopted := filepath.Join(root, "opt/auth0/ad-ldap"), filepath.Join(root, "opt/auth0-adldap")
	expect := func(want string) {
		t.Helper()
		if got := systemDir(root); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	expect(ours)
	layIn(t, adopted, map[string]string{"package.json": "{}"})
	expect(ours) // a folder of that name alone is nothing
	other := filepath.Join(root, "opt/auth0-ad-ldap")
	layIn(t, other, map[string]string{"data/config.json": "{}"})
	expect(other)
	layIn(t, adopted, map[string]string{"package.json": `{"name":"ad-ldap-connector"}`})
	expect(adopted)
	layIn(t, ours, map[string]string{"lib/x": ""})
	expect(adopted) // ours holds no connector
	layIn(t, ours, map[string]string{configFile: "{}"})
	expect(ours)
	if got := open(t, "").Dir(); got != systemDir("") {
		t.Errorf("the default is %s", got)
	}
}
