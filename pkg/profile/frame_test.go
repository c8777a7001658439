package profile

import (
	"bufio"
	"bytes"
	"io"
	"strings"
	"testing"
)

// What is no frame ends the talk with an error; the end between two frames is
// io.EOF.
func TestReadFrame(t *testing.T) {
	for in, want := range map[string]string{
		"":                                    "EOF",
		"C{}\n":                               "",
		"C\n":                                 "",
		"\n":                                  "frame is empty",
		"C{":                                  "unexpected EOF",
		"C" + strings.Repeat("x", 99) + "\n":  "",
		"C" + strings.Repeat("x", 101) + "\n": "too long",
		strings.Repeat("x", 1000):             "too long",
	} {
		_, err := readFrame(bufio.NewReaderSize(strings.NewReader(in), 16), 100)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%.20q: %v, want %q", in, err, want)
		}
	}
}

// The child gives up on a connector that does not keep to the frames.
func TestServe(t *testing.T) {
	const script = `S{"name":"m.js","script":"(raw) => ({ id: raw.id })"}` + "\n"
	for _, tt := range []struct{ name, in, out, err string }{
		{"nothing", "", "", ""},
		{"two calls", script + "C{\"id\":1}\n" + "C{\"id\":\"\u2028\"}\n", "R{}\nP{\"id\":1}\nP{\"id\":\"\u2028\"}\n", ""},
		{"a call before the script", "C{}\n", "", "out of turn"},
		{"two scripts", script + script, "R{}\n", "out of turn"},
		{"no JSON for a script", "Sx\n", "", "invalid character"},
		{"no JSON for a call", script + "Cx\n", "R{}\nE{\"text\":\"SyntaxError: ", ""},
		{"no object for a call", script + "C1\n", "R{}\nE{\"text\":\"the connector's raw_data is no object\"}\n", ""},
		{"an unknown frame", "?x\n", "", "out of turn"},
		{"half a frame", "S{", "", "unexpected EOF"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in, feed := io.Pipe()
			answers, out := io.Pipe()
			go func() {
				var got []byte
				r := bufio.NewReader(answers)
				for l := range strings.Lines(tt.in) { // each is answered before the next
					if _, err := io.WriteString(feed, l); err != nil || len(got) >= len(tt.out) {
						break
					}
					answer, err := r.ReadBytes('\n')
					if got = append(got, answer...); err != nil {
						break
					}
				}
				if !bytes.HasPrefix(got, []byte(tt.out)) {
					t.Errorf("got %q, want %q", got, tt.out)
				}
				if tt.err == "" || strings.HasPrefix(tt.err, "unexpected") {
					_ = feed.Close() // a pipe's Close never fails
				}
			}()
			err := serve(in, out, nil)
			_, _ = in.Close(), out.Close() // nor these
			if tt.err == "" && err != nil || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
				t.Errorf("err = %v, want %q", err, tt.err)
			}
		})
	}
}

func FuzzReadFrame(f *testing.F) {
	f.Add([]byte("C{}\nP{}\n"))
	f.Add([]byte("\n\nx"))
	f.Fuzz(func(t *testing.T, data []byte) {
		r := bufio.NewReaderSize(bytes.NewReader(data), 16)
		var back bytes.Buffer
		for {
			fr, err := readFrame(r, 64)
			if err != nil {
				break
			}
			if len(fr.body) > 64 {
				t.Fatalf("a frame of %d octets", len(fr.body))
			}
			if err := writeFrame(&back, fr.kind, fr.body); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.HasPrefix(data, back.Bytes()) {
			t.Fatalf("%q reads as %q", data, back.Bytes())
		}
	})
}
