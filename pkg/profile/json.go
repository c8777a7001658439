package profile

import (
	"bytes"
	"encoding/json"
	"unicode/utf16"
	"unicode/utf8"
)

const hexDigits = "0123456789abcdef"

// appendString appends the JSON string of octets that should be UTF-8, byte
// for byte as JSON.stringify(buffer.toString()) writes it: no HTML escaping,
// U+2028 as it is, and one U+FFFD for each maximal subpart of an ill-formed
// sequence (Unicode Standard, section 3.9, table 3-8).
func appendString[T string | []byte](dst []byte, s T) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			n, ok := sequence(s[i:])
			if !ok {
				dst = append(dst, s[start:i]...)
				dst = append(dst, "\ufffd"...)
				start = i + n
			}
			i += n
			continue
		}
		if c >= ' ' && c != '"' && c != '\\' {
			i++
			continue
		}
		dst = append(dst, s[start:i]...)
		dst = appendEscaped(dst, c)
		i++
		start = i
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}

// appendEscaped appends the escape that JSON.stringify uses for an ASCII
// character that cannot stand for itself (ECMA-262, QuoteJSONString).
func appendEscaped(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\b':
		return append(dst, '\\', 'b')
	case '\f':
		return append(dst, '\\', 'f')
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	}
	return append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
}

// sequence measures what s begins with, a byte of 0x80 or above: a well-formed
// sequence of n bytes, or the n bytes of a maximal subpart of an ill-formed
// one, which together become one replacement character. Go's own decoder would
// make one of each byte.
func sequence[T string | []byte](s T) (n int, ok bool) {
	low, high := byte(0x80), byte(0xBF) // of the second byte; tighter after some first bytes
	switch c := s[0]; {
	case c >= 0xC2 && c <= 0xDF:
		n = 2
	case c >= 0xE0 && c <= 0xEF:
		n = 3
		switch c {
		case 0xE0:
			low = 0xA0 // else overlong
		case 0xED:
			high = 0x9F // else a surrogate
		}
	case c >= 0xF0 && c <= 0xF4:
		n = 4
		switch c {
		case 0xF0:
			low = 0x90 // else overlong
		case 0xF4:
			high = 0x8F // else above U+10FFFF
		}
	default:
		return 1, false
	}
	for i := 1; i < n; i++ {
		if i >= len(s) || s[i] < low || s[i] > high {
			return i, false
		}
		low, high = 0x80, 0xBF
	}
	return n, true
}

// text decodes octets as UTF-8, as Node's Buffer.toString does.
func text(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	var out []byte
	for len(b) > 0 {
		n, ok := 1, true
		if b[0] >= utf8.RuneSelf {
			n, ok = sequence(b)
		}
		if ok {
			out = append(out, b[:n]...)
		} else {
			out = append(out, "\ufffd"...)
		}
		b = b[n:]
	}
	return string(out)
}

// appendLabel appends a group's label, which is JSON already. Escapes that
// JSON.stringify would not write, such as \u0026, become the characters they
// stand for. No label at all is null, as undefined is within an array.
func appendLabel(dst []byte, label json.RawMessage) []byte {
	if len(label) == 0 {
		return append(dst, "null"...)
	}
	for {
		i := bytes.IndexByte(label, '\\')
		if i < 0 || i+1 >= len(label) {
			return append(dst, label...)
		}
		dst = append(dst, label[:i]...)
		label = label[i:]
		if label[1] != 'u' {
			dst = append(dst, label[:2]...)
			label = label[2:]
			continue
		}
		r, n := unescape(label)
		switch {
		case n == 0 || utf16.IsSurrogate(r): // ill-formed or lone: left as it is
			dst = append(dst, label[:2]...)
			label = label[2:]
			continue
		case r < ' ' || r == '"' || r == '\\':
			dst = appendEscaped(dst, byte(r))
		default:
			dst = utf8.AppendRune(dst, r)
		}
		label = label[n:]
	}
}

// unescape reads the \uXXXX, or the pair of surrogates, that s begins with. It
// returns the character and the length of its escapes, 0 if they are no such.
func unescape(s []byte) (r rune, n int) {
	first, ok := hex4(s)
	if !ok {
		return 0, 0
	}
	if !utf16.IsSurrogate(first) {
		return first, 6
	}
	if second, ok := hex4(s[6:]); ok {
		if r := utf16.DecodeRune(first, second); r != utf8.RuneError {
			return r, 12
		}
	}
	return first, 6
}

func hex4(s []byte) (r rune, ok bool) {
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
		return 0, false
	}
	for _, c := range s[2:6] {
		d := bytes.IndexByte([]byte(hexDigits), c|0x20) // c|0x20 lowers letters and keeps digits
		if d < 0 {
			return 0, false
		}
		r = r<<4 | rune(d)
	}
	return r, true
}
