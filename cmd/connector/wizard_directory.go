package main

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"ad-ldap-connector/pkg/directory"
)

func (w *wizard) url(ctx context.Context) error {
	switch {
	case len(w.config.Directory.URLs) > 0:
		return nil
	case !w.guided:
		w.missing = append(w.missing, "--ldap-url")
		return nil
	}
	return w.askURL(w.discovered(ctx))
}

// askURL asks for the directory's servers until the answer names some.
func (w *wizard) askURL(preset string) error {
	for {
		answer, err := w.input("Directory URL", preset, "ldaps://dc1.corp.example, srvs://corp.example for all servers of a domain, or ldap://host:389")
		if err != nil {
			return err
		}
		if answer != "" && !strings.Contains(answer, "://") {
			answer = "ldaps://" + answer
		}
		if err = w.config.Set("LDAP_URL", answer); err == nil {
			err = w.faultOf("LDAP_URL")
		}
		if err == nil {
			return nil
		}
		w.wrong(err)
	}
}

// faultOf is what is wrong with a setting as such.
func (w *wizard) faultOf(key string) error {
	for _, f := range faultsOf(w.config.Validate()) {
		if f.Key == key {
			return f
		}
	}
	return nil
}

// discoverTime bounds what DNS is asked for a default: somebody waits.
const discoverTime = 4 * time.Second

// discovered asks DNS for the servers of the connection's domains and of this
// host's, tells them, and returns what to offer.
func (w *wizard) discovered(ctx context.Context) string {
	domains := likely(append(slices.Clone(w.connection.Domains), hostDomains(w.environ)...))
	type answer struct{ found []directory.Candidate }
	answers := make([]chan answer, len(domains))
	ctx, cancel := context.WithTimeout(ctx, discoverTime)
	defer cancel()
	for i, domain := range domains {
		answers[i] = make(chan answer, 1)
		go func() {
			found, err := directory.Discover(ctx, w.resolver, domain)
			if err != nil {
				w.log().Debug("look for the domain's servers", "domain", domain, "err", err)
			}
			answers[i] <- answer{found}
		}()
	}
	for i, domain := range domains {
		var a answer
		select {
		case a = <-answers[i]:
		case <-ctx.Done():
		}
		if len(a.found) > 0 {
			return w.offer(ctx, domain, a.found)
		}
	}
	return ""
}

// offer tells the servers of a domain, and returns the URL of them all: over
// TLS where the first that answers speaks it.
func (w *wizard) offer(ctx context.Context, domain string, found []directory.Candidate) string {
	w.tell("DNS names these servers of %s:", visible(domain))
	for _, c := range found {
		w.tell("  %s", visible(c.URL))
	}
	trial := *w.config
	trial.Directory.URLs = []string{"srvs://" + domain}
	o, err := directoryOptions(trial, "", w.transport, w.log(), nil)
	if err != nil {
		return "srv://" + domain
	}
	o.Resolver = w.resolver
	i := directory.Inspect(o)
	defer func() { _ = i.Close() }() // nothing was sent
	sites, err := i.Servers(ctx)
	for _, s := range sites {
		if _, err = i.Peer(ctx, s.URL); err == nil {
			return "srvs://" + domain
		}
	}
	w.log().Debug("look for TLS", "domain", domain, "err", err)
	return "srv://" + domain
}

// reach makes sure that the directory can be spoken to, and that it is the right
// one that speaks.
func (w *wizard) reach(ctx context.Context) error {
	if !w.guided || w.untried {
		return nil
	}
	for try := 1; ; try++ {
		err := w.inspect(ctx, w.shake)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err == nil:
			return w.protect(ctx)
		case try > maxTries:
			return gaveUp("check-directory", err)
		}
		w.wrong(err)
		if chain := stranger(err); chain != nil {
			w.describe(chain)
			trusted, asking := w.askCA()
			if asking != nil {
				return asking
			}
			if trusted {
				continue
			}
		}
		if try == maxTries {
			return gaveUp("check-directory", err)
		}
		if err := w.askURL(strings.Join(w.config.Directory.URLs, ",")); err != nil {
			return err
		}
	}
}

// shake finds the first server that answers, and over TLS is whom it should be.
func (w *wizard) shake(ctx context.Context, i *directory.Inspector) error {
	sites, err := i.Servers(ctx)
	if err != nil {
		return err
	}
	var faults []error
	for _, s := range sites {
		if s.TLS {
			peer, fault := i.Peer(ctx, s.URL)
			err = errors.Join(fault, peer.Fault)
		} else {
			_, err = i.Reach(ctx, s.URL)
		}
		if err == nil {
			w.server = s.URL
			return nil
		}
		faults = append(faults, err)
	}
	if len(faults) == 0 {
		return &hinted{errors.New("find the directory's servers: DNS names none"), "name a server: ldaps://dc1.corp.example"}
	}
	if i := slices.IndexFunc(faults, func(err error) bool { return stranger(err) != nil }); i > 0 {
		return faults[i] // which can be mended here
	}
	return faults[0]
}

// stranger returns the certificates of a server whose authority is not trusted;
// nil when err is anything else.
func stranger(err error) []*x509.Certificate {
	var unknown x509.UnknownAuthorityError
	var verify *tls.CertificateVerificationError
	if !errors.As(err, &unknown) || !errors.As(err, &verify) {
		return nil
	}
	return verify.UnverifiedCertificates
}

// describe shows whose certificates these are, so that they can be compared.
func (w *wizard) describe(chain []*x509.Certificate) {
	for _, c := range chain {
		w.tell("  subject     %s", visible(c.Subject.String()))
		w.tell("  issuer      %s", visible(c.Issuer.String()))
		w.tell("  valid       %s to %s", c.NotBefore.UTC().Format(time.DateOnly), c.NotAfter.UTC().Format(time.DateOnly))
		w.tell("  SHA-256     %X", sha256.Sum256(c.Raw))
		w.tell("  thumbprint  %X (SHA-1, as Windows shows it)", sha1.Sum(c.Raw))
	}
}

// protect asks whether to protect a connection in clear, where that can be.
func (w *wizard) protect(ctx context.Context) error {
	var site directory.Site
	var about directory.About
	err := w.inspect(ctx, func(ctx context.Context, i *directory.Inspector) error {
		sites, err := i.Servers(ctx)
		if err != nil {
			return err
		}
		if at := slices.IndexFunc(sites, func(s directory.Site) bool { return s.URL == w.server }); at >= 0 {
			site = sites[at]
		}
		if !site.TLS && !site.Loopback && site.URL != "" {
			about, err = i.About(ctx, site.URL)
		}
		return err
	})
	if err != nil || site.TLS || site.Loopback || site.URL == "" {
		return ctx.Err() // to know nothing is to ask nothing
	}
	if !about.StartTLS {
		w.tell("warning: passwords will cross the network in clear; ldaps:// protects them")
		return nil
	}
	yes, err := w.confirm(fmt.Sprintf("Connections to %s are in clear; protect them by StartTLS?", site.URL), true)
	if err != nil || !yes {
		return err
	}
	if err := w.config.Set("LDAP_STARTTLS", "true"); err != nil {
		return err
	}
	return w.reach(ctx)
}
