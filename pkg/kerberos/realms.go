package kerberos

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"ad-ldap-connector/pkg/identity"
)

// Realms say which Kerberos realms' users are taken, and where each realm's
// users are. The keys are in upper case.
type Realms map[string]identity.Place

// maxRealms is more than any forest has, and its trusts.
const maxRealms = 256

var (
	realmName  = regexp.MustCompile(`^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$`)
	domainName = realmName
)

// ParseRealms reads KERBEROS_REALMS: entries that are separated by ; or by line
// ends, each REALM, whose users are where usernames are looked for, or
// REALM=PLACE. A place is a domain (child.example), the DN below which the users
// are, or a filter with {0} in the place of the name.
func ParseRealms(text string) (Realms, error) {
	realms := Realms{}
	for entry := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == ';' || r == '\n' || r == '\r' }) {
		entry = strings.TrimSpace(entry)
		if entry == "" {
			continue
		}
		name, at, placed := strings.Cut(entry, "=")
		name, at = strings.ToUpper(strings.TrimSpace(name)), strings.TrimSpace(at)
		_, twice := realms[name]
		switch {
		case !realmName.MatchString(name):
			return nil, fmt.Errorf("%.80q is not a Kerberos realm", name)
		case twice:
			return nil, fmt.Errorf("the Kerberos realm %.80q is there twice", name)
		case placed && at == "":
			return nil, fmt.Errorf("nothing follows %.80s=", name)
		case len(realms) == maxRealms:
			return nil, fmt.Errorf("there are more than %d", maxRealms)
		}
		place, err := parsePlace(at)
		if err != nil {
			return nil, fmt.Errorf("the Kerberos realm %.80s: %w", name, err)
		}
		realms[name] = place
	}
	return realms, nil
}

func parsePlace(at string) (identity.Place, error) {
	switch {
	case at == "":
		return identity.Place{}, nil
	case strings.HasPrefix(at, "("):
		if !strings.Contains(at, "{0}") {
			return identity.Place{}, fmt.Errorf("the filter %.80q has no place for a name, {0}", at)
		}
		return identity.Place{Filter: at}, nil
	case strings.Contains(at, "="):
		return identity.Place{BaseDN: at}, nil
	case domainName.MatchString(at):
		return identity.Place{BaseDN: "DC=" + strings.ReplaceAll(at, ".", ",DC=")}, nil
	}
	return identity.Place{}, fmt.Errorf("%.80q is neither a domain, nor a DN, nor a filter", at)
}

// place says where the users of a realm are. Without a list, those of the
// service's own realms are taken, and of no other: what a trusted realm calls
// alice is somebody else.
func (r Realms) place(realm string, own []string) (identity.Place, bool) {
	if len(r) > 0 {
		at, ok := r[strings.ToUpper(realm)]
		return at, ok
	}
	return identity.Place{}, realm != "" && slices.ContainsFunc(own, func(o string) bool { return strings.EqualFold(o, realm) })
}
