package main

import (
	"archive/zip"
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"ad-ldap-connector/pkg/home"
	"ad-ldap-connector/pkg/keys"
	"ad-ldap-connector/testdata/lab"
)

// unpacked returns the files of an archive.
func unpacked(name string) (map[string][]byte, error) {
	z, err := zip.OpenReader(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = z.Close() }()
	files := map[string][]byte{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			return nil, err
		}
		if files[f.Name], err = io.ReadAll(r); err != nil { // which checks the sum
			return nil, err
		}
	}
	return files, nil
}

// unpack ARCHIVE FOLDER unpacks a support archive.
func unpackScript(ts *testscript.TestScript, _ bool, args []string) {
	files, err := unpacked(ts.MkAbs(args[0]))
	ts.Check(err)
	for name, data := range files {
		path := filepath.Join(ts.MkAbs(args[1]), filepath.FromSlash(name))
		ts.Check(os.MkdirAll(filepath.Dir(path), 0o700))
		ts.Check(os.WriteFile(path, data, 0o600))
	}
}

// supportSecrets are planted wherever a home can hold one. None is part of
// another.
var supportSecrets = map[string]string{
	"the ticket": "ticketSecretWk5", "the password": `Bind-Vy9/Passw0rd"account`, "the proxy's password": "proxy-Jw5-credential",
	"the signing key": "signing-Hu2-key/text", "the session's": "session-Rt6-secret", "the PFX file's password": "pfx-Ld3+passphrase",
	"a former password": "former-Gs8-password", "a stranger's key": "stranger-Bn1-value", "the ticket in the environment": "givenSecretPz8x",
	"a password in a URL": "url-Mn4-password",
}

// supportHome is a home with all of them: the password is sealed, keytab, PFX
// and client key are octets of their own.
func supportHome(t *testing.T) (a *app, octets map[string][]byte) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "home")
	h, err := home.Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := keys.Generate("corp", "corp.example", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	s := supportSecrets
	sealed, err := pair.Seal(s["the password"])
	if err != nil {
		t.Fatal(err)
	}
	_, key := pair.PEM()
	keytab, pfx := make([]byte, 200), make([]byte, 900)
	_, _ = rand.Read(keytab) // never fails
	_, _ = rand.Read(pfx)
	clientCert, clientKey := lab.NewCA(t, t.TempDir()).Issue(t, "client.example")
	clientPEM, err := os.ReadFile(clientKey)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(clientPEM)
	keyBlock, _ := pem.Decode(key)
	settings := jsonOf(t, map[string]any{
		"PROVISIONING_TICKET": "https://127.0.0.1:1/p/ad/" + s["the ticket"], "CONNECTION": "corp", "LDAP_BASE": "DC=corp,DC=test",
		"LDAP_URL": "ldap://svc:" + s["a password in a URL"] + "@127.0.0.1:1", "LDAP_BIND_USER": "svc", "LDAP_BIND_CREDENTIALS": sealed,
		"HTTP_PROXY": "http://user:" + s["the proxy's password"] + "@127.0.0.1:1", "TENANT_SIGNING_KEY": s["the signing key"],
		"SESSION_SECRET": s["the session's"], "SSL_PFX": base64.StdEncoding.EncodeToString(pfx), "SSL_KEY_PASSWORD": s["the PFX file's password"],
		"LDAP_KEYTAB": "svc.keytab", "LDAP_CLIENT_CERT": clientCert, "LDAP_CLIENT_KEY": clientKey, "SOME_API": map[string]string{"token": s["a stranger's key"]},
	})
	if err := h.SaveKeys(pair); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"config.json": settings, "svc.keytab": string(keytab), "logs/connector.log": "[2026-01-01 10:00:00] nothing of note\n",
		"backups/20260101-100000/config.json": jsonOf(t, map[string]string{"LDAP_BIND_PASSWORD": s["a former password"]}),
	} {
		path := h.Path(filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	environ := []string{"CONNECTOR_TICKET=https://127.0.0.1:1/p/ad/" + s["the ticket in the environment"]}
	octets = map[string][]byte{"the keytab": keytab, "the PFX file": pfx, "the private key": keyBlock.Bytes, "the client key": block.Bytes, "the sealed password": []byte(sealed)}
	return &app{stdin: strings.NewReader(""), stderr: discard, environ: environ, home: dir}, octets
}

// runSupport runs the command on a's home.
func runSupport(t *testing.T, a *app, args ...string) (said string, err error) {
	t.Helper()
	var out bytes.Buffer
	b := *a
	b.stdout, b.stderr = &out, &out
	cmd := newCommand(&b)
	cmd.SetArgs(append([]string{"support", "--home", a.home, "--timeout", "20s"}, args...))
	err = cmd.ExecuteContext(t.Context())
	if err != nil {
		out.WriteString(err.Error() + "\n" + hintOf(err))
	}
	return out.String(), err
}

// TestSupportShowsNoSecret greps every octet of an archive for all that the home
// keeps to itself.
func TestSupportShowsNoSecret(t *testing.T) {
	a, octets := supportHome(t)
	name := filepath.Join(t.TempDir(), "case.zip")
	said, err := runSupport(t, a, "--file", name)
	if err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	files, err := unpacked(name)
	if err != nil || len(files) < 9 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	h := &hunter{t: t, secrets: supportSecrets}
	h.search("what is said", said)
	for file, data := range files {
		h.search(file, string(data))
		for what, secret := range octets {
			for i := 0; i+16 <= len(secret); i++ {
				piece := secret[i : i+16]
				if bytes.Contains(data, piece) && !isPlain(piece) || bytes.Contains(data, []byte(hex.EncodeToString(piece))) {
					t.Fatalf("%s shows %s", file, what)
				}
			}
			if text := base64.StdEncoding.EncodeToString(secret); bytes.Contains(data, []byte(text[64:96])) {
				t.Fatalf("%s shows %s in base64", file, what)
			}
		}
	}
	var m supportManifest
	if err := json.Unmarshal(files[manifestFile], &m); err != nil || m.SchemaVersion != 1 || len(m.Files) != len(files)-1 {
		t.Fatalf("%+v, %v", m, err)
	}
	for _, f := range m.Files {
		if sum := sha256.Sum256(files[f.Name]); f.SHA256 != hex.EncodeToString(sum[:]) || f.Size != len(files[f.Name]) {
			t.Errorf("%s is not what the manifest says", f.Name)
		}
	}
	for _, want := range []string{`"https://127.0.0.1:1/p/ad/[hidden]"`, `"http://127.0.0.1:1"`, `"LDAP_BIND_CREDENTIALS"`, `"SOME_API"`} {
		if !bytes.Contains(files["config.json"], []byte(want)) {
			t.Errorf("config.json lacks %s", want)
		}
	}
}

// TestSupportRefuses puts each of the secrets into a log, as it might get there,
// and wants no archive.
func TestSupportRefuses(t *testing.T) {
	a, octets := supportHome(t)
	dir := t.TempDir()
	name := filepath.Join(dir, "case.zip")
	target, err := a.openTarget(targetFlags{})
	if err != nil {
		t.Fatal(err)
	}
	defer target.Close()
	var s scanner
	if unknown := s.learn(a, target); len(unknown) > 0 {
		t.Errorf("%q", unknown)
	}
	refused := func(what, form, text string) {
		t.Helper()
		if leaks := s.scan("logs/connector.log", []byte("one\ntwo "+text+"\n"), 0); len(leaks) == 0 || leaks[0].Line != 2 {
			t.Errorf("%s %s is let through: %v", what, form, leaks)
		}
	}
	for what, secret := range supportSecrets {
		if what == "a password in a URL" {
			refused(what, "as it is", "ldap://svc:"+secret+"@127.0.0.1:1") // what is no setting of its own has its shape only
			continue
		}
		refused(what, "as it is", secret)
		refused(what, "in JSON", jsonOf(t, secret))
		refused(what, "in a query", url.QueryEscape(secret))
		refused(what, "in base64", base64.StdEncoding.EncodeToString([]byte("user:"+secret)))
		refused(what, "in hex", hex.EncodeToString([]byte(secret)))
		refused(what, "broken", secret[:9]+`\r\n`+secret[9:])
	}
	for what, secret := range octets {
		refused(what, "as it is", string(secret))
		refused(what, "in base64", base64.StdEncoding.EncodeToString(secret))
		refused(what, "in hex", hex.EncodeToString(secret))
		if what != "the sealed password" { // which is a text, and found as a whole
			from := pieceOctets
			if what == "the private key" { // before that is what is public of it
				from = len(secret) * 2 / 3
			}
			refused(what, "in part", base64.StdEncoding.EncodeToString(secret[from/pieceOctets*pieceOctets:][:2*pieceOctets]))
		}
	}
	refused("the sealed password", "in part", string(octets["the sealed password"][:len(octets["the sealed password"])-3]))
	log := filepath.Join(a.home, "logs", "connector.log")
	text := "one\n" + supportSecrets["the password"] + "\n"
	if err := os.WriteFile(log, []byte(strings.Repeat("x", logTail)+"\n"+text), 0o600); err != nil {
		t.Fatal(err)
	}
	said, err := runSupport(t, a, "--file", name)
	if exitCode(err, false) != exitFault || !strings.Contains(said, "logs/connector.log line 3: the service account's password") ||
		!strings.Contains(said, "connector support --leave-out logs/connector.log") {
		t.Errorf("%v: %s", err, said)
	}
	(&hunter{t: t, secrets: supportSecrets}).search("the refusal", said)
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) > 0 {
		t.Errorf("it left %q", left)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) > 0 {
		t.Errorf("it left %q", left)
	}
	if said, err := runSupport(t, a, "--file", name, "--leave-out", "logs/connector.log"); err != nil {
		t.Errorf("%v: %s", err, said)
	}
}

// TestSupportTakesCertificates has the agent's keys in the configuration, whose
// certificate may be shown: the modulus in it is in the private key as well.
func TestSupportTakesCertificates(t *testing.T) {
	pair, err := keys.Generate("corp", "corp.example", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	cert, key := pair.PEM()
	for shift := range 3 { // of base64, by what is before it
		dir := t.TempDir()
		text := jsonOf(t, map[string]string{"AUTH_CERT": string(cert), "AUTH_CERT_KEY": string(key), "SITE_NAME": strings.Repeat("x", shift)})
		if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		log := strings.Repeat("x", shift) + base64.StdEncoding.EncodeToString(append(make([]byte, shift), pair.Certificate.Raw...)) + "\n"
		if err := os.WriteFile(filepath.Join(dir, "logs.log"), []byte(log), 0o600); err != nil {
			t.Fatal(err)
		}
		name := filepath.Join(t.TempDir(), "case.zip")
		said, err := runSupport(t, &app{stdin: strings.NewReader(""), home: dir}, "--file", name)
		if err != nil {
			t.Fatalf("%v: %s", err, said)
		}
		files, err := unpacked(name)
		if err != nil || !bytes.Contains(files["config.json"], []byte("BEGIN CERTIFICATE")) || bytes.Contains(files["config.json"], []byte("PRIVATE")) {
			t.Errorf("%v: %.300s", err, files["config.json"])
		}
	}
}

// TestSupportIsBounded has a large log, of which the end is taken.
func TestSupportIsBounded(t *testing.T) {
	a, _ := supportHome(t)
	log := filepath.Join(a.home, "logs", "connector.log")
	if err := os.WriteFile(log, []byte(strings.Repeat("a line of a log file\n", 200_000)+"the last\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "case.zip")
	if said, err := runSupport(t, a, "--file", name); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	files, err := unpacked(name)
	data := files["logs/connector.log"]
	if err != nil || len(data) > logTail || len(data) < logTail-100 || !bytes.HasPrefix(data, []byte("a line")) || !bytes.HasSuffix(data, []byte("\nthe last\n")) {
		t.Errorf("%d bytes, %v", len(data), err)
	}
}

// TestSupportWritesWholeOrNot covers the ways in which a file gets its name.
func TestSupportWritesWholeOrNot(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "case.zip")
	if err := writeWhole(name, []byte("one"), false); err != nil {
		t.Fatal(err)
	}
	if err := writeWhole(name, []byte("two"), false); err == nil || !strings.HasSuffix(err.Error(), "it exists already") {
		t.Errorf("%v", err)
	}
	if data, _ := os.ReadFile(name); string(data) != "one" {
		t.Errorf("%q", data)
	}
	if err := writeWhole(name, []byte("three"), true); err != nil {
		t.Error(err)
	}
	info, err := os.Stat(name)
	if err != nil || filepath.Separator == '/' && info.Mode() != 0o600 || info.Size() != 5 {
		t.Errorf("%v, %v", info, err)
	}
	if err := occupied(dir, true); err == nil {
		t.Error("a folder can be written over")
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("%v", left)
	}
}

// TestSupportSecretThatIsAWord has a password that no archive can be without.
func TestSupportSecretThatIsAWord(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(`{"LDAP_BIND_PASSWORD": "connector"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	said, err := runSupport(t, &app{stdin: strings.NewReader(""), home: dir}, "--file", filepath.Join(t.TempDir(), "case.zip"))
	if exitCode(err, false) != exitFault || !strings.Contains(said, "an ordinary word") {
		t.Errorf("%v: %s", err, said)
	}
}

// TestSupportSaysWhatItDoesNotKnow has secrets that cannot be read: the archive
// says that they were not looked for.
func TestSupportSaysWhatItDoesNotKnow(t *testing.T) {
	a, _ := supportHome(t)
	key := filepath.Join(a.home, "certs", "cert.key")
	if err := errors.Join(os.Remove(key), os.Mkdir(key, 0o700)); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "case.zip")
	if said, err := runSupport(t, a, "--file", name); err != nil || !strings.Contains(said, "were not looked for") {
		t.Errorf("%v: %s", err, said)
	}
	files, err := unpacked(name)
	if err != nil || !bytes.Contains(files[manifestFile], []byte("were not looked for: open LDAP_BIND_CREDENTIALS: ")) {
		t.Errorf("%v: %s", err, files[manifestFile])
	}
}
