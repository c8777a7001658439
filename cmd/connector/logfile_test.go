package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ad-ldap-connector/pkg/home"
	"ad-ldap-connector/testdata/lab"
)

func logHome(t *testing.T) *home.Home {
	t.Helper()
	h, err := home.Open(filepath.Join(t.TempDir(), "home"), nil)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func fileLog(h *home.Home, tell io.Writer, again time.Duration) (*logFile, *slog.Logger) {
	f := newLogFile(func() (io.WriteCloser, error) { return openLogFile(h) }, newLog(tell, false, false), again)
	return f, newLog(f, false, false)
}

func TestLogFileHasTheLines(t *testing.T) {
	h := logHome(t)
	for run := range 2 { // a second run goes on where the first has ended
		var said transcript
		f, log := fileLog(h, &said, time.Hour)
		for i := range 1000 {
			log.Info("line", "run", run, "i", i)
		}
		f.Close()
		f.Close()
		log.Info("late")
		if said.String() != "" {
			t.Errorf("it said %s", said.String())
		}
	}
	data, err := os.ReadFile(h.Path("logs", "connector.log"))
	lines := strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
	if err != nil || len(lines) != 2000 || !strings.HasSuffix(lines[0], "] line run=0 i=0") || !strings.HasSuffix(lines[1999], "] line run=1 i=999") {
		t.Fatalf("%d lines, %v: %.200s", len(lines), err, data)
	}
	for name, want := range map[string]os.FileMode{"logs": 0o700, "logs/connector.log": 0o600} {
		if info, err := os.Stat(h.Path(name)); err != nil || filepath.Separator == '/' && info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
}

// TestLogFileIsGivenUp has a folder in the way of the log file, as a disk that
// cannot be written would be: one warning, and the file again once it can be.
func TestLogFileIsGivenUp(t *testing.T) {
	h := logHome(t)
	if err := os.MkdirAll(h.Path("logs", "connector.log"), 0o700); err != nil {
		t.Fatal(err)
	}
	var said transcript
	f, log := fileLog(h, &said, 20*time.Millisecond)
	lab.Eventually(t, "a warning", func() bool {
		log.Info("lost")
		return strings.Contains(said.String(), "given up")
	})
	for range 10 {
		<-time.After(5 * time.Millisecond) // it is tried again meanwhile
		log.Info("lost")
	}
	lab.Eventually(t, "all to be lost", func() bool { return len(f.lines) == 0 })
	<-time.After(50 * time.Millisecond) // the last one, too
	if err := os.Remove(h.Path("logs", "connector.log")); err != nil {
		t.Fatal(err)
	}
	lab.Eventually(t, "the file", func() bool {
		log.Info("kept")
		return strings.Contains(said.String(), "written again")
	})
	f.Close()
	data, err := os.ReadFile(h.Path("logs", "connector.log"))
	if err != nil || !strings.Contains(string(data), "] warn: lines are missing here; the log on stderr has them lines=") ||
		!strings.Contains(string(data), "] kept\n") || strings.Contains(string(data), "lost\n") {
		t.Errorf("%v: %s", err, data)
	}
	if n := strings.Count(said.String(), "\n"); n != 2 {
		t.Errorf("%d lines on stderr, want 2: %s", n, said.String())
	}
}

// A stuckDisk takes nothing until it is freed.
type stuckDisk struct {
	free    chan struct{}
	entered atomic.Bool
	bytes.Buffer
}

func (d *stuckDisk) Write(p []byte) (int, error) {
	d.entered.Store(true)
	<-d.free
	return d.Buffer.Write(p)
}

func (d *stuckDisk) Close() error { return nil }

// TestLogFileNeverWaits logs far more than the queue holds to a disk that hangs.
func TestLogFileNeverWaits(t *testing.T) {
	disk := &stuckDisk{free: make(chan struct{})}
	f := newLogFile(func() (io.WriteCloser, error) { return disk, nil }, newLog(discard, false, false), time.Hour)
	log := newLog(f, false, false)
	log.Info("first")
	lab.Eventually(t, "the disk to hang", disk.entered.Load)
	for i := range 3 * logQueue {
		log.Info("more", "i", i)
	}
	close(disk.free)
	f.Close()
	<-f.done
	want := fmt.Sprintf("] warn: lines are missing here; the log on stderr has them lines=%d\n", 2*logQueue)
	if text := disk.String(); !strings.Contains(text, want) || strings.Count(text, "more") != logQueue {
		t.Errorf("%.300s", text)
	}
}

// A fullDisk takes some bytes, and no more.
type fullDisk struct {
	*bytes.Buffer
	room int
}

func (d *fullDisk) Write(p []byte) (int, error) {
	n := min(len(p), d.room)
	d.room -= n
	d.Buffer.Write(p[:n])
	if n < len(p) {
		return n, errors.New("no space left on device")
	}
	return n, nil
}

func (d *fullDisk) Close() error { return nil }

// TestLogFileBeginsALineAnew has the disk run full within a line.
func TestLogFileBeginsALineAnew(t *testing.T) {
	var disk bytes.Buffer
	rooms := []int{10, 1 << 20}
	open := func() (io.WriteCloser, error) {
		d := &fullDisk{&disk, rooms[0]}
		rooms = rooms[1:]
		return d, nil
	}
	f := newLogFile(open, newLog(discard, false, false), 0)
	_, _ = f.Write([]byte("a line that is torn\n"))
	_, _ = f.Write([]byte("whole\n"))
	f.Close()
	<-f.done
	if text := disk.String(); !strings.HasPrefix(text, "a line tha\n[") || !strings.HasSuffix(text, "lines=1\nwhole\n") {
		t.Errorf("%q", text)
	}
}

// TestLogFileIsPutAside writes more than one file holds.
func TestLogFileIsPutAside(t *testing.T) {
	h := logHome(t)
	w, err := openLogFile(h)
	if err != nil {
		t.Fatal(err)
	}
	line := []byte(strings.Repeat("x", 1<<20-1) + "\n")
	for range 2*logMegabytes + 1 {
		if _, err := w.Write(line); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	names, err := h.Logs()
	if err != nil || len(names) != 3 || names[2] != "logs/connector.log" {
		t.Fatalf("%q", names)
	}
	for _, name := range names {
		if info, err := os.Stat(h.Path(name)); err != nil || info.Size() > logMegabytes<<20 || filepath.Separator == '/' && info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
}

func TestLogFileNotInEnvOnlyMode(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "home")
	for _, tt := range []struct {
		override string
		want     bool
	}{{"false", false}, {"true", true}} {
		h, err := home.Open(dir, []string{"OVERRIDE_CONFIG=" + tt.override})
		if err != nil {
			t.Fatal(err)
		}
		var said transcript
		l := (&app{stderr: &said}).openRunLog("")
		l.openFile(h)
		l.log.Info("hello")
		l.close()
		if _, err := os.Stat(h.Path("logs")); (err == nil) != tt.want || !strings.Contains(said.String(), "] hello\n") {
			t.Errorf("OVERRIDE_CONFIG=%s: %v; %s", tt.override, err, said.String())
		}
	}
}
