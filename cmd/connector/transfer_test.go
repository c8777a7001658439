package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ad-ldap-connector/pkg/config"
	"ad-ldap-connector/pkg/home"
	"ad-ldap-connector/pkg/keys"
	"ad-ldap-connector/pkg/profile"
)

// transferHome is a home that an archive can be made of, without a tenant.
func transferHome(t *testing.T, dir, connection string, more ...string) *home.Home {
	t.Helper()
	h, err := home.Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := keys.Generate(connection, "", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := pair.Seal("S3cret-of-the-service")
	if err != nil {
		t.Fatal(err)
	}
	c := config.Default()
	for _, kv := range append([]string{
		"CONNECTION=" + connection, "REALM=urn:auth0:acme", "AD_HUB=https://acme.example/lo/hub", "LDAP_URL=ldap://127.0.0.1:1",
		"LDAP_BASE=DC=corp", "LDAP_BIND_USER=svc", "LDAP_BIND_CREDENTIALS=" + sealed,
	}, more...) {
		name, value, _ := strings.Cut(kv, "=")
		if err := c.Set(name, value); err != nil {
			t.Fatal(err)
		}
	}
	for _, err := range []error{h.SaveKeys(pair), h.SaveMapper(profile.Default), h.SaveConfig(c)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return h
}

// call runs a command in this process.
func call(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, complaints bytes.Buffer
	a := &app{stdin: strings.NewReader(""), stdout: &out, stderr: &complaints, environ: []string{"PATH=" + os.Getenv("PATH")}}
	cmd := newCommand(a)
	cmd.SetArgs(args)
	err := cmd.ExecuteContext(t.Context())
	status = exitCode(err, false)
	if err != nil {
		a.complain(err, status)
	}
	return status, out.String(), complaints.String()
}

// TestHostileArchives: whatever is given to an import, the home stays as it is,
// byte for byte, and one line says why.
func TestHostileArchives(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	h := transferHome(t, filepath.Join(dir, "home"), "corp-ad")
	phrase := filepath.Join(dir, "phrase")
	write := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("phrase", []byte("correct horse battery\n"))
	var plain bytes.Buffer
	if err := transferHome(t, filepath.Join(dir, "other"), "corp-ad").Export(&plain, config.Default(), home.Origin{Version: "1"}); err != nil {
		t.Fatal(err)
	}
	encrypt := func(data []byte, passphrase string) []byte {
		made, err := home.Encrypt(data, passphrase)
		if err != nil {
			t.Fatal(err)
		}
		return made
	}
	good := encrypt(plain.Bytes(), "correct horse battery")
	archives := map[string]string{
		write("truncated.age", good[:len(good)-20]):                                        "it is damaged or cut short",
		write("header.age", good[:100]):                                                    "it is damaged or cut short",
		write("flipped.age", append(bytes.Clone(good[:len(good)-1]), good[len(good)-1]^1)): "it is damaged or cut short",
		write("others.age", encrypt(plain.Bytes(), "another")):                             "the passphrase is wrong",
		write("nothing.age", encrypt(nil, "correct horse battery")):                        "it is not a zip file",
	}
	corpus, err := filepath.Glob("../../testdata/hostile/*.zip")
	if err != nil || len(corpus) < 40 {
		t.Fatalf("%d hostile archives, %v", len(corpus), err)
	}
	for _, name := range corpus {
		archives[name] = "read the archive: "
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(name, "symbolic") || strings.Contains(name, "bomb") { // encryption proves nothing of what is inside
			archives[write(filepath.Base(name)+".age", encrypt(data, "correct horse battery"))] = "read the archive: "
		}
	}
	before := filesBelow(t, dir)
	for name, want := range archives {
		status, stdout, stderr := call(t, "import", name, "--offline", "--yes", "--replace", "--passphrase-file", phrase, "--home", h.Dir())
		lines := strings.Split(strings.TrimSpace(strings.TrimPrefix(stderr, "the archive is not encrypted; the passphrase was not needed\n")), "\n")
		if status != exitFault || stdout != "" || len(lines) != 1 || !strings.Contains(lines[0], want) {
			t.Errorf("%s ended with %d, want %q: %s%s", name, status, want, stdout, stderr)
		}
	}
	if diff := cmp.Diff(before, filesBelow(t, dir)); diff != "" {
		t.Error(diff)
	}
	// The same call takes what is good.
	if status, _, stderr := call(t, "import", write("good.age", good), "--offline", "--yes", "--passphrase-file", phrase, "--home", h.Dir()); status != exitOK {
		t.Errorf("the good one ended with %d: %s", status, stderr)
	}
}

// TestImportSaysWhatChanges: key by key, secrets by fingerprints that are those
// of the same secret only.
func TestImportSaysWhatChanges(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	here := transferHome(t, filepath.Join(dir, "here"), "corp-ad", "SESSION_SECRET=of-the-first-node-0123456789abcd", "OWN_TOKEN=first")
	there := transferHome(t, filepath.Join(dir, "there"), "corp-ad", "SESSION_SECRET=of-the-other-node-0123456789abcd", "OWN_TOKEN=other", "GROUPS=false")
	archive := filepath.Join(dir, "node.zip")
	if status, _, stderr := call(t, "export", "--plain", "--file", archive, "--home", there.Dir()); status != exitOK {
		t.Fatal(stderr)
	}
	status, stdout, stderr := call(t, "import", archive, "--offline", "--dry-run", "--home", here.Dir())
	if status != exitOK {
		t.Fatal(stderr)
	}
	var keys []string
	for line := range strings.Lines(stdout) {
		keys = append(keys, strings.Fields(line)[0])
	}
	// Both service accounts have one password, sealed with two keys.
	want := []string{"GROUPS", "SESSION_SECRET", "OWN_TOKEN", "certs/cert.pem"}
	if diff := cmp.Diff(want, keys); diff != "" {
		t.Errorf("%s\n%s", diff, stdout)
	}
	for _, secret := range []string{"of-the-", "first", "other", "S3cret"} {
		if strings.Contains(stdout+stderr, secret) {
			t.Errorf("it shows %q:\n%s%s", secret, stdout, stderr)
		}
	}
	if !strings.Contains(stdout, "true -> false") {
		t.Errorf("%s", stdout)
	}
}
