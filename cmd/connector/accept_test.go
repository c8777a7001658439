package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"ad-ldap-connector/pkg/sandbox"
	"ad-ldap-connector/testdata/lab"
)

// The acceptance tests run the command as operators do: as processes of their
// own, told apart by their exit status and by what they print.

// patience is how long a test waits for what must come.
const patience = 60 * time.Second

// A cli runs the command with one environment and one home.
type cli struct {
	t       *testing.T
	program string
	dir     string // where the commands run
	home    string
	environ []string
	stdin   string   // what the next commands are given
	input   *os.File // the same, where it does not end

	mu   sync.Mutex
	said []*invocation // all that were run, for whoever looks for secrets
}

func newCLI(t *testing.T, environ ...string) *cli {
	t.Helper()
	program, err := exec.LookPath("connector") // the test binary under that name; see TestMain
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	kept := []string{"CONSOLE_ADDR=127.0.0.1:0", "NO_COLOR=1", "HOME=" + dir, "TMPDIR=" + dir, "PATH=" + os.Getenv("PATH")}
	for _, name := range []string{"GOCOVERDIR", "GORACE", "SystemRoot", "TEMP", "TMP"} {
		if v := os.Getenv(name); v != "" {
			kept = append(kept, name+"="+v)
		}
	}
	return &cli{t: t, program: program, dir: dir, home: filepath.Join(dir, "home"), environ: append(kept, environ...)}
}

// environCopy is another environment on the same home.
func (c *cli) environCopy(environ ...string) *cli {
	return &cli{t: c.t, program: c.program, dir: c.dir, home: c.home, environ: append(append([]string{}, c.environ...), environ...)}
}

// file writes a file that commands are pointed at.
func (c *cli) file(name, text string) string {
	c.t.Helper()
	path := filepath.Join(c.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		c.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		c.t.Fatal(err)
	}
	return path
}

// An invocation is one process of the command.
type invocation struct {
	t              *testing.T
	args           []string
	cmd            *exec.Cmd
	stdout, stderr *transcript
	done           chan struct{} // closed when it has ended
}

// start starts the command, and ends it with the test if it lives that long.
func (c *cli) start(args ...string) *invocation {
	c.t.Helper()
	i := &invocation{t: c.t, args: args, cmd: exec.Command(c.program, args...), stdout: new(transcript), stderr: new(transcript), done: make(chan struct{})}
	i.cmd.Dir, i.cmd.Env, i.cmd.Stdout, i.cmd.Stderr = c.dir, c.environ, i.stdout, i.stderr
	if c.stdin != "" {
		i.cmd.Stdin = strings.NewReader(c.stdin)
	}
	if c.input != nil {
		i.cmd.Stdin = c.input
	}
	i.cmd.WaitDelay = 5 * time.Second // grandchildren that outlive it must not hold the test up
	if err := i.cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	go func() {
		_ = i.cmd.Wait() // the status is read from ProcessState
		close(i.done)
	}()
	c.t.Cleanup(i.kill)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.said = append(c.said, i)
	return i
}

// run runs the command on the home and returns when it has ended.
func (c *cli) run(args ...string) *invocation {
	c.t.Helper()
	i := c.start(append(args, "--home", c.home)...)
	i.wait(patience)
	return i
}

// must runs the command, which must end with 0.
func (c *cli) must(args ...string) *invocation {
	c.t.Helper()
	i := c.run(args...)
	if got := i.status(); got != exitOK {
		c.t.Fatalf("%s ended with %d\n%s%s", strings.Join(args, " "), got, i.stdout, i.stderr)
	}
	return i
}

// wait returns when the process has ended, and fails the test when it does not.
func (i *invocation) wait(within time.Duration) {
	i.t.Helper()
	select {
	case <-i.done:
	case <-time.After(within):
		i.kill()
		i.t.Fatalf("%s has not ended after %s\n%s%s", strings.Join(i.args, " "), within, i.stdout, i.stderr)
	}
}

func (i *invocation) status() int { return i.cmd.ProcessState.ExitCode() }

func (i *invocation) ended() bool {
	select {
	case <-i.done:
		return true
	default:
		return false
	}
}

// kill ends the process the hard way.
func (i *invocation) kill() {
	_ = i.cmd.Process.Kill() // it may have ended
	<-i.done
}

// interrupt does what Ctrl-C does.
func (i *invocation) interrupt() {
	i.t.Helper()
	if err := i.cmd.Process.Signal(os.Interrupt); err != nil && !errors.Is(err, os.ErrProcessDone) {
		i.t.Skip(err) // there is no such signal on Windows
	}
}

// says waits until the process has written text to stderr.
func (i *invocation) says(text string) {
	i.t.Helper()
	lab.Eventually(i.t, text+" from "+strings.Join(i.args, " "), func() bool {
		if strings.Contains(i.stderr.String(), text) {
			return true
		}
		if i.ended() && !strings.Contains(i.stderr.String(), text) {
			i.t.Fatalf("%s ended with %d before it said %q:\n%s", strings.Join(i.args, " "), i.status(), text, i.stderr)
		}
		return false
	})
}

// startCloud starts a pretend tenant that ends with the test.
func startCloud(t *testing.T) *sandbox.Cloud {
	t.Helper()
	cloud, err := sandbox.StartCloud(sandbox.CloudOptions{State: filepath.Join(t.TempDir(), "tenant"), Timeout: patience})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cloud.Close() }) // the test has ended
	return cloud
}

// awaitAgents waits until the tenant's agents are as the test wants them.
func awaitAgents(t *testing.T, cloud *sandbox.Cloud, what string, ok func([]sandbox.Agent) bool) {
	t.Helper()
	late := time.After(patience)
	for {
		changed := cloud.Changed()
		if ok(cloud.Agents()) {
			return
		}
		select {
		case <-changed:
		case <-late:
			t.Fatalf("waited %s for %s; the agents are %v", patience, what, cloud.Agents())
		}
	}
}

func awaitAgent(t *testing.T, cloud *sandbox.Cloud) {
	t.Helper()
	awaitAgents(t, cloud, "an agent", func(a []sandbox.Agent) bool { return len(a) > 0 })
}

// A reply is what an agent answers, as far as these tests look at it.
type reply struct {
	Err     *replyError      `json:"err"`
	Profile map[string]any   `json:"profile"`
	Users   []map[string]any `json:"users"`
	Groups  []string         `json:"groups"`
}

type replyError struct {
	Name    string         `json:"name"`
	Message string         `json:"message"`
	Profile map[string]any `json:"profile"`
}

// ask sends a request through the tenant and returns the agent's answer, which
// must come.
func ask(t *testing.T, cloud *sandbox.Cloud, command string, r sandbox.Request) reply {
	t.Helper()
	answer, err := tryAsk(cloud, command, r)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

func tryAsk(cloud *sandbox.Cloud, command string, r sandbox.Request) (answer reply, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	response, err := cloud.Request(ctx, command, r)
	if err != nil {
		return answer, err
	}
	return answer, json.NewDecoder(bytes.NewReader(response.Reply)).Decode(&answer)
}

// login asks for a login and fails the test unless it ends as wanted: "" is
// accepted, else the name of the refusal.
func login(t *testing.T, cloud *sandbox.Cloud, user, password, want string) reply {
	t.Helper()
	r := ask(t, cloud, "authenticate_user", sandbox.Request{Username: user, Password: password})
	switch {
	case want == "" && r.Err != nil:
		t.Errorf("login of %s: %s (%s), want it accepted", user, r.Err.Name, r.Err.Message)
	case want != "" && (r.Err == nil || r.Err.Name != want):
		t.Errorf("login of %s: %+v, want %s", user, r.Err, want)
	}
	return r
}

// texts returns a member of a profile that is a list of texts, or one text.
func texts(v any) []string {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		all := []string{}
		for _, one := range v {
			s, _ := one.(string)
			all = append(all, s)
		}
		return all
	}
	return nil
}
