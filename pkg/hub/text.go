package hub

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"ad-ldap-connector/pkg/identity"
)

// appendString writes s as JSON.stringify does: only what must be escaped is
// (no HTML escaping, U+2028 as it is), and a byte that is not UTF-8 becomes
// U+FFFD. encoding/json cannot be told to do so.
func appendString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	for i := 0; i < len(s); {
		if c := s[i]; c < utf8.RuneSelf {
			switch {
			case c == '"' || c == '\\':
				b = append(b, '\\', c)
			case c >= ' ':
				b = append(b, c)
			case c == '\b':
				b = append(b, `\b`...)
			case c == '\f':
				b = append(b, `\f`...)
			case c == '\n':
				b = append(b, `\n`...)
			case c == '\r':
				b = append(b, `\r`...)
			case c == '\t':
				b = append(b, `\t`...)
			default:
				b = append(b, `\u00`...)
				b = append(b, hex[c>>4], hex[c&15])
			}
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		b = utf8.AppendRune(b, r)
		i += size
	}
	return append(b, '"')
}

// printable makes a name fit for one line of a log: what does not print is
// written as an escape, and a long name is cut.
func printable(s string) string {
	const most = 200
	cut := ""
	if len(s) > most {
		s, cut = strings.TrimRight(strings.ToValidUTF8(s[:most], ""), "\x00"), "…"
	}
	for _, r := range s {
		if !unicode.IsPrint(r) || r == utf8.RuneError {
			quoted := strconv.Quote(s)
			return quoted[1:len(quoted)-1] + cut
		}
	}
	return s + cut
}

// short is an error's text as it may leave the house: one line, not long, and
// without the password that was being tried, should a cause have quoted it.
func short(text string, secret identity.Password) string {
	if secret != "" && strings.Contains(text, string(secret)) {
		return "the cause is not shown, because it quotes the password"
	}
	return printable(text)
}

// unescape turns the hex escapes of a filter's value (RFC 4515, section 3)
// into the octets they stand for. Everything else stays: a * that was not
// escaped is a * of the name, and matches nothing else.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+2 < len(s) {
			if octet, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				b = append(b, byte(octet))
				i += 2
				continue
			}
		}
		b = append(b, s[i])
	}
	return string(b)
}
