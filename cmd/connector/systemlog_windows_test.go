package main

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// systemHelp is help for what not all systems have.
func systemHelp(verb string, _ []string) error { return fmt.Errorf("%q is no verb", verb) }

func TestEventText(t *testing.T) {
	for text, want := range map[string]string{"a b=c": "a b=c", "a\x00b\xff": "a\uFFFDb\uFFFD"} {
		if got := eventText(note{text: text, level: slog.LevelWarn}); got != want {
			t.Errorf("%q: %q", text, got)
		}
	}
	if got := eventText(note{text: strings.Repeat("ü", longestEvent)}); len(got) > longestEvent+4 || !strings.HasSuffix(got, "ü ...") {
		t.Errorf("%d octets", len(got))
	}
}
