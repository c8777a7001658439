package main

import (
	"crypto/x509"
	"fmt"
	"net/http"
	"strings"

	"ad-ldap-connector/pkg/clientcert"
	"ad-ldap-connector/pkg/identity"
	"ad-ldap-connector/pkg/wsfed"
)

// A certificateWay lets users in by the certificate that their browser shows,
// here or to a proxy that ends TLS.
type certificateWay struct {
	judge  *clientcert.Judge
	fronts *frontends
	header string // CLIENT_CERT_HEADER; "" = none
}

func (c certificateWay) Accept(_ http.ResponseWriter, r *http.Request) (identity.Principal, error) {
	chain, err := c.chain(r)
	if err != nil {
		return identity.Principal{}, err
	}
	if len(chain) == 0 {
		return identity.Principal{}, wsfed.ErrNoProof
	}
	return c.judge.Accept(r.Context(), chain)
}

// chain finds the user's certificate. A header of anybody else than a proxy that
// is trusted is taken away, and said unless the connection has a certificate of
// its own.
func (c certificateWay) chain(r *http.Request) ([]*x509.Certificate, error) {
	var own []*x509.Certificate
	if r.TLS != nil && !c.fronts.certified(r) {
		own = r.TLS.PeerCertificates
	}
	if c.header == "" {
		return own, nil
	}
	values := r.Header.Values(c.header)
	if len(values) == 0 {
		return own, nil
	}
	err := c.fronts.trusts(r)
	r.Header.Del(c.header)
	switch {
	case err != nil && len(own) > 0:
		return own, nil
	case err != nil:
		return nil, fmt.Errorf("%s is not believed: %w", strings.ToLower(c.header), err)
	case len(values) > 1:
		return nil, fmt.Errorf("%s is there twice: the proxy passes on what browsers send", strings.ToLower(c.header))
	}
	return clientcert.ParseHeader(values[0])
}

// newJudge makes what judges users' certificates, and names the authorities
// that browsers are asked for certificates of.
func (n *node) newJudge() (*clientcert.Judge, []*x509.Certificate, error) {
	c := n.config.SignIn
	authorities, err := clientcert.ParseAuthorities(c.CACerts)
	if err != nil {
		return nil, nil, fmt.Errorf("read CA_CERT: %w", err)
	}
	rules, err := clientcert.ParseRules(c.CertMapping)
	if err != nil {
		return nil, nil, fmt.Errorf("read CLIENT_CERT_MAPPING: %w", err)
	}
	lists := make([]string, len(c.CRLs))
	for i, name := range c.CRLs {
		if lists[i] = name; !strings.Contains(name, "://") {
			lists[i] = n.transport.inHome(name)
		}
	}
	return clientcert.New(clientcert.Options{
		Authorities: authorities, Rules: rules, Revocation: clientcert.Revocation(c.CertRevocation), CRLs: lists,
		Now: n.now, Log: n.log.With("part", "signin"),
	}), authorities, nil
}
