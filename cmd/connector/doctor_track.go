package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync"
	"sync/atomic"

	"ad-ldap-connector/pkg/doctor"
	"ad-ldap-connector/pkg/tenant"
)

// A tracker follows one exchange from its beginning to its end, so that one
// that hangs can be named by what it waits for.
type tracker struct {
	ctx   context.Context // of the check, which learns of each phase
	to    string          // HOST:PORT
	proxy string          // its URL without credentials; "" = direct
	tls   bool            // the proxy is spoken to over TLS: the first handshake is its
	after doctor.Phase    // what a request that is out waits for
	waits string          // the same, in words

	through func() // called when a proxy has let us through to TLS; may be nil

	mu    sync.Mutex
	phase doctor.Phase
	at    string

	sent, received atomic.Int64 // over the last connection, in bytes
}

// track returns the runtime's transport to a place, and a tracker that
// watches over it.
func (w *way) track(ctx context.Context, raw string) (*tracker, *http.Transport, error) {
	t := w.target.transport
	if t == nil {
		return nil, nil, w.target.transportErr
	}
	tr := t.HTTP.Transport.(*http.Transport).Clone()
	raw = secureScheme(raw)
	k := &tracker{ctx: ctx, to: address(raw), after: doctor.PhaseAnswer}
	k.waits = "the answer of " + k.to
	if proxy := w.proxyOf(raw); proxy != nil {
		k.proxy, k.tls = bare(proxy), proxy.Scheme == "https"
	}
	k.enter(doctor.PhaseDial, "the connection to %s", k.peer())
	dial := tr.DialContext
	tr.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		k.sent.Store(0)
		k.received.Store(0)
		return &counted{conn, k}, nil
	}
	return k, tr, nil
}

// peer is whom we dial.
func (k *tracker) peer() string {
	if k.proxy != "" {
		return "the proxy " + k.proxy
	}
	return k.to
}

func (k *tracker) enter(p doctor.Phase, format string, args ...any) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.phase, k.at = p, fmt.Sprintf(format, args...)
	doctor.At(k.ctx, "%s", k.at)
}

// traced is a context whose requests tell the tracker where they are.
func (k *tracker) traced(ctx context.Context) context.Context {
	proxyTLS := k.tls
	connected := func() {
		if k.proxy != "" {
			k.enter(doctor.PhaseConnect, "CONNECT %s at the proxy %s", k.to, k.proxy)
		}
	}
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		DNSStart:     func(i httptrace.DNSStartInfo) { k.enter(doctor.PhaseLookup, "the lookup of %s", i.Host) },
		ConnectStart: func(_, addr string) { k.enter(doctor.PhaseDial, "the connection to %s", addr) },
		ConnectDone: func(_, _ string, err error) {
			if err == nil && !proxyTLS {
				connected()
			}
		},
		TLSHandshakeStart: func() {
			if proxyTLS {
				k.enter(doctor.PhaseHandshake, "the TLS handshake with the proxy %s", k.proxy)
				return
			}
			k.enter(doctor.PhaseHandshake, "the TLS handshake with %s", k.to)
			if k.through != nil {
				k.through()
			}
		},
		TLSHandshakeDone: func(_ tls.ConnectionState, err error) {
			if proxyTLS && err == nil {
				proxyTLS = false
				connected()
			}
		},
		GotConn:              func(httptrace.GotConnInfo) { k.enter(doctor.PhaseRequest, "the request to %s", k.to) },
		WroteRequest:         func(httptrace.WroteRequestInfo) { k.enter(k.after, "%s", k.waits) },
		GotFirstResponseByte: func() { k.enter(k.after, "%s, of which the beginning came", k.waits) },
	})
}

// untrusted are the causes that leave nothing to be wished but trust.
var untrusted = map[tenant.Cause]bool{
	tenant.CauseTLSAuthority: true, tenant.CauseTLSSelfSigned: true, tenant.CauseTLSExpired: true,
	tenant.CauseTLSEarly: true, tenant.CauseTLSName: true,
}

// stop explains the error that ended the exchange.
func (k *tracker) stop(ctx context.Context, host string, err error) error {
	err = tenant.Explain("", host, err)
	k.mu.Lock()
	defer k.mu.Unlock()
	s := &doctor.Stop{Phase: k.phase, At: k.at, Traffic: k.traffic(), Err: err}
	var late interface{ Timeout() bool }
	s.Hung = errors.Is(ctx.Err(), context.DeadlineExceeded) || errors.As(err, &late) && late.Timeout()
	if e := (*tenant.Error)(nil); errors.As(err, &e) {
		s.Hung = s.Hung || e.Cause == tenant.CauseTimeout
		s.Certificate = untrusted[e.Cause] && k.phase == doctor.PhaseHandshake
	}
	return s
}

// traffic says how many bytes passed on the last connection.
func (k *tracker) traffic() string {
	sent, received := k.sent.Load(), k.received.Load()
	switch {
	case k.phase == doctor.PhaseLookup || k.phase == doctor.PhaseDial:
		return ""
	case received == 0:
		return fmt.Sprintf("%d bytes sent and none received", sent)
	}
	return fmt.Sprintf("%d bytes sent and %d received", sent, received)
}

// counted is a connection whose bytes are counted.
type counted struct {
	net.Conn
	by *tracker
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.by.received.Add(int64(n))
	return n, err
}

func (c *counted) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.by.sent.Add(int64(n))
	return n, err
}
