package directory

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"
)

// placeholder is where a filter template takes its value. In a username, the
// other two are its parts.
const (
	placeholder  = "{0}"
	placeUser    = "{user}"
	placeDomain  = "{domain}"
	nobodysValue = "\x00" // for a domain that was not typed: what no attribute holds
)

var anyPlace = regexp.MustCompile(`\{(?:0|user|domain)\}`)

// maxTemplate bounds a filter template, in octets: the parser recurses once a
// parenthesis.
const maxTemplate = 16 << 10

// A Filter is a search filter (RFC 4515) with places for one value. It is the
// one place of the house where a value is escaped for a filter. The zero
// Filter is none at all.
type Filter struct {
	parts []string // the template, cut at its placeholders
	holes []string // the placeholders, one less
}

// ParseFilter reads a template such as "(sAMAccountName={0})". It may hold any
// number of {0}, or none, but each must stand in an assertion's value: a value
// in the place of an attribute's name cannot be escaped. {user} and {domain}
// are parts of the value, when that is DOMAIN\name or name@domain. A template
// that is no filter is an error that quotes it.
func ParseFilter(template string) (Filter, error) {
	if len(template) > maxTemplate {
		return Filter{}, fmt.Errorf("parse filter %.40q...: longer than %d octets", template, maxTemplate)
	}
	f := Filter{parts: anyPlace.Split(template, -1), holes: anyPlace.FindAllString(template, -1)}
	// The sample starts and ends with what is no hexadecimal digit, so that a
	// placeholder cannot complete an escape such as \2{0}.
	sample := "zz-placeholder-zz"
	for strings.Contains(template, sample) {
		sample += "z"
	}
	packet, err := compile(f.fill(sample, sample, sample))
	if err != nil {
		problem := strings.ReplaceAll(err.Error(), sample, placeholder)
		return Filter{}, fmt.Errorf("parse filter %q: %s", template, problem)
	}
	if countValues(packet, sample) != f.Places() {
		return Filter{}, fmt.Errorf("parse filter %q: %s must stand in a value, as in (uid=%s)", template, placeholder, placeholder)
	}
	return f, nil
}

// compile parses a filter. The library reports its own panics as success with
// no packet at all.
func compile(filter string) (*ber.Packet, error) {
	packet, err := ldap.CompileFilter(filter)
	if err != nil {
		return nil, errors.New(strings.TrimPrefix(bare(err).Error(), "ldap: "))
	}
	if packet == nil {
		return nil, errors.New("not a filter")
	}
	return packet, nil
}

// countValues counts the samples that stand in assertion values below p.
func countValues(p *ber.Packet, sample string) int {
	switch p.Tag {
	case ldap.FilterAnd, ldap.FilterOr, ldap.FilterNot:
		n := 0
		for _, child := range p.Children {
			n += countValues(child, sample)
		}
		return n
	case ldap.FilterSubstrings:
		n := 0
		for _, part := range p.Children[1].Children {
			n += strings.Count(text(part), sample)
		}
		return n
	case ldap.FilterExtensibleMatch:
		for _, child := range p.Children {
			if child.Tag == ldap.MatchingRuleAssertionMatchValue {
				return strings.Count(text(child), sample)
			}
		}
		return 0
	case ldap.FilterPresent:
		return 0
	default: // attribute, value
		return strings.Count(text(p.Children[1]), sample)
	}
}

func text(p *ber.Packet) string { return ber.DecodeString(p.Data.Bytes()) }

// With returns the filter for value, whose every octet is taken literally:
// it matches that value and nothing else, whatever it holds.
func (f Filter) With(value string) string {
	if len(f.holes) == 0 {
		return strings.Join(f.parts, "")
	}
	user, domain := splitName(value)
	return f.fill(value, user, domain)
}

// fill puts values into the placeholders.
func (f Filter) fill(value, user, domain string) string {
	escaped := map[string]string{
		placeholder: ldap.EscapeFilter(value), placeUser: ldap.EscapeFilter(user), placeDomain: ldap.EscapeFilter(domain),
	}
	var b strings.Builder
	for i, part := range f.parts {
		b.WriteString(part)
		if i < len(f.holes) {
			b.WriteString(escaped[f.holes[i]])
		}
	}
	return b.String()
}

// splitName takes DOMAIN\name and name@domain apart. The name is never empty
// where the value is not, and so makes no filter that matches everybody; nor
// does a domain that was not typed.
func splitName(value string) (user, domain string) {
	if before, after, ok := strings.Cut(value, `\`); ok && before != "" && after != "" {
		return after, before
	}
	if i := strings.LastIndexByte(value, '@'); i > 0 && i < len(value)-1 {
		return value[:i], value[i+1:]
	}
	return value, nobodysValue
}

// String returns the template.
func (f Filter) String() string {
	var b strings.Builder
	for i, part := range f.parts {
		b.WriteString(part)
		if i < len(f.holes) {
			b.WriteString(f.holes[i])
		}
	}
	return b.String()
}

// Places returns how many places the template has for its value.
func (f Filter) Places() int { return len(f.holes) }

// IsZero reports whether there is no filter.
func (f Filter) IsZero() bool { return len(f.parts) == 0 }

// any returns one filter that matches what f matches for any of the values,
// of which there must be at least one.
func (f Filter) any(values []string) string {
	if len(values) == 1 {
		return f.With(values[0])
	}
	var b strings.Builder
	b.WriteString("(|")
	for _, v := range values {
		b.WriteString(f.With(v))
	}
	b.WriteString(")")
	return b.String()
}

// must parses a template of our own.
func must(template string) Filter {
	f, err := ParseFilter(template)
	if err != nil {
		panic(err) // a constant of this package; a test parses them all
	}
	return f
}

// attributes returns the attributes that f compares with its value, in the
// order of the template.
func (f Filter) attributes() []string {
	const sample = "zz-attributes-zz"
	packet, err := compile(f.With(sample))
	if err != nil {
		return nil
	}
	return compared(packet, sample, nil)
}

// compared adds the attributes that are compared with sample below p.
func compared(p *ber.Packet, sample string, names []string) []string {
	switch p.Tag {
	case ldap.FilterAnd, ldap.FilterOr:
		for _, child := range p.Children {
			names = compared(child, sample, names)
		}
	case ldap.FilterEqualityMatch:
		if text(p.Children[1]) == sample {
			names = append(names, text(p.Children[0]))
		}
	}
	return names
}
