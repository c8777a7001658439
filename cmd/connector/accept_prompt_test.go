//go:build unix

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	expect "github.com/Netflix/go-expect"
	"github.com/creack/pty"
	"github.com/hinshun/vt10x"
	"golang.org/x/term"

	"ad-ldap-connector/pkg/sandbox"
	"ad-ldap-connector/testdata/lab"
)

// A person sits at a terminal of their own and runs one command.
type person struct {
	*invocation
	console *expect.Console
	screen  *transcript // every byte that was shown
	drawn   bool        // questions are drawn, not printed
	fresh   string      // how the terminal was before the command
}

// sit starts the command on a pseudo-terminal, which answers as a real one
// would: prompts that are drawn ask where the cursor is.
func (c *cli) sit(args ...string) *person {
	c.t.Helper()
	args = append(args, "--home", c.home)
	cmd := exec.Command(c.program, args...)
	cmd.Dir, cmd.Env = c.dir, append([]string{"TERM=xterm"}, without(c.environ, "NO_COLOR")...)
	return sitAt(c.t, cmd)
}

// sitAt starts a command in the same way.
func sitAt(t *testing.T, cmd *exec.Cmd) *person {
	t.Helper()
	var keyboard, answers *os.File
	lab.Eventually(t, "a pseudo-terminal", func() (ok bool) {
		var err error
		keyboard, answers, err = pty.Open()
		if err != nil && !errors.Is(err, syscall.EIO) {
			t.Skip("no pseudo-terminal: ", err)
		}
		return err == nil // one that another test has just left may be broken for a moment
	})
	p := &person{screen: new(transcript), drawn: !slices.Contains(cmd.Env, "TERM=dumb")}
	terminal := vt10x.New(vt10x.WithWriter(answers), vt10x.WithSize(120, 40))
	var err error
	p.console, err = expect.NewConsole(expect.WithStdin(keyboard), expect.WithStdout(terminal, p.screen),
		expect.WithCloser(keyboard, answers), expect.WithDefaultTimeout(patience))
	if err != nil {
		t.Fatal(err)
	}
	if err := pty.Setsize(p.console.Tty(), &pty.Winsize{Rows: 40, Cols: 120}); err != nil {
		t.Fatal(err)
	}
	p.invocation = &invocation{t: t, args: cmd.Args, cmd: cmd, stdout: p.screen, stderr: new(transcript), done: make(chan struct{})}
	tty := p.console.Tty()
	p.fresh = p.modes()
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = tty, tty, tty
	// Ctrl-C reaches whoever has the terminal as theirs.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait() // the status is read from ProcessState
		close(p.done)
	}()
	t.Cleanup(func() {
		p.kill()
		_ = p.console.Close() // the terminal is thrown away
	})
	return p
}

// without drops a variable from an environment.
func without(environ []string, name string) (kept []string) {
	for _, kv := range environ {
		if !strings.HasPrefix(kv, name+"=") {
			kept = append(kept, kv)
		}
	}
	return kept
}

// asked waits for a question, and answers it.
func (p *person) asked(question, answer string) {
	p.t.Helper()
	p.sees(question)
	p.types(answer + "\r")
}

// types presses keys once the question is ready for them. One that is drawn
// drops what comes before; ready, it rings the bell at a step left of the start.
func (p *person) types(keys string) {
	p.t.Helper()
	late := time.Now().Add(patience)
	for ready := !p.drawn; !ready; {
		if _, err := p.console.Send("\x1b[D"); err != nil {
			p.t.Fatal(err)
		}
		_, err := p.console.Expect(expect.String("\a"), expect.WithTimeout(time.Second/2))
		if ready = err == nil; !ready && time.Now().After(late) {
			p.t.Fatalf("the question takes no keys: %v; the screen was\n%s", err, plain(p.screen.String()))
		}
	}
	if _, err := p.console.Send(keys); err != nil {
		p.t.Fatal(err)
	}
}

func (p *person) sees(text string) {
	p.t.Helper()
	if _, err := p.console.ExpectString(text); err != nil {
		p.t.Fatalf("wait for %q: %v; the screen was\n%s", text, err, plain(p.screen.String()))
	}
}

// leaves waits for the command's end, drawing what it still says. The terminal
// must be as it was.
func (p *person) leaves(status int) {
	p.t.Helper()
	drawn, left := make(chan struct{}), ""
	go func() {
		defer close(drawn)
		<-p.done
		left = p.modes()
		_ = p.console.Tty().Close() // the last hand on it: the drawing ends
	}()
	_, _ = p.console.Expect(expect.EOF, expect.PTSClosed, expect.WithTimeout(patience)) // however it ends
	p.wait(patience)
	<-drawn
	if left != p.fresh {
		p.t.Errorf("the terminal was %s, and is %s", p.fresh, left)
	}
	if got := p.status(); got != status {
		p.t.Errorf("%s ended with %d, want %d; the screen was\n%s", strings.Join(p.args, " "), got, status, plain(p.screen.String()))
	}
}

var escapes = regexp.MustCompile(`\x1b\[[0-9;?]*[A-Za-z]`)

func plain(screen string) string { return escapes.ReplaceAllString(screen, "") }

// A desk is a tenant and a directory, and what a person would type.
type desk struct {
	*cli
	cloud     *sandbox.Cloud
	directory *sandbox.Directory
}

func newDesk(t *testing.T, environ ...string) *desk {
	t.Helper()
	return &desk{newCLI(t, environ...), startCloud(t), startDirectoryFor(t)}
}

func (d *desk) install() *person {
	d.t.Helper()
	return d.sit("install", "--no-service", "--ca-file", d.cloud.CAFile())
}

// answer answers all questions of an install; the base is what it offers.
func (d *desk) answer(p *person) {
	d.t.Helper()
	p.asked("Ticket URL", d.cloud.Ticket())
	p.asked("Directory URL", d.directory.URL())
	p.asked("Service account", d.directory.BindUser())
	p.asked("Password of "+d.directory.BindUser(), d.directory.BindPassword())
	p.sees("Base DN of the users")
	p.asked(d.directory.BaseDN(), "")
	p.asked("Install with these answers?", "y")
	p.sees("installed: connection sandbox")
	p.leaves(exitOK)
	// A plain question is there a moment before the echo is off; nobody types
	// that fast but this test.
	if p.drawn && strings.Contains(plain(p.screen.String()), d.directory.BindPassword()) {
		d.t.Error("the password was shown on the screen")
	}
}

// works starts the connector on the home, which must serve.
func (d *desk) works() {
	d.t.Helper()
	if got := strings.TrimSpace(d.must("config", "get", "LDAP_BASE").stdout.String()); got != d.directory.BaseDN() {
		d.t.Errorf("LDAP_BASE is %q, want the default %q", got, d.directory.BaseDN())
	}
	d.start("run", "--home", d.home)
	awaitAgent(d.t, d.cloud)
	login(d.t, d.cloud, "alice", sandbox.DemoPassword, "")
}

// untouched checks that there is no home.
func (d *desk) untouched() {
	d.t.Helper()
	if _, err := os.Lstat(d.home); !os.IsNotExist(err) {
		d.t.Errorf("the home is there: %v", err)
	}
	if left, err := filepath.Glob(filepath.Join(d.dir, "*")); err != nil || len(left) > 0 {
		d.t.Errorf("left behind: %q, %v", left, err)
	}
}

func TestAcceptAskingInstall(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.answer(d.install())
	d.works()
}

// A terminal that cannot be drawn on gets plain lines, without one escape.
func TestAcceptAskingInstallOnPoorTerminal(t *testing.T) {
	t.Parallel()
	d := newDesk(t, "TERM=dumb")
	p := d.install()
	d.answer(p)
	if screen := p.screen.String(); escapes.MatchString(screen) {
		t.Errorf("escapes on a dumb terminal: %q", screen)
	}
	d.works()
}

// TestAcceptAskingInterrupted presses Ctrl-C at each question. On a poor
// terminal and before a question is drawn that is a signal, and else a key.
func TestAcceptAskingInterrupted(t *testing.T) {
	t.Parallel()
	for _, environ := range []string{"TERM=vt100", "TERM=dumb", "TERM=xterm"} {
		questions := []string{"Ticket URL", "Directory URL", "Service account", "Password of", "Base DN of the users", "Install with these answers?"}
		if environ == "TERM=vt100" {
			questions = questions[:1] // a drawn question drops what is typed before it is ready
		}
		for stop, question := range questions {
			t.Run(environ+" "+question, func(t *testing.T) {
				t.Parallel()
				d := newDesk(t, environ)
				p := d.install()
				for i, known := range []struct{ question, answer string }{
					{"Ticket URL", d.cloud.Ticket()}, {"Directory URL", d.directory.URL()},
					{"Service account", d.directory.BindUser()}, {"Password of", d.directory.BindPassword()}, {"Base DN of the users", ""},
				} {
					if i < stop {
						p.asked(known.question, known.answer)
					}
				}
				p.sees(question)
				if environ == "TERM=vt100" {
					p.interrupt() // the signal alone, as before the terminal is prepared or from another one
				} else {
					p.types("\x03")
				}
				p.leaves(exitInterrupted)
				d.untouched()
			})
		}
	}
}

// modes are how the terminal treats what is typed: whether it echoes, and whether
// Ctrl-C is a signal.
func (p *person) modes() string {
	state, err := term.GetState(int(p.console.Tty().Fd()))
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%+v", *state)
}

// Without a terminal nothing asks and nothing waits, whatever standard input is.
func TestAcceptNoTerminal(t *testing.T) {
	t.Parallel()
	c := newCLI(t)
	never, stuck, err := os.Pipe() // nothing ever comes out of it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = never.Close(); _ = stuck.Close() }) // nothing was written
	for name, stdin := range map[string]io.Reader{"a pipe that never ends": never, "answers": strings.NewReader("yes\nyes\n"), "nothing": nil} {
		for _, args := range [][]string{
			{"install", "--no-service"}, {"login", "alice"}, {"import", c.file("x.zip", "")},
			{"install", "--no-service", "--ticket-file", c.file("ticket", "https://acme.example/p/ad/x\n")},
		} {
			cmd := exec.Command(c.program, append(args, "--home", c.home)...)
			cmd.Env, cmd.Dir, cmd.Stdin = slices.Concat(c.environ, []string{"TERM=xterm"}), c.dir, stdin
			began := time.Now()
			done := make(chan error, 1)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			go func() { done <- cmd.Wait() }()
			select {
			case <-done:
				if code := cmd.ProcessState.ExitCode(); code != exitUsage && code != exitFault {
					t.Errorf("%q with %s ended with %d", args, name, code)
				}
			case <-time.After(patience):
				_ = cmd.Process.Kill() // it waits for what will not come
				<-done
				t.Errorf("%q with %s has not ended after %s", args, name, time.Since(began))
			}
		}
	}
}
