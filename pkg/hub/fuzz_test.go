package hub

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"
	"unicode/utf8"
)

func FuzzFrame(f *testing.F) {
	for _, e := range recording(f, "60-malformed-frames.jsonl") {
		if e.Dir == "hub>agent" && e.Frame != "" {
			f.Add([]byte(e.Frame))
		}
	}
	for _, seed := range []string{
		"", "null", "{", `{"n":"a"}`, `{"n":"a","p":null}`, `{"n":"a","n":1}`, `{"n":"a","p":{"jwt":null}}`,
		`{"n":"\ud800","p":{"jwt":"\u0000"}}`, "{\"n\":\"\xff\"}", `{"N":"a","P":{"JWT":"x"}}`, "\uFEFF{}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		before := bytes.Clone(text)
		got, err := decodeFrame(text)
		if !bytes.Equal(before, text) {
			t.Fatal("the text was changed")
		}
		if err != nil {
			return
		}
		if got.Name == "" || !utf8.ValidString(got.Name) || !json.Valid(text) {
			t.Fatalf("%q passed as %q", text, got.Name)
		}
		if token, err := got.token(); err == nil && token == "" {
			t.Fatalf("%q has an empty token", text)
		}
	})
}

// FuzzToken signs claims that nobody would, and sends them unsigned as well.
func FuzzToken(f *testing.F) {
	for _, seed := range []string{
		`{"pid":"p","username":"jane","password":"secret"}`, `{"pid":17}`, `{"pid":null}`, `{"pid":1e999}`, `null`, `[]`, ``,
		`{"pid":"p","exp":"soon"}`, `{"pid":"p","exp":1e300,"nbf":-1e300,"iat":0}`, `{"pid":"p","username":1e308,"limit":"1e308"}`,
		`{"pid":"p","username":"\\2a\\","escaped":[],"search":"\ud800"}`, `{"pid":"p","search":{},"limit":{}}`, `{"pid":"-","limit":-0}`,
		"{\"pid\":\"\xff\"}", `{"pid":"a\"b"}`,
	} {
		f.Add(seed)
	}
	now := func() time.Time { return time.Unix(1_800_000_000, 0) }
	f.Fuzz(func(t *testing.T, content string) {
		v := newVerifier(signingKey, now)
		for _, unsigned := range []string{content, hs256("another key", content)} {
			if _, err := v.check(unsigned); err == nil {
				t.Fatalf("%q passed", unsigned)
			}
		}
		c, err := v.check(hs256(signingKey, content))
		if err != nil {
			if strings.Contains(err.Error(), content) && len(content) > 20 {
				t.Fatalf("the error quotes the token: %v", err)
			}
			return
		}
		for _, cmd := range commandsByName {
			r, err := newRequest(cmd, c)
			if r.pid == "" || r.query.Limit < 0 || strings.ContainsAny(r.who(), "\n\r\x1b") {
				t.Fatalf("%q became %+v", content, r)
			}
			var reply struct {
				N string
				P struct{ Err struct{ Message string } }
			}
			text := r.fault(fmt.Sprint(err))
			if !utf8.Valid(text) || json.Unmarshal(text, &reply) != nil ||
				reply.N != r.pid+cmd.suffix || reply.P.Err.Message != "Unexpected Error" {
				t.Fatalf("%q was answered %s", content, text)
			}
		}
	})
}

func FuzzReadFrame(f *testing.F) {
	f.Add(10, false)
	f.Add(maxFrame, true)
	f.Add(maxFrame+1, false)
	f.Add(maxFrame-1, true)
	f.Fuzz(func(t *testing.T, length int, halves bool) {
		if length < 0 || length > 4*maxFrame {
			return
		}
		var r io.Reader = bytes.NewReader(bytes.Repeat([]byte("x"), length))
		if halves {
			r = iotest.HalfReader(iotest.DataErrReader(r))
		}
		got, rest, err := readFrame(r, make([]byte, 0, 16))
		if err != nil || len(got)+int(rest) != length || len(got) > maxFrame || (rest > 0) != (length > maxFrame) {
			t.Fatalf("of %d bytes: %d and %d more, %v", length, len(got), rest, err)
		}
	})
}
