//go:build unix

package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"ad-ldap-connector/pkg/sandbox"
	"ad-ldap-connector/testdata/lab"
)

// A updatable is a connector that a service manager of the test's started, and
// programs to update it to.
type updatable struct {
	*cli
	cloud *sandbox.Cloud
	node  *invocation
}

// newUpdatable starts a connector whose program is in its home.
func newUpdatable(t *testing.T, watch string, args ...string) *updatable {
	t.Helper()
	socket, _ := notified(t)
	c, cloud := newHandover(t, false, "NOTIFY_SOCKET="+socket, hurry+"="+watch)
	u := &updatable{cli: c, cloud: cloud}
	u.lay(u.wrapped("a", ""))
	service := c.environCopy()
	service.program = u.inBin("connector")
	u.node = service.start(append([]string{"run", "--home", c.home}, args...)...)
	awaitAgent(t, cloud)
	c.serves(cloud, u.node.cmd.Process.Pid)
	t.Cleanup(func() { // whatever has succeeded it
		if r := c.running(); r.PID > 0 {
			_ = syscall.Kill(r.PID, syscall.SIGKILL)
		}
	})
	return u
}

func (u *updatable) inBin(name string) string { return filepath.Join(u.home, "bin", name) }

// lay has the home's program be that of a file.
func (u *updatable) lay(file string) {
	u.t.Helper()
	data, err := os.ReadFile(file)
	if err == nil {
		err = os.MkdirAll(u.inBin(""), 0o755)
	}
	if err == nil {
		err = os.WriteFile(u.inBin("connector"), data, 0o755)
	}
	if err != nil {
		u.t.Fatal(err)
	}
}

// wrapped is a program that does what the connector does, but for what is said of
// its running.
func (u *updatable) wrapped(name, running string) string {
	u.t.Helper()
	return u.file(name, "#!/bin/sh\n# "+name+"\nif [ \"$1\" = run ]; then\n:\n"+running+"\nfi\nexec "+u.program+" \"$@\"\n")
}

// updateTo runs an update to a program, of which nothing is checked but what is
// needed: the machine of a test may be short of many things.
func (u *updatable) updateTo(file string, more ...string) (*invocation, updateResult) {
	u.t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		u.t.Fatal(err)
	}
	sum := sha256.Sum256(data)
	return u.update(append([]string{"--from", file, "--sha256", hex.EncodeToString(sum[:])}, more...)...)
}

func (u *updatable) update(args ...string) (*invocation, updateResult) {
	u.t.Helper()
	i := u.run(append([]string{"update", "-o", "json", "--skip", "host,network"}, args...)...)
	var r updateResult
	for line := range strings.Lines(i.stdout.String()) {
		var one updateResult
		if json.Unmarshal([]byte(line), &one) == nil && one.Result != "" {
			r = one
		}
	}
	return i, r
}

// program is what the home's program is: the name that wrapped gave it.
func (u *updatable) is(program, previous string) {
	u.t.Helper()
	for name, want := range map[string]string{"connector": program, "connector-previous": previous, "connector-next": "", "update.json": ""} {
		data, err := os.ReadFile(u.inBin(name))
		if err != nil && want == "" {
			continue
		}
		if text := string(data); err != nil || !strings.HasPrefix(text, "#!/bin/sh\n# "+want+"\n") || want == "" {
			u.t.Errorf("%s is %.40q, %v; want %q", name, text, err, want)
		}
	}
}

// TestUpdateLosesNothing: a connector is updated under logins, and goes back.
func TestUpdateLosesNothing(t *testing.T) {
	t.Parallel()
	perSecond, _ := rates(t)
	u := newUpdatable(t, "1s")
	s := startStream(t, u.cloud, perSecond)
	b := u.wrapped("b", "")
	if i, r := u.updateTo(b); i.status() != exitOK || r.Result != "updated" || r.To == "" || r.Home != u.home {
		t.Fatalf("%d, %+v:\n%s%s", i.status(), r, i.stdout, i.stderr)
	}
	u.is("b", "a")
	u.node.wait(patience) // it has been succeeded
	if i, r := u.updateTo(b); i.status() != exitOK || r.Result != "unchanged" {
		t.Errorf("%d, %+v:\n%s", i.status(), r, i.stderr)
	}
	if i, r := u.update("--rollback"); i.status() != exitOK || r.Result != "updated" {
		t.Fatalf("%d, %+v:\n%s%s", i.status(), r, i.stdout, i.stderr)
	}
	u.is("a", "b")
	s.nothingLost()
	awaitAgents(t, u.cloud, "one agent", func(a []sandbox.Agent) bool { return len(a) == 1 })
}

// TestUpdatesThatFail: each goes back by itself, and the former process never
// ends.
func TestUpdatesThatFail(t *testing.T) {
	t.Parallel()
	u := newUpdatable(t, "10s", "--takeover-timeout", "3s")
	s := startStream(t, u.cloud, 20)
	undone := func(name, says string, r updateResult, i *invocation, want int) {
		t.Helper()
		if i.status() != want || !strings.Contains(i.stderr.String(), says) {
			t.Errorf("%s: %d, %+v, want %q in:\n%s%s", name, i.status(), r, says, i.stdout, i.stderr)
		}
		u.is("a", "")
		if u.node.ended() || u.serves(u.cloud, u.node.cmd.Process.Pid).PID == 0 {
			t.Errorf("%s: the former process has gone:\n%s", name, u.node.stderr)
		}
	}
	broken := u.wrapped("cannot-start", "exit 7")
	i, r := u.updateTo(broken)
	undone("it cannot start", "exit status 7", r, i, exitUndone)
	if r.Result != "undone" {
		t.Errorf("%+v", r)
	}
	i, r = u.updateTo(broken)
	undone("once more", "has failed on the node", r, i, exitFault)
	if r.Result != "failed" {
		t.Errorf("%+v", r)
	}
	i, r = u.updateTo(broken, "--force")
	undone("once more, forced", "exit status 7", r, i, exitUndone)

	i, r = u.updateTo(u.wrapped("crashes", "(sleep 5; kill -9 $$) >/dev/null 2>&1 &"))
	undone("it crashes after 5 s", "ended before it took over: signal: killed", r, i, exitUndone)

	u.cloud.RefuseAgents(true)
	i, r = u.updateTo(u.wrapped("rejected", ""))
	u.cloud.RefuseAgents(false)
	undone("the hub rejects it", "not ready within 3s: hub: ", r, i, exitUndone)

	i, r = u.updateTo(u.file("script", "#!/bin/sh\nexit 1\n"))
	undone("it is no connector", "for its version", r, i, exitBlocked)
	i, r = u.updateTo(u.file("text", "this is no program"))
	undone("it is no program", "exec format error", r, i, exitBlocked)
	i, r = u.updateTo(u.file("blocked", "#!/bin/sh\n[ $1 = doctor ] && { echo '{\"checks\":[{\"id\":\"host.disk\",\"severity\":\"blocks\",\"status\":\"failed\"}]}'; exit 3; }\nexec "+u.program+" \"$@\"\n"))
	undone("doctor blocks", "blocked by host.disk", r, i, exitBlocked)
	i, r = u.update("--from", u.file("b", "other"), "--sha256", strings.Repeat("0", 64))
	undone("it is another one", "its SHA-256 is ", r, i, exitFault)
	i, r = u.update("--rollback")
	undone("nothing to go back to", "there is no ", r, i, exitFault)
	s.nothingLost()

	// Whoever updates is killed while the program is tried: the running connector
	// notices, and nothing is left of it.
	updater := u.environCopy().start("update", "--home", u.home, "--skip", "host,network", "--from", u.wrapped("b", ""), "--sha256", sumFile(t, filepath.Join(u.dir, "b")))
	awaitAgents(t, u.cloud, "two agents", func(a []sandbox.Agent) bool { return len(a) == 2 })
	updater.kill()
	u.serves(u.cloud, u.node.cmd.Process.Pid)
	// The next update clears what was left away.
	if i, _ := u.update("--rollback"); i.status() != exitFault || !strings.Contains(i.stdout.String(), `"step":"settle"`) {
		t.Errorf("%d:\n%s%s", i.status(), i.stdout, i.stderr)
	}
	lab.Eventually(t, "the former program", func() bool { return u.running().PID > 0 })
	u.is("a", "")
}

func sumFile(t *testing.T, name string) string {
	t.Helper()
	sum, err := sha256Of(name)
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

// TestUpdatesWithoutAService says what there is to do.
func TestUpdatesWithoutAService(t *testing.T) {
	t.Parallel()
	c, _ := newHandover(t, false)
	begun := time.Now()
	i := c.run("update", "--rollback")
	if i.status() != exitFault || !strings.Contains(i.stderr.String(), "no service runs it") || !strings.Contains(i.stderr.String(), "in a container, replace the image") {
		t.Errorf("%d after %v: %s", i.status(), time.Since(begun), i.stderr)
	}
	for _, args := range [][]string{
		{"--check", "--rollback"}, {"--rollback", "--from", "x"}, {"--sha256", strings.Repeat("0", 64)}, {"--from", "x", "--sha256", "0"},
		{"--rollback", "--to", "1"}, {"--skip", "no.such"}, {"--waive", "x"}, {"extra"},
	} {
		if i := c.run(append([]string{"update"}, args...)...); i.status() != exitUsage {
			t.Errorf("%q ended with %d: %s", args, i.status(), i.stderr)
		}
	}
}
