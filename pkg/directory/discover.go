package directory

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
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
	records, err := lookup(ctx, resolver, domain)
	if err != nil {
		return nil, fmt.Errorf("discover the directory of %q: %w", domain, err)
	}
	var found []Candidate
	for _, r := range records {
		addr := net.JoinHostPort(strings.TrimSuffix(r.Target, "."), strconv.Itoa(int(r.Port)))
		found = append(found, Candidate{URL: "ldap://" + addr, BaseDN: base})
	}
	return found, nil
}

// lookup returns the records _ldap._tcp.NAME by priority and, within one, in an
// order drawn by weight. None is no error, and neither are records with
// malformed names beside those that are sound.
func lookup(ctx context.Context, resolver *net.Resolver, name string) ([]*net.SRV, error) {
	if resolver == nil {
		resolver = net.DefaultResolver
	}
	_, records, err := resolver.LookupSRV(ctx, "ldap", "tcp", name)
	var dns *net.DNSError
	if errors.As(err, &dns) && dns.IsNotFound || len(records) > 0 {
		err = nil
	}
	// "." says that the service is decidedly not there.
	return slices.DeleteFunc(records, func(r *net.SRV) bool { return strings.TrimSuffix(r.Target, ".") == "" }), err
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
