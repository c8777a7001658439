package profile

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"strings"

	"github.com/dop251/goja"
)

// encodings maps the names that Node knows to the one that is used here.
var encodings = map[string]string{
	"utf8": "utf8", "utf-8": "utf8", "hex": "hex", "base64": "base64", "base64url": "base64url",
	"latin1": "latin1", "binary": "latin1", "ascii": "ascii",
	"utf16le": "utf16le", "utf-16le": "utf16le", "ucs2": "utf16le", "ucs-2": "utf16le",
}

// encoding returns the encoding that v names, utf8 when it names none. An
// unknown one is a TypeError, not utf8: the bytes would be wrong in silence.
func (b *buffers) encoding(v goja.Value) string {
	if v == nil || goja.IsUndefined(v) || goja.IsNull(v) {
		return "utf8"
	}
	name, ok := encodings[strings.ToLower(v.String())]
	if !ok {
		panic(b.vm.NewTypeError("Unknown encoding: %s", v.String()))
	}
	return name
}

// encode returns the bytes of a JavaScript string.
func encode(v goja.Value, encoding string) []byte {
	s, ok := v.ToString().(goja.String)
	if !ok {
		return nil
	}
	switch encoding {
	case "hex":
		text := s.String()
		out, _ := hex.DecodeString(text[:len(text)&^1]) // as far as it is hexadecimal
		return out
	case "base64", "base64url":
		return decodeBase64(s.String())
	case "latin1", "ascii":
		out := make([]byte, s.Length())
		for i := range out {
			out[i] = byte(s.CharAt(i))
		}
		return out
	case "utf16le":
		out := make([]byte, 0, 2*s.Length())
		for i := range s.Length() {
			out = binary.LittleEndian.AppendUint16(out, s.CharAt(i))
		}
		return out
	}
	return []byte(s.String())
}

// decodeBase64 reads either alphabet, padded or not, up to the first padding;
// characters of neither are skipped, as in Node.
func decodeBase64(s string) []byte {
	s, _, _ = strings.Cut(s, "=")
	s = strings.Map(func(r rune) rune {
		switch {
		case r >= 'A' && r <= 'Z', r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '+', r == '/':
			return r
		case r == '-':
			return '+'
		case r == '_':
			return '/'
		}
		return -1
	}, s)
	if len(s)%4 == 1 {
		s = s[:len(s)-1] // six bits are no byte
	}
	out, _ := base64.RawStdEncoding.DecodeString(s) // nothing is left in it that could be wrong
	return out
}

// decode returns bytes as a JavaScript string.
func (b *buffers) decode(data []byte, encoding string) goja.Value {
	switch encoding {
	case "hex":
		return b.vm.ToValue(hex.EncodeToString(data))
	case "base64":
		return b.vm.ToValue(base64.StdEncoding.EncodeToString(data))
	case "base64url":
		return b.vm.ToValue(base64.RawURLEncoding.EncodeToString(data))
	case "utf16le":
		units := make([]uint16, len(data)/2)
		for i := range units {
			units[i] = binary.LittleEndian.Uint16(data[2*i:])
		}
		return goja.StringFromUTF16(units)
	case "latin1", "ascii":
		mask := byte(0xFF)
		if encoding == "ascii" {
			mask = 0x7F
		}
		units := make([]uint16, len(data))
		for i, c := range data {
			units[i] = uint16(c & mask)
		}
		return goja.StringFromUTF16(units)
	}
	return b.vm.ToValue(text(data))
}
