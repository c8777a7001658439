package directory

import (
	"strings"

	"github.com/go-ldap/ldap/v3"
)

// dnKey returns a DN in a form that is the same text for all spellings of it
// by which one server might call one entry: case does not count (most servers'
// DNs do not tell it), nor how a character is escaped.
func dnKey(dn string) string {
	if !strings.ContainsAny(dn, `\"`) {
		return strings.ToLower(dn)
	}
	parsed, err := ldap.ParseDN(dn)
	if err != nil {
		return strings.ToLower(dn)
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
	return strings.ToLower(b.String())
}

// keyEscapes keep a value from looking like two.
var keyEscapes = strings.NewReplacer(`\`, `\\`, `,`, `\,`, `+`, `\+`, `"`, `\"`)
