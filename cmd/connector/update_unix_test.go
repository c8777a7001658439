//go:build unix

package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"ad-ldap-connector/pkg/release"
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
	u := newUpdatable(t, "10s", "--takeover-timeout", "12s")
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

	s.killed = true
	i, r = u.updateTo(u.wrapped("crashes", "(sleep 5; kill -9 $$) >/dev/null 2>&1 &"))
	undone("it crashes after 5 s", "ended before it took over: signal: killed", r, i, exitUndone)

	u.cloud.RefuseAgents(true)
	i, r = u.updateTo(u.wrapped("rejected", ""))
	u.cloud.RefuseAgents(false)
	undone("the hub rejects it", "not ready within 12s: hub: ", r, i, exitUndone)

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

// A releaseFolder is a folder of releases, signed by keys of the test's own.
type releaseFolder struct {
	t              *testing.T
	dir, root      string
	rootKey, other ed25519.PrivateKey
}

func newReleaseFolder(t *testing.T, u *updatable) *releaseFolder {
	t.Helper()
	f := &releaseFolder{t: t, dir: t.TempDir(), rootKey: ed25519.NewKeyFromSeed(make([]byte, 32)), other: ed25519.NewKeyFromSeed([]byte(strings.Repeat("x", 32)))}
	f.root = u.file("root.json", string(f.rootOf(f.rootKey)))
	return f
}

func (f *releaseFolder) rootOf(key ed25519.PrivateKey) []byte {
	f.t.Helper()
	role := release.Role{Threshold: 1, Keys: []ed25519.PublicKey{key.Public().(ed25519.PublicKey)}}
	data, err := release.Root{Version: 1, Expires: time.Now().Add(time.Hour), Root: role, Releases: role}.Document(key)
	if err != nil {
		f.t.Fatal(err)
	}
	return data
}

// publish puts a program there as a release.
func (f *releaseFolder) publish(version, program string) (file string) {
	f.t.Helper()
	built := f.t.TempDir()
	data, err := os.ReadFile(program)
	name := "connector-" + runtime.GOOS + "-" + runtime.GOARCH
	if err == nil {
		err = os.WriteFile(filepath.Join(built, name), data, 0o600)
	}
	v, bad := release.ParseVersion(version)
	if err = errors.Join(err, bad); err != nil {
		f.t.Fatal(err)
	}
	one, err := release.Collect(release.Release{Version: v, Date: time.Now(), Notes: "Better.", Channels: []string{"stable"}}, built, f.dir)
	if err != nil {
		f.t.Fatal(err)
	}
	all := release.Releases{Version: 1, Expires: time.Now().Add(time.Hour), Releases: []release.Release{one}}
	text, err := all.Document(f.rootKey)
	if err == nil {
		err = os.WriteFile(filepath.Join(f.dir, "releases.json"), text, 0o600)
	}
	if err != nil {
		f.t.Fatal(err)
	}
	return filepath.Join(f.dir, version, name)
}

// TestUpdateToARelease takes what is published: by the web and in one file.
// What is not what was signed changes nothing.
func TestUpdateToARelease(t *testing.T) {
	t.Parallel()
	u := newUpdatable(t, "1s")
	f := newReleaseFolder(t, u)
	program := u.file("release", "#!/bin/sh\n# release\nif [ \"$1\" = version ]; then\necho '{\"version\":\"9.9.9\",\"os\":\""+runtime.GOOS+"\",\"arch\":\"any\"}'\nexit\nfi\nexec "+u.program+" \"$@\"\n")
	published := f.publish("9.9.9", program)
	server := httptest.NewServer(http.FileServer(http.Dir(f.dir)))
	defer server.Close()

	if i := u.run("update", "--check"); i.status() != exitFault || !strings.Contains(i.stderr.String(), "UPDATE_URL is not set") {
		t.Errorf("%d: %s", i.status(), i.stderr)
	}
	u.must("config", "set", "UPDATE_URL", server.URL)
	if i := u.run("update", "--check"); i.status() != exitFault || !strings.Contains(i.stderr.String(), "UPDATE_ROOT_FILE") {
		t.Errorf("%d: %s", i.status(), i.stderr)
	}
	u.must("config", "set", "UPDATE_ROOT_FILE", f.root)
	var news updateNews
	if i := u.run("update", "--check", "-o", "json"); i.status() != exitOK || json.Unmarshal([]byte(i.stdout.String()), &news) != nil || !news.Available || news.Newest != "9.9.9" || news.Notes != "Better." {
		t.Errorf("%d, %+v: %s", i.status(), news, i.stderr)
	}
	if i := u.run("update", "--check"); !strings.Contains(i.stdout.String(), "version 9.9.9 of ") {
		t.Errorf("%s%s", i.stdout, i.stderr)
	}

	refused := func(name, says string, args ...string) {
		t.Helper()
		if i, r := u.update(args...); i.status() != exitFault || r.Result != "failed" || !strings.Contains(i.stderr.String(), says) {
			t.Errorf("%s: %d, %+v, want %q in: %s", name, i.status(), r, says, i.stderr)
		}
		u.is("a", "")
	}
	good, err := os.ReadFile(published)
	if err != nil {
		t.Fatal(err)
	}
	swap := func(data []byte) {
		if err := os.WriteFile(published, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	swap(bytes.ReplaceAll(good, []byte("release"), []byte("Release")))
	refused("a swapped program", "")
	swap(good)
	refused("no such version", "1.2.3", "--to", "1.2.3")
	var bundle bytes.Buffer
	if err := release.WriteBundle(&bundle, f.dir, func(release.Release, release.File) bool { return true }); err != nil {
		t.Fatal(err)
	}
	file := u.file("connector.bundle", bundle.String())
	if i := u.run("update", "--check", "--from", file, "-o", "json"); i.status() != exitOK || !strings.Contains(i.stdout.String(), `"newest": "9.9.9"`) {
		t.Errorf("a bundle: %d: %s%s", i.status(), i.stdout, i.stderr)
	}
	u.must("config", "set", "UPDATE_ROOT_FILE", u.file("other.json", string(f.rootOf(f.other))))
	refused("another's keys", "", "--from", file)
	u.must("config", "set", "UPDATE_ROOT_FILE", f.root)
	if err := os.Chmod(f.root, 0o666); err != nil {
		t.Fatal(err)
	}
	refused("a root that anybody may write", "others than the administrator may write", "--from", file)
	if err := os.Chmod(f.root, 0o600); err != nil {
		t.Fatal(err)
	}
	if i, r := u.update("--dry-run", "--from", file); i.status() != exitOK || r.Result != "" || !strings.Contains(i.stdout.String(), "take-over") {
		t.Errorf("a plan: %d, %+v: %s%s", i.status(), r, i.stdout, i.stderr)
	}
	u.is("a", "")
	if i, r := u.update(); i.status() != exitOK || r.Result != "updated" || r.To != "9.9.9" {
		t.Fatalf("%d, %+v:\n%s%s", i.status(), r, i.stdout, i.stderr)
	}
	u.is("release", "a")
}
