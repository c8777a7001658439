package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestLastOctets(t *testing.T) {
	for most, want := range map[int]string{100: "one\ntwo\nthree\n", 14: "one\ntwo\nthree\n", 13: "two\nthree\n", 7: "three\n", 6: "", 1: ""} {
		l := &lastOctets{most: most}
		for _, piece := range []string{"o", "ne\ntw", "o\n", "three\n"} {
			if n, err := fmt.Fprint(l, piece); n != len(piece) || err != nil {
				t.Errorf("%d, %v", n, err)
			}
		}
		if got := string(l.whole()); got != want || l.cut != (most < 14) {
			t.Errorf("%d: %q, want %q", most, got, want)
		}
	}
	l := &lastOctets{most: 1000}
	for range 1000 {
		fmt.Fprintln(l, strings.Repeat("x", 99))
	}
	if len(l.kept) > 2000 || len(l.whole()) != 900 {
		t.Errorf("%d kept, %d whole", len(l.kept), len(l.whole()))
	}
}

// TestJournalThatCannotBeRead has programs in the place of journalctl.
func TestJournalThatCannotBeRead(t *testing.T) {
	if filepath.Separator != '/' {
		t.Skip("there is no journal on this system")
	}
	tool := filepath.Join(t.TempDir(), "journalctl")
	for script, want := range map[string]string{
		"echo two; echo lines >&2; echo of it >&2; exit 1": "read the journal of x: exit status 1; lines; of it",
		"exit 3":      "read the journal of x: exit status 3",
		"kill -9 $$":  "read the journal of x: signal: killed",
		"echo \"$@\"": "",
	} {
		if err := os.WriteFile(tool, []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
		text, more, err := journalOf(t.Context(), tool, "x")
		switch {
		case want == "":
			if err != nil || more || !strings.Contains(string(text), "--unit=x.service") {
				t.Errorf("%s: %s, %v, %v", script, text, more, err)
			}
		case err == nil || oneLine(err.Error()) != want:
			t.Errorf("%s: %v", script, err)
		}
	}
	if _, _, err := journalOf(t.Context(), filepath.Join(t.TempDir(), "none"), "x"); err == nil {
		t.Error("it ran what is not there")
	}
}
