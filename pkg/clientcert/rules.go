package clientcert

import (
	"crypto/x509"
	"fmt"
	"slices"
	"strings"

	"ad-ldap-connector/pkg/identity"
)

// A Field is what of a certificate names its user.
type Field string

// The fields there are, as CLIENT_CERT_MAPPING has them.
const (
	CommonName   Field = "cn"            // of the subject: the username
	UPN          Field = "upn"           // the user principal name among the alternative names
	Email        Field = "email"         // an e-mail address among them, else the subject's
	IssuerSerial Field = "issuer-serial" // who issued it and its number, as altSecurityIdentities has them
	SID          Field = "sid"           // the security identifier that AD CS writes into certificates
)

// filters find the entry by a field's value. That of the CN is a username.
var filters = map[Field]string{
	CommonName: "", UPN: "(userPrincipalName={0})", Email: "(mail={0})",
	IssuerSerial: "(altSecurityIdentities={0})", SID: "(objectSid={0})",
}

// A Rule says how a certificate names its user.
type Rule struct {
	Field  Field
	Filter string // finds the entry, with {0} in the place of the value; "": as usual
}

// ParseRules reads CLIENT_CERT_MAPPING: entries that are separated by ; or by
// line ends, each a field, or FIELD=(FILTER) with {0} in the place of its value.
func ParseRules(text string) (rules []Rule, err error) {
	for entry := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == ';' || r == '\n' || r == '\r' }) {
		name, filter, given := strings.Cut(strings.TrimSpace(entry), "=")
		field, filter := Field(strings.ToLower(strings.TrimSpace(name))), strings.TrimSpace(filter)
		_, known := filters[field]
		switch {
		case field == "" && !given:
			continue
		case !known:
			return nil, fmt.Errorf("%.40q is none of cn, upn, email, issuer-serial and sid", name)
		case given && (!strings.HasPrefix(filter, "(") || !strings.Contains(filter, "{0}")):
			return nil, fmt.Errorf("%.80q is not a filter with {0} in it", filter)
		case slices.ContainsFunc(rules, func(r Rule) bool { return r.Field == field }):
			return nil, fmt.Errorf("%s is there twice", field)
		}
		rules = append(rules, Rule{field, filter})
	}
	return rules, nil
}

// maxName is more than any directory takes for a name, in octets.
const maxName = 1024

// principal names the user of a certificate; ok says that it has the field at
// all. One with several values names nobody for certain.
func (r Rule) principal(c *x509.Certificate) (p identity.Principal, ok bool, err error) {
	var values []string
	switch r.Field {
	case CommonName:
		values = subjectNames(c, oidCN)
	case UPN:
		values = upns(c)
	case Email:
		values = emails(c)
	case SID:
		values = sids(c)
	case IssuerSerial:
		values = []string{issuerSerial(c)}
	}
	slices.Sort(values)
	values = slices.Compact(values)
	switch {
	case len(values) == 0:
		return identity.Principal{}, false, nil
	case len(values) > 1:
		return identity.Principal{}, false, deny(Nameless, c, "it has %d of %s", len(values), r.Field)
	}
	name := values[0]
	control := func(c rune) bool { return c < ' ' || c == 0x7f }
	if name == "" || len(name) > maxName || strings.ContainsFunc(name, control) || r.Field == SID && !sid.MatchString(name) {
		return identity.Principal{}, false, deny(Nameless, c, "its %s cannot be one, %.80q", r.Field, name)
	}
	filter := r.Filter
	if filter == "" {
		filter = filters[r.Field]
	}
	return identity.Principal{Name: name, Place: identity.Place{Filter: filter}}, true, nil
}
