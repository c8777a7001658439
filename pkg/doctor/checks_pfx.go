package doctor

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"strings"
	"time"
)

func probePFX(_ context.Context, e *Env) Outcome {
	switch {
	case !e.signIn():
		return Skip(noSignIn)
	case !e.Config.SignInTLS() && !e.Config.Tenant.ClientCertificates:
		return Skip("the sign-in listens without TLS: neither TLS_CERT nor SSL_PFX is used")
	case !e.Config.SignInTLS() && e.Config.SignIn.CertHeader != "":
		return Skip("the proxy in front ends TLS, and passes certificates on (CLIENT_CERT_HEADER)")
	case e.SignIn.Certificates == nil:
		return Skip(noHome)
	case !e.Config.SignInTLS():
		return Outcome{Status: Failed, Observed: "none", Required: "a certificate", Detail: "neither TLS_CERT nor SSL_PFX is set for this: without TLS no browser can be asked for a user's certificate"}
	}
	all, err := e.SignIn.Certificates()
	if err != nil {
		return failure(err)
	}
	own := all[0]
	o := Outcome{Observed: nameOf(own) + ", valid until " + own.NotAfter.UTC().Format(time.DateOnly)}
	if fault := e.outOfTime(all); fault != "" {
		o.Status, o.Required, o.Detail = Failed, fmt.Sprintf("%d days before the end", int(certificateWarns.Hours()/24)), fault
		o.Remedy = "Have the certificate renewed, and put the new one where TLS_CERT names it, or into SSL_PFX."
		return o
	}
	if host := e.signInHost(); host != "" {
		if err := own.VerifyHostname(host); err != nil {
			o.Status, o.Required, o.Detail = Failed, host, err.Error()
			o.Remedy = "Have a certificate issued for the host of SERVER_URL, or have SERVER_URL name a host of the certificate."
			return o
		}
	}
	return e.chained(all, o)
}

// chained looks whether the certificates lead to an authority. One that this
// machine does not trust may be known to the users' browsers.
func (e *Env) chained(all []*x509.Certificate, o Outcome) Outcome {
	own := all[0]
	v := x509.VerifyOptions{Roots: e.SignIn.Roots, Intermediates: x509.NewCertPool(), CurrentTime: e.now()}
	for _, c := range all[1:] {
		v.Intermediates.AddCert(c)
	}
	_, err := own.Verify(v)
	o.Status = Passed
	if err == nil {
		o.Observed += ", with " + count(len(all)-1, "certificate", "certificates") + " of its chain"
		return o
	}
	last := own
	for range all { // a chain is not longer than that
		if issuer := issuerOf(last, all); issuer != nil && issuer != last {
			last = issuer
		}
	}
	if bytes.Equal(last.RawSubject, last.RawIssuer) {
		o.Detail = "the authority " + nameOf(last) + " is not trusted on this machine; users' browsers must trust it"
		return o
	}
	o.Status, o.Required = Failed, "all certificates up to the authority"
	o.Detail = fmt.Sprintf("the chain of the certificate ends at %s: its issuer %s is not among it, and not trusted here (%v)", nameOf(last), last.Issuer, err)
	return o
}

func issuerOf(c *x509.Certificate, all []*x509.Certificate) *x509.Certificate {
	for _, issuer := range all {
		if bytes.Equal(issuer.RawSubject, c.RawIssuer) && c.CheckSignatureFrom(issuer) == nil {
			return issuer
		}
	}
	return nil
}

// outOfTime names the first certificate that has ended, ends soon or has not
// begun; "" when all are well.
func (e *Env) outOfTime(all []*x509.Certificate) string {
	now := e.now()
	for _, c := range all {
		switch left := c.NotAfter.Sub(now); {
		case now.Before(c.NotBefore):
			return nameOf(c) + " is not valid before " + c.NotBefore.UTC().Format(time.DateOnly)
		case left <= 0:
			return nameOf(c) + " ended on " + c.NotAfter.UTC().Format(time.DateOnly)
		case left < certificateWarns:
			return nameOf(c) + " ends in " + count(int(left.Hours()/24), "day", "days")
		}
	}
	return ""
}

func nameOf(c *x509.Certificate) string {
	switch {
	case c.Subject.CommonName != "":
		return c.Subject.CommonName
	case len(c.DNSNames) > 0:
		return c.DNSNames[0]
	}
	return c.Subject.String()
}

func probeUserCAs(_ context.Context, e *Env) Outcome {
	texts := e.Config.SignIn.CACerts
	switch {
	case !e.Config.Tenant.ClientCertificates:
		return Skip(noCertificates)
	case len(texts) == 0:
		return Outcome{Status: Failed, Observed: "none", Required: "an authority", Detail: "CA_CERT is not set: no user's certificate would be believed"}
	}
	var all []*x509.Certificate
	var faults []string
	for n, text := range texts {
		found, err := parseAuthorities(text)
		if err != nil {
			faults = append(faults, fmt.Sprintf("CA_CERT, entry %d: %v", n+1, err))
		}
		all = append(all, found...)
	}
	for _, c := range all {
		if !c.BasicConstraintsValid || !c.IsCA {
			faults = append(faults, nameOf(c)+" is no authority: its certificate may not issue others")
		}
	}
	if fault := e.outOfTime(all); fault != "" {
		faults = append(faults, fault)
	}
	if len(faults) > 0 {
		return Outcome{Status: Failed, Observed: count(len(all), "certificate", "certificates"), Detail: strings.Join(faults, "\n")}
	}
	var names []string
	for _, c := range all {
		names = append(names, nameOf(c))
	}
	return Pass(strings.Join(names, ", "))
}

// parseAuthorities reads the certificates of a PEM text.
func parseAuthorities(text string) (all []*x509.Certificate, err error) {
	rest := []byte(text)
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			return all, fmt.Errorf("it holds a %s, and only certificates belong there", block.Type)
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return all, fmt.Errorf("read a certificate: %w", err)
		}
		all = append(all, c)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("there is no certificate in it")
	}
	return all, nil
}
