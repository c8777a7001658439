package lab

import (
	"context"
	"io"
	"os/exec"
	"path"
	"runtime"
	"strings"
	"testing"
	"time"
)

// A Windows is as much of Windows as Wine has, on a machine of the test's own:
// files, the registry, the Service Control Manager, and a loopback interface
// that nobody else sees. It has no accounts and no access lists to speak of, no
// event log, and no way to start a service again that has failed.
type Windows struct{ m *Machine }

// wineDir is where Wine keeps its disk C: and its registry in the machine.
const wineDir = "/root/wine"

// Wine starts a Windows, which ends with the test.
func Wine(t testing.TB) *Windows {
	t.Helper()
	needRoot(t, "machines")
	need(t, "systemd-container", nspawnPath)
	need(t, "mmdebstrap", mmdebstrapPath)
	need(t, "util-linux", nsenterPath)
	if runtime.GOARCH != "amd64" {
		t.Skip("Wine is for amd64")
	}
	root, err := wineRoot(t)
	if err != nil {
		t.Fatal(err)
	}
	w := &Windows{newMachine(t, root)}
	w.m.env = append(w.m.env, wineEnv...)
	t.Cleanup(w.end)
	w.boot()
	return w
}

// wineEnv keeps Wine quiet, and off screens.
var wineEnv = []string{"WINEPREFIX=" + wineDir, "WINEDEBUG=-all", "DISPLAY=", "XDG_RUNTIME_DIR=/tmp"}

// boot starts Wine's server. It is told to stay when no program runs, for
// services end with it, and ends when the test does, even one that is killed;
// the first program makes it start services.
func (w *Windows) boot() {
	w.m.t.Helper()
	w.m.spawn(func() bool {
		// A program that finds no server starts another one, that does not stay.
		// Services have the output of the first program for good.
		_, err := w.m.Try("/bin/sh", "-c", "test -S /tmp/wine-*/server-*/socket && exec wine cmd /c ver >/dev/null 2>&1")
		return err == nil
	}, append(wineArgs(), "/bin/sh", "-c", "$0 -f -p & cat >/dev/null; $0 -k; wait", "/usr/lib/wine/wineserver64")...)
}

// wineArgs are what systemd-nspawn is told to start a program in Wine's machine.
func wineArgs() []string {
	args := []string{"--as-pid2", "--console=pipe", "--link-journal=no"}
	for _, variable := range append([]string{"HOME=/root"}, wineEnv...) {
		args = append(args, "--setenv="+variable)
	}
	return append(args, "--")
}

// Setenv adds a variable to the environment of the programs that start from now
// on, but for services.
func (w *Windows) Setenv(name, value string) { w.m.env = append(w.m.env, name+"="+value) }

// Try runs a program to its end, or for three minutes, and returns all that it
// says.
func (w *Windows) Try(program string, args ...string) (string, error) {
	out, err := w.m.Try(append([]string{"wine", program}, args...)...)
	return strings.ReplaceAll(out, "\r\n", "\n"), err
}

// Run is Try for what must not fail.
func (w *Windows) Run(program string, args ...string) string {
	w.m.t.Helper()
	out, err := w.Try(program, args...)
	if err != nil {
		w.m.t.Fatalf("%v\n%s", err, out)
	}
	return out
}

// A Program runs in Windows.
type Program struct {
	t     testing.TB
	p     *process
	stdin io.Closer
}

// Start starts a program, which ends with Windows at the latest.
func (w *Windows) Start(program string, args ...string) *Program {
	w.m.t.Helper()
	cmd := w.m.inside(context.Background(), append([]string{"wine", program}, args...)...)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		w.m.t.Fatal(err)
	}
	return &Program{w.m.t, startCommand(w.m.t, cmd), stdin}
}

// Said is all that it has said.
func (p *Program) Said() string { return strings.ReplaceAll(p.p.said.String(), "\r\n", "\n") }

// CloseStdin closes its standard input, and waits until it has ended of that.
func (p *Program) CloseStdin() {
	p.t.Helper()
	_ = p.stdin.Close() // it may have ended already
	Eventually(p.t, "a program to end with its standard input", p.p.ended)
}

// Shell runs a script of the machine's that is below Windows, with arguments.
func (w *Windows) Shell(script string, args ...string) string {
	w.m.t.Helper()
	return w.m.Run(append([]string{"/bin/sh", "-c", script, "sh"}, args...)...)
}

// Path is where a file of disk C: is in the machine.
func (w *Windows) Path(name string) string {
	return path.Join(wineDir, "drive_c", strings.ReplaceAll(strings.TrimPrefix(name, `C:`), `\`, "/"))
}

// Copy puts a file of this machine into Windows.
func (w *Windows) Copy(from, to string) {
	w.m.t.Helper()
	w.m.Copy(from, w.Path(to))
}

// Write makes a file in Windows.
func (w *Windows) Write(to string, data []byte) {
	w.m.t.Helper()
	w.m.Write(w.Path(to), data)
}

// CopyTree puts what is in a folder of this machine into one of Windows'.
func (w *Windows) CopyTree(from, to string) {
	w.m.t.Helper()
	pack := exec.Command("tar", "--create", "--directory", from, ".")
	unpack := w.m.inside(w.m.t.Context(), "/bin/sh", "-c", `mkdir -p "$1" && tar --extract --no-same-owner --directory "$1"`, "sh", w.Path(to))
	pipe, err := pack.StdoutPipe()
	if err != nil {
		w.m.t.Fatal(err)
	}
	unpack.Stdin = pipe
	if err := pack.Start(); err != nil {
		w.m.t.Fatal(err)
	}
	out, failed := unpack.CombinedOutput()
	if err := pack.Wait(); err != nil || failed != nil {
		w.m.t.Fatalf("copy %s to %s: %v, %v\n%s", from, to, err, failed, out)
	}
}

// Reboot ends Windows, with all that runs in it, and starts it again.
func (w *Windows) Reboot() {
	w.m.t.Helper()
	w.down()
	w.boot()
}

// down ends all programs and lets Wine write its registry.
func (w *Windows) down() {
	w.m.t.Helper()
	_ = w.m.stdin.Close() // see boot
	select {
	case <-w.m.nspawn.done:
	case <-time.After(time.Minute):
		w.m.t.Errorf("waited a minute for Windows to end:\n%s", w.m.nspawn.said)
		w.m.nspawn.kill()
	}
}

func (w *Windows) end() {
	if w.m.nspawn != nil && !w.m.nspawn.ended() {
		w.down()
	}
}
