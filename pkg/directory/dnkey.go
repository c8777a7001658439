package directory

import (
	"strings"
	"unicode"

	"github.com/go-ldap/ldap/v3"
)

// dnKey returns a DN in a form that is the same text for all spellings of it
// by which one server might call one entry: case does not count (most servers'
// DNs do not tell it), nor how a character is escaped. A letter that Go would
// make another one's small letter, as it does with the Turkish dotted capital I,
// stays what it is: to Active Directory these are two names.
func dnKey(dn string) string {
	if !strings.ContainsAny(dn, `\"`) {
		return lower(dn)
	}
	parsed, err := ldap.ParseDN(dn)
	if err != nil {
		return lower(dn)
	}
	var b strings.Builder
	for i, rdn := range parsed.RDNs {
		if i > 0 {
			b.WriteByte(',')
		}
		for j, a := range rdn.Attributes {
			if j > 0 {
				b.WriteByte('+')
			}
			b.WriteString(a.Type + "=" + keyEscapes.Replace(a.Value))
		}
	}
	return lower(b.String())
}

// keyEscapes keep a value from looking like two.
var keyEscapes = strings.NewReplacer(`\`, `\\`, `,`, `\,`, `+`, `\+`, `"`, `\"`)

// lower is text with its capitals small, where the one is the other's only
// counterpart.
func lower(text string) string {
	return strings.Map(func(r rune) rune {
		if small := unicode.ToLower(r); unicode.ToUpper(small) == r {
			return small
		}
		return r
	}, text)
}
