package home

import (
	"archive/zip"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ad-ldap-connector/pkg/config"
)

func readFileArchive(path string) (*Archive, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return ReadArchive(bytes.NewReader(data), int64(len(data)))
}

// exported unpacks what Export writes.
func exported(t *testing.T, h *Home) (names []string, files map[string]string) {
	t.Helper()
	c, err := h.Config()
	if err != nil {
		t.Fatal(err)
	}
	var buf bytes.Buffer
	if err := h.Export(&buf, c, Origin{}); err != nil {
		t.Fatal(err)
	}
	z, err := zip.NewReader(bytes.NewReader(buf.Bytes()), int64(buf.Len()))
	if err != nil {
		t.Fatal(err)
	}
	files = map[string]string{}
	for _, e := range z.File {
		r, err := e.Open()
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, e.Name)
		files[e.Name] = string(data)
	}
	return names, files
}

func TestExport(t *testing.T) {
	before := configured(t)
	h := open(t, lay(t, before).Dir(), "SITE_NAME=env", "LDAP_BIND_PASSWORD=env")
	names, files := exported(t, h)
	if want := []string{"config.json", "lib/profileMapper.js", "certs/cert.key", "certs/cert.pem"}; !slices.Equal(names, want) {
		t.Errorf("%q, want %q", names, want)
	}
	if diff := cmp.Diff(before, files); diff != "" {
		t.Errorf("not as the files lie there: %s", diff)
	}
	c, err := h.Config()
	if err != nil {
		t.Fatal(err)
	}
	var one, two bytes.Buffer
	if err := errors.Join(h.Export(&one, c, Origin{}), h.Export(&two, c, Origin{})); err != nil || !bytes.Equal(one.Bytes(), two.Bytes()) {
		t.Errorf("two exports differ, %v", err)
	}
	a, err := ReadArchive(bytes.NewReader(one.Bytes()), int64(one.Len()))
	if err != nil || len(a.Notes) > 0 {
		t.Errorf("our own archive: %v, %q", err, a.Notes)
	}
}

func TestExportWithoutMapper(t *testing.T) {
	before := configured(t)
	delete(before, mapperFile)
	if _, files := exported(t, lay(t, before)); !cmp.Equal(files, before) {
		t.Error(cmp.Diff(before, files))
	}
}

// Whichever way the mapper was given, the other node has it.
func TestExportTakesTheMapperAlong(t *testing.T) {
	named := configured(t)
	named[configFile] = strings.Replace(named[configFile], "\"X_OWN\"", "\"PROFILE_MAPPER_FILE\": \"./own\",\r\n  \"X_OWN\"", 1)
	named["lib/own.js"] = "own"
	_, files := exported(t, lay(t, named))
	want := configured(t)
	want[mapperFile] = "own"
	if diff := cmp.Diff(want, files); diff != "" {
		t.Errorf("PROFILE_MAPPER_FILE: %s", diff)
	}
	_, files = exported(t, open(t, lay(t, configured(t)).Dir(), "PROFILE_MAPPER=env"))
	want[mapperFile] = "env"
	if diff := cmp.Diff(want, files); diff != "" {
		t.Errorf("PROFILE_MAPPER of the environment: %s", diff)
	}
	source := configured(t)
	source[configFile] = strings.Replace(source[configFile], "\"X_OWN\"", "\"PROFILE_MAPPER\": \"inside\",\r\n  \"X_OWN\"", 1)
	if _, files = exported(t, lay(t, source)); !cmp.Equal(files, source) {
		t.Errorf("PROFILE_MAPPER of the file: %s", cmp.Diff(source, files))
	}
}

func TestExportOfTheEnvironment(t *testing.T) {
	cert, key := testPair(t, "b").PEM()
	h := open(t, filepath.Join(t.TempDir(), "none"),
		"OVERRIDE_CONFIG=false", "CONNECTION=corp-ad", "REALM=urn:auth0:acme", "urn:auth0:acme=https://acme.example/cb",
		"LDAP_URL=ldap://dc1.corp.example", "LDAP_BIND_USER=svc", "LDAP_BIND_PASSWORD=Passw0rd!", "GROUPS=false",
		"PROFILE_MAPPER=env", "AUTH_CERT="+string(cert), "AUTH_CERT_KEY="+string(key), "PATH=/bin")
	_, files := exported(t, h)
	if files[mapperFile] != "env" || files[keyFile] != string(key) || files[certFile] != string(cert) {
		t.Errorf("mapper or keys are missing: %d files", len(files))
	}
	for _, unwanted := range []string{"Passw0rd!", "OVERRIDE_CONFIG", "AUTH_CERT", "PROFILE_MAPPER", "PATH", "PRIVATE"} {
		if strings.Contains(files[configFile], "\""+unwanted) {
			t.Errorf("config.json has %s", unwanted)
		}
	}
	node := open(t, layIn(t, filepath.Join(t.TempDir(), "node2"), files).Dir())
	c, err := node.Config()
	if err != nil {
		t.Fatal(err)
	}
	pair, err := node.Keys(c)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := pair.Open(string(c.Directory.BindCredentials)); got != "Passw0rd!" {
		t.Errorf("the password: %v", err)
	}
	c.Directory.BindCredentials, c.Directory.BindPassword = "", "Passw0rd!"
	want, err := h.Config()
	if err != nil {
		t.Fatal(err)
	}
	want.Mapper.Source, want.Keys = "", config.KeyPair{}
	if !c.Equal(want) {
		t.Errorf("another configuration: %s", files[configFile])
	}
	if n := reflect.TypeFor[config.Config]().NumField(); n != 12 {
		t.Errorf("config.Config has %d fields, not the 12 that written knows", n)
	}
}

// Nothing is written of a home that would not make a working node.
func TestExportRefuses(t *testing.T) {
	otherCert, otherKey := testPair(t, "b").PEM()
	for name, tt := range map[string]struct {
		file, text, want string
	}{
		"no configuration":     {configFile, "", "nothing is configured yet"},
		"broken configuration": {configFile, "{", configFile},
		"no certificate":       {certFile, "", "but its certificate "},
		"no key":               {keyFile, "", "but its private key "},
		"another certificate":  {certFile, string(otherCert), "the private key does not belong to the certificate"},
		"another key":          {keyFile, string(otherKey), "the private key does not belong to the certificate"},
		"sealed by another":    {configFile, `{"LDAP_BIND_CREDENTIALS":"` + sealedWith("b") + `"}`, "LDAP_BIND_CREDENTIALS and the private key: open a sealed secret: sealed with another key, or damaged"},
		"mapper is missing":    {configFile, `{"PROFILE_MAPPER_FILE":"nowhere"}`, "PROFILE_MAPPER_FILE: read "},
	} {
		f := configured(t)
		if f[tt.file] = tt.text; tt.text == "" {
			delete(f, tt.file)
		}
		h := lay(t, f)
		c, err := h.Config()
		if err != nil {
			c = config.Default()
		}
		var buf bytes.Buffer
		err = h.Export(&buf, c, Origin{})
		if err == nil || !strings.HasPrefix(err.Error(), "export "+h.Dir()+": ") || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", name, err)
		}
		if buf.Len() > 0 {
			t.Errorf("%s: %d bytes were written", name, buf.Len())
		}
	}
	full := lay(t, configured(t))
	if err := full.Export(brokenWriter{}, config.Default(), Origin{}); !errors.Is(err, io.ErrShortWrite) || !strings.Contains(err.Error(), "write the archive") {
		t.Error(err)
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, io.ErrShortWrite }
