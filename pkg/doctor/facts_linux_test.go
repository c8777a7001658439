package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"ad-ldap-connector/testdata/lab"
)

// worldKey names the world that this program, started again, is to look at.
const worldKey = "CONNECTOR_TEST_WORLD"

// noQuota is found where the kernel lacks them.
const noQuota = "no quota\n"

// worlds are what a process of its own makes of its world, to be looked at with
// one check. Mounts are in a namespace of that process, and end with it.
var worlds = map[string]struct {
	check ID
	make  func(dir string) error
}{
	"full": {"host.disk", func(dir string) error {
		if err := unix.Mount("none", dir, "tmpfs", 0, "size=1m"); err != nil {
			return err
		}
		err := os.WriteFile(filepath.Join(dir, "all"), make([]byte, 2<<20), 0o600)
		if !errors.Is(err, unix.ENOSPC) {
			return fmt.Errorf("it did not become full: %w", err)
		}
		return nil
	}},
	"read-only": {"host.disk", func(dir string) error { return unix.Mount("none", dir, "tmpfs", unix.MS_RDONLY, "") }},
	"no-files":  {"host.disk", func(dir string) error { return unix.Mount("none", dir, "tmpfs", 0, "size=1g,nr_inodes=50") }},
	"quota": {"host.disk", func(dir string) error {
		err := unix.Mount("none", dir, "tmpfs", 0, "size=1g,usrquota,usrquota_block_hardlimit=20m")
		if errors.Is(err, unix.EINVAL) {
			fmt.Print("FOUND: ", noQuota)
		}
		if err != nil {
			return err
		}
		return os.Chown(dir, 12345, 12345)
	}},
	"limited-memory": {"host.memory", func(string) error { return nil }},
	"limited-cores":  {"host.cores", func(string) error { return nil }},
}

// otherSide is the other side of inWorld, if this process is that.
func otherSide() bool {
	name, ok := os.LookupEnv(worldKey)
	if !ok {
		return false
	}
	if err := look(name); err != nil {
		fmt.Println("NOT HERE:", err)
	}
	return true
}

// look makes a world and prints what a check finds in it.
func look(name string) (err error) {
	w := worlds[name]
	dir, err := os.MkdirTemp("", "connector-world-")
	if err != nil {
		return err
	}
	defer func() {
		_ = unix.Unmount(dir, unix.MNT_DETACH) // nothing may be mounted
		err = errors.Join(err, os.Remove(dir))
	}()
	if err := w.make(dir); err != nil {
		return err
	}
	c, err := Lookup(string(w.check))
	if err != nil {
		return err
	}
	f := Run(context.Background(), &Env{OS: "linux", Host: ThisHost(filepath.Join(dir, "home"))}, []Check{*c}, nil, nil).Findings[0]
	fmt.Printf("FOUND: %s | %s | %s | %s\n", f.Status, f.Observed, strings.ReplaceAll(f.Detail, "\n", "; "), f.Remedy)
	return nil
}

// needRoot skips what only root may do.
func needRoot(t *testing.T, why string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("this needs root: " + why)
	}
}

// inWorld looks at a world in a process of its own and returns what it found.
// Before it begins it joins control groups by these files.
func inWorld(t *testing.T, name string, groups ...string) string {
	t.Helper()
	script := `for f in "$@"; do echo $$ >"$f" || exit 1; done; exec "$0"`
	cmd := exec.CommandContext(t.Context(), "/bin/sh", append([]string{"-c", script, os.Args[0]}, groups...)...)
	cmd.Env = append(os.Environ(), worldKey+"="+name)
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: unix.CLONE_NEWNS}
	out, err := cmd.CombinedOutput()
	for line := range strings.Lines(string(out)) {
		if found, ok := strings.CutPrefix(line, "FOUND: "); ok {
			return found
		}
		if why, ok := strings.CutPrefix(line, "NOT HERE: "); ok {
			t.Skip("the kernel does not have it: " + why)
		}
	}
	t.Fatalf("%v: %s", err, out)
	return ""
}

func TestRealFileSystems(t *testing.T) {
	needRoot(t, "it mounts")
	for name, want := range map[string][]string{
		"full":      {"failed | 0.0 kB free at ", "tmpfs"},
		"read-only": {"failed | ", " is on a read-only file system", "Mount the file system"},
		"no-files":  {"failed | ", " more files can be made at "},
		"quota":     {"failed | ", " left of the user 12345's quota at ", "Raise the quota"},
	} {
		t.Run(name, func(t *testing.T) {
			found := inWorld(t, name)
			if name == "quota" && found == noQuota {
				t.Log("this kernel has no quotas for file systems in memory")
				return
			}
			for _, part := range want {
				if !strings.Contains(found, part) {
					t.Errorf("%q is not in %s", part, found)
				}
			}
		})
	}
}

// group makes a control group with a limit, and returns the file by which a
// process joins it. Version 1 has a hierarchy for each controller.
func group(t *testing.T, controller string, v1, v2 map[string]string) string {
	t.Helper()
	needRoot(t, "it makes control groups")
	dir, limits := filepath.Join("/sys/fs/cgroup", controller), v1
	if _, err := os.Stat("/sys/fs/cgroup/cgroup.controllers"); err == nil {
		dir, limits = "/sys/fs/cgroup", v2
	}
	dir = filepath.Join(dir, fmt.Sprintf("connector-test-%d-%s", os.Getpid(), strings.ReplaceAll(t.Name(), "/", "-")))
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Skipf("control groups cannot be made here: %v", err)
	}
	t.Cleanup(func() {
		lab.Eventually(t, "the control group to be left", func() bool {
			err := os.Remove(dir)
			return err == nil || errors.Is(err, fs.ErrNotExist)
		})
	})
	for name, value := range limits {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(value), 0o600); err != nil {
			t.Skipf("the %s of control groups cannot be limited here: %v", controller, err)
		}
	}
	return filepath.Join(dir, "cgroup.procs")
}

func TestRealCgroups(t *testing.T) {
	t.Run("memory", func(t *testing.T) {
		procs := group(t, "memory", map[string]string{"memory.limit_in_bytes": "805306368"}, map[string]string{"memory.max": "805306368"})
		found := inWorld(t, "limited-memory", procs)
		if !strings.HasPrefix(found, "failed | 768 MiB, the limit of a container or service | the machine has ") || !strings.Contains(found, "connector-test-") {
			t.Error(found)
		}
	})
	t.Run("cpu", func(t *testing.T) {
		procs := group(t, "cpu", map[string]string{"cpu.cfs_quota_us": "150000"}, map[string]string{"cpu.max": "150000 100000"})
		found := inWorld(t, "limited-cores", procs)
		if !strings.HasPrefix(found, "failed | the time of 1.5 cores | ") && !strings.HasPrefix(found, "failed | 1 core") {
			t.Error(found)
		}
	})
}

// TestRealTimeService looks for a real one among the processes.
func TestRealTimeService(t *testing.T) {
	lab.StartChrony(t, 0, true)
	s, err := ThisHost(t.TempDir()).TimeService(t.Context())
	if err != nil || !strings.Contains(strings.Join(s.Running, " "), "chronyd") {
		t.Errorf("%+v, %v", s, err)
	}
	if found, err := running(t.Context(), []string{"no-such-program"}); len(found) > 0 || err != nil {
		t.Errorf("%v, %v", found, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := running(ctx, []string{"chronyd"}); err == nil {
		t.Error("it went on after its time")
	}
}

func TestContainers(t *testing.T) {
	none := func(string) (string, bool) { return "", false }
	for want, files := range map[string]map[string]string{
		"":               {"proc/1/environ": "PATH=/bin\x00container=\x00"},
		"Docker":         {".dockerenv": ""},
		"Podman":         {"run/.containerenv": ""},
		"systemd-nspawn": {"run/systemd/container": "systemd-nspawn\n"},
		"lxc":            {"proc/1/environ": "PATH=/bin\x00container=lxc\x00"},
	} {
		if got := container(tree(files), none); got != want {
			t.Errorf("%v: %q, want %q", files, got, want)
		}
	}
	if got := container(tree(nil), func(string) (string, bool) { return "10.0.0.1", true }); got != "Kubernetes" {
		t.Error(got)
	}
}

func TestStartUnit(t *testing.T) {
	got := startUnit(tree(map[string]string{"lib/systemd/system/systemd-timesyncd.service": "", "usr/lib/systemd/system/chrony.service": ""}))
	if len(got) != 1 || strings.Join(got[0], " ") != "systemctl enable --now chrony.service" {
		t.Errorf("%v", got)
	}
	if got := startUnit(tree(nil)); got != nil {
		t.Errorf("%v", got)
	}
}
