package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"time"

	"ad-ldap-connector/pkg/agent"
	"ad-ldap-connector/pkg/doctor"
	"ad-ldap-connector/pkg/hub"
	"ad-ldap-connector/pkg/tenant"
)

// test asks the tenant for its clock, which is what GET /test answers. When the
// TLS handshake hangs there is time to find out whether its size is to blame.
func (w *way) test(ctx context.Context) (string, error) {
	first, cancel := ctx, context.CancelFunc(func() {})
	if end, limited := ctx.Deadline(); limited {
		first, cancel = context.WithTimeout(ctx, time.Until(end)*2/3)
	}
	defer cancel()
	began := time.Now()
	_, err := w.clock(first)
	if s := (*doctor.Stop)(nil); errors.As(err, &s) && s.Hung && s.Phase == doctor.PhaseHandshake {
		small := *s
		small.Small = w.smallGreeting(ctx)
		return "", &small
	}
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s answers GET /test within %s", address(w.origin), time.Since(began).Round(time.Millisecond)), nil
}

// smallGreeting reports whether the tenant shakes hands when the first packet
// of TLS is small: keys of post-quantum exchange are as large as a packet, and
// there are firewalls that expect the whole greeting in one.
func (w *way) smallGreeting(ctx context.Context) bool {
	k, tr, err := w.track(ctx, w.origin)
	if err != nil || k.tls { // of an https:// proxy, its own handshake would be the first
		return false
	}
	defer tr.CloseIdleConnections()
	tr.TLSClientConfig.CurvePreferences = []tls.CurveID{tls.X25519, tls.CurveP256, tls.CurveP384}
	tr.TLSClientConfig.InsecureSkipVerify = true // nothing is sent
	tr.TLSClientConfig.VerifyConnection = func(tls.ConnectionState) error { return errPassed }
	req, err := http.NewRequestWithContext(k.traced(ctx), http.MethodGet, w.origin, nil)
	if err != nil {
		return false
	}
	res, err := tr.RoundTrip(req)
	if err == nil {
		_ = res.Body.Close() // not TLS, and so not asked
	}
	return errors.Is(err, errPassed)
}

func (w *way) clock(ctx context.Context) (tenant.Clock, error) {
	// The time is told to everybody; a ticket that is none says where to ask.
	public, err := tenant.ParseTicket(w.origin + "/p/ad/test")
	if err != nil {
		return tenant.Clock{}, err
	}
	k, client, err := w.client(ctx, w.origin)
	if err != nil {
		return tenant.Clock{}, err
	}
	defer client.CloseIdleConnections()
	clock, err := tenantClient(client).Clock(k.traced(ctx), public)
	if err != nil {
		return clock, k.stop(ctx, public.Host(), err)
	}
	return clock, nil
}

// client is the runtime's, tracked.
func (w *way) client(ctx context.Context, raw string) (*tracker, *http.Client, error) {
	k, tr, err := w.track(ctx, raw)
	if err != nil {
		return nil, nil, err
	}
	client := *w.target.transport.HTTP
	client.Transport = tr
	return k, &client, nil
}

func tenantClient(c *http.Client) *tenant.Client { return newTenant(&transport{HTTP: c}) }

// handshake shakes hands with the tenant and sends nothing besides, whatever
// its certificate is. Its trust is judged afterwards, as the runtime does.
func (w *way) handshake(ctx context.Context) (doctor.Handshake, error) {
	return w.seen.get(func() (doctor.Handshake, error) { return w.shake(ctx) })
}

func (w *way) shake(ctx context.Context) (doctor.Handshake, error) {
	k, tr, err := w.track(ctx, w.origin)
	if err != nil {
		return doctor.Handshake{}, err
	}
	defer tr.CloseIdleConnections()
	h := doctor.Handshake{Server: k.to}
	roots, proxyTLS := tr.TLSClientConfig.RootCAs, k.tls
	tr.TLSClientConfig.InsecureSkipVerify = true // VerifyConnection lets nobody through to a request
	tr.TLSClientConfig.VerifyConnection = func(s tls.ConnectionState) error {
		if proxyTLS { // an https:// proxy comes first, and is to be trusted
			proxyTLS = false
			return verified(s.PeerCertificates, hostname(k.proxy), roots)
		}
		h.Version, h.Chain = s.Version, s.PeerCertificates
		return errPassed
	}
	req, err := http.NewRequestWithContext(k.traced(ctx), http.MethodGet, w.origin, nil)
	if err != nil {
		return h, err
	}
	if res, err := tr.RoundTrip(req); err == nil {
		_ = res.Body.Close() // it is not TLS
		return h, doctor.Unknown(fmt.Sprintf("%s is reached without TLS", k.to))
	} else if !errors.Is(err, errPassed) {
		return h, k.stop(ctx, k.to, err)
	}
	host := hostname(w.origin)
	if err := verified(h.Chain, host, roots); err != nil {
		h.Err = tenant.Explain("", k.to, err)
	} else if roots != nil {
		h.Added = verified(h.Chain, host, nil) != nil
	}
	return h, nil
}

// verified is what crypto/tls makes of a chain; without roots the system's
// count.
func verified(chain []*x509.Certificate, host string, roots *x509.CertPool) error {
	o := x509.VerifyOptions{Roots: roots, DNSName: host, Intermediates: x509.NewCertPool()}
	for _, c := range chain[1:] {
		o.Intermediates.AddCert(c)
	}
	if _, err := chain[0].Verify(o); err != nil {
		return &tls.CertificateVerificationError{UnverifiedCertificates: chain, Err: err}
	}
	return nil
}

// connection asks the tenant what the ticket is for.
func (w *way) connection(ctx context.Context) (tenant.Connection, error) {
	return w.info.get(func() (tenant.Connection, error) {
		ticket := w.target.ticket
		k, client, err := w.client(ctx, originOf(ticket))
		if err != nil {
			return tenant.Connection{}, err
		}
		defer client.CloseIdleConnections()
		c, err := tenantClient(client).Connection(k.traced(ctx), ticket)
		if err != nil {
			return c, k.stop(ctx, ticket.Host(), err)
		}
		return c, nil
	})
}

func (w *way) told(ctx context.Context) (doctor.Info, error) {
	c, err := w.connection(ctx)
	return doctor.Info{Connection: c.Name, Realm: c.Realm, Thumbprints: c.Thumbprints}, err
}

// visit opens a websocket to the hub and sends a ping.
func (w *way) visit(ctx context.Context) (string, error) {
	raw, told := w.hub, ""
	if raw == "" {
		c, err := w.connection(ctx)
		if err != nil {
			return "", err
		}
		raw, told = c.Hub, ", as the tenant says"
	}
	err := w.enterHub(ctx, hub.Options{URL: raw})
	var no *hub.NoUpgradeError
	if w.guessed && errors.As(err, &no) && !no.Stripped() {
		return "", doctor.Unknown(fmt.Sprintf("only the ticket tells where the hub is: at %s/lo/hub there is none (status %d)", hostOf(w.origin), no.Status))
	}
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s opens a websocket, and answers a ping on it%s", hostOf(raw), told), nil
}

// enterHub visits the hub by the runtime's way.
func (w *way) enterHub(ctx context.Context, o hub.Options) error {
	k, client, err := w.client(ctx, o.URL)
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	k.after, k.waits = doctor.PhaseUpgrade, "the answer of "+k.to+" to a websocket's request"
	host := hostOf(o.URL)
	o.HTTP = client
	o.Explain = func(err error) error { return tenant.Explain("", host, err) }
	err = hub.Visit(k.traced(ctx), o, func(s hub.Stage) {
		switch s {
		case hub.Pinging:
			k.enter(doctor.PhaseFrames, "a ping over the websocket to %s", k.to)
		case hub.Proving:
			k.enter(doctor.PhaseVerdict, "the verdict of the hub at %s on the agent", k.to)
		}
	})
	var no *hub.NoUpgradeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &no), errors.Is(err, hub.ErrRejected):
		return err
	}
	return k.stop(ctx, host, err)
}

// accepted asks the connector that runs on this home. Without one it proves
// the agent to the hub itself: several agents of one connection are an everyday
// thing (high availability), and this one is gone again at once.
func (w *way) accepted(ctx context.Context) (string, error) {
	t := w.target
	if t.other {
		return "", doctor.Unknown("the ticket that was given is not this home's")
	}
	doctor.At(ctx, "asking whether a connector runs here")
	if s, err := w.app.askStatus(ctx); err == nil && s.Service == "running" {
		return heard(s)
	}
	pair, err := t.home.Keys(t.config)
	if err != nil {
		return "", err
	}
	c := t.config.Tenant
	o := hub.Options{URL: c.Hub, Connection: c.Connection, Realm: c.Realm, Signer: pair.Signer, Now: w.now(ctx)}
	if err := w.enterHub(ctx, o); err != nil {
		return "", err
	}
	return "the hub at " + hostOf(c.Hub) + " accepts the agent's token", nil
}

// heard is what a connector that runs says of the hub.
func heard(s status) (string, error) {
	for _, p := range s.Parts {
		if p.Name != "hub" {
			continue
		}
		if p.Health == agent.OK {
			return "the connector that runs here has been accepted since " + p.Since.UTC().Format(time.RFC3339), nil
		}
		return "", fmt.Errorf("the connector that runs here is not accepted: %s", p.Detail)
	}
	return "", doctor.Unknown("the connector that runs here does not tell")
}

// now is the clock of the agent's token, corrected as the runtime does it.
func (w *way) now(ctx context.Context) func() time.Time {
	clock, err := w.clock(ctx)
	if err != nil || max(0, clock.Offset.Abs()-clock.RoundTrip/2) <= clockWarns {
		return time.Now
	}
	return func() time.Time { return time.Now().Add(clock.Offset) }
}
