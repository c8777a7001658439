package main

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"math"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"ad-ldap-connector/pkg/identity"
)

func TestParseLogLine(t *testing.T) {
	for _, tt := range []struct {
		text, level, message string
		attributes           map[string]string
		damaged              bool
	}{
		{"[2026-01-02 03:04:05] connector starts version=1 home=/opt/x", "info", "connector starts", map[string]string{"version": "1", "home": "/opt/x"}, false},
		{`[2026-01-02 03:04:05] warn: stop err="a b=\"c\""`, "warn", "stop", map[string]string{"err": `a b="c"`}, false},
		{"[2026-01-02 03:04:05] error+2: bad", "error", "bad", nil, false},
		{"[2026-01-02 03:04:05] debug: ", "debug", "", nil, false},
		{"[2026-01-02 03:04:05] LDAP_URL=x is wrong", "info", "LDAP_URL=x is wrong", nil, false},
		{"[2026-01-02 03:04:05] is a=b wrong c=d e=", "info", "is a=b wrong c=d e=", nil, false},
		{"[2026-01-02 03:04:05] is a=b wrong c=d e=\"\"", "info", "is a=b wrong", map[string]string{"c": "d", "e": ""}, false},
		{`[2026-01-02 03:04:05] torn err="no end`, "info", `torn err="no end`, nil, false},
		{`[2026-01-02 03:04:05] odd err="x"y`, "info", `odd err="x"y`, nil, false},
		{"[2026-13-02 03:04:05] month", "", "[2026-13-02 03:04:05] month", nil, true},
		{"goroutine 1 [running]:", "", "goroutine 1 [running]:", nil, true},
		{"", "", "", nil, true},
	} {
		got := parseLogLine(tt.text)
		if got.Level != tt.level || got.Message != tt.message || got.Damaged != tt.damaged || (got.Time == nil) != tt.damaged || got.text != tt.text {
			t.Errorf("%q: %+v", tt.text, got)
		}
		if diff := cmp.Diff(tt.attributes, got.Attributes); diff != "" {
			t.Errorf("%q: %s", tt.text, diff)
		}
	}
}

// FuzzLogLine reads any line, and those that the connector writes of anything.
func FuzzLogLine(f *testing.F) {
	for _, seed := range []string{"", "a", `x="`, `a b=c "d`, "a=b c=d", "\x00\xff\u2028", `{"time":"2026-01-02T03:04:05Z","level":"INFO","msg":"x","a":{"b":[1]}}`, strings.Repeat(`a="\" `, 100)} {
		f.Add(seed, seed)
	}
	f.Fuzz(func(t *testing.T, text, value string) {
		if got := parseLogLine(text); got.text != text && (got.Damaged || !strings.HasPrefix(text, "{")) || got.Damaged && got.Message != text {
			t.Errorf("%q: %+v", text, got)
		}
		var b bytes.Buffer
		newLog(&b, false, false).Warn("a constant message", "user", value, "err", text)
		line, rest, _ := strings.Cut(b.String(), "\n")
		got := parseLogLine(line)
		if rest != "" || got.Damaged || got.Level != "warn" || got.Message != "a constant message" ||
			got.Attributes["user"] != value || got.Attributes["err"] != text || len(got.Attributes) != 2 {
			t.Errorf("%q: %+v", line, got)
		}
		b.Reset()
		newLog(&b, true, false).Warn("a constant message", "user", value, "err", text)
		line, rest, _ = strings.Cut(b.String(), "\n")
		got = parseLogLine(line)
		if rest != "" || got.Damaged || got.Level != "warn" || got.Message != "a constant message" || len(got.Attributes) != 2 ||
			got.Attributes["user"] != strings.ToValidUTF8(value, "\uFFFD") && utf8.ValidString(value) {
			t.Errorf("%q: %+v", line, got)
		}
	})
}

// TestBothFormatsReadTheSame: whoever changes LOG_FORMAT finds the same lines.
func TestBothFormatsReadTheSame(t *testing.T) {
	write := func(asJSON bool) logLine {
		var b bytes.Buffer
		log := newLog(&b, asJSON, true).With("part", "hub").WithGroup("g")
		log.Warn("command answered", "user", "eve\n\"=", "took", 1234567*time.Nanosecond, "n", 7, "big", uint64(math.MaxUint64), "on", true,
			"err", errors.New("boom"), slog.Group("in", "deep", 1.5, "password", identity.Password("s3cret-s3cret")))
		l := parseLogLine(strings.TrimSuffix(b.String(), "\n"))
		l.Time = nil // the two were not written at once
		l.text = l.text[len("[2006-01-02 15:04:05"):]
		if strings.Contains(b.String(), "s3cret") {
			t.Errorf("a secret is in %s", b.String())
		}
		return l
	}
	if diff := cmp.Diff(write(false), write(true), cmp.AllowUnexported(logLine{})); diff != "" {
		t.Error(diff)
	}
	for _, text := range []string{
		`{`, `{}`, `{"time":"2026-01-02T03:04:05Z","level":"INFO"}`, `{"time":"yesterday","level":"INFO","msg":"x"}`,
		`{"time":"2026-01-02T03:04:05Z","level":"INFO","msg":"x"} and more`, `{"time":"2026-01-02T03:04:05Z","level":1,"msg":"x"}`,
		`{"time":"2026-01-02T03:04:05Z","level":"INFO","msg":"x","a":`, `{"time":"-0001-01-02T03:04:05Z","level":"INFO","msg":"x"}`,
		`{"a":` + strings.Repeat(`{"a":`, 10_000),
	} {
		if l := parseLogLine(text); !l.Damaged || l.Message != text {
			t.Errorf("%.100s: %+v", text, l)
		}
	}
}

// TestLogLinesAreReadBack checks that what is logged is what is read.
func TestLogLinesAreReadBack(t *testing.T) {
	var b bytes.Buffer
	want := map[string]string{"part": "hub", "g.user": "eve\n[2026-01-01 00:00:00] x=y", "g.empty": "", "g.path": `C:\x y`, "g.quote": `"`}
	newLog(&b, false, false).With("part", "hub").WithGroup("g").Error("command answered", "user", want["g.user"], slog.String("empty", ""), "path", want["g.path"], "quote", `"`)
	got := parseLogLine(strings.TrimSuffix(b.String(), "\n"))
	if diff := cmp.Diff(want, got.Attributes); diff != "" || got.Message != "command answered" || got.Level != "error" || time.Since(*got.Time).Abs() > time.Minute {
		t.Errorf("%+v: %s", got, diff)
	}
}

func TestLineReader(t *testing.T) {
	long := strings.Repeat("x", longestLine+5)
	var file bytes.Buffer
	r := newLineReader(&file)
	want := func(lines ...string) {
		t.Helper()
		for _, line := range lines {
			if got, err := r.next(); err != nil || got != line {
				t.Errorf("%.40q..., %v; want %.40q...", got, err, line)
			}
		}
		if got, err := r.next(); err != io.EOF {
			t.Errorf("%.40q, %v at the end", got, err)
		}
	}
	file.WriteString("one\r\n\nthree\nfo")
	want("one", "", "three")
	file.WriteString("ur\n" + long + "\n" + long)
	want("four", long[:longestLine]+"...")
	file.WriteString("x\nlast")
	want(long[:longestLine] + "...")
	if got, ok := r.rest(); !ok || got != "last" {
		t.Errorf("%q, %v", got, ok)
	}
	if got, ok := r.rest(); ok {
		t.Errorf("%q is left", got)
	}
}
