package home

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// childEnv makes the test binary do one thing in another process, which a test
// may then kill or take rights from.
const childEnv = "CONNECTOR_TEST_CHILD"

// credentialKey names the file of systemd-creds's key.
const credentialKey = "SYSTEMD_CREDENTIAL_SECRET"

// children are what such a process can do with a home. Its error is printed.
var children = map[string]func(dir string) error{
	"rewrite": rewriteForever,
	"replace": replaceForever,
	"rotate":  rotateForever,
	"hold":    holdLock,
}

func TestMain(m *testing.M) {
	if err := loadKeys(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	// systemd's key for credentials is the tests' own, and not the host's.
	dir, err := os.MkdirTemp("", "home-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	if os.Getenv(credentialKey) == "" {
		_ = os.Setenv(credentialKey, filepath.Join(dir, "key")) // the name is a constant and good
	}
	if do := children[os.Getenv(childEnv)]; do != nil {
		if err := do(os.Args[len(os.Args)-1]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	code := m.Run()
	_ = os.RemoveAll(dir) // it is below the temporary folder
	os.Exit(code)
}

// child prepares such a process.
func child(t *testing.T, what, dir string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, dir)
	cmd.Env = append(os.Environ(), childEnv+"="+what)
	return cmd
}
