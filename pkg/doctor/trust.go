package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// A Handshake is what a server showed in the TLS handshake, and what this
// machine makes of it.
type Handshake struct {
	Server  string // HOST:PORT
	Version uint16 // of TLS, as in crypto/tls
	// Chain are the certificates that the server sent, its own first.
	Chain []*x509.Certificate
	Err   error // why they are not trusted; nil when they are
	// Added says that the system's CAs alone would not do: the chain is
	// trusted because of those of SSL_CA_PATH.
	Added bool
}

func probeTrust(ctx context.Context, e *Env) Outcome {
	h, skip := e.handshake(ctx)
	if skip != nil {
		return *skip
	}
	leaf := h.Chain[0]
	o := Outcome{
		Status: Passed, Detail: strings.Join(chainLines(h.Chain), "\n"),
		Observed: fmt.Sprintf("%s, issued by %s, until %s", tls.VersionName(h.Version), who(leaf.Issuer), leaf.NotAfter.UTC().Format(time.DateOnly)),
	}
	switch {
	case h.Err != nil:
		return h.distrusted(o)
	case h.Added:
		o.Detail = fmt.Sprintf("trusted because of SSL_CA_PATH alone: %s is no CA of the system; unless the tenant is a private one, "+
			"TLS is opened on the way, and whoever does it reads all that passes; each node needs this CA\n%s", root(h.Chain), o.Detail)
	}
	return o
}

// handshake asks for it; an Outcome means that there is none to look at.
func (e *Env) handshake(ctx context.Context) (h Handshake, none *Outcome) {
	if e.Network.Handshake == nil {
		o := Skip(noTenant)
		return h, &o
	}
	ctx, cancel := soon(ctx)
	defer cancel()
	h, err := e.Network.Handshake(ctx)
	if err == nil && len(h.Chain) == 0 {
		err = errors.New(h.Server + " showed no certificate")
	}
	if err != nil {
		o := stopped(err)
		return h, &o
	}
	return h, nil
}

// distrusted says why a chain is not trusted, and what may be behind it.
func (h Handshake) distrusted(o Outcome) Outcome {
	var (
		authority x509.UnknownAuthorityError
		host      x509.HostnameError
	)
	top := h.Chain[len(h.Chain)-1]
	said := h.Err.Error()
	o.Status, o.Remedy = Failed, hintOf(h.Err)
	switch {
	case errors.As(h.Err, &authority) && public(top.Issuer):
		said += "; that is the name of a public CA: the server does not send its whole chain, or this machine's CA certificates are old"
		o.Remedy = "Bring this machine's CA certificates up to date, and let nothing on the way change the server's certificates."
	case errors.As(h.Err, &authority):
		said += fmt.Sprintf("; %s is no public CA: unless the tenant is a private one, a proxy or a firewall on the way opens TLS to look inside", root(h.Chain))
		o.Remedy = fmt.Sprintf("Have %s exempted from TLS inspection, or name the PEM file of the CA %s in SSL_CA_PATH (at an install: --ca-file).", h.Server, root(h.Chain))
		o.Command = "connector config set SSL_CA_PATH FILE"
	case errors.As(h.Err, &host):
		o.Required = "a certificate for " + host.Host
	}
	o.Detail = said + "\n" + o.Detail
	return o
}

// shortLived is the life of a certificate that is renewed by a program, long
// after thirty days before its end.
const shortLived = 100 * 24 * time.Hour

// probeExpiry warns thirty days before the end, or in the last quarter of a
// life that is short.
func probeExpiry(ctx context.Context, e *Env) Outcome {
	h, skip := e.handshake(ctx)
	if skip != nil {
		return *skip
	}
	leaf, notice := h.Chain[0], certificateWarns
	if life := leaf.NotAfter.Sub(leaf.NotBefore); life < shortLived {
		notice = life / 4
	}
	left := leaf.NotAfter.Sub(e.now())
	o := Outcome{Status: Passed, Observed: "until " + leaf.NotAfter.UTC().Format(time.DateOnly) + ", " + days(left) + " from now"}
	if left < notice {
		o.Status, o.Required = Failed, days(notice)+" before its end"
		o.Detail = "the certificate of " + h.Server + " ends in " + days(left)
	}
	return o
}

func days(d time.Duration) string { return count(int(d.Hours()/24), "day", "days") }

// chainLines tells a chain, one line for each certificate.
func chainLines(chain []*x509.Certificate) []string {
	var all []string
	for _, c := range chain[:min(len(chain), 6)] {
		all = append(all, fmt.Sprintf("%s, issued by %s, %s to %s", who(c.Subject), who(c.Issuer),
			c.NotBefore.UTC().Format(time.DateOnly), c.NotAfter.UTC().Format(time.DateOnly)))
	}
	if names := chain[0].DNSNames; len(names) > 0 {
		all[0] += ", for " + short(strings.Join(names, ", "))
	}
	return all
}

// root is whom one has to trust to trust the chain.
func root(chain []*x509.Certificate) string { return who(chain[len(chain)-1].Issuer) }

// who names somebody by the two parts that say most: "R11" (Let's Encrypt).
func who(n pkix.Name) string {
	organisation := strings.Join(n.Organization, ", ")
	switch {
	case n.CommonName != "" && organisation != "":
		return fmt.Sprintf("%q (%s)", short(n.CommonName), short(organisation))
	case n.CommonName != "":
		return fmt.Sprintf("%q", short(n.CommonName))
	case organisation != "":
		return fmt.Sprintf("%q", short(organisation))
	}
	return "nobody by name"
}

// short keeps a stranger's text from filling a screen.
func short(s string) string {
	const most = 100
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "..."
	}
	return s
}

// publicCAs are the organisations that issue the certificates of most public
// servers, in lower case.
var publicCAs = []string{
	"amazon", "comodo ca", "cloudflare", "digicert", "entrust", "globalsign", "godaddy.com", "google trust services",
	"internet security research group", "isrg", "let's encrypt", "microsoft corporation", "sectigo", "ssl corporation", "starfield technologies",
	"the usertrust network",
}

// public reports whether a name is one of a public CA. Anybody may bear it:
// it is good for advice only.
func public(n pkix.Name) bool {
	return slices.ContainsFunc(n.Organization, func(o string) bool {
		return slices.ContainsFunc(publicCAs, func(p string) bool { return strings.HasPrefix(strings.ToLower(o), p) })
	})
}
