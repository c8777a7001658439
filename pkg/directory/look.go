package directory

import (
	"context"
	"slices"
	"strings"

	"github.com/go-ldap/ldap/v3"
)

// A Server is what a directory server says of itself.
type Server struct {
	// Preset names the kind of directory: ad, samba, openldap, freeipa, 389ds,
	// lldap, or "" when it is none of these.
	Preset   string
	BaseDN   string // where its entries are; "" when it does not say
	Vendor   string // vendor and version in its own words; may be empty
	StartTLS bool   // whether it lists StartTLS; Samba offers it, and does not
}

// What servers say in their root DSE.
const (
	capabilityAD  = "1.2.840.113556.1.4.800"  // MS-ADTS, section 3.1.1.3.4.3.1
	capabilityLDS = "1.2.840.113556.1.4.1851" // likewise; a directory without a domain
)

// Look asks the first server of o that can be reached what it is (RFC 4512,
// section 5.1): anonymously and, where that is not allowed, as the service
// account.
func Look(ctx context.Context, o Options) (Server, error) {
	c := New(o)
	defer func() { _ = c.Close() }() // returns nil
	cn, err := c.openPlain(ctx)
	if err != nil {
		return Server{}, err
	}
	defer cn.kill()
	ctx, cancel := context.WithTimeoutCause(ctx, c.o.Timeout, overdue(c.o.Timeout))
	defer cancel()
	dse, err := readRootDSE(ctx, cn)
	if (err != nil || dse == nil) && !lost(err) && !timedOut(err) && c.o.hasAccount() {
		var bound *conn
		if bound, err = c.openService(ctx); err != nil {
			return Server{}, err
		}
		defer bound.kill()
		cn = bound
		dse, err = readRootDSE(ctx, cn)
	}
	if err != nil {
		return Server{}, fault("read the root DSE", cn.server.url, err)
	}
	if dse == nil { // nothing is said, which is an answer
		return Server{}, nil
	}
	return describeServer(dse), nil
}

// readRootDSE returns the root DSE, or nil when the server shows none.
func readRootDSE(ctx context.Context, cn *conn) (*ldap.Entry, error) {
	found, err := alone(ctx, cn, func(l *ldap.Conn) (*ldap.SearchResult, error) {
		// Operational attributes come with "+" (RFC 3673), or when named.
		return l.Search(rootDSE(everything, "+", "vendorName", "vendorVersion", "namingContexts", "defaultNamingContext",
			"supportedCapabilities", "supportedExtension", "currentTime", "ipaDomainLevel", "ipatopologypluginversion"))
	})
	if err != nil || len(found.Entries) == 0 {
		return nil, err
	}
	return found.Entries[0], nil
}

// describeServer reads a root DSE.
func describeServer(dse *ldap.Entry) Server {
	values := dse.GetEqualFoldAttributeValues
	has := func(attribute, value string) bool {
		return slices.ContainsFunc(values(attribute), func(v string) bool { return strings.EqualFold(v, value) })
	}
	vendor := strings.TrimSpace(clean(strings.Join(append(values("vendorName"), values("vendorVersion")...), " ")))
	s := Server{Vendor: vendor, BaseDN: baseOf(dse), StartTLS: has("supportedExtension", startTLSOID)}
	says := func(word string) bool { return strings.Contains(strings.ToLower(vendor), word) }
	switch {
	case says("samba"):
		s.Preset = "samba"
	case has("supportedCapabilities", capabilityAD) || has("supportedCapabilities", capabilityLDS):
		s.Preset = "ad"
	case has("objectClass", "OpenLDAProotDSE"):
		s.Preset = "openldap"
	case says("lldap"):
		s.Preset = "lldap"
	// FreeIPA is a 389 Directory Server, and says so; what it adds gives it away.
	case len(values("ipaDomainLevel"))+len(values("ipatopologypluginversion")) > 0 || has("namingContexts", "o=ipaca"):
		s.Preset = "freeipa"
	case says("389 project") || says("389-directory") || says("red hat directory"):
		s.Preset = "389ds"
	}
	return s
}

// baseOf returns the DN below which a server's people are: its own choice, or
// the first that is not about the server itself.
func baseOf(dse *ldap.Entry) string {
	if base := dse.GetEqualFoldAttributeValue("defaultNamingContext"); base != "" {
		return base
	}
	var candidates []string
	for _, dn := range dse.GetEqualFoldAttributeValues("namingContexts") {
		lower := strings.ToLower(dn)
		if dn == "" || lower == "o=ipaca" || strings.HasPrefix(lower, "cn=") {
			continue
		}
		candidates = append(candidates, dn)
	}
	if len(candidates) == 0 {
		return ""
	}
	return candidates[0]
}
