package main

import (
	"crypto/sha1"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"os"
	"path"
	"slices"
	"strings"
	"testing"

	"ad-ldap-connector/pkg/sandbox"
	"ad-ldap-connector/testdata/lab"
)

// standIn behaves like the Node connector's "node server.js" as far as a service
// manager sees it: it needs its configuration and its key, runs until SIGTERM,
// and ends with 0. There is no Node in the machine.
const standIn = `#!/bin/sh
test "$1" = server.js && test -f server.js || exit 1
cat config.json certs/cert.key >/dev/null 2>&1 || cat data/config.json data/certs/cert.key >/dev/null || exit 1
trap 'echo "Got SIGTERM, exiting now."; exit 0' TERM
while :; do sleep 3600 & wait $!; done
`

// A nodeHome is an installation of the Node connector in a machine: by the
// vendor's instructions, in use, of a connection that the tenant knows.
type nodeHome struct {
	dir, unit, connection string
	seal                  func(*testing.T, string, string) string // nil: the password is in the keychain
	windows               bool                                    // config.json has CRLF
	data                  bool                                    // the newer layout
	enabled, running      bool
	more                  string // a drop-in

	files map[string]string
	ran   string // the process
}

// unitText is the vendor's sample.
func (n *nodeHome) unitText() string {
	return "[Unit]\nDescription=Auth0 AD LDAP\n\n[Service]\nType=simple\nRestart=always\nUser=ubuntu\nWorkingDirectory=" + n.dir +
		"\nExecStart=/usr/bin/node server.js\n\n[Install]\nWantedBy=multi-user.target\n"
}

// lay makes the installation.
func (n *nodeHome) lay(t *testing.T, s *server) {
	t.Helper()
	ticket := strings.TrimSpace(s.Run("cat", s.newTicket(n.connection)))
	var vectors struct {
		Keys map[string]string `json:"keys_pem"`
	}
	data, err := os.ReadFile("../../pkg/keys/testdata/ldap_bind_credentials.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &vectors); err != nil {
		t.Fatal(err)
	}
	key := vectors.Keys["a"] // with CRLF
	block, _ := pem.Decode([]byte(key))
	signer, err := x509.ParsePKCS1PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	der := legacyCertificate(t, signer, n.connection)
	sum := sha1.Sum(der)
	var info struct {
		Hub    string          `json:"adHub"`
		Domain json.RawMessage `json:"connectionDomain"`
		Realm  struct{ Name, PostTokenURL string }
	}
	var answer struct{ SigningKey string }
	ask := func(into any, args ...string) {
		t.Helper()
		out := s.Run(append([]string{requestThere, s.sandbox.CA}, args...)...)
		if err := json.Unmarshal([]byte(out), into); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	ask(&info, ticket+"/info")
	ask(&answer, ticket, `{"certs":["`+base64.StdEncoding.EncodeToString(der)+`"],"signInEndpoint":"http://NODE1:4000/wsfed","agentMode":true,"agentVersion":"6.4.1"}`)
	quote := func(v any) string {
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	credentials := ""
	if n.seal != nil {
		credentials = `  "LDAP_BIND_CREDENTIALS": ` + quote(n.seal(t, key, strings.TrimSpace(s.Run("cat", s.sandbox.BindPasswordFile)))) + ",\n"
	}
	config := `{
  "PROVISIONING_TICKET": ` + quote(ticket) + `,
  "LDAP_URL": ` + quote(s.sandbox.LDAPURL) + `,
  "LDAP_BASE": ` + quote(s.sandbox.LDAPBase) + `,
  "LDAP_BIND_USER": ` + quote(s.sandbox.BindUser) + `,
  "SSL_CA_PATH": ` + quote(n.dir+"/authorities") + `,
  "x-monitoring": { "labels": [ "a", 1.50 ] },
  "AD_HUB": ` + quote(info.Hub) + `,
  "WSFED_ISSUER": ` + string(info.Domain) + `,
  "CONNECTION": ` + quote(n.connection) + `,
  "CLIENT_CERT_AUTH": false,
  "KERBEROS_AUTH": false,
  "FIREWALL_RULE_CREATED": false,
  "REALM": ` + quote(info.Realm.Name) + `,
  "SITE_NAME": "Corporate sign-in",
  ` + quote(info.Realm.Name) + `: ` + quote(info.Realm.PostTokenURL) + `,
  "PORT": 4000,
  "SERVER_URL": "http://NODE1:4000",
  "LAST_SENT_THUMBPRINT": ` + quote(hex.EncodeToString(sum[:])) + `,
  "TENANT_SIGNING_KEY": ` + quote(answer.SigningKey) + `,
` + credentials + `  "ANONYMOUS_SEARCH_ENABLED": false
}
`
	if n.windows {
		config = crlf(config)
	}
	n.files = map[string]string{
		"config.json": config, "certs/cert.key": key,
		"certs/cert.pem":       crlf(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))),
		"lib/profileMapper.js": crlf(legacyMapper),
	}
	there := map[string]string{
		"package.json": `{"name":"ad-ldap-connector","version":"6.4.1"}`, "server.js": "", "ws_validator.js": "", "lib/users.js": "", "node_modules/ws/index.js": "",
		"authorities/ours.pem": s.Run("cat", s.sandbox.CA), "logs.log": "started\n",
	}
	for name, text := range n.files {
		if n.data {
			name = map[string]string{"lib/profileMapper.js": "data/profileMapper/custom.js"}[name] + strings.TrimSuffix("data/"+name, "data/lib/profileMapper.js")
		}
		there[name] = text
	}
	for name, text := range there {
		s.Write(path.Join(n.dir, name), []byte(text))
	}
	s.Run("sh", "-c", `find "$1" -type f -exec chmod 644 {} + && chown -R ubuntu:ubuntu "$1"`, "sh", n.dir)
	s.Write("/etc/systemd/system/"+n.unit+".service", []byte(n.unitText()))
	s.Run("chmod", "644", "/etc/systemd/system/"+n.unit+".service")
	if n.more != "" {
		s.Write("/etc/systemd/system/"+n.unit+".service.d/override.conf", []byte(n.more))
	}
	s.Run("systemctl", "daemon-reload")
	if n.enabled {
		s.Run("systemctl", "enable", "--quiet", n.unit)
	}
	if n.running {
		s.Run("systemctl", "start", n.unit)
	}
	n.runs(t, s)
}

// runs checks that the service is as it was.
func (n *nodeHome) runs(t *testing.T, s *server) {
	t.Helper()
	// A process that has just begun has no words of its own yet.
	lab.Eventually(t, n.unit+" to run, or not", func() bool {
		out, _ := s.Try("systemctl", "show", "--property=MainPID", "--value", n.unit)
		n.ran = strings.TrimSpace(out)
		command, _ := s.Try("cat", "/proc/"+n.ran+"/cmdline")
		return strings.Contains(command, "server.js") == n.running
	})
	if out, _ := s.Try("systemctl", "is-enabled", n.unit); (strings.TrimSpace(out) == "enabled") != n.enabled {
		t.Errorf("%s is %s", n.unit, out)
	}
	if out, _ := s.Try("systemctl", "show", "--property=NRestarts", "--value", n.unit); strings.TrimSpace(out) != "0" {
		t.Errorf("%s was started again %s times", n.unit, out)
	}
}

// remove takes it off the machine.
func (n *nodeHome) remove(s *server) {
	s.Run("sh", "-c", `systemctl disable --now --quiet "$1"; rm -r /etc/systemd/system/"$1".service*; systemctl daemon-reload; rm -r "$2"`, "sh", n.unit, n.dir)
	s.Run("rm", "-f", "/run/lab/ticket-"+n.connection)
}

// unchanged compares the files with what was laid down.
func (n *nodeHome) unchanged(t *testing.T, s *server) {
	t.Helper()
	for name, want := range n.files {
		if got := s.Run("cat", path.Join(n.dir, name)); got != want && (name != "config.json" || n.seal != nil) {
			t.Errorf("%s has changed:\n%s", name, got)
		}
	}
}

// TestAcceptAdoption takes over from the Node connector on a machine that
// systemd started, and gives it back.
func TestAcceptAdoption(t *testing.T) {
	t.Parallel()
	s := bootServer(t)
	s.Write("/usr/bin/node", []byte(standIn))
	s.Run("useradd", "--create-home", "ubuntu")
	command := []string{"env", "NO_COLOR=1", shippedThere, "install", "--non-interactive", "-o", "json"}
	password := []string{"--ldap-bind-password-file", s.sandbox.BindPasswordFile}
	for _, tt := range []struct {
		name  string
		node  nodeHome
		spoil []string // steps, and how they go wrong, before it goes well
		more  []string
	}{
		{name: "format 1", node: nodeHome{dir: "/opt/auth0-adldap", unit: "ad-ldap", connection: "first", seal: seal1, enabled: true, running: true},
			spoil: []string{"adopt-home:fail-after", "stop-former:interrupt", "stop-former:kill-after", "wait-connected:fail-after"}},
		{name: "our name, format 2", node: nodeHome{dir: "/opt/auth0-ad-ldap", unit: "auth0-adldap", connection: "second", seal: seal2, windows: true,
			running: true, more: "[Service]\nEnvironment=DEBUG=x\n"}, spoil: []string{"register-service:fail-after", "start-service:fail-after"}},
		{name: "newer layout", node: nodeHome{dir: "/srv/connector", unit: "auth0-adldap", connection: "third", data: true, enabled: true}, more: password},
	} {
		before := s.Look()
		ok := t.Run(tt.name, func(t *testing.T) {
			s, n := &server{s.For(t), t, s.sandbox}, &tt.node
			n.lay(t, s)
			as := s.Look()
			for _, spoil := range tt.spoil {
				args := slices.Concat([]string{"env", spoilStep + "=" + spoil, spoiledThere}, command[3:], tt.more)
				out, err := s.Try(args...)
				want := map[string]int{"interrupt": exitInterrupted, "kill-after": -1}[strings.Split(spoil, ":")[1]]
				if want == 0 {
					want = exitUndone
				}
				if got := exitOf(t, err); got != want && want != -1 {
					t.Errorf("%s: ended with %d: %s", spoil, got, out)
				}
				if want == -1 { // what is left is completed, or given back, as here
					s.Run(shippedThere, "uninstall", "--yes", "--rollback", "--home", n.dir)
				}
				n.runs(t, s)
				wantSame(t, s, as)
			}
			if tt.more != nil { // it says why it wants more
				out, err := s.Try(command...)
				if exitOf(t, err) != exitUsage || !strings.Contains(out, "keychain") || !strings.Contains(out, "--ldap-bind-password-file") {
					t.Errorf("without a password: %v: %s", err, out)
				}
				wantSame(t, s, as)
			}
			adopted(t, s, n, slices.Concat(command, tt.more))
			out := s.Run(shippedThere, "uninstall", "--yes", "--rollback", "-o", "json") // the service says where the home is
			if !strings.Contains(lastLine(out), `"result":"rolled-back"`) {
				t.Errorf("rollback: %s", out)
			}
			n.runs(t, s)
			wantSame(t, s, as)
			if out, err := s.Try(shippedThere, "uninstall", "--yes", "--rollback", "--home", n.dir); exitOf(t, err) != exitFault || !strings.Contains(out, "was not taken over") {
				t.Errorf("rollback again: %v: %s", err, out)
			}
			n.remove(s)
			wantSame(t, s, before)
		})
		if !ok {
			return // what follows would find what this one left
		}
	}
}

// adopted installs, and looks at what has become of the Node connector.
func adopted(t *testing.T, s *server, n *nodeHome, command []string) {
	t.Helper()
	out := s.Run(command...)
	if last := lastLine(out); !strings.Contains(last, `"result":"installed"`) || !strings.Contains(last, `"home":"`+n.dir+`"`) {
		t.Fatalf("install: %s", out)
	}
	if !strings.Contains(out, `"version":"6.4.1"`) || !strings.Contains(out, `"name":"`+n.unit+`"`) {
		t.Errorf("it does not say what it took over: %s", out)
	}
	if state, _ := s.Try("systemctl", "is-active", n.unit); n.unit != "auth0-adldap" && strings.TrimSpace(state) == "active" {
		t.Errorf("%s is %s", n.unit, state)
	}
	if state, _ := s.Try("systemctl", "is-enabled", n.unit); n.unit != "auth0-adldap" && strings.TrimSpace(state) == "enabled" {
		t.Errorf("%s is %s", n.unit, state)
	}
	if processes, err := s.Try("pgrep", "--full", "server.js"); err == nil {
		t.Errorf("the former connector runs: %s", processes)
	}
	if refused := s.login(n.connection, sandbox.DemoPassword); refused != "" {
		t.Errorf("alice is refused: %s", refused)
	}
	if refused := s.login(n.connection, "wrong"); refused != "WrongPassword" {
		t.Errorf("alice with a wrong password: %q", refused)
	}
	n.unchanged(t, s)
	before := s.Look()
	if out := s.Run(command...); !strings.Contains(lastLine(out), `"result":"unchanged"`) {
		t.Errorf("a second run: %s", out)
	}
	wantSame(t, s, before)
	if out, err := s.Try("setpriv", "--reuid=auth0-adldap", "--clear-groups", "ls", n.dir+"/former"); err == nil {
		t.Errorf("the account sees what it takes to go back: %s", out)
	}
}

// wantSame wants the machine to be as it was. For a moment systemd may still
// list a unit that is gone.
func wantSame(t *testing.T, s *server, before lab.Look) {
	t.Helper()
	for range 3 {
		if len(lab.Diff(before, s.Look())) == 0 {
			return
		}
	}
	lab.WantSame(t, before, s.Look())
}
