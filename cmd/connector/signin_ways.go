package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"ad-ldap-connector/pkg/agent"
	"ad-ldap-connector/pkg/kerberos"
	"ad-ldap-connector/pkg/wsfed"
)

// signInWays are the ways into this node in the browser besides the form, and
// what they need of the server.
type signInWays struct {
	ways   []wsfed.Way
	tls    *tls.Config                // nil: PORT is plain HTTP
	source func(*http.Request) string // where a request comes from; nil: the connection
	// balancer says whether all browsers may come from an address.
	balancer func(netip.Addr) bool
	// health says how the ways fare now: what serves, and what is wrong.
	health func() (agent.State, string)
}

// signInWays brings the ways up that the tenant's settings ask for, in the
// order in which they are tried: a proxy's word, a certificate, Kerberos. What
// is wrong with one leaves the others, and the form.
func (n *node) signInWays(s signInSettings) (signInWays, error) {
	c := n.config.SignIn
	fronts := newFrontends(c)
	w := signInWays{source: fronts.source, balancer: fronts.has}
	realms, err := kerberos.ParseRealms(c.Realms)
	if err != nil {
		return w, fmt.Errorf("read KERBEROS_REALMS: %w", err)
	}
	var looks []func() (string, error) // each says how one of them fares
	add := func(m wsfed.Method, by wsfed.Negotiator, look func() (string, error)) {
		w.ways, looks = append(w.ways, wsfed.Way{Method: m, Negotiator: by}), append(looks, look)
	}

	settings := n.config
	settings.Tenant = s.tenant
	var served *servedCertificate
	if settings.SignInTLS() {
		served = n.transport.servedCertificate(c, n.log.With("part", "signin"))
		if _, err := served.get(); err != nil {
			return w, err // without TLS passwords would cross the network in clear
		}
		looks = append(looks, served.look)
	}
	add(wsfed.ByProxy, proxyWay{on: c.KerberosFrontend, fronts: fronts, realms: realms}, nil)
	if user := c.KerberosDebugUser; user != "" && s.tenant.Kerberos {
		add(wsfed.ByProxy, debugWay(user), func() (string, error) { return "", fmt.Errorf("KERBEROS_DEBUG_USER lets everybody in as %s", user) })
	}
	var authorities []*x509.Certificate
	if s.tenant.ClientCertificates {
		judge, all, err := n.newJudge()
		switch {
		case err != nil:
			looks = append(looks, func() (string, error) { return "", err })
		case served == nil && c.CertHeader == "":
			looks = append(looks, func() (string, error) {
				return "", fmt.Errorf("certificates are on at the tenant, and PORT has no TLS: set TLS_CERT or SSL_PFX, or CLIENT_CERT_HEADER behind a balancer")
			})
		default:
			authorities = all
			add(wsfed.ByCertificate, certificateWay{judge, fronts, c.CertHeader}, func() (string, error) {
				return fmt.Sprintf("certificates of %d authorities", len(all)), nil
			})
		}
	}
	if s.tenant.Kerberos && (!c.KerberosFrontend || c.Keytab != "") {
		acceptor, err := n.newAcceptor(realms, served)
		if err != nil {
			return w, err
		}
		add(wsfed.ByKerberos, kerberosWay{acceptor}, func() (string, error) {
			whose, err := acceptor.Check()
			if err != nil {
				return "", fmt.Errorf("Kerberos: %w", err) //nolint:staticcheck // it is a name
			}
			return "Kerberos by " + whose, nil
		})
	}
	if served != nil {
		w.tls = served.config(len(authorities) > 0 || len(fronts.certs) > 0, authorities)
	}
	w.health = func() (agent.State, string) { return together(looks) }
	return w, nil
}

// together joins how all the ways fare. Whatever is wrong, there is the form.
func together(looks []func() (string, error)) (agent.State, string) {
	var well, ill []string
	for _, look := range looks {
		if look == nil {
			continue
		}
		switch says, err := look(); {
		case err != nil:
			ill = append(ill, err.Error())
		case says != "":
			well = append(well, says)
		}
	}
	detail := strings.Join(append(well, "form"), "; ")
	if len(ill) > 0 {
		return agent.Degraded, strings.Join(ill, "; ") + " (" + detail + " all the same)"
	}
	return agent.OK, detail
}

// look says how the certificate of PORT fares.
func (s *servedCertificate) look() (string, error) {
	c, err := s.get()
	if err != nil {
		return "", err
	}
	ends := c.Leaf.NotAfter
	day := ends.UTC().Format(time.DateOnly)
	if time.Until(ends) < certificateWarns {
		return "", fmt.Errorf("the certificate of PORT ends on %s", day)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return "", s.err
	}
	return "TLS until " + day, nil
}
