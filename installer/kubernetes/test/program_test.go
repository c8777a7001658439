package kubernetes_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
)

var (
	programFolder = sync.OnceValues(func() (string, error) { return os.MkdirTemp("", "connector-kubernetes-") })
	built         = sync.OnceValues(build)
)

func TestMain(m *testing.M) {
	code := m.Run()
	if dir, err := programFolder(); err == nil {
		_ = os.RemoveAll(dir) // a temporary folder
	}
	os.Exit(code)
}

// program is the connector itself, as an image would have it.
func program(t *testing.T) string {
	t.Helper()
	path, err := built()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func build() (string, error) {
	dir, err := programFolder()
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "connector")
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-o", path, "./cmd/connector")
	cmd.Dir, cmd.Env = "../../..", append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
	cmd.Stderr = os.Stderr
	return path, cmd.Run()
}

type property struct {
	WriteOnly  bool `json:"writeOnly"`
	Deprecated bool `json:"deprecated"`
}

func schema(t *testing.T) map[string]property {
	t.Helper()
	text, err := exec.Command(program(t), "config", "schema").Output()
	if err != nil {
		t.Fatal(err)
	}
	var s struct {
		Properties map[string]property `json:"properties"`
	}
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatal(err)
	}
	return s.Properties
}

// secretKeys are the settings that the connector shows to nobody.
func secretKeys(t *testing.T) (names []string) {
	t.Helper()
	for name, p := range schema(t) {
		if p.WriteOnly && !p.Deprecated {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	if len(names) < 10 {
		t.Fatalf("only %q are secrets", names)
	}
	return names
}

// knownKeys are all settings.
func knownKeys(t *testing.T) (names []string) {
	t.Helper()
	for name := range schema(t) {
		names = append(names, name)
	}
	return names
}
