package sandbox

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// dnAVA is one "type=value" of a relative distinguished name, unescaped.
type dnAVA struct{ kind, value string }

var errDN = errors.New("not a distinguished name")

// parseDN reads a distinguished name (RFC 4514): its RDNs, the entry's own
// first. Quoted values of the older RFC 2253 are read too.
func parseDN(s string) ([][]dnAVA, error) {
	if strings.TrimSpace(s) == "" {
		return nil, nil
	}
	var rdns [][]dnAVA
	var rdn []dnAVA
	for {
		kind, rest, ok := strings.Cut(s, "=")
		kind = strings.TrimSpace(kind)
		if !ok || !dnType(kind) {
			return nil, fmt.Errorf("%w: attribute type %.40q", errDN, kind)
		}
		value, end, err := dnValue(rest)
		if err != nil {
			return nil, err
		}
		rdn = append(rdn, dnAVA{kind, value})
		if end == len(rest) {
			return append(rdns, rdn), nil
		}
		if rest[end] == ',' {
			rdns, rdn = append(rdns, rdn), nil
		}
		s = rest[end+1:]
	}
}

func dnType(s string) bool {
	for i, c := range []byte(s) {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		digit := c >= '0' && c <= '9'
		if !letter && !digit && (i == 0 || c != '-' && c != '.') {
			return false
		}
	}
	return s != ""
}

// dnValue reads a value up to the ',' or '+' that ends it, and says where that is.
func dnValue(s string) (value string, end int, err error) {
	start := len(s) - len(strings.TrimLeft(s, " "))
	switch {
	case strings.HasPrefix(s[start:], "#"):
		return dnHex(s, start+1)
	case strings.HasPrefix(s[start:], `"`):
		return dnQuoted(s, start+1)
	}
	var b []byte
	kept := 0 // what an escape has put there is no trailing space
	i := start
	for i < len(s) && s[i] != ',' && s[i] != '+' {
		switch c := s[i]; c {
		case '\\':
			o, used, err := dnEscape(s[i+1:])
			if err != nil {
				return "", 0, err
			}
			b = append(b, o)
			kept = len(b)
			i += 1 + used
			continue
		case '"', ';', '<', '>', 0:
			return "", 0, fmt.Errorf("%w: %q is not escaped", errDN, c)
		default:
			b = append(b, c)
			if c != ' ' {
				kept = len(b)
			}
		}
		i++
	}
	if !utf8.Valid(b) {
		return "", 0, fmt.Errorf("%w: value is not UTF-8", errDN)
	}
	return string(b[:kept]), i, nil
}

// dnEscape reads what follows a backslash: a special character or two hex digits.
func dnEscape(s string) (o byte, used int, err error) {
	if s != "" && strings.IndexByte(` "#+,;<=>\`, s[0]) >= 0 {
		return s[0], 1, nil
	}
	if len(s) >= 2 {
		if b, err := hex.DecodeString(s[:2]); err == nil {
			return b[0], 2, nil
		}
	}
	return 0, 0, fmt.Errorf("%w: bad escape", errDN)
}

// dnHex reads the BER encoding of a value, in hex digits.
func dnHex(s string, from int) (string, int, error) {
	end := from + strings.IndexAny(s[from:]+",", ",+")
	b, err := hex.DecodeString(strings.TrimRight(s[from:end], " "))
	if err != nil {
		return "", 0, fmt.Errorf("%w: bad hex value", errDN)
	}
	r := berReader(b)
	_, body, err := r.next()
	if err != nil || len(r) > 0 {
		return "", 0, fmt.Errorf("%w: hex value is not BER", errDN)
	}
	return string(body), end, nil
}

func dnQuoted(s string, i int) (string, int, error) {
	var b []byte
	for i < len(s) && s[i] != '"' {
		if s[i] == '\\' {
			o, used, err := dnEscape(s[i+1:])
			if err != nil {
				return "", 0, err
			}
			b = append(b, o)
			i += 1 + used
			continue
		}
		b = append(b, s[i])
		i++
	}
	if i == len(s) || !utf8.Valid(b) {
		return "", 0, fmt.Errorf("%w: bad quotation", errDN)
	}
	for i++; i < len(s) && s[i] == ' '; i++ {
	}
	if i < len(s) && s[i] != ',' && s[i] != '+' {
		return "", 0, fmt.Errorf("%w: text after a quotation", errDN)
	}
	return string(b), i, nil
}

// dnAliases are other names of the types that occur in DNs (RFC 4519).
var dnAliases = map[string]string{
	"2.5.4.3": "cn", "commonname": "cn", "2.5.4.11": "ou", "organizationalunitname": "ou",
	"2.5.4.10": "o", "organizationname": "o", "0.9.2342.19200300.100.1.25": "dc", "domaincomponent": "dc",
	"0.9.2342.19200300.100.1.1": "uid", "userid": "uid", "2.5.4.6": "c", "countryname": "c",
	"2.5.4.7": "l", "localityname": "l", "2.5.4.4": "sn", "surname": "sn",
}

// normaliseDN gives the form in which two names of the same entry are equal:
// lower case, one way of escaping, no needless spaces, AVAs in order.
func normaliseDN(s string) (string, error) {
	if dnPlain(s) {
		return strings.ToLower(s), nil
	}
	rdns, err := parseDN(s)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	b.Grow(len(s))
	for i, rdn := range rdns {
		if i > 0 {
			b.WriteByte(',')
		}
		if len(rdn) == 1 {
			dnWrite(&b, rdn[0])
			continue
		}
		parts := make([]string, len(rdn))
		for k, ava := range rdn {
			var one strings.Builder
			dnWrite(&one, ava)
			parts[k] = one.String()
		}
		slices.Sort(parts)
		b.WriteString(strings.Join(parts, "+"))
	}
	return b.String(), nil
}

// dnPlain reports whether lower case is all that a name lacks: it has nothing
// but ASCII, no escapes, no needless spaces, short types. Most names are such.
func dnPlain(s string) bool {
	inType, start := true, 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		switch {
		case inType && c == '=':
			if i == start || i-start > 3 { // longer ones may be aliases
				return false
			}
			inType, start = false, i+1
		case inType:
			if !letter {
				return false
			}
		case c == ',':
			if i == start || s[i-1] == ' ' {
				return false
			}
			inType, start = true, i+1
		case c == ' ':
			if i == start || s[i-1] == ' ' {
				return false
			}
		case letter, c >= '0' && c <= '9', c == '-', c == '_', c == '.', c == '@', c == '(', c == ')':
		default:
			return false
		}
	}
	return !inType && len(s) > start && s[len(s)-1] != ' '
}

func dnWrite(b *strings.Builder, ava dnAVA) {
	kind := strings.ToLower(ava.kind)
	if name, ok := dnAliases[kind]; ok {
		kind = name
	}
	b.WriteString(kind)
	b.WriteByte('=')
	b.WriteString(escapeDN(foldText(ava.value)))
}

// escapeDN escapes a value for use in a distinguished name (RFC 4514, section 2.4).
func escapeDN(v string) string {
	if !strings.ContainsAny(v, "\"+,;<=>\\\x00") && !strings.HasPrefix(v, "#") &&
		!strings.HasPrefix(v, " ") && !strings.HasSuffix(v, " ") {
		return v
	}
	var b strings.Builder
	for i := 0; i < len(v); i++ {
		switch c := v[i]; {
		case c == 0:
			b.WriteString(`\00`)
			continue
		case strings.IndexByte("\"+,;<=>\\", c) >= 0, c == '#' && i == 0, c == ' ' && (i == 0 || i == len(v)-1):
			b.WriteByte('\\')
		}
		b.WriteByte(v[i])
	}
	return b.String()
}

// foldText gives the form in which two texts are equal where neither case nor
// the number of spaces matters (RFC 4518, simplified: no compatibility forms).
func foldText(s string) string {
	plain, space := true, true // a space at the front is needless, too
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= 0x80 || c >= 'A' && c <= 'Z' || c == ' ' && space {
			plain = false
			break
		}
		space = c == ' '
	}
	if plain && (s == "" || !space) {
		return s
	}
	if !utf8.ValidString(s) {
		return s // folding would make different octets equal
	}
	return strings.Join(strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return r == ' ' }), " ")
}

// parentDN is the normalised DN of the entry above a normalised one.
func parentDN(norm string) string {
	for i := 0; i < len(norm); i++ {
		switch norm[i] {
		case '\\':
			i++
		case ',':
			return norm[i+1:]
		}
	}
	return ""
}

// belowDN reports whether a normalised DN lies below base, or is it.
func belowDN(norm, base string) bool {
	if base == "" || norm == base {
		return true
	}
	cut := len(norm) - len(base)
	// A comma that is part of a value is escaped, and what follows it begins
	// with no RDN of ours only if the backslash is itself not escaped.
	return cut > 1 && norm[cut-1] == ',' && norm[cut:] == base && !dnEscaped(norm, cut-1)
}

func dnEscaped(s string, at int) bool {
	n := 0
	for at > 0 && s[at-1] == '\\' {
		n, at = n+1, at-1
	}
	return n%2 == 1
}
