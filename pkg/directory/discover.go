package directory

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
)

// A Candidate is a server that a domain's DNS names.
type Candidate struct {
	URL    string
	BaseDN string
}

// Discover returns the servers of a domain in the order to try them (RFC 2782),
// as its records _ldap._tcp.DOMAIN name them. A domain without such records has
// none, which is no error. A resolver that is nil is the system's.
func Discover(ctx context.Context, resolver *net.Resolver, domain string) ([]Candidate, error) {
	domain = strings.TrimSuffix(strings.TrimSpace(domain), ".")
	base, err := domainDN(domain)
	if err != nil {
		return nil, fmt.Errorf("discover the directory of %q: %w", domain, err)
	}
	if resolver == nil {
		resolver = net.DefaultResolver
	}
	_, records, err := resolver.LookupSRV(ctx, "ldap", "tcp", domain)
	var dns *net.DNSError
	if errors.As(err, &dns) && dns.IsNotFound {
		err = nil
	}
	// Records with malformed names are an error beside those that are sound.
	if err != nil && len(records) == 0 {
		return nil, fmt.Errorf("discover the directory of %q: %w", domain, err)
	}
	var found []Candidate
	for _, r := range records {
		host := strings.TrimSuffix(r.Target, ".")
		if host == "" { // the service is decidedly not there
			continue
		}
		addr := net.JoinHostPort(host, strconv.Itoa(int(r.Port)))
		found = append(found, Candidate{URL: "ldap://" + addr, BaseDN: base})
	}
	return found, nil
}

// domainDN returns the DN of a DNS domain (RFC 2247).
func domainDN(domain string) (string, error) {
	if domain == "" {
		return "", errors.New("the domain is empty")
	}
	labels := strings.Split(domain, ".")
	for i, label := range labels {
		odd := strings.ContainsFunc(label, func(r rune) bool {
			return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
		})
		if label == "" || odd {
			return "", errors.New("not a DNS name")
		}
		labels[i] = "DC=" + label
	}
	return strings.Join(labels, ","), nil
}
