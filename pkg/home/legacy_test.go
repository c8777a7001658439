package home

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ad-ldap-connector/pkg/config"
)

var update = flag.Bool("update", false, "write testdata/legacy anew")

// What the existing connector leaves behind, made with throw-away keys: an
// export, an export of its newer layout inside a folder, and an installation.
const (
	legacyFolder  = "../../testdata/legacy"
	legacyExport  = legacyFolder + "/connector_export_20250301-120000.zip"
	legacyData    = legacyFolder + "/data_layout.zip"
	legacyInstall = legacyFolder + "/install"
)

const legacyMapper = `module.exports = function (raw_data) {
  return {
    id: raw_data.objectGUID || raw_data.sAMAccountName,
    displayName: raw_data.displayName,
    emails: raw_data.mail ? [{ value: raw_data.mail }] : [],
    department: raw_data.department
  };
};
`

func legacyConfig(credentials string) string {
	if credentials != "" {
		credentials = "\n  \"LDAP_BIND_CREDENTIALS\": \"" + credentials + "\","
	}
	return `{
  "PROVISIONING_TICKET": "https://acme.example/p/ad/throwaway",
  "LDAP_URL": "ldap://dc1.corp.example",
  "LDAP_BASE": "DC=corp,DC=example",
  "LDAP_BIND_USER": "CORP\\svc-auth0",` + credentials + `
  "LDAP_SEARCH_QUERY": "(&(objectCategory=person)(anr={0}))",
  "GROUPS": true,
  "GROUPS_CACHE_SECONDS": 600,
  "AD_HUB": "https://acme.example/lo/hub",
  "WSFED_ISSUER": [
    "corp.example"
  ],
  "CONNECTION": "corp-ad",
  "CLIENT_CERT_AUTH": false,
  "KERBEROS_AUTH": true,
  "FIREWALL_RULE_CREATED": true,
  "REALM": "urn:auth0:acme",
  "SITE_NAME": "corp-ad",
  "urn:auth0:acme": "https://acme.example/login/callback",
  "PORT": 4000,
  "SERVER_URL": "http://NODE1:4000",
  "LAST_SENT_THUMBPRINT": "0000000000000000000000000000000000000000",
  "TENANT_SIGNING_KEY": "throwaway",
  "SOME_PLUGIN": {
    "kept": 1.50
  }
}
`
}

func crlf(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }

// TestLegacyData writes the files of testdata/legacy when told to with -update,
// and otherwise sees that they are what this code would write. They have no
// chance in them.
func TestLegacyData(t *testing.T) {
	cert, key := testPair(t, "a").PEM()
	export := func(files ...file) string {
		data, err := pack("", files...)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	want := map[string]string{
		".gitattributes": "# Every byte counts: a private key is a passphrase as well.\n* -text\n",
		filepath.Base(legacyExport): export(
			file{"config.json", []byte(crlf(legacyConfig(throwAway.V2.Vectors[0].Stored)))},
			file{"lib/profileMapper.js", []byte(crlf(legacyMapper))},
			file{"certs/cert.key", key},
			file{"certs/cert.pem", cert}),
		filepath.Base(legacyData): export(
			file{"backup/data/config.json", []byte(legacyConfig(""))}, // the password is in the system's keychain
			file{"backup/data/certs/cert.pem", cert},
			file{"backup/data/certs/cert.key", key},
			file{"backup/data/profileMapper/custom.js", []byte(legacyMapper)},
			file{"backup/data/logs/connector/connector.log", []byte("started\n")},
			file{"backup/lib/profileMapper.js", []byte("module.exports = function () {};\n")}),
		"install/config.json":          crlf(legacyConfig(throwAway.V1.Vectors[0].Stored)),
		"install/certs/cert.pem":       string(cert),
		"install/certs/cert.key":       string(key),
		"install/lib/profileMapper.js": crlf(legacyMapper),
		"install/package.json":         "{\n  \"name\": \"ad-ldap-connector\",\n  \"version\": \"6.4.1\"\n}\n",
		"install/logs.log":             "2025-03-01T12:00:00.000Z - debug: [2025-03-01 12:00:00] Connector setup complete.\n",
	}
	if *update {
		layIn(t, legacyFolder, want)
	}
	if diff := cmp.Diff(want, filesBelow(t, legacyFolder)); diff != "" {
		t.Errorf("run go test ./pkg/home -run LegacyData -update: %s", diff)
	}
}

// What an installation of the existing connector holds works as it is.
func TestLegacyInstallation(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "AD LDAP Connector")
	if err := os.CopyFS(dir, os.DirFS(legacyInstall)); err != nil {
		t.Fatal(err)
	}
	before := filesBelow(t, dir)
	h := open(t, dir)
	c, err := h.Config()
	if err != nil {
		t.Fatal(err)
	}
	pair, err := h.Keys(c)
	if err != nil {
		t.Fatal(err)
	}
	if password, err := pair.Open(string(c.Directory.BindCredentials)); err != nil || password != "Passw0rd!" {
		t.Errorf("the password of format 1: %v", err)
	}
	if script, name, err := h.Mapper(c); script != crlf(legacyMapper) || name != h.Path("lib", "profileMapper.js") || err != nil {
		t.Errorf("mapper: %q, %v", name, err)
	}
	if err := h.SaveConfig(c); err != nil {
		t.Fatal(err)
	}
	if err := h.SaveKeys(pair); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, filesBelow(t, dir)); diff != "" {
		t.Errorf("bytes changed although nothing was: %s", diff)
	}
}

func TestLegacyArchives(t *testing.T) {
	for path, tt := range map[string]struct {
		conf, mapper, password string
		notes                  []string
	}{
		legacyExport: {crlf(legacyConfig(sealedWith("a"))), crlf(legacyMapper), "Passw0rd!", nil},
		legacyData: {legacyConfig(""), legacyMapper, "", []string{
			`"backup/data/logs/connector/connector.log" is not a file of a connector and was passed over.`,
			`"backup/lib/profileMapper.js" is not a file of a connector and was passed over.`,
			"The archive does not hold the service account's password; set it after the import.",
		}},
	} {
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		info, err := f.Stat()
		if err != nil {
			t.Fatal(err)
		}
		a, err := ReadArchive(f, info.Size())
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		if diff := cmp.Diff(tt.notes, a.Notes); diff != "" {
			t.Errorf("%s: %s", path, diff)
		}
		if a.Mapper != tt.mapper {
			t.Errorf("%s: the mapper is %q", path, a.Mapper)
		}
		if conf, err := a.Config.Encode(); err != nil || string(conf) != tt.conf {
			t.Errorf("%s: the configuration is not byte for byte, %v", path, err)
		}
		h := open(t, filepath.Join(t.TempDir(), "node2"))
		if said := a.Adapt("node2", ""); len(said) != 2 {
			t.Errorf("%s: %q", path, said)
		}
		if _, err := h.Replace(a); err != nil {
			t.Fatal(err)
		}
		c, err := h.Config()
		if err != nil {
			t.Fatal(err)
		}
		pair, err := h.Keys(c)
		if err != nil {
			t.Fatal(err)
		}
		if _, key := pair.PEM(); string(key) != throwAway.Keys["a"] {
			t.Errorf("%s: the key is not byte for byte", path)
		}
		if tt.password != "" {
			if got, err := pair.Open(string(c.Directory.BindCredentials)); got != tt.password {
				t.Errorf("%s: the password does not open: %v", path, err)
			}
		}
		if extra, ok := c.Get("SOME_PLUGIN"); !ok || c.Tenant.ServerURL != "http://node2:4000" {
			t.Errorf("%s: %v, %q", path, extra, c.Tenant.ServerURL)
		}
	}
}

// The way back: what we export, a home of the same files holds.
func TestExportRoundTrip(t *testing.T) {
	h := open(t, filepath.Join(t.TempDir(), "home"))
	a, err := readFileArchive(legacyExport)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Replace(a); err != nil {
		t.Fatal(err)
	}
	var again strings.Builder
	if err := h.Export(&again, config.Default(), Origin{}); err != nil {
		t.Fatal(err)
	}
	original, err := os.ReadFile(legacyExport)
	if err != nil {
		t.Fatal(err)
	}
	if again.String() != string(original) {
		t.Error("the export of an import is another archive")
	}
}
