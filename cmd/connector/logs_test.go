package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ad-ldap-connector/pkg/home"
	"ad-ldap-connector/testdata/lab"
)

// put makes a log file of a home, last written at that time.
func putLog(t *testing.T, h *home.Home, name, text string, wrote time.Time) {
	t.Helper()
	file := h.Path("logs", name)
	if strings.HasSuffix(name, ".gz") {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		_, err := z.Write([]byte(text))
		if err = errors.Join(err, z.Close()); err != nil {
			t.Fatal(err)
		}
		text = b.String()
	}
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, []byte(text), 0o600), os.Chtimes(file, wrote, wrote)); err != nil {
		t.Fatal(err)
	}
}

func logged(at time.Time, text string) string {
	return at.UTC().Format("[2006-01-02 15:04:05] ") + text + "\n"
}

// showLogs runs the command on a home and returns what it says.
func showLogs(ctx context.Context, h *home.Home, args ...string) (stdout, stderr *transcript, err error) {
	stdout, stderr = new(transcript), new(transcript)
	cmd := newCommand(&app{stdin: strings.NewReader(""), stdout: stdout, stderr: stderr})
	cmd.SetArgs(append([]string{"logs", "--home", h.Dir()}, args...))
	return stdout, stderr, cmd.ExecuteContext(ctx)
}

func TestLogs(t *testing.T) {
	h := logHome(t)
	now := time.Now()
	old, mid := now.Add(-50*time.Hour), now.Add(-90*time.Minute)
	putLog(t, h, "connector-2026-01-01T00-00-00.000-size.log.gz", logged(old, "one")+logged(old, "two"), old)
	putLog(t, h, "connector-2026-01-02T00-00-00.000-time.log", logged(old, "three")+logged(mid, "four user=alice"), mid)
	putLog(t, h, "connector.log", "torn\n"+logged(now, "warn: five")+"\x1b[2Jgarbage\xff\nno end", now)
	putLog(t, h, "other.log", "not the connector's\n", now)
	const rest = "torn\n] warn: five\n\uFFFD[2Jgarbage\uFFFD\nno end\n"
	for _, tt := range []struct {
		args []string
		want string
	}{
		{nil, "] one\n] two\n] three\n] four user=alice\n" + rest},
		{[]string{"-n", "5"}, "] four user=alice\n" + rest},
		{[]string{"--lines", "6"}, "] three\n] four user=alice\n" + rest},
		{[]string{"-n", "1"}, "no end\n"},
		{[]string{"-n", "0"}, ""},
		{[]string{"--since", "2h"}, "] four user=alice\n" + rest},
		{[]string{"--since", "3d"}, "] one\n] two\n] three\n] four user=alice\n" + rest},
		{[]string{"--since", now.Add(-time.Minute).UTC().Format(time.RFC3339)}, "] warn: five\n\uFFFD[2Jgarbage\uFFFD\nno end\n"},
		{[]string{"--since", "2h", "-n", "5"}, "] four user=alice\n" + rest},
	} {
		out, said, err := showLogs(t.Context(), h, tt.args...)
		if err != nil {
			t.Errorf("%v: %v", tt.args, err)
		}
		var got strings.Builder
		for line := range strings.Lines(out.String()) {
			if strings.HasPrefix(line, "[") {
				line = line[len("[2006-01-02 15:04:05"):]
			}
			got.WriteString(line)
		}
		if got.String() != tt.want {
			t.Errorf("%v:\n%q, want\n%q", tt.args, got.String(), tt.want)
		}
		if damaged := strings.Contains(said.String(), "lines are not as the connector writes them"); damaged != strings.Contains(tt.want, "no end") {
			t.Errorf("%v: it said %q", tt.args, said.String())
		}
	}
}

func TestLogsAsJSON(t *testing.T) {
	h := logHome(t)
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	putLog(t, h, "connector.log", logged(at, `error: answered user="a b" n=<1>`)+"torn\n", time.Now())
	out, said, err := showLogs(t.Context(), h, "-o", "json")
	want := `{"time":"2026-01-02T03:04:05Z","level":"error","message":"answered","attributes":{"n":"<1>","user":"a b"}}` + "\n" +
		`{"message":"torn","damaged":true}` + "\n"
	if err != nil || out.String() != want || said.String() != "" {
		t.Errorf("%v: %s\n%s", err, out.String(), said.String())
	}
}

// TestLogsThatCannotBeRead has what may be in the way of a log.
func TestLogsThatCannotBeRead(t *testing.T) {
	now := time.Now()
	for name, tt := range map[string]struct {
		make      func(*home.Home) error
		args      []string
		want      string // of the error or its hint
		shown     string
		exit      int
		unlessOne bool // root may read everything
	}{
		"no home":  {nil, nil, "there is no ", "", exitFault, false},
		"no log":   {func(h *home.Home) error { return os.MkdirAll(h.Path("logs"), 0o700) }, nil, "connector help logging", "", exitFault, false},
		"a folder": {func(h *home.Home) error { return os.MkdirAll(h.Path("logs", "connector.log"), 0o700) }, nil, "it is not a regular file", "", exitFault, false},
		"no folder": {func(h *home.Home) error {
			return errors.Join(os.MkdirAll(h.Dir(), 0o700), os.WriteFile(h.Path("logs"), nil, 0o600))
		}, nil, "logs", "", exitFault, false},
		"since":       {nil, []string{"--since", "yesterday"}, "is no time; try 1h", "", exitUsage, false},
		"since later": {nil, []string{"--since", "1x"}, "is no time", "", exitUsage, false},
		"lines":       {nil, []string{"--lines", "-1"}, "less than none", "", exitUsage, false},
		"an argument": {nil, []string{"x"}, "", "", exitUsage, false},
		"not a gzip": {func(h *home.Home) error {
			putLog(t, h, "connector.log", "kept\n", now)
			return os.WriteFile(h.Path("logs", "connector-1.log.gz"), []byte("no gzip at all"), 0o600)
		}, nil, "connector-1.log.gz: ", "kept\n", exitFault, false},
		"another kind": {func(h *home.Home) error {
			putLog(t, h, "connector.log", "kept\n", now)
			putLog(t, h, "connector.log.xz", "x", now)
			return nil
		}, nil, "only .gz is read here", "kept\n", exitFault, false},
		"no rights": {func(h *home.Home) error {
			putLog(t, h, "connector.log", "secret\n", now)
			return os.Chmod(h.Path("logs", "connector.log"), 0)
		}, nil, "run this as root", "", exitFault, true},
		"no rights over the folder": {func(h *home.Home) error {
			putLog(t, h, "connector.log", "secret\n", now)
			return os.Chmod(h.Path("logs"), 0)
		}, nil, "run this as root", "", exitFault, true},
	} {
		t.Run(name, func(t *testing.T) {
			h := logHome(t)
			if tt.make != nil {
				if err := tt.make(h); err != nil {
					t.Fatal(err)
				}
			}
			look := func() (out *transcript, err error) {
				out, _, err = showLogs(t.Context(), h, tt.args...)
				return out, err
			}
			out, err := new(transcript), error(nil)
			if tt.unlessOne {
				withoutRights(t, func() { out, err = look() }, h.Dir(), h.Path("logs"))
			} else {
				out, err = look()
			}
			_ = os.Chmod(h.Path("logs"), 0o700) // so that it can be removed; it may not be there
			if exitCode(err, false) != tt.exit || !strings.Contains(fmt.Sprint(err)+hintOf(err), tt.want) || out.String() != tt.shown {
				t.Errorf("%v (%s), shown %q", err, hintOf(err), out.String())
			}
		})
	}
}

// TestLogsFollow follows a log that is made, torn, put aside twice at once, and
// emptied. No line is shown twice, and none is missing.
func TestLogsFollow(t *testing.T) {
	t.Parallel()
	h := logHome(t)
	if err := os.MkdirAll(h.Path("logs"), 0o700); err != nil {
		t.Fatal(err)
	}
	live := h.Path("logs", "connector.log")
	add := func(text string) {
		t.Helper()
		f, err := os.OpenFile(live, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err == nil {
			_, err = f.WriteString(text)
			err = errors.Join(err, f.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	out, said := new(transcript), new(transcript)
	cmd := newCommand(&app{stdin: strings.NewReader(""), stdout: out, stderr: said})
	cmd.SetArgs([]string{"logs", "-f", "--home", h.Dir()})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- cmd.ExecuteContext(ctx) }()
	want := ""
	expect := func(text string) {
		t.Helper()
		want += text
		lab.Eventually(t, fmt.Sprintf("%q", text), func() bool { return out.String() == want })
	}
	lab.Eventually(t, "it to wait", func() bool { return strings.Contains(said.String(), "waiting for it") })
	add("one\ntw")
	expect("one\n")
	add("o\n")
	expect("two\n")
	aside := func(n int) {
		t.Helper()
		at := time.Now().Add(time.Duration(n-10) * time.Second)
		name := h.Path("logs", fmt.Sprintf("connector-2026-01-0%d.log", n))
		if err := errors.Join(os.Rename(live, name), os.Chtimes(name, at, at)); err != nil {
			t.Fatal(err)
		}
	}
	add("last of the first")
	aside(1)
	add("all of the second\n")
	aside(2)
	add("third\n")
	expect("last of the first\nall of the second\nthird\n")
	if err := os.Truncate(live, 0); err != nil {
		t.Fatal(err)
	}
	add("4\n")
	expect("4\n")
	if !strings.Contains(said.String(), "was emptied") {
		t.Errorf("it said %q", said.String())
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// TestLogsAreOneDocumentALine checks -o json for programs that read lines.
func TestLogsAreOneDocumentALine(t *testing.T) {
	h := logHome(t)
	f, log := fileLog(h, discard, time.Hour)
	for i := range 300 {
		log.With("part", "hub").Info("line", "i", i, "user", "eve\nx")
	}
	f.Close()
	out, _, err := showLogs(t.Context(), h, "-o", "json", "--since", "1h")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(out.String()) {
		var l logLine
		if err := json.Unmarshal([]byte(line), &l); err != nil || l.Damaged || l.Attributes["i"] != fmt.Sprint(n) || l.Attributes["user"] != "eve\nx" {
			t.Fatalf("%s: %+v, %v", line, l, err)
		}
		n++
	}
	if n != 300 {
		t.Errorf("%d lines", n)
	}
}
