package home

import (
	"bytes"
	"encoding/pem"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ad-ldap-connector/pkg/config"
)

// A manifest says what is in an archive and where it came from, is the same for
// the same files, and leaves the four files alone.
func TestManifest(t *testing.T) {
	f := configured(t)
	cert := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: testPair(t, "b").Certificate.Raw}))
	f[caBundle] = cert
	f[configFile] = strings.Replace(f[configFile], "\"X_OWN\"", "\"SSL_CA_PATH\": \"C:\\\\first\\\\ca\",\r\n  \"X_OWN\"", 1)
	h := lay(t, f)
	for i, name := range []string{configFile, mapperFile, keyFile, certFile} {
		at := noon.AddDate(0, 0, -i)
		if err := os.Chtimes(h.Path(filepath.FromSlash(name)), at, at); err != nil {
			t.Fatal(err)
		}
	}
	from := Origin{Version: "1.2.3", Instance: "node1-abcd"}
	var one, two bytes.Buffer
	for _, w := range []*bytes.Buffer{&one, &two} {
		if err := h.Export(w, config.Default(), from); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(one.Bytes(), two.Bytes()) {
		t.Error("two exports differ")
	}
	a, err := read(one.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	want := &Manifest{Format: 1, Version: "1.2.3", Instance: "node1-abcd", Date: noon, Files: map[string]string{}, Authorities: cert}
	for _, name := range []string{configFile, mapperFile, keyFile, certFile} {
		want.Files[name] = sumOf([]byte(f[name]))
	}
	if diff := cmp.Diff(want, a.Manifest); diff != "" {
		t.Error(diff)
	}
	if len(a.Notes) > 0 || string(a.CA) != cert {
		t.Errorf("notes %q, authorities %q", a.Notes, a.CA)
	}
	// The authorities lie in the other home, and are found there.
	node := open(t, filepath.Join(t.TempDir(), "node2"))
	said := a.Adapt("node2", node.Dir())
	if len(said) != 1 || a.Config.Network.CAPath != node.Path("ca") {
		t.Errorf("%q: SSL_CA_PATH is %q", said, a.Config.Network.CAPath)
	}
	if _, err := node.Replace(a); err != nil {
		t.Fatal(err)
	}
	if got, err := node.CA(InstalledCA); err != nil || string(got) != cert {
		t.Errorf("%q, %v", got, err)
	}
}

// A comment is anybody's: one that is none of ours is passed over, and what is
// not as it says is told.
func TestForeignManifest(t *testing.T) {
	f := configured(t)
	sum := sumOf([]byte(f[configFile]))
	for name, tt := range map[string]struct {
		comment string
		known   bool
		notes   int
	}{
		"none":          {"", false, 0},
		"a text":        {"made on monday", false, 0},
		"another's":     {`{"files":{"config.json":"x"}}`, false, 0},
		"null":          {"null", false, 0},
		"a newer one":   {`{"manifest":2,"files":7}`, false, 0},
		"newer, alike":  {`{"manifest":2}`, false, 1},
		"as exported":   {`{"manifest":1,"files":{"config.json":"` + sum + `"}}`, true, 0},
		"changed since": {`{"manifest":1,"files":{"config.json":"` + sum[1:] + `"}}`, true, 1},
		"left out":      {`{"manifest":1,"files":{"lib/profileMapper.js":"` + sum + `"}}`, true, 1},
	} {
		a, err := read(commented(t, tt.comment))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if (a.Manifest != nil) != tt.known || len(a.Notes) != tt.notes {
			t.Errorf("%s: %+v, notes %q", name, a.Manifest, a.Notes)
		}
	}
}

// Authorities that an archive has no room for are a fault, and not left out.
func TestManifestTooLarge(t *testing.T) {
	f := configured(t)
	f[caBundle] = strings.Repeat("-----BEGIN CERTIFICATE-----\n", 4000)
	var buf bytes.Buffer
	err := lay(t, f).Export(&buf, config.Default(), Origin{Version: "1"})
	if err == nil || !strings.Contains(err.Error(), "installed.pem is too large for an archive") || buf.Len() > 0 {
		t.Errorf("%d bytes, %v", buf.Len(), err)
	}
}

// The same environment makes the same archive, its password sealed alike.
func TestExportOfTheEnvironmentIsStable(t *testing.T) {
	cert, key := testPair(t, "b").PEM()
	h := open(t, filepath.Join(t.TempDir(), "none"), "OVERRIDE_CONFIG=false", "CONNECTION=corp-ad", "LDAP_BIND_USER=svc",
		"LDAP_BIND_PASSWORD=Passw0rd!", "AUTH_CERT="+string(cert), "AUTH_CERT_KEY="+string(key))
	c, err := h.Config()
	if err != nil {
		t.Fatal(err)
	}
	var made [][]byte
	for range 2 {
		var buf bytes.Buffer
		if err := h.Export(&buf, c, Origin{Version: "1"}); err != nil {
			t.Fatal(err)
		}
		made = append(made, slices.Clone(buf.Bytes()))
	}
	if !bytes.Equal(made[0], made[1]) {
		t.Error("two exports differ")
	}
}
