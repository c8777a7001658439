package main

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"ad-ldap-connector/testdata/lab"
)

// TestAcceptDemo plays the whole demonstration and reads what it says.
func TestAcceptDemo(t *testing.T) {
	t.Parallel()
	c := newCLI(t)
	demo := c.start("demo", "--once", "-o", "json")
	demo.wait(2 * patience)
	if demo.status() != exitOK {
		t.Fatalf("demo ended with %d:\n%s%s", demo.status(), demo.stdout, demo.stderr)
	}
	var report struct {
		OK    bool       `json:"ok"`
		Steps []demoStep `json:"steps"`
	}
	if err := json.Unmarshal([]byte(demo.stdout.String()), &report); err != nil {
		t.Fatalf("%v in %s", err, demo.stdout)
	}
	want := []string{"sandbox", "directory", "install", "run", "login", "refusal", "second-node", "kill-first", "failover"}
	var got []string
	for _, s := range report.Steps {
		got = append(got, s.Name)
		if !s.OK || s.Took < 0 || s.Detail == "" {
			t.Errorf("step %+v", s)
		}
	}
	if !report.OK || !slices.Equal(got, want) {
		t.Errorf("ok is %t, steps are %q, want %q", report.OK, got, want)
	}
	noTrace(t, c, demo)
}

var processID = regexp.MustCompile(`\(process (\d+)\)`)

// processes are the children that a demonstration has named.
func processes(i *invocation) (pids []int) {
	for _, m := range processID.FindAllStringSubmatch(i.stderr.String(), -1) {
		pid, err := strconv.Atoi(m[1])
		if err == nil && !slices.Contains(pids, pid) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// noTrace checks that an ended demonstration leaves no process and no folder.
func noTrace(t *testing.T, c *cli, demo *invocation) {
	t.Helper()
	for _, pid := range processes(demo) {
		lab.Eventually(t, "process "+strconv.Itoa(pid)+" to be gone", func() bool { return !alive(c, pid) })
	}
	left, err := filepath.Glob(filepath.Join(c.dir, "connector-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %q, %v", left, err)
	}
}

// alive reports whether a process of ours still runs. Its id may be another's
// by now.
func alive(c *cli, pid int) bool {
	if runtime.GOOS == "linux" {
		program, err := os.Readlink(filepath.Join("/proc", strconv.Itoa(pid), "exe"))
		return err == nil && strings.TrimSuffix(program, " (deleted)") == c.program
	}
	p, err := os.FindProcess(pid)
	return err == nil && p.Signal(os.Interrupt) == nil
}

// TestAcceptDemoLoses kills a process of the demonstration right when its step
// is reported. The demonstration must end, soon, and say what died.
func TestAcceptDemoLoses(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a process cannot be found by the id alone here")
	}
	t.Parallel()
	for _, tt := range []struct{ name, after, victim string }{
		{"sandbox", "a pretend tenant at", "sandbox"},
		{"directory", "a pretend Active Directory at", "directory"},
		{"node-1", "node-1 is accepted", "node-1"},
		{"node-2", "node-2 is accepted", "node-2"},
		{"sandbox-late", "node-1 is accepted", "sandbox"},
		{"directory-late", "node-1 is accepted", "directory"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newCLI(t)
			demo, pid := killIn(t, c, tt.after, tt.victim)
			// The last steps take milliseconds: a demonstration that was over
			// before the process died is shown again.
			for range 20 {
				if demo.status() != exitOK {
					break
				}
				demo, pid = killIn(t, c, tt.after, tt.victim)
			}
			said := demo.stderr.String()
			if demo.status() != exitFault {
				t.Errorf("demo ended with %d, want %d", demo.status(), exitFault)
			}
			want := regexp.MustCompile(`(?m)^connector: .*` + tt.victim + ` \(process ` + strconv.Itoa(pid) + `\) ended: signal: killed`)
			if !want.MatchString(said) {
				t.Errorf("the end does not name %s:\n%s", tt.victim, said)
			}
			noTrace(t, c, demo)
		})
	}
}

// killIn kills a process of a demonstration as soon as a line is said, and waits
// for the end of the demonstration.
func killIn(t *testing.T, c *cli, after, victim string) (demo *invocation, pid int) {
	t.Helper()
	demo = c.start("demo", "--once")
	demo.says(after)
	pid = namedProcess(t, demo, victim)
	p, err := os.FindProcess(pid)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Fatal(err)
	}
	demo.wait(30 * time.Second)
	return demo, pid
}

// namedProcess is the process that a demonstration said plays a part.
func namedProcess(t *testing.T, demo *invocation, part string) int {
	t.Helper()
	line := map[string]string{"sandbox": "a pretend tenant at", "directory": "a pretend Active Directory at"}[part]
	if line == "" {
		line = part + " is accepted"
	}
	m := regexp.MustCompile(`(?m)` + line + `.*\(process (\d+)\)`).FindStringSubmatch(demo.stderr.String())
	if m == nil {
		t.Fatalf("no process of %s in %s", part, demo.stderr)
	}
	pid, err := strconv.Atoi(m[1])
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// TestAcceptDemoStays interrupts a demonstration that stays up: it takes all
// that it started with it. So it does when it is killed and can do nothing.
func TestAcceptDemoStays(t *testing.T) {
	t.Parallel()
	t.Run("interrupted", func(t *testing.T) {
		c := newCLI(t)
		demo := c.start("demo")
		demo.says("It stays up until Ctrl-C")
		if n := len(processes(demo)); n != 4 {
			t.Errorf("%d processes are named, want 4:\n%s", n, demo.stderr)
		}
		for _, part := range []string{"sandbox", "directory", "node-2"} {
			if !alive(c, namedProcess(t, demo, part)) {
				t.Errorf("%s does not run", part)
			}
		}
		demo.interrupt()
		demo.wait(30 * time.Second)
		if demo.status() != exitOK {
			t.Errorf("demo ended with %d:\n%s", demo.status(), demo.stderr)
		}
		noTrace(t, c, demo)
	})
	t.Run("interrupted early", func(t *testing.T) {
		c := newCLI(t)
		demo := c.start("demo")
		demo.says("a pretend Active Directory at")
		demo.interrupt()
		demo.wait(30 * time.Second)
		if demo.status() != exitInterrupted {
			t.Errorf("demo ended with %d, want %d:\n%s", demo.status(), exitInterrupted, demo.stderr)
		}
		noTrace(t, c, demo)
	})
	t.Run("killed", func(t *testing.T) {
		c := newCLI(t)
		demo := c.start("demo")
		demo.says("It stays up until Ctrl-C")
		demo.kill()
		for _, pid := range processes(demo) {
			lab.Eventually(t, "process "+strconv.Itoa(pid)+" to be gone", func() bool { return !alive(c, pid) })
		}
	})
	t.Run("loses a part", func(t *testing.T) {
		if runtime.GOOS == "windows" {
			t.Skip("a process cannot be found by the id alone here")
		}
		c := newCLI(t)
		demo := c.start("demo")
		demo.says("It stays up until Ctrl-C")
		p, err := os.FindProcess(namedProcess(t, demo, "directory"))
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Kill(); err != nil {
			t.Fatal(err)
		}
		demo.wait(30 * time.Second)
		if demo.status() != exitFault || !strings.Contains(demo.stderr.String(), "directory (process ") {
			t.Errorf("demo ended with %d:\n%s", demo.status(), demo.stderr)
		}
		noTrace(t, c, demo)
	})
}
