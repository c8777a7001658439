package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ad-ldap-connector/pkg/sandbox"
	"ad-ldap-connector/testdata/lab"
)

// TestAcceptMixedPair has the existing connector and this one serve a connection
// together, through a whole move and back: ours joins by an archive of theirs,
// either is killed while the other answers, each registers anew beside the
// other, theirs joins by an archive of ours, and ours goes.
func TestAcceptMixedPair(t *testing.T) {
	t.Parallel()
	cloud := startCloud(t)
	l := newLegacy(t, cloud, startDirectoryFor(t), seal2, true)
	c := newCLI(t)
	l.layOut(t, filepath.Join(c.dir, "theirs"))
	theirs := startFormer(t, cloud, l.files)
	names := []string{"config.json", "lib/profileMapper.js", "certs/cert.key", "certs/cert.pem"}
	four := map[string]string{}
	for _, name := range names {
		four[name] = l.files[name]
	}
	c.must("import", c.file("connector_export_20250301-120000.zip", pack(t, four)))
	ours := c.start("run", "--home", c.home)
	m := &mixed{t, l}
	m.serves(true, true)

	ours.kill()
	m.serves(true, false)
	ours = c.start("run", "--home", c.home) // which registers
	m.serves(true, true)

	theirs.end()
	m.serves(false, true)
	archive := filepath.Join(c.dir, "node.zip")
	c.must("export", "--plain", "--file", archive)
	exported := archived(t, archive)
	for _, name := range names[1:] {
		if diff := cmp.Diff(l.files[name], exported[name]); diff != "" || len(exported) != len(names) {
			t.Errorf("%s of %d files: %s", name, len(exported), diff)
		}
	}
	nodeReads(t, exported, bindPasswordOf(t, exported))
	theirs = startFormer(t, cloud, exported) // which registers, too
	m.serves(true, true)

	ours.interrupt()
	ours.wait(patience)
	if ours.status() != exitOK {
		t.Errorf("run ended with %d:\n%s", ours.status(), ours.stderr)
	}
	m.serves(true, false)
	if theirs.answered.Load() == 0 {
		t.Error("the existing connector was never asked")
	}
}

// TestAcceptOurOwnGoesBack has the existing connector take over what was never
// its own: a home that install made, with settings of each type.
func TestAcceptOurOwnGoesBack(t *testing.T) {
	t.Parallel()
	cloud, d := startCloud(t), startDirectoryFor(t)
	c := newCLI(t)
	c.must("install", "--no-service", "--non-interactive", "--ticket-file", c.file("ticket", cloud.Ticket()+"\n"), "--ca-file", cloud.CAFile(),
		"--ldap-url", d.URL(), "--ldap-bind-user", d.BindUser(), "--ldap-bind-password-file", c.file("password", d.BindPassword()+"\n"))
	for key, value := range map[string]string{
		"GROUPS": "false", "ENABLE_WRITE_BACK": "yes", "ENABLE_ACTIVE_DIRECTORY_UNICODE_PASSWORD": "true",
		"GROUPS_CACHE_SECONDS": "60", "GROUP_PROPERTIES": "cn,description",
	} {
		c.must("config", "set", key, value)
	}
	archive := filepath.Join(c.dir, "node.zip")
	c.must("export", "--plain", "--file", archive)
	exported := archived(t, archive)
	nodeReads(t, exported, d.BindPassword())
	theirs := startFormer(t, cloud, exported)
	if g := theirs.conf; g.Groups == nil || *g.Groups || !g.WriteBack || !g.Unicode || g.Cache != "60" || !slices.Equal(g.Properties, []string{"cn", "description"}) {
		t.Errorf("the existing connector reads %+v", g)
	}
	r := login(t, cloud, "alice", sandbox.DemoPassword, "")
	if r.Profile["nickname"] != formerNickname {
		t.Errorf("answered by %v", r.Profile)
	}
}

// A mixed pair serves one connection.
type mixed struct {
	t *testing.T
	*legacy
}

// serves waits until logins are answered by those alone that are there, and has
// each of them accept and refuse.
func (m *mixed) serves(theirs, ours bool) {
	m.t.Helper()
	want := 0
	for _, there := range []bool{theirs, ours} {
		if there {
			want++
		}
	}
	awaitAgents(m.t, m.cloud, "the pair", func(all []sandbox.Agent) bool { return len(all) == want })
	for _, a := range m.cloud.Agents() {
		if a.Thumbprint != m.thumb {
			m.t.Errorf("an agent proved to hold %s, want %s", a.Thumbprint, m.thumb)
		}
	}
	for _, try := range []struct{ password, refused string }{{sandbox.DemoPassword, ""}, {"not-the-password", "WrongPassword"}} {
		by := map[any]int{}
		lab.Eventually(m.t, "answers of each", func() bool {
			r := login(m.t, m.cloud, "alice", try.password, try.refused)
			by[r.Profile["nickname"]]++
			return (by[formerNickname] > 0 || !theirs) && (by["alice@corp"] > 0 || !ours)
		})
		if by[formerNickname] > 0 != theirs || by["alice@corp"] > 0 != ours {
			m.t.Errorf("answers are %v", by)
		}
	}
}

// bindPasswordOf opens the service account's password as the existing connector
// does.
func bindPasswordOf(t *testing.T, files map[string]string) string {
	t.Helper()
	var conf formerConfig
	if err := json.Unmarshal([]byte(files["config.json"]), &conf); err != nil {
		t.Fatal(err)
	}
	password, err := formerOpen(files["certs/cert.key"], conf.Credentials)
	if err != nil {
		t.Fatal(err)
	}
	return password
}

// nodeScript reads an installation with the libraries that the existing
// connector has.
const nodeScript = `
'use strict';
const fs = require('fs'), path = require('path'), crypto = require('crypto'), assert = require('assert');
const dir = process.argv[1], want = fs.readFileSync(0, 'utf8');
const file = name => path.join(dir, name);
const conf = JSON.parse(fs.readFileSync(file('config.json'), 'utf8'));
for (const key of ['PROVISIONING_TICKET', 'AD_HUB', 'CONNECTION', 'REALM', 'LDAP_URL', 'LDAP_BASE', 'LDAP_BIND_USER', 'SERVER_URL', 'LAST_SENT_THUMBPRINT']) {
  assert.strictEqual(typeof conf[key], 'string', key);
}
assert.strictEqual(typeof conf[conf.REALM], 'string', 'the post URLs');
assert.strictEqual(conf.LDAP_BIND_PASSWORD, undefined);
for (const key of ['GROUPS', 'ENABLE_WRITE_BACK', 'ENABLE_ACTIVE_DIRECTORY_UNICODE_PASSWORD', 'KERBEROS_AUTH', 'CLIENT_CERT_AUTH']) {
  assert.ok(key in conf === false || typeof conf[key] === 'boolean', key);
}
const key = fs.readFileSync(file('certs/cert.key')), cert = new crypto.X509Certificate(fs.readFileSync(file('certs/cert.pem')));
assert.ok(cert.checkPrivateKey(crypto.createPrivateKey(key)));
const signed = crypto.createSign('RSA-SHA256').update('x').sign(key);
assert.ok(crypto.createVerify('RSA-SHA256').update('x').verify(cert.publicKey, signed));
assert.strictEqual(conf.LAST_SENT_THUMBPRINT, crypto.createHash('sha1').update(cert.raw).digest('hex'));
const [version, salt, iv, text] = conf.LDAP_BIND_CREDENTIALS.split('.');
assert.strictEqual(version, '$2$');
const secret = crypto.scryptSync(key.toString(), Buffer.from(salt, 'hex'), 32);
const open = crypto.createDecipheriv('aes-256-cbc', secret, Buffer.from(iv, 'hex'));
assert.ok(open.update(text, 'hex', 'utf8') + open.final('utf8') === want, 'the password is another');
if (fs.existsSync(file('lib/profileMapper.js'))) {
  const map = require(file('lib/profileMapper.js')), raw = { sAMAccountName: 'alice', objectGUID: '1', thumbnailPhoto: Buffer.from('x') };
  assert.strictEqual(typeof map, 'function');
  const done = (err, profile) => { assert.ifError(err); assert.ok(profile.id); console.log('read'); };
  if (map.length === 1) { done(null, map(raw)); } else { map(raw, done); }
} else {
  console.log('read');
}
`

// nodeReads has Node itself read the files.
func nodeReads(t *testing.T, files map[string]string, password string) {
	t.Helper()
	program := lab.Node(t)
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(program, "-e", nodeScript, dir)
	cmd.Stdin = strings.NewReader(password)
	if out, err := cmd.CombinedOutput(); err != nil || string(out) != "read\n" {
		t.Errorf("node does not read what was exported: %v: %s", err, out)
	}
}
