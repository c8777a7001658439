package directory

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	ber "github.com/go-asn1-ber/asn1-ber"
)

func str(s string) *ber.Packet {
	return ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, s, "")
}

func seq(parts ...*ber.Packet) *ber.Packet {
	p := ber.NewSequence("")
	for _, part := range parts {
		p.AppendChild(part)
	}
	return p
}

func number() *ber.Packet {
	return ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, int64(1), "")
}

// Whatever pieces messages come in, those within bounds pass, one after the
// other, and none beyond.
func TestGauge(t *testing.T) {
	var values []*ber.Packet
	for range 1000 {
		values = append(values, str(strings.Repeat("v", 200)))
	}
	sound := seq(number(), seq(str("cn=x"), seq(seq(str("empty"), seq()), seq(str("jpegPhoto"), seq(str(strings.Repeat("x", 100_000)))), seq(str("member"), seq(values...)))))
	many := bytes.Repeat([]byte{5, 0}, maxElements)
	controls := ber.Encode(ber.ClassContext, ber.TypeConstructed, 0, nil, "")
	controls.AppendChild(str(strings.Repeat("c", maxControls)))
	for name, test := range map[string]struct {
		raw  []byte
		want string
	}{
		"sound":          {bytes.Repeat(sound.Bytes(), 3), ""},
		"four octets":    {[]byte{0x30, 0x84, 0, 0, 0, 3, 2, 1, 1}, ""},
		"gigabytes":      {[]byte{0x30, 0x84, 0x7f, 0xff, 0xff, 0xff}, "larger than 32 MiB"},
		"exabytes":       {[]byte{0x30, 0x88, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, "larger than 32 MiB"},
		"beyond 32 bits": {[]byte{0x30, 0x85, 1, 0xff, 0xff, 0xff, 0xff}, "larger than 32 MiB"},
		"a huge value":   {[]byte{4, 0x84, 0x7f, 0xff, 0xff, 0xff}, "larger than 32 MiB"},
		"many":           {append([]byte{0x30, 0x83, byte(len(many) >> 16), byte(len(many) >> 8), byte(len(many))}, many...), "of more than 500000 parts"},
		"endless":        {[]byte{0x30, 0x80}, "of no length"},
		"too deep":       {nested(20), "nested too deep"},
		"more than all":  {[]byte{0x30, 3, 4, 2, 'a', 'b'}, "a part is larger than the whole"},
		"large controls": {seq(number(), seq(), controls).Bytes(), "too large controls"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, size := range []int{1, 3, 4096, len(test.raw)} {
				var g gauge
				var err error
				for rest := test.raw; len(rest) > 0 && err == nil; {
					n := min(size, len(rest))
					err = g.pass(rest[:n])
					rest = rest[n:]
				}
				var large tooLarge
				switch {
				case test.want == "" && err != nil, test.want != "" && (!errors.As(err, &large) || !strings.Contains(err.Error(), test.want)):
					t.Errorf("in pieces of %d: %v, want %q", size, err, test.want)
				case name == "sound" && (len(g.left) > 0 || g.skip > 0 || len(g.head) > 0):
					t.Errorf("in pieces of %d: %v, %d and %d are open after the last message", size, g.left, g.skip, len(g.head))
				}
			}
		})
	}
}

func nested(depth int) []byte {
	p := seq()
	for range depth {
		p = seq(p)
	}
	return p.Bytes()
}

// What the library reads as one message ends where the gauge says, so that the
// two never disagree on what is a new one.
func FuzzGauge(f *testing.F) {
	f.Add(seq(number(), seq(str("a"), seq(str("b")))).Bytes())
	f.Add(nested(5))
	f.Add([]byte{0x30, 0x84, 0, 0, 0, 3, 2, 1, 1})
	f.Fuzz(func(t *testing.T, raw []byte) {
		r := bytes.NewReader(raw)
		if _, err := ber.ReadPacket(r); err != nil {
			var g gauge
			_ = g.pass(raw) // it must not panic
			return
		}
		whole := len(raw) - r.Len()
		var g gauge
		if g.pass(raw[:whole]) == nil && (len(g.left) > 0 || g.skip > 0 || len(g.head) > 0) {
			t.Errorf("% x: the message is not over", raw[:whole])
		}
	})
}
