package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ad-ldap-connector/pkg/doctor"
	"ad-ldap-connector/testdata/lab"
)

// mended runs doctor and returns its report.
func mended(t *testing.T, i *invocation) doctor.Document {
	t.Helper()
	var d doctor.Document
	if err := json.Unmarshal([]byte(i.stdout.String()), &d); err != nil {
		t.Fatalf("%v: %s%s", err, i.stdout, i.stderr)
	}
	return d
}

func statusOf(d doctor.Document, id doctor.ID) doctor.Status {
	for _, c := range d.Checks {
		if c.ID == id {
			return c.Status
		}
	}
	return ""
}

// pinOf is the thumbprint of a lab's CA.
func pinOf(t *testing.T, ca *lab.CA) string {
	t.Helper()
	return doctor.Fingerprint(certificateOf(t, ca.File))
}

func certificateOf(t *testing.T, file string) *x509.Certificate {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(data)
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestAcceptDoctorTrusts adds the CA of a proxy that opens TLS, and no other,
// and only once somebody has named it.
func TestAcceptDoctorTrusts(t *testing.T) {
	t.Parallel()
	cloud := startCloud(t)
	inspector := lab.NewCA(t, t.TempDir())
	inspector.Open = true
	proxy := inspector.Intercept(t, strings.TrimPrefix(cloud.URL(), "https://"), true)
	c := newCLI(t, "HTTP_PROXY="+proxy)
	path := c.file("home/config.json", `{"AD_HUB": "wss://acme.example/lo/hub"}`)
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	look := []string{"doctor", "--only", "tls.tenant", "--tenant", "acme.example", "-o", "json"}
	fix := slices.Concat(look, []string{"--fix"})
	other := strings.Repeat("AB:", 31) + "AB"
	pin := pinOf(t, inspector)
	for name, args := range map[string][]string{
		"with nobody there":        fix,
		"with a yes to everything": slices.Concat(fix, []string{"--yes"}),
		"for another CA":           slices.Concat(fix, []string{"--yes", "--trust-ca", other}),
	} {
		i := c.run(args...)
		d := mended(t, i)
		if i.status() != exitBlocked || statusOf(d, "tls.tenant") != doctor.Failed || len(d.Fixes) != 1 || d.Fixes[0].Done || !strings.Contains(d.Fixes[0].Error, "--trust-ca") ||
			!strings.Contains(d.Fixes[0].Says, pin) {
			t.Errorf("%s: status %d, %+v", name, i.status(), d.Fixes)
		}
		if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, before) {
			t.Errorf("%s: config.json is %s, %v", name, now, err)
		}
		if _, err := os.Stat(filepath.Join(c.home, "ca")); err == nil {
			t.Errorf("%s: there is a folder of CAs", name)
		}
	}
	for name, args := range map[string][]string{
		"no thumbprint": slices.Concat(fix, []string{"--trust-ca", "AB:CD"}), "no --fix": slices.Concat(look, []string{"--trust-ca", other}),
	} {
		if i := c.run(args...); i.status() != exitUsage {
			t.Errorf("%s: status %d", name, i.status())
		}
	}
	i := c.run(slices.Concat(fix, []string{"--trust-ca", strings.ToLower(strings.ReplaceAll(pin, ":", ""))})...)
	d := mended(t, i)
	if i.status() != exitOK || statusOf(d, "tls.tenant") != doctor.Passed || len(d.Fixes) != 1 || !d.Fixes[0].Done {
		t.Errorf("status %d, %+v\n%s", i.status(), d.Fixes, i.stderr)
	}
	kept, err := filepath.Glob(filepath.Join(c.home, "ca", "*.pem"))
	if err != nil || len(kept) != 1 || !certificateOf(t, kept[0]).Equal(certificateOf(t, inspector.File)) {
		t.Errorf("kept %v, %v", kept, err)
	}
	if i := c.run(look...); i.status() != exitOK {
		t.Errorf("the next time: status %d", i.status())
	}
}

// TestDoctorTrustsADirectory has a directory's server show its CA.
func TestDoctorTrustsADirectory(t *testing.T) {
	t.Parallel()
	ca := lab.NewCA(t, t.TempDir())
	pair, err := tls.LoadX509KeyPair(ca.Issue(t, "127.0.0.1"))
	if err != nil {
		t.Fatal(err)
	}
	pair.Certificate = append(pair.Certificate[:1], certificateOf(t, ca.File).Raw)
	host := tlsServer(t, nil, func(c *tls.Config) { c.Certificates = []tls.Certificate{pair} })
	c := newCLI(t)
	c.file("home/config.json", `{"LDAP_URL": "ldaps://`+host+`"}`)
	i := c.run("doctor", "--only", "tls.directory", "-o", "json", "--fix", "--trust-ca", pinOf(t, ca))
	if d := mended(t, i); i.status() != exitOK || statusOf(d, "tls.directory") != doctor.Passed || len(d.Fixes) != 1 || !d.Fixes[0].Done {
		t.Errorf("status %d, %+v\n%s", i.status(), d.Fixes, i.stderr)
	}
}

// TestDoctorTrustsNobody where the CA is not shown, or where the operator keeps
// them somewhere else.
func TestDoctorTrustsNobody(t *testing.T) {
	t.Parallel()
	cloud := startCloud(t)
	upstream := strings.TrimPrefix(cloud.URL(), "https://")
	hidden, shown := lab.NewCA(t, t.TempDir()), lab.NewCA(t, t.TempDir())
	shown.Open = true
	own := lab.NewCA(t, t.TempDir()).File
	for name, tt := range map[string]struct{ proxy, settings, environ, says string }{
		"not shown":   {hidden.Intercept(t, upstream, true), `{"AD_HUB": "wss://acme.example/lo/hub"}`, "", "shows its own certificate alone"},
		"a file":      {shown.Intercept(t, upstream, true), `{"SSL_CA_PATH": "` + filepath.ToSlash(own) + `"}`, "", "SSL_CA_PATH is " + filepath.ToSlash(own)},
		"environment": {shown.Intercept(t, upstream, true), `{"AD_HUB": "wss://acme.example/lo/hub"}`, "SSL_CA_PATH=" + own, "by the environment"},
		"a pattern":   {shown.Intercept(t, upstream, true), `{"AD_HUB": "wss://acme.example/lo/hub", "SSL_CA_FILE": "^corp"}`, "", "SSL_CA_FILE"},
	} {
		c := newCLI(t, "HTTP_PROXY="+tt.proxy, tt.environ)
		path := c.file("home/config.json", tt.settings)
		i := c.run("doctor", "--only", "tls.tenant", "--tenant", "acme.example", "-o", "json", "--fix", "--trust-ca", pinOf(t, shown))
		d := mended(t, i)
		if i.status() != exitBlocked || len(d.Fixes) != 1 || d.Fixes[0].Done || !strings.Contains(d.Fixes[0].Error, tt.says) {
			t.Errorf("%s: status %d, %+v\n%s", name, i.status(), d.Fixes, i.stderr)
		}
		if now, err := os.ReadFile(path); err != nil || string(now) != tt.settings {
			t.Errorf("%s: config.json is %s, %v", name, now, err)
		}
		if left, err := filepath.Glob(filepath.Join(c.home, "ca", "*")); err != nil || len(left) > 0 {
			t.Errorf("%s: left %v, %v", name, left, err)
		}
	}
}
