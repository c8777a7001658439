package hub

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"ad-ldap-connector/pkg/identity"
)

// TestAppendString compares with what JSON.stringify writes.
func TestAppendString(t *testing.T) {
	for in, want := range map[string]string{
		"":                       `""`,
		"jane":                   `"jane"`,
		`"\/`:                    `"\"\\/"`,
		"\b\f\n\r\t":             `"\b\f\n\r\t"`,
		"\x00\x01\x1f\x7f":       `"\u0000\u0001\u001f` + "\x7f" + `"`,
		"<a href='x'>&</a>":      `"<a href='x'>&</a>"`,
		"\u2028\u2029é😀’":        "\"\u2028\u2029é😀’\"",
		"a\xffb\xc3":             "\"a\uFFFDb\uFFFD\"",
		"\xed\xa0\x80":           "\"\uFFFD\uFFFD\uFFFD\"", // a lone surrogate
		"\uFEFF\uFFFD\U0010FFFF": "\"\uFEFF\uFFFD\U0010FFFF\"",
	} {
		if got := string(appendString(nil, in)); got != want {
			t.Errorf("%q: got %s, want %s", in, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		in := rapid.String().Draw(t, "text")
		var back string
		if err := json.Unmarshal(appendString(nil, in), &back); err != nil || back != in {
			t.Fatalf("%q came back as %q, %v", in, back, err)
		}
	})
}

func TestFramesAreUTF8(t *testing.T) {
	r := request{command: commandsByName["authenticate_user"], pid: "p"}
	got := string(r.profile(profile("{\"cn\":\"J\xffrg\"}")))
	if want := "{\"n\":\"p_result\",\"p\":{\"profile\":{\"cn\":\"J\uFFFDrg\"}}}"; got != want {
		t.Errorf("got %q", got)
	}
}

func TestWireErrors(t *testing.T) {
	for _, reason := range []identity.Reason{
		identity.WrongUsername, identity.WrongPassword, identity.PasswordExpired, identity.AccountDisabled,
		identity.AccountExpired, identity.PasswordChangeRequired, identity.AccountLocked,
		identity.InsufficientAccess, identity.PasswordTooWeak, identity.PasswordReused, identity.AmbiguousUsername,
	} {
		if wireErrors[reason].name == "" {
			t.Errorf("%s has no name on the wire", reason)
		}
	}
	if len(wireErrors) != 11 {
		t.Errorf("%d names", len(wireErrors))
	}
}

func TestUnescape(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "jane": "jane", `\2a`: "*", `\2A\28\29\5c\00`: "*()\\\x00", `\`: `\`, `\2`: `\2`, `\2g`: `\2g`,
		`\\2a`: `\*`, `a\c3\a9b`: "aéb", `\+1`: `\+1`, `*`: `*`,
	} {
		if got := unescape(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		raw := rapid.SliceOf(rapid.Byte()).Draw(t, "octets")
		var escaped strings.Builder
		for _, b := range raw {
			fmt.Fprintf(&escaped, `\%02x`, b)
		}
		if got := unescape(escaped.String()); got != string(raw) {
			t.Fatalf("%q came back as %q", raw, got)
		}
	})
}

func TestPrintable(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "jane doe": "jane doe", `CORP\jane`: `CORP\jane`, "é😀": "é😀", "a%s": "a%s",
		"a\nb": `a\nb`, "\x1b[31m": `\x1b[31m`, "\xff": `\xff`, "a\u202eb": `a\u202eb`, "a\u2028b": `a\u2028b`,
	} {
		if got := printable(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
	if got := printable(strings.Repeat("é", 150)); got != strings.Repeat("é", 100)+"…" {
		t.Errorf("a long name: %q", got)
	}
}

func TestBackoff(t *testing.T) {
	b := backoff{random: func() float64 { return 0.5 }, most: 30 * time.Second}
	for _, want := range []float64{0.25, 0.5, 1, 2, 4, 8, 15, 15, 15} {
		if got := b.next().Seconds(); got != want {
			t.Errorf("got %v, want %v", got, want)
		}
	}
	b.reset()
	if got := b.next(); got != 250*time.Millisecond {
		t.Errorf("after a reset: %v", got)
	}
	for _, want := range []float64{4.5, 9, 18, 36, 54, 54} {
		if got := b.rejected().Seconds(); got != want {
			t.Errorf("rejected: got %v, want %v", got, want)
		}
	}
	for range 100 {
		b.next()
	}
	b.random = func() float64 { return 0 }
	if got := b.next(); got != 0 {
		t.Errorf("full jitter: %v", got)
	}
	short := backoff{random: func() float64 { return 1 }, most: 100 * time.Millisecond}
	if got := short.next(); got != 100*time.Millisecond {
		t.Errorf("a cap below the first wait: %v", got)
	}
}
