package home

import (
	"archive/zip"
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"ad-ldap-connector/pkg/config"
)

func logHome(t *testing.T) *Home {
	t.Helper()
	h, err := Open(filepath.Join(t.TempDir(), "home"), nil)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func place(t *testing.T, h *Home, name, text string) {
	t.Helper()
	path := h.Path(filepath.FromSlash(name))
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
		t.Fatal(err)
	}
}

func TestLogFile(t *testing.T) {
	h := logHome(t)
	for range 2 {
		name, err := h.LogFile()
		if err != nil || name != h.Path("logs", "connector.log") {
			t.Fatalf("%s, %v", name, err)
		}
		if info, err := os.Stat(name); err != nil || runtime.GOOS != "windows" && info.Mode() != 0o600 {
			t.Fatalf("%v, %v", info, err)
		}
		_ = os.Chmod(name, 0o644) // the second time it is tightened
	}
	if got, err := h.Exposed(); err != nil || got != nil {
		t.Errorf("%q, %v", got, err)
	}
	if runtime.GOOS == "windows" {
		return
	}
	if err := errors.Join(os.Chmod(h.Dir(), 0o755), os.Chmod(h.Path("logs"), 0o755), os.Chmod(h.Path(logFile), 0o644)); err != nil {
		t.Fatal(err)
	}
	if got, err := h.Exposed(); err != nil || len(got) != 2 || !strings.Contains(got[0], "logs: others can read") || !strings.Contains(got[1], "connector.log: others can read") {
		t.Errorf("%q, %v", got, err)
	}
}

func TestLogFileLeadsNowhereElse(t *testing.T) {
	elsewhere := filepath.Join(t.TempDir(), "victim")
	for name, obstruct := range map[string]func(*Home) error{
		"a link":   func(h *Home) error { return os.Symlink(elsewhere, h.Path("logs", "connector.log")) },
		"a folder": func(h *Home) error { return os.Mkdir(h.Path("logs", "connector.log"), 0o700) },
		"a linked logs": func(h *Home) error {
			return errors.Join(os.Remove(h.Path("logs")), os.Symlink(t.TempDir(), h.Path("logs")))
		},
		"a file as logs": func(h *Home) error {
			return errors.Join(os.Remove(h.Path("logs")), os.WriteFile(h.Path("logs"), nil, 0o600))
		},
	} {
		h := logHome(t)
		if err := os.MkdirAll(h.Path("logs"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := obstruct(h); err != nil {
			t.Skip(err) // links are not for everybody on Windows
		}
		if got, err := h.LogFile(); err == nil || !strings.HasPrefix(err.Error(), "make "+h.Path("logs", "connector.log")+": ") {
			t.Errorf("%s: %s, %v", name, got, err)
		}
		if _, err := os.Lstat(elsewhere); err == nil {
			t.Errorf("%s: a file was made elsewhere", name)
		}
	}
}

func TestLogs(t *testing.T) {
	h := logHome(t)
	if got, err := h.Logs(); err != nil || len(got) != 0 {
		t.Errorf("%q, %v", got, err)
	}
	for _, name := range []string{"logs/connector.log", "logs/connector-2026-02-01T10-00-00.000-size.log", "logs/connector-2026-01-01T10-00-00.000-time.log", "logs/other", "logs.log"} {
		place(t, h, name, "x")
	}
	want := []string{"logs.log", "logs/connector-2026-01-01T10-00-00.000-time.log", "logs/connector-2026-02-01T10-00-00.000-size.log", "logs/connector.log"}
	if got, err := h.Logs(); err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %v", got, err)
	}
	if err := os.RemoveAll(h.Path("logs")); err != nil {
		t.Fatal(err)
	}
	place(t, h, "logs", "a file where the folder belongs")
	if got, err := h.Logs(); err == nil || !slices.Equal(got, want[:1]) {
		t.Errorf("%q, %v", got, err)
	}
}

// TestExportLeavesLogsOut checks that logs stay on their machine.
func TestExportLeavesLogsOut(t *testing.T) {
	h := logHome(t)
	pair := testPair(t, "b")
	if err := errors.Join(h.SaveKeys(pair), h.SaveConfig(func() config.Config { c := config.Default(); c.Directory.BaseDN = "DC=x"; return c }())); err != nil {
		t.Fatal(err)
	}
	if _, err := h.LogFile(); err != nil {
		t.Fatal(err)
	}
	place(t, h, logFile, "who logged in")
	place(t, h, olderLogFile, "who logged in")
	c, err := h.Config()
	var b bytes.Buffer
	if err = errors.Join(err, h.Export(&b, c, Origin{})); err != nil {
		t.Fatal(err)
	}
	z, err := zip.NewReader(bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range z.File {
		if strings.Contains(f.Name, "log") {
			t.Errorf("it holds %s", f.Name)
		}
	}
}

func TestTail(t *testing.T) {
	h := logHome(t)
	text := "one\ntwo\nthree\nfour\n"
	place(t, h, "logs.log", text)
	place(t, h, "long", strings.Repeat("x", 200<<10)+"\nend")
	for _, tt := range []struct {
		name  string
		limit int
		want  string
		lines int
	}{
		{"logs.log", 100, text, 0},
		{"logs.log", len(text), text, 0},
		{"logs.log", len(text) - 1, "two\nthree\nfour\n", 1},
		{"logs.log", 11, "three\nfour\n", 2}, // just at a line
		{"logs.log", 10, "four\n", 3},
		{"logs.log", 3, "", 4},
		{"logs.log", 0, "", 4},
		{"long", 100, "end", 1},
		{"long", 3, "end", 1},
		{"long", 2, "nd", 1},
	} {
		got, err := h.Tail(tt.name, tt.limit)
		if err != nil || string(got.Data) != tt.want || got.Lines != tt.lines {
			t.Errorf("%s, %d: %q after %d lines, %v; want %q after %d", tt.name, tt.limit, got.Data, got.Lines, err, tt.want, tt.lines)
		}
	}
	if err := os.Symlink("/etc/passwd", h.Path("link")); err == nil {
		if got, err := h.Tail("link", 100); err == nil {
			t.Errorf("it followed a link: %q", got.Data)
		}
	}
	for _, name := range []string{"none", ".", "../x"} {
		if got, err := h.Tail(name, 100); err == nil {
			t.Errorf("%s: %q", name, got.Data)
		}
	}
}

func TestListAndSecretive(t *testing.T) {
	h := logHome(t)
	if _, _, err := h.List(10); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
	for _, name := range []string{"config.json", "certs/cert.key", "backups/20260101-000000/config.json", "backups/20260101-000000/certs/cert.key", "lib/x.js"} {
		place(t, h, name, name)
	}
	all, more, err := h.List(100)
	var names []string
	for _, f := range all {
		names = append(names, f.Name)
	}
	want := "backups backups/20260101-000000 backups/20260101-000000/certs backups/20260101-000000/certs/cert.key backups/20260101-000000/config.json certs certs/cert.key config.json lib lib/x.js"
	if err != nil || more || strings.Join(names, " ") != want {
		t.Errorf("%q, %v, %v", names, more, err)
	}
	if all, more, err := h.List(3); err != nil || !more || len(all) != 3 {
		t.Errorf("%v, %v, %v", all, more, err)
	}
	secretive, err := h.Secretive()
	if err != nil {
		t.Error(err)
	}
	for name, data := range secretive {
		if string(data) != name {
			t.Errorf("%s: %s", name, data)
		}
	}
	if len(secretive) != 4 {
		t.Errorf("%d", len(secretive))
	}
	if err := errors.Join(os.Remove(h.Path("config.json")), os.Mkdir(h.Path("config.json"), 0o700)); err != nil {
		t.Fatal(err)
	}
	if secretive, err := h.Secretive(); err == nil || len(secretive) != 3 {
		t.Errorf("%d, %v", len(secretive), err)
	}
	if data, err := h.File("lib/x.js"); err != nil || string(data) != "lib/x.js" {
		t.Errorf("%s, %v", data, err)
	}
	if data, err := h.File(h.Path("lib", "x.js")); err != nil || string(data) != "lib/x.js" {
		t.Errorf("%s, %v", data, err)
	}
}
