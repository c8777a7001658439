package main

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ad-ldap-connector/pkg/home"
	"ad-ldap-connector/pkg/keys"
	"ad-ldap-connector/pkg/sandbox"
)

// A renewing is an installed connector with its tenant and directory.
type renewing struct {
	*cli
	cloud *sandbox.Cloud
}

func newRenewing(t *testing.T, o sandbox.CloudOptions, into string) *renewing {
	t.Helper()
	o.State, o.Timeout = filepath.Join(t.TempDir(), "tenant"), patience
	cloud, err := sandbox.StartCloud(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cloud.Close() }) // the test has ended
	d, err := sandbox.StartDirectory(sandbox.DirectoryOptions{Traits: sandbox.Traits{ActiveDirectory: true}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() }) // the same
	c := newCLI(t)
	if into != "" {
		c.home = into
	}
	c.must("install", "--no-service", "--non-interactive", "--skip", "host.disk", "--ticket-file", c.file("ticket.txt", cloud.Ticket()), "--ca-file", cloud.CAFile(),
		"--ldap-url", d.URL(), "--ldap-bind-user", d.BindUser(), "--ldap-bind-password-file", c.file("password.txt", d.BindPassword()))
	return &renewing{cli: c, cloud: cloud}
}

// pair is what the home has; its password must open.
func (r *renewing) pair() *keys.Pair {
	r.t.Helper()
	h, err := home.Open(r.home, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	c, err := h.Config()
	if err != nil {
		r.t.Fatal(err)
	}
	pair, err := h.Keys(c)
	if err != nil {
		r.t.Fatal(err)
	}
	if got, err := pair.Open(string(c.Directory.BindCredentials)); err != nil || got == "" {
		r.t.Fatalf("LDAP_BIND_CREDENTIALS beside %s: %v", pair.Thumbprint(), err)
	}
	return pair
}

// keepLoggingIn logs somebody in over and over until stop is called, which
// returns how often that was accepted. That no agent is there for a moment is
// no loss: the tenant says so at once, and the login was in nobody's hands.
func (r *renewing) keepLoggingIn() (stop func() int) {
	var done atomic.Bool
	var accepted atomic.Int32
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for !done.Load() {
				answer, err := tryAsk(r.cloud, "authenticate_user", sandbox.Request{Username: "alice", Password: sandbox.DemoPassword})
				switch {
				case errors.Is(err, sandbox.ErrNoAgent):
					time.Sleep(10 * time.Millisecond) // or the two cores are busy with asking
				case err != nil:
					r.t.Errorf("a login was lost: %v", err)
				case answer.Err != nil:
					r.t.Errorf("a login: %s: %s", answer.Err.Name, answer.Err.Message)
				default:
					accepted.Add(1)
				}
			}
		})
	}
	return func() int {
		done.Store(true)
		all.Wait()
		return int(accepted.Load())
	}
}

// Both renewals under a stream of logins, on two nodes of which the second gets
// the pair by export and import: no login is lost, and both serve with the new
// pair in the end.
func TestAcceptRenewUnderLoginsOnTwoNodes(t *testing.T) {
	r := newRenewing(t, sandbox.CloudOptions{SeveralCertificates: true}, "")
	second := &renewing{cli: r.environCopy(), cloud: r.cloud}
	second.home = filepath.Join(r.dir, "second")
	bring := func() {
		t.Helper()
		r.must("export", "--plain", "--force", "--file", "node.zip")
		second.must("import", "node.zip", "--yes")
	}
	bring()
	r.start("run", "--home", r.home)
	second.start("run", "--home", second.home)
	awaitAgents(t, r.cloud, "two agents", func(a []sandbox.Agent) bool { return len(a) == 2 })
	stop := r.keepLoggingIn()
	for _, args := range [][]string{{}, {"--new-key"}} {
		former := r.pair()
		r.must(append([]string{"keys", "renew", "--yes"}, args...)...)
		if got := r.pair().Thumbprint(); got == former.Thumbprint() {
			t.Fatal("the certificate is the former one")
		}
		if got := second.pair().Thumbprint(); got != former.Thumbprint() {
			t.Errorf("the other node has %s already", got)
		}
		bring()
		want := r.pair().Thumbprint()
		if got := second.pair().Thumbprint(); got != want {
			t.Errorf("the other node has %s, want %s", got, want)
		}
		if len(args) > 0 { // the hub tells keys apart, not certificates of one key
			awaitAgents(t, r.cloud, "two agents with "+want, func(a []sandbox.Agent) bool {
				return len(a) == 2 && !slices.ContainsFunc(a, func(a sandbox.Agent) bool { return a.Thumbprint != want })
			})
		}
	}
	if n := stop(); n == 0 {
		t.Error("nobody was logged in")
	}
}

// Killed after any step, the home is a whole one whose password opens, and the
// next renewal comes to its end without yet another certificate.
func TestAcceptRenewKilled(t *testing.T) {
	r := newRenewing(t, sandbox.CloudOptions{SeveralCertificates: true}, "")
	for _, step := range []string{"ask-tenant", "keep-renewal", "register-certificates", "replace-keys"} {
		former, before := r.pair(), len(r.cloud.Thumbprints(""))
		killed := &renewing{cli: r.environCopy(spoilStep + "=" + step + ":" + killAfter), cloud: r.cloud}
		if i := killed.run("keys", "renew", "--new-key", "--yes"); i.status() == 0 {
			t.Fatalf("%s: it was not killed", step)
		}
		there := r.pair()
		if (there.Thumbprint() != former.Thumbprint()) != (step == "replace-keys") {
			t.Errorf("%s: the home has %s", step, there.Thumbprint())
		}
		r.must("login", "alice", "--password-file", r.file("alice.txt", sandbox.DemoPassword))
		if step == "replace-keys" {
			continue // there is nothing left to do
		}
		shown := r.must("keys", "show")
		if interrupted := step != "ask-tenant"; strings.Contains(shown.stderr.String(), "a renewal was cut off") != interrupted {
			t.Errorf("%s: keys show says %q", step, shown.stderr)
		}
		r.must("keys", "renew", "--new-key", "--yes")
		if got := len(r.cloud.Thumbprints("")); got != before+1 {
			t.Errorf("%s: the tenant lists %d certificates, want %d", step, got, before+1)
		}
		if r.pair().Thumbprint() == former.Thumbprint() {
			t.Errorf("%s: the pair is the former one", step)
		}
	}
}

// Ctrl-C at any step leaves what was there.
func TestAcceptRenewInterrupted(t *testing.T) {
	r := newRenewing(t, sandbox.CloudOptions{SeveralCertificates: true}, "")
	former := r.pair().Thumbprint()
	for _, step := range []string{"keep-renewal", "register-certificates", "replace-keys"} {
		i := (&renewing{cli: r.environCopy(spoilStep + "=" + step + ":" + interrupt), cloud: r.cloud}).run("keys", "renew", "--yes")
		if i.status() != exitInterrupted || r.pair().Thumbprint() != former {
			t.Errorf("%s: status %d, %s", step, i.status(), i.stderr)
		}
	}
}

// A connector that the hub does not accept with the new pair gets the former one
// back: here the tenant's administrator takes the new one away meanwhile.
func TestAcceptRenewRejected(t *testing.T) {
	r := newRenewing(t, sandbox.CloudOptions{SeveralCertificates: true}, "")
	former := r.pair().Thumbprint()
	r.start("run", "--home", r.home)
	awaitAgent(t, r.cloud)
	i := (&renewing{cli: r.environCopy(spoilStep + "=reload-connector:" + failAfter), cloud: r.cloud}).run("keys", "renew", "--new-key", "--yes")
	if i.status() != exitUndone || r.pair().Thumbprint() != former {
		t.Errorf("status %d, %s", i.status(), i.stderr)
	}
	awaitAgents(t, r.cloud, "the former pair", func(a []sandbox.Agent) bool { return len(a) == 1 && a[0].Thumbprint == former })
	login(t, r.cloud, "alice", sandbox.DemoPassword, "")
}

// What the files of a home are, but for the locks and notes below state/.
func homeFiles(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	for _, name := range []string{"config.json", "certs/cert.pem", "certs/cert.key"} {
		data, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
		if err != nil {
			t.Fatal(err)
		}
		files[name] = string(data)
	}
	return files
}
