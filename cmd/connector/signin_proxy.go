package main

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"ad-ldap-connector/pkg/config"
	"ad-ldap-connector/pkg/identity"
	"ad-ldap-connector/pkg/kerberos"
	"ad-ldap-connector/pkg/wsfed"
)

// The headers by which a proxy in front says who a user is, and proves itself.
const (
	userHeader   = "X-Forwarded-User"
	secretHeader = "X-Connector-Proxy-Secret" //nolint:gosec // a name, no secret
)

// frontends are the proxies and balancers in front of PORT.
type frontends struct {
	networks []netip.Prefix
	secret   [sha256.Size]byte // of TRUSTED_PROXY_SECRET
	secrets  bool              // there is one
	certs    map[[sha256.Size]byte]bool
}

func newFrontends(c config.SignIn) *frontends {
	f := &frontends{secret: sha256.Sum256([]byte(c.ProxySecret)), secrets: c.ProxySecret != "", certs: map[[sha256.Size]byte]bool{}}
	for _, text := range c.Proxies {
		network, err := netip.ParsePrefix(text)
		if err != nil {
			addr, err := netip.ParseAddr(text)
			if err != nil {
				continue // Validate has said so
			}
			network = netip.PrefixFrom(addr.Unmap(), addr.Unmap().BitLen())
		}
		f.networks = append(f.networks, network.Masked())
	}
	for _, text := range c.ProxyCerts {
		if sum, err := hex.DecodeString(strings.ReplaceAll(text, ":", "")); err == nil && len(sum) == sha256.Size {
			f.certs[[sha256.Size]byte(sum)] = true
		}
	}
	return f
}

func (f *frontends) has(addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	return slices.ContainsFunc(f.networks, func(n netip.Prefix) bool { return n.Contains(addr) })
}

// peer is the address at the other end of the connection.
func peer(r *http.Request) netip.Addr {
	to, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return to.Addr().Unmap()
}

// certified reports whether the connection is by a proxy's certificate.
func (f *frontends) certified(r *http.Request) bool {
	return r.TLS != nil && len(r.TLS.PeerCertificates) > 0 && f.certs[sha256.Sum256(r.TLS.PeerCertificates[0].Raw)]
}

// trusts says why the word of whoever sent a request does not count, or nil: it
// is at a proxy's address, and has shown what only a proxy has.
func (f *frontends) trusts(r *http.Request) error {
	switch from := peer(r); {
	case len(f.networks) == 0:
		return fmt.Errorf("%s is not trusted: TRUSTED_PROXIES is not set", from)
	case !f.has(from):
		return fmt.Errorf("%s is none of TRUSTED_PROXIES", from)
	case f.certified(r):
		return nil
	case !f.secrets:
		return fmt.Errorf("%s does not prove itself: set TRUSTED_PROXY_SECRET or TRUSTED_PROXY_CERTS", from)
	}
	values := r.Header.Values(secretHeader)
	if len(values) != 1 { // a proxy that adds to what a browser sends would pass on what it guesses
		return fmt.Errorf("%s sends %d of %s", peer(r), len(values), strings.ToLower(secretHeader))
	}
	sum := sha256.Sum256([]byte(values[0]))
	if subtle.ConstantTimeCompare(sum[:], f.secret[:]) != 1 {
		return fmt.Errorf("%s sends another secret than TRUSTED_PROXY_SECRET", peer(r))
	}
	return nil
}

// maxHops bounds how many proxies one after the other are looked through.
const maxHops = 16

// source is where a request comes from: what the nearest proxy says that is
// none itself.
func (f *frontends) source(r *http.Request) string {
	from := peer(r)
	if !f.has(from) {
		return r.RemoteAddr
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= max(0, len(hops)-maxHops); i-- {
		addr, err := parseHop(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		if from = addr; !f.has(addr) {
			break
		}
	}
	return from.String()
}

// parseHop reads an address of x-forwarded-for, which some proxies give a port.
func parseHop(text string) (netip.Addr, error) {
	if to, err := netip.ParseAddrPort(text); err == nil {
		return to.Addr().Unmap(), nil
	}
	addr, err := netip.ParseAddr(strings.Trim(text, "[]"))
	return addr.Unmap().WithZone(""), err
}

// A proxyWay lets the users in that a web server in front names.
type proxyWay struct {
	on     bool // WITH_KERBEROS_PROXY_FRONTEND
	fronts *frontends
	realms kerberos.Realms
}

// Accept takes the name of x-forwarded-user. From anybody else than a proxy that
// is trusted the header is taken away, and said.
func (p proxyWay) Accept(_ http.ResponseWriter, r *http.Request) (identity.Principal, error) {
	values := r.Header.Values(userHeader)
	if len(values) == 0 {
		return identity.Principal{}, wsfed.ErrNoProof
	}
	err := p.fronts.trusts(r)
	r.Header.Del(userHeader)
	r.Header.Del(secretHeader)
	switch {
	case err != nil:
		return identity.Principal{}, fmt.Errorf("x-forwarded-user is not believed: %w", err)
	case !p.on:
		return identity.Principal{}, errors.New("x-forwarded-user is not believed: WITH_KERBEROS_PROXY_FRONTEND is not set")
	case len(values) > 1:
		return identity.Principal{}, errors.New("x-forwarded-user is there twice: the proxy passes on what browsers send")
	}
	return p.user(values[0])
}

// user reads a name as web servers write it: user@REALM, DOMAIN\user or user.
func (p proxyWay) user(text string) (identity.Principal, error) {
	if text = strings.TrimSpace(text); text == "" || text == "(null)" {
		return identity.Principal{}, wsfed.ErrNoProof
	}
	name, realm := text, ""
	if i := strings.LastIndexByte(text, '@'); i >= 0 {
		name, realm = text[:i], text[i+1:]
	} else if before, after, ok := strings.Cut(text, `\`); ok {
		name, realm = after, before
	}
	if err := kerberos.CheckName(name); err != nil {
		return identity.Principal{}, err
	}
	user := identity.Principal{Name: name, Realm: realm}
	if realm != "" && len(p.realms) > 0 {
		place, ok := p.realms[strings.ToUpper(realm)]
		if !ok {
			return identity.Principal{}, fmt.Errorf("x-forwarded-user: %.80q is none of KERBEROS_REALMS", realm)
		}
		user.Place = place
	}
	return user, nil
}

// A debugWay lets everybody in as one user (KERBEROS_DEBUG_USER).
type debugWay string

func (d debugWay) Accept(http.ResponseWriter, *http.Request) (identity.Principal, error) {
	return identity.Principal{Name: string(d)}, nil
}
