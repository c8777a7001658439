package home

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"ad-ldap-connector/testdata/lab"
)

// notUnderWine are tests of what Wine has not: links that can be told from what
// they lead to, and access lists. What is killed is killed alike on Linux.
const notUnderWine = "TestLogFile|TestWritesStayInside|Kill"

// What this package promises holds on a file system of Windows', as far as Wine
// has one.
func TestWine(t *testing.T) {
	w := lab.Wine(t)
	program := filepath.Join(t.TempDir(), "home.exe")
	cmd := exec.Command("go", "test", "-c", "-trimpath", "-o", program, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=windows", "GOARCH=amd64")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	const dir = `C:\src\pkg\home`
	w.Copy(program, dir+`\home.exe`)
	for _, name := range []string{"../keys/testdata", "../../testdata/legacy", "../../testdata/hostile"} { // which its tests read
		w.CopyTree(name, filepath.ToSlash(filepath.Join("/src/pkg/home", name)))
	}
	out := w.RunTests(dir, dir+`\home.exe`, "-test.skip="+notUnderWine)
	if !strings.Contains(out, "--- PASS: TestStores/keyring ") || !strings.Contains(out, "--- PASS: TestReplaceStoppedAnywhere ") || strings.Count(out, "\n--- PASS: Test") < 40 {
		t.Error(out)
	}
}
