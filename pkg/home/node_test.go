package home

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFindNode(t *testing.T) {
	const about = `{"name":"ad-ldap-connector","version":"6.4.1"}`
	for name, tt := range map[string]struct {
		files map[string]string
		want  Node
		ok    bool
	}{
		"an installation":         {map[string]string{"package.json": about, "server.js": ""}, Node{Version: "6.4.1"}, true},
		"the newer layout":        {map[string]string{"package.json": about, "data/config.json": "{}"}, Node{Version: "6.4.1", Data: true}, true},
		"without its package":     {map[string]string{"server.js": "", "ws_validator.js": ""}, Node{}, true},
		"an empty folder":         {nil, Node{}, false},
		"another program":         {map[string]string{"package.json": `{"name":"shop","version":"1"}`, "server.js": ""}, Node{}, false},
		"a damaged package":       {map[string]string{"package.json": "{"}, Node{}, false},
		"this connector's home":   {configured(t), Node{}, false},
		"folders for files":       {map[string]string{"server.js/x": "", "ws_validator.js/x": ""}, Node{}, false},
		"a package of other type": {map[string]string{"package.json": `{"name":7}`}, Node{}, false},
	} {
		dir := filepath.Join(t.TempDir(), "home")
		layIn(t, dir, tt.files)
		if n, ok := FindNode(dir); n != tt.want || ok != tt.ok {
			t.Errorf("%s: %+v, %t", name, n, ok)
		}
	}
	if n, ok := open(t, legacyInstallCopy(t)).Node(); !ok || n.Version != "6.4.1" || n.Data {
		t.Errorf("%+v, %t", n, ok)
	}
}

func legacyInstallCopy(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "AD LDAP Connector")
	if err := os.CopyFS(dir, os.DirFS(legacyInstall)); err != nil {
		t.Fatal(err)
	}
	return dir
}

// dataHome is an installation of the newer layout, with what an older one left.
func dataHome(t *testing.T) map[string]string {
	t.Helper()
	cert, key := testPair(t, "a").PEM()
	return map[string]string{
		"package.json": `{"name":"ad-ldap-connector","version":"7.0.0"}`, "server.js": "", "lib/users.js": "program",
		"data/config.json": legacyConfig(""), "data/certs/cert.pem": string(cert), "data/certs/cert.key": string(key),
		"data/profileMapper/custom.js": legacyMapper, "data/logs/connector/x.log": "log",
		configFile: `{"CONNECTION":"of-old"}`,
	}
}

func TestAdoptData(t *testing.T) {
	before := dataHome(t)
	h := lay(t, before)
	h.now = fixedClock
	d, err := h.ReadData()
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Notes) != 1 || !strings.Contains(d.Notes[0], "keychain") || d.Config.Tenant.Connection != "corp-ad" {
		t.Errorf("%q, %q", d.Notes, d.Config.Tenant.Connection)
	}
	if diff := cmp.Diff(before, filesBelow(t, h.Dir())); diff != "" {
		t.Errorf("reading changed: %s", diff)
	}
	want := maps.Clone(before)
	want[configFile], want[certFile], want[keyFile], want[mapperFile] =
		before["data/config.json"], before["data/certs/cert.pem"], before["data/certs/cert.key"], legacyMapper
	want["backups/20250301-120000/config.json"] = before[configFile]
	for range 2 {
		if _, err := h.AdoptData(d); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, filesBelow(t, h.Dir())); diff != "" {
			t.Error(diff)
		}
	}
}

// What a damaged newer layout gets, and that nothing of it is copied.
func TestReadDataRefuses(t *testing.T) {
	otherCert, _ := testPair(t, "b").PEM()
	for name, tt := range map[string]struct{ file, text, want string }{
		"broken configuration": {"data/config.json", "{", "config.json: "},
		"another certificate":  {"data/certs/cert.pem", string(otherCert), "the private key does not belong to the certificate"},
		"no certificate":       {"data/certs/cert.pem", "", "certificate"},
		"sealed by another":    {"data/config.json", `{"LDAP_BIND_CREDENTIALS":"` + sealedWith("b") + `"}`, "LDAP_BIND_CREDENTIALS and the private key"},
	} {
		f := dataHome(t)
		f[tt.file] = tt.text
		h := lay(t, f)
		if d, err := h.ReadData(); d != nil || err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(f, filesBelow(t, h.Dir())); diff != "" {
			t.Error(diff)
		}
	}
	f := dataHome(t)
	delete(f, "data/certs/cert.pem")
	delete(f, "data/certs/cert.key")
	if _, err := lay(t, f).ReadData(); err != nil {
		t.Errorf("one that has not been started yet: %v", err)
	}
}
