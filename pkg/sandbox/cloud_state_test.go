package sandbox

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestARestartedSandboxKnowsItsTickets(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "state")
	first, err := StartCloud(CloudOptions{State: folder})
	if err != nil {
		t.Fatal(err)
	}
	other, _, err := first.NewConnection("other", true, true)
	if err != nil {
		t.Fatal(err)
	}
	if err := first.SetSigning("other", "RS256"); err != nil {
		t.Fatal(err)
	}
	key, otherKey := firstKey().register(t, first, first.Ticket()), secondKey().register(t, first, other)
	ticket, ca := first.Ticket(), readFile(t, first.CAFile())
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(folder)
	if err != nil || len(files) != 3 {
		t.Fatalf("the folder holds %v, %v", files, err)
	}
	checkModes(t, folder, "state.json", "ca.key")

	second := startCloud(t, CloudOptions{State: folder, Kerberos: true, Timeout: patience})
	if second.Ticket() != ticket {
		// The port may have been taken meanwhile; the secret stays.
		if filepath.Base(second.Ticket()) != filepath.Base(ticket) {
			t.Errorf("the ticket has changed")
		}
	}
	if got := readFile(t, second.CAFile()); got != ca {
		t.Error("the certificate authority has changed")
	}
	if firstKey().register(t, second, second.Ticket()) != key || secondKey().register(t, second, second.ticket(second.find("other"))) != otherKey {
		t.Error("a signing key has changed")
	}
	if status, _ := secondKey().post(t, second, second.Ticket()); status != 409 {
		t.Errorf("the connection has forgotten its certificate: %d", status)
	}
	if cc := second.find(""); !cc.Kerberos || cc.CertAuth || !second.find("other").CertAuth {
		t.Errorf("the switches are %v %v", cc.Kerberos, cc.CertAuth)
	}
	joinAgent(t, second, secondKey(), second.ticket(second.find("other")), "other", saysYes)
	if _, err := second.Request(t.Context(), "authenticate_user", Request{Connection: "other"}); err != nil {
		t.Error(err)
	}
}

func TestATakenPortIsNoObstacle(t *testing.T) {
	folder := t.TempDir()
	first, err := StartCloud(CloudOptions{State: folder})
	if err != nil {
		t.Fatal(err)
	}
	address := strings.TrimPrefix(first.URL(), "https://")
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if taken, err := net.Listen("tcp", address); err == nil { // else it is somebody else's already, which is as good
		defer func() {
			if err := taken.Close(); err != nil {
				t.Error(err)
			}
		}()
	}
	second := startCloud(t, CloudOptions{State: folder})
	if second.URL() == first.URL() {
		t.Error("two listen on one port")
	}
	if _, err := StartCloud(CloudOptions{Listen: address}); err == nil {
		t.Error("a taken port that was asked for is passed over")
	}
}

func TestATemporaryFolderIsRemoved(t *testing.T) {
	c, err := StartCloud(CloudOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(c.CAFile()); err != nil {
		t.Error(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(c.folder); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder is still there: %v", err)
	}
}

func TestOnlyLoopbackIsServed(t *testing.T) {
	for _, address := range []string{":0", "0.0.0.0:0", "[::]:0", "192.0.2.1:443", "example.com:443", "127.0.0.1", "127.0.0.1:x", "localhost.example:0"} {
		if c, err := StartCloud(CloudOptions{Listen: address}); err == nil {
			t.Errorf("%s is served at %s", address, c.URL())
			_ = c.Close()
		}
	}
	c := startCloud(t, CloudOptions{Listen: "localhost:0"})
	if !strings.HasPrefix(c.URL(), "https://localhost:") {
		t.Errorf("the address is %s", c.URL())
	}
	firstKey().register(t, c, c.Ticket())
}

// TestDamagedState: a file that is damaged ends the start with its name, and
// is still there afterwards.
func TestDamagedState(t *testing.T) {
	folder := t.TempDir()
	c, err := StartCloud(CloudOptions{State: folder})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, name := range []string{"state.json", "ca.pem", "ca.key"} {
		files[name] = readFile(t, filepath.Join(folder, name))
	}
	good := files["state.json"]
	strange, err := StartCloud(CloudOptions{})
	if err != nil {
		t.Fatal(err)
	}
	otherCA := readFile(t, strange.CAFile())
	if err := strange.Close(); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ name, file, text string }{
		{"empty", "state.json", ""},
		{"cut off", "state.json", good[:len(good)/2]},
		{"of tomorrow", "state.json", strings.Replace(good, `"version": 1`, `"version": 2`, 1)},
		{"an impossible port", "state.json", `{"version":1,"port":70000}`},
		{"null for a connection", "state.json", `{"version":1,"connections":[null]}`},
		{"a bad name", "state.json", strings.Replace(good, `"sandbox"`, `"sand box"`, 1)},
		{"an unknown algorithm", "state.json", strings.Replace(good, "HS256", "none", 1)},
		{"a short ticket", "state.json", strings.Replace(good, `"secret": "`, `"secret": "short", "x": "`, 1)},
		{"a key of another kind", "state.json", strings.Replace(good, "HS256", "RS256", 1)},
		{"no PEM", "ca.pem", "hello"},
		{"no certificate", "ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("hello")}))},
		{"another one's", "ca.pem", otherCA},
		{"no PEM", "ca.key", "hello"},
		{"no key", "ca.key", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("hello")}))},
	} {
		path := filepath.Join(folder, test.file)
		writeFile(t, path, test.text)
		c, err := StartCloud(CloudOptions{State: folder})
		if err == nil {
			t.Errorf("%s, %s: started", test.file, test.name)
			_ = c.Close()
		} else if !strings.Contains(err.Error(), test.file) && !strings.Contains(err.Error(), "ca.pem") {
			t.Errorf("%s, %s: %v", test.file, test.name, err)
		}
		if err == nil || readFile(t, path) == test.text {
			writeFile(t, path, files[test.file])
			continue
		}
		t.Errorf("%s, %s: replaced", test.file, test.name)
	}
	if err := os.Remove(filepath.Join(folder, "ca.key")); err != nil {
		t.Fatal(err)
	}
	if _, err := StartCloud(CloudOptions{State: folder}); err == nil || !strings.Contains(err.Error(), "remove") {
		t.Errorf("without ca.key: %v", err)
	}
}

// TestAStateThatCannotBeKept: nothing is promised that would be forgotten.
func TestAStateThatCannotBeKept(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "state")
	c := startCloud(t, CloudOptions{State: folder})
	if err := os.RemoveAll(folder); err != nil {
		t.Skip("the folder is held:", err)
	}
	if _, _, err := c.NewConnection("other", false, false); err == nil {
		t.Error("a connection is added that is not kept")
	}
	if status, body := firstKey().post(t, c, c.Ticket()); status != 500 || strings.Contains(body, "signingKey") {
		t.Errorf("a registration that is not kept: %d %s", status, body)
	}
	if c.find("other") != nil || len(c.Thumbprints("")) > 0 {
		t.Error("what was not kept is there")
	}
	writeFile(t, filepath.Join(filepath.Dir(folder), "file"), "")
	for _, state := range []string{filepath.Join(filepath.Dir(folder), "file"), filepath.Join(filepath.Dir(folder), "file", "state")} {
		if _, err := StartCloud(CloudOptions{State: state}); err == nil {
			t.Errorf("%s is taken for a folder", state)
		}
	}
}

func TestCertificatesAreMadeNewInTime(t *testing.T) {
	folder, now := t.TempDir(), time.Now()
	clock := func() time.Time { return now }
	ca, err := openCloudCA(folder, clock)
	if err != nil {
		t.Fatal(err)
	}
	served := func(ca *cloudCA) *x509.Certificate {
		t.Helper()
		certificate, err := ca.serverCertificate(now)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"localhost", "127.0.0.1", "::1", ProxiedName} {
			if _, err := certificate.Leaf.Verify(x509.VerifyOptions{Roots: ca.pool(), DNSName: name, CurrentTime: now}); err != nil {
				t.Error(err)
			}
		}
		return certificate.Leaf
	}
	first := served(ca)
	if served(ca) != first {
		t.Error("the server's certificate is made new without need")
	}
	now = first.NotAfter.Add(-time.Hour)
	if again := served(ca); again == first {
		t.Error("the server's certificate is not made new")
	}
	if kept, err := openCloudCA(folder, clock); err != nil || !kept.certificate.Equal(ca.certificate) {
		t.Errorf("the authority is not kept: %v", err)
	}
	now = ca.certificate.NotAfter
	renewed, err := openCloudCA(folder, clock)
	if err != nil || renewed.certificate.Equal(ca.certificate) {
		t.Errorf("the authority is not made new: %v", err)
	}
	served(renewed)
	checkModes(t, folder, "ca.key")
}

// TestTheAuthorityIsForThisMachineOnly: whoever trusts it risks nothing else.
func TestTheAuthorityIsForThisMachineOnly(t *testing.T) {
	ca, err := openCloudCA(t.TempDir(), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	for _, template := range []*x509.Certificate{
		{DNSNames: []string{"example.com"}}, {IPAddresses: []net.IP{net.IPv4(192, 0, 2, 1)}},
	} {
		template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
		der, err := signCloudCertificate(template, ca.certificate, ca.key, ca.key)
		if err != nil {
			t.Fatal(err)
		}
		certificate, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := certificate.Verify(x509.VerifyOptions{Roots: ca.pool()}); err == nil {
			t.Errorf("it vouches for %v %v", template.DNSNames, template.IPAddresses)
		}
	}
}

func FuzzCloudState(f *testing.F) {
	f.Add([]byte(`{"version":1,"port":41443,"connections":[{"name":"a","secret":"AAAAAAAAAAAAAAAAAAAAAAAAAA","algorithm":"HS256","key":"BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB"}]}`))
	f.Add([]byte(`{"version":1,"connections":[null]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		state, err := parseCloudState(data)
		if err != nil {
			return
		}
		names := []string{}
		for _, cc := range state.Connections {
			if cc.signer == nil || cc.public == "" || slices.Contains(names, cc.Name) {
				t.Errorf("taken: %+v", cc)
			}
			names = append(names, cc.Name)
		}
	})
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
