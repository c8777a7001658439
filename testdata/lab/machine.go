package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

const (
	nspawnPath     = "/usr/bin/systemd-nspawn"
	mmdebstrapPath = "/usr/bin/mmdebstrap"
	unsharePath    = "/usr/bin/unshare"
	nsenterPath    = "/usr/bin/nsenter"
)

// A Machine is a Linux of the test's own that was started by systemd: services,
// accounts and files are real in it, and its network is a loopback interface
// that nobody else sees. What it does not have are limits on memory and tasks.
type Machine struct {
	t testing.TB
	*booted
}

type booted struct {
	root   string // what is the same in all machines
	dir    string // what this one changed
	name   string
	env    []string // what its programs find in their environment
	nspawn *process
	stdin  io.Closer // of what it runs; closed too when the test is killed
	leader int       // its first process, as seen from here
}

// Boot starts a machine, which ends with the test. It has these packages of
// Debian's besides what every machine has.
func Boot(t testing.TB, packages ...string) *Machine {
	t.Helper()
	needRoot(t, "machines")
	need(t, "systemd-container", nspawnPath)
	need(t, "mmdebstrap", mmdebstrapPath)
	need(t, "util-linux", nsenterPath)
	root, err := machineRoot(t, packages)
	if err != nil {
		t.Fatal(err)
	}
	m := newMachine(t, root)
	t.Cleanup(m.end)
	m.boot()
	return m
}

// For is the same machine, whose faults are those of another test.
func (m *Machine) For(t testing.TB) *Machine { return &Machine{t, m.booted} }

// newMachine is a machine that is not started yet.
func newMachine(t testing.TB, root string) *Machine {
	t.Helper()
	m := &Machine{t, &booted{root: root, dir: t.TempDir(), name: fmt.Sprintf("connector-%d-%d", os.Getpid(), time.Now().UnixNano()%1e9)}}
	t.Cleanup(m.leaveCgroups)
	m.env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LC_ALL=C.UTF-8"}
	for _, name := range []string{"upper", "work", "root"} {
		if err := os.Mkdir(filepath.Join(m.dir, name), 0o755); err != nil { //nolint:gosec // a machine's root is for all its users
			t.Fatal(err)
		}
	}
	return m
}

// boot starts the machine and waits until systemd has started everything.
func (m *Machine) boot() {
	m.t.Helper()
	m.spawn(func() bool {
		out, err := m.Try("systemctl", "is-system-running")
		state := strings.TrimSpace(out)
		if state == "degraded" {
			failed, _ := m.Try("systemctl", "--failed", "--no-legend", "--plain")
			m.t.Fatalf("the machine booted, but not all of it: %s", failed)
		}
		return err == nil && state == "running"
	}, "--boot", "--console=read-only", "--link-journal=no", "--", "systemd.log_color=no")
}

// spawn starts the machine's first process, and waits until the machine is up.
// Its files are mounted where nobody else sees it, and so is what systemd-nspawn
// notes of it, so that no file remains even of a machine that was killed.
func (m *Machine) spawn(up func() bool, args ...string) {
	m.t.Helper()
	const script = `set -eu
mount -t overlay overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work" "$2/root"
mkdir -p /run/systemd/nspawn
mount -t tmpfs tmpfs /run/systemd/nspawn
for folder in $5; do echo 0 >"$folder/cgroup.procs"; done
dir=$2 name=$3 nspawn=$4
shift 5
exec "$nspawn" --quiet --register=no --keep-unit --private-network --directory="$dir/root" --machine="$name" "$@"`
	cmd := exec.Command(unsharePath, append([]string{"--mount", "/bin/sh", "-c", script, "sh", m.root, m.dir, m.name, nspawnPath,
		strings.Join(m.cgroups(), " ")}, args...)...)
	var err error
	if m.stdin, err = cmd.StdinPipe(); err != nil {
		m.t.Fatal(err)
	}
	m.nspawn = startCommand(m.t, cmd)
	m.leader = 0
	Eventually(m.t, "the machine to boot", func() bool {
		if m.nspawn.ended() {
			m.t.Fatalf("the machine ended while it booted:\n%s", m.nspawn.said)
		}
		m.leader = firstOf(m.nspawn.cmd.Process.Pid)
		return m.leader != 0 && up()
	})
}

// firstOf is the first process of the machine that a program runs, 0 while
// there is none. Other children of the program's are still in this machine.
func firstOf(pid int) int {
	children, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid)) // it may have ended
	for field := range strings.FieldsSeq(string(children)) {
		n, err := strconv.Atoi(field)
		if err != nil {
			continue
		}
		status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", n))
		for line := range strings.Lines(string(status)) {
			// "NSpid: 4711 1": its number here, and there.
			if ids := strings.Fields(line); len(ids) == 3 && ids[0] == "NSpid:" && ids[2] == "1" {
				return n
			}
		}
	}
	return 0
}

// inside is a command that runs in the machine, as its root.
func (m *Machine) inside(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, nsenterPath, append([]string{"--target", strconv.Itoa(m.leader),
		"--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--root", "--wd", "--"}, args...)...)
	cmd.Env = m.env
	cmd.WaitDelay = time.Second
	return cmd
}

// Command is a program in the machine, to be started by the test.
func (m *Machine) Command(args ...string) *exec.Cmd { return m.inside(context.Background(), args...) }

// Try runs a program in the machine and returns all that it says.
func (m *Machine) Try(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	out, err := m.inside(ctx, args...).CombinedOutput()
	if errors.Is(err, exec.ErrWaitDelay) {
		err = nil // it ended well, and something that it started still had its output
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", strings.Join(args, " "), err)
	}
	return string(out), err
}

// Run is Try for what must not fail.
func (m *Machine) Run(args ...string) string {
	m.t.Helper()
	out, err := m.Try(args...)
	if err != nil {
		m.t.Fatalf("%v\n%s", err, out)
	}
	return out
}

// Copy puts a file of this machine into that one, for all to read and run.
func (m *Machine) Copy(from, to string) {
	m.t.Helper()
	data, err := os.ReadFile(from)
	if err != nil {
		m.t.Fatal(err)
	}
	m.Write(to, data)
}

// Write makes a file in the machine, for all to read and run.
func (m *Machine) Write(to string, data []byte) {
	m.t.Helper()
	cmd := m.inside(context.Background(), "/bin/sh", "-c", `mkdir -p "$(dirname "$1")" && cat >"$1" && chmod 755 "$1"`, "sh", to)
	cmd.Stdin = bytes.NewReader(data)
	if out, err := cmd.CombinedOutput(); err != nil {
		m.t.Fatalf("write %s: %v\n%s", to, err, out)
	}
}

// Reboot restarts the machine in an orderly way.
func (m *Machine) Reboot() {
	m.t.Helper()
	m.down("reboot")
	m.boot()
}

// down ends the machine and waits until it has.
func (m *Machine) down(how string) {
	m.t.Helper()
	if m.leader != 0 {
		_, _ = m.Try("systemctl", "--no-block", how) // it may end before it has answered
	}
	select {
	case <-m.nspawn.done:
	case <-time.After(time.Minute):
		m.t.Errorf("waited a minute for the machine to %s:\n%s", how, m.nspawn.said)
		m.nspawn.kill()
	}
}

func (m *Machine) end() {
	if m.nspawn == nil || m.nspawn.ended() {
		return
	}
	if m.t.Failed() {
		out, _ := m.Try("journalctl", "--no-pager", "--lines=60", "--output=short-precise")
		m.t.Logf("the machine's journal:\n%s", out)
	}
	m.down("poweroff")
}
