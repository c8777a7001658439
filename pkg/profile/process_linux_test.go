package profile

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// A mapper process has nothing of the connector's: not its environment, where
// secrets are, nor its folder, nor its open files.
func TestProcessHasNothing(t *testing.T) {
	t.Setenv("LDAP_BIND_PASSWORD", "hunter2")
	secret, err := os.CreateTemp(t.TempDir(), "secret")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := secret.Close(); err != nil {
			t.Error(err)
		}
	}()
	m := start(t, options(t, simple))
	proc := fmt.Sprintf("/proc/%d/", m.ready()[0].cmd.Process.Pid)
	if env, err := os.ReadFile(proc + "environ"); err != nil || len(env) > 0 {
		t.Errorf("environment %q, %v", env, err)
	}
	if dir, err := os.Readlink(proc + "cwd"); err != nil || dir != "/" {
		t.Errorf("folder %s, %v", dir, err)
	}
	files, err := os.ReadDir(proc + "fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		target, err := os.Readlink(proc + "fd/" + f.Name())
		// The runtime opens the limits of its control group by itself.
		own := strings.HasPrefix(target, "pipe:") || strings.HasPrefix(target, "anon_inode:") || strings.HasPrefix(target, "/sys/fs/cgroup/")
		if err != nil || !own {
			t.Errorf("file %s is %s, %v", f.Name(), target, err)
		}
	}
}
