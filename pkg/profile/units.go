package profile

import (
	"encoding/hex"
	"strings"
)

// appendUnits appends organizationUnits as u wants it.
func appendUnits(dst []byte, u Units, dn string) []byte {
	if u != UnitsList {
		return appendString(dst, dn)
	}
	dst = append(dst, '[')
	for i, name := range units(dn) {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(dst, name)
	}
	return append(dst, ']')
}

// units returns the values of the OU components of dn in its own order, so the
// innermost comes first (RFC 4514, section 2.1). What is no DN has none; the
// directory's own text is never an error here.
func units(dn string) []string {
	names := []string{}
	for len(dn) > 0 {
		end := componentEnd(dn)
		name, value, ok := strings.Cut(dn[:end], "=")
		name = strings.TrimSpace(name)
		if ok && (strings.EqualFold(name, "OU") || name == "2.5.4.11") {
			names = append(names, unescapeValue(value))
		}
		dn = dn[min(end+1, len(dn)):]
	}
	return names
}

// componentEnd returns where the first attribute of dn ends: at an unescaped
// comma or plus, or at the semicolon of RFC 2253, outside the quotes that it
// allowed too.
func componentEnd(dn string) int {
	quoted := false
	for i := 0; i < len(dn); i++ {
		switch dn[i] {
		case '\\':
			i++
		case '"':
			quoted = !quoted
		case ',', '+', ';':
			if !quoted {
				return i
			}
		}
	}
	return len(dn)
}

// unescapeValue undoes the escapes of a DN's value (RFC 4514, section 2.4):
// a backslash before a special character, or before two hexadecimal digits
// that stand for an octet. Unescaped white space around the value is none of
// it.
func unescapeValue(s string) string {
	s = strings.TrimLeft(s, " ")
	var out []byte
	kept := 0 // the length of out up to the last character that trimming must keep
	quoted := false
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '\\' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]):
			b, _ := hex.DecodeString(s[i+1 : i+3]) // both digits were just checked
			out = append(out, b...)
			kept = len(out)
			i += 2
		case c == '\\' && i+1 < len(s):
			out = append(out, s[i+1])
			kept = len(out)
			i++
		case c == '"':
			quoted = !quoted
		default:
			out = append(out, c)
			if c != ' ' || quoted {
				kept = len(out)
			}
		}
	}
	return string(out[:kept])
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f'
}
