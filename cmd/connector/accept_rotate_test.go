package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"ad-ldap-connector/pkg/sandbox"
)

// The passwords that the service account gets in turn.
const (
	plantedNext  = "Next-Tb4Passw0rd+account"
	plantedOther = "Other-Rd6Passw0rd!secret"
)

// A rotating is an installed connector whose directory counts binds, and whose
// service account's password can be changed there.
type rotating struct {
	*renewing
	*hunter
	binds *atomic.Int32
}

func newRotating(t *testing.T, environ ...string) *rotating {
	t.Helper()
	var binds atomic.Int32
	cloud := startCloud(t)
	d, err := sandbox.StartDirectory(sandbox.DirectoryOptions{Traits: sandbox.Traits{
		ActiveDirectory: true, Fault: func(op string) sandbox.Fault {
			if op == "bind" {
				binds.Add(1)
			}
			return sandbox.FaultNone
		}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() }) // the test has ended
	c := newCLI(t, environ...)
	c.must("install", "--no-service", "--non-interactive", "--skip", "host.disk", "--ticket-file", c.file("ticket.txt", cloud.Ticket()), "--ca-file", cloud.CAFile(),
		"--ldap-url", d.URL(), "--ldap-bind-user", d.BindUser(), "--ldap-bind-password-file", c.file("bind", d.BindPassword()+"\n"))
	c.must("config", "set", "ENABLE_WRITE_BACK", "true")
	r := &rotating{&renewing{c, cloud}, &hunter{t: t, secrets: map[string]string{
		"bind password": d.BindPassword(), "next password": plantedNext, "wrong password": plantedWrong, "other secret": plantedOther,
	}}, &binds}
	t.Cleanup(r.hunt)
	return r
}

// hunt looks for the secrets in all that was printed, once it has been.
func (r *rotating) hunt() {
	for _, i := range r.said {
		r.search("stdout of "+strings.Join(i.args, " "), i.stdout.String())
		r.search("stderr of "+strings.Join(i.args, " "), i.stderr.String())
	}
	r.files(r.home)
}

// text is config.json.
func (r *rotating) text() string {
	r.renewing.t.Helper()
	data, err := os.ReadFile(filepath.Join(r.home, "config.json"))
	if err != nil {
		r.renewing.t.Fatal(err)
	}
	return string(data)
}

// change has the directory take another password of the service account.
func (r *rotating) change(t *testing.T, password string) {
	t.Helper()
	if answer := ask(t, r.cloud, "change_password", sandbox.Request{Username: "connector", Password: password}); answer.Err != nil {
		t.Fatalf("change the password at the directory: %+v", answer.Err)
	}
}

func secretSet(t *testing.T, i *invocation) (r secretResult) {
	t.Helper()
	if err := json.Unmarshal([]byte(i.stdout.String()), &r); err != nil {
		t.Fatalf("%v: %s%s", err, i.stdout, i.stderr)
	}
	return r
}

// A password that the directory refuses is tried once, since each try counts for
// a lockout, and the former one stays.
func TestAcceptRefusedPassword(t *testing.T) {
	t.Parallel()
	r := newRotating(t)
	wrong, before, binds := r.file("wrong", plantedWrong+"\n"), r.text(), r.binds.Load()
	i := r.run("config", "secret", "set", "LDAP_BIND_PASSWORD", "--value-file", wrong, "-v")
	if i.status() != exitRefused || !strings.Contains(i.stderr.String(), "nothing was changed") || !strings.Contains(i.stderr.String(), "wrong") {
		t.Errorf("it ended with %d: %s", i.status(), i.stderr)
	}
	if got := r.binds.Load() - binds; got != 1 {
		t.Errorf("it was tried %d times", got)
	}
	if r.text() != before {
		t.Errorf("config.json became %s", r.text())
	}
	for want, args := range map[int][][]string{
		exitUsage: {
			{"LDAP_BIND_PASSWORD"}, // no terminal to ask at
			{"LDAP_BIND_PASSWORD", "--value-file", wrong, "--value-stdin"},
			{"LDAP_BIND_CREDENTIALS", "--value-file", wrong}, {"LDAP_URL", "--value-file", wrong}, {"NO_SUCH", "--value-file", wrong},
			{}, {"LDAP_BIND_PASSWORD", plantedOther[:4]}, {"PROVISIONING_TICKET", "--value-file", wrong},
		},
		exitFault: {{"LDAP_BIND_PASSWORD", "--value-file", r.file("empty", "\n")}, {"LDAP_BIND_PASSWORD", "--value-file", "no-such"}},
	} {
		for _, more := range args {
			if i := r.run(append([]string{"config", "secret", "set"}, more...)...); i.status() != want {
				t.Errorf("%q ended with %d, want %d: %s", more, i.status(), want, i.stderr)
			}
		}
	}
	if r.text() != before || r.binds.Load()-binds != 1 {
		t.Errorf("what was asked wrongly had an effect: %s", r.text())
	}
	given := r.environCopy("LDAP_BIND_PASSWORD=" + plantedOther)
	if i := given.run("config", "secret", "set", "LDAP_BIND_PASSWORD", "--value-file", wrong); i.status() != exitFault || !strings.Contains(i.stderr.String(), "the environment sets") {
		t.Errorf("beside the environment: %s", i.stderr)
	}
	r.said = append(r.said, given.said...)

	// Offline it is kept without a try, and nothing runs that would take it.
	got := secretSet(t, r.must("config", "secret", "set", "LDAP_BIND_PASSWORD", "--value-file", wrong, "--offline", "-o", "json"))
	if want := (secretResult{Result: "kept", Key: "LDAP_BIND_PASSWORD", Kept: "file"}); got != want || r.text() == before || r.binds.Load()-binds != 1 {
		t.Errorf("offline: %+v", got)
	}
}

// A new password is tried, kept and taken by the running connector, under logins
// none of which is lost.
func TestAcceptRotate(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no signal that a running connector could be told by")
	}
	r := newRotating(t)
	node := r.start("run", "--home", r.home)
	awaitAgent(t, r.cloud)
	login(t, r.cloud, "alice", sandbox.DemoPassword, "")
	r.change(t, plantedNext)
	before := r.text()
	r.stdin = plantedNext
	stop := r.keepLoggingIn()
	got := secretSet(t, r.must("config", "secret", "set", "LDAP_BIND_PASSWORD", "--value-stdin", "-o", "json"))
	if n := stop(); n == 0 {
		t.Error("nobody logged in meanwhile")
	}
	if want := (secretResult{Result: "kept", Key: "LDAP_BIND_PASSWORD", Kept: "file", Tried: true, Live: true}); got != want || r.text() == before {
		t.Errorf("%+v, want %+v", got, want)
	}
	login(t, r.cloud, "alice", sandbox.DemoPassword, "")
	if node.ended() {
		t.Errorf("it has ended:\n%s", node.stderr)
	}

	// Another secret goes the same way, and one that cannot be is refused.
	r.stdin = plantedOther
	got = secretSet(t, r.must("config", "secret", "set", "SSL_KEY_PASSWORD", "--value-stdin", "-o", "json"))
	if want := (secretResult{Result: "kept", Key: "SSL_KEY_PASSWORD", Kept: "file", Live: true}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	r.stdin = ""
	var list struct {
		Store   string
		Secrets []keptSecret
	}
	if err := json.Unmarshal([]byte(r.must("config", "secret", "list", "-o", "json").stdout.String()), &list); err != nil || list.Store != "file" {
		t.Fatalf("%+v, %v", list, err)
	}
	kept := map[string]keptSecret{}
	for _, s := range list.Secrets {
		kept[s.Key] = s
	}
	for key, want := range map[string]keptSecret{
		"LDAP_BIND_PASSWORD":  {"LDAP_BIND_PASSWORD", true, "file", true},
		"SSL_KEY_PASSWORD":    {"SSL_KEY_PASSWORD", true, "file", false},
		"PROVISIONING_TICKET": {"PROVISIONING_TICKET", true, "file", false},
		"SESSION_SECRET":      {Key: "SESSION_SECRET"},
	} {
		if kept[key] != want {
			t.Errorf("%+v, want %+v", kept[key], want)
		}
	}
	if out := r.must("config", "secret", "list").stdout.String(); !strings.Contains(out, "LDAP_BIND_PASSWORD     file, sealed\n") || !strings.Contains(out, "not set") {
		t.Errorf("%s", out)
	}
	r.arguments(r.program)
}
