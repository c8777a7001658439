package tenant

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
)

// Explain turns the error of an HTTP request or a websocket's handshake into an
// *Error that names its cause. Doing is what was tried, "" when the caller says
// it; host is the tenant's or the hub's, for the hint. URLs that net/http quotes in its errors are dropped,
// because a ticket is one. Nil stays nil; an *Error inside
// err is returned as it is.
func Explain(doing, host string, err error) error {
	if err == nil {
		return nil
	}
	if done := (*Error)(nil); errors.As(err, &done) {
		return done
	}
	for quoted := (*url.Error)(nil); errors.As(err, &quoted); quoted = nil {
		if err = quoted.Err; err == nil {
			err = errors.New("no reason given")
		}
	}
	e := &Error{Doing: doing, Host: host}
	e.Cause, e.hint, e.Err = classify(err)
	return e
}

// classify finds the cause of a transport's error, words for it, and a hint
// where there is a better one than the cause's. The order matters: a DNS
// time-out is DNS's, and an error on the way to the proxy is the proxy's
// whatever else it is.
func classify(err error) (cause Cause, hint string, reason error) {
	var (
		proxied *ProxyError
		op      *net.OpError
		name    *net.DNSError
		timeout interface{ Timeout() bool }
	)
	switch {
	case errors.Is(err, context.Canceled):
		return CauseCanceled, "", err
	case errors.As(err, &proxied):
		return proxied.cause(), proxied.hint(), proxied
	case errors.As(err, &op) && op.Op == "proxyconnect": // net/http marks what happens before the proxy answers
		_, _, reason = classify(op.Err)
		return CauseProxyUnreachable, "", failuref(err, "no connection to the proxy: %v", reason)
	case op != nil && op.Op == "socks connect":
		return CauseProxyUpstream, "", failuref(err, "the proxy does not get through: %v", op.Err)
	case errors.As(err, &name):
		return CauseDNS, "", lookup(name)
	}
	if cause, reason := certificate(err); reason != nil {
		return cause, "", reason
	}
	switch {
	case errors.As(err, &timeout) && timeout.Timeout(), errors.Is(err, os.ErrDeadlineExceeded):
		return CauseTimeout, "", failuref(err, "no answer in time%s", to(err))
	case errors.Is(err, refused):
		return CauseRefused, "", failuref(err, "connection refused%s", by(err))
	case errors.Is(err, hostUnreachable), errors.Is(err, netUnreachable):
		return CauseUnreachable, "", failuref(err, "no route%s", to(err))
	case errors.Is(err, reset), errors.Is(err, aborted), errors.Is(err, broken), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return CauseClosed, "", failuref(err, "the connection was cut before an answer came")
	}
	if cause, reason := handshake(err); reason != nil {
		return cause, "", reason
	}
	if text := err.Error(); len(text) > maxText { // it quotes what the other side sent
		err = failuref(err, "%s", short(text))
	}
	return CauseOther, "", err
}

// maxText is as long as the text of an error without a type may be, in bytes.
const maxText = 200

func lookup(e *net.DNSError) error {
	switch {
	case e.IsNotFound:
		return failuref(e, "DNS knows no host %q", e.Name)
	case e.IsTimeout:
		return failuref(e, "DNS did not answer when asked for %q", e.Name)
	}
	return failuref(e, "DNS lookup of %q: %s", e.Name, e.Err)
}

// handshake explains what goes wrong in TLS apart from certificates.
func handshake(err error) (Cause, error) {
	var (
		record tls.RecordHeaderError
		op     *net.OpError
	)
	switch {
	case errors.Is(err, http.ErrSchemeMismatch):
		return CauseTLSNone, failuref(err, "it answers in plain HTTP, not TLS")
	case errors.As(err, &record):
		return CauseTLSNone, failuref(err, "it does not speak TLS")
	case errors.As(err, &op) && op.Op == "remote error": // crypto/tls's mark for an alert of the other side
		return CauseTLS, failuref(err, "it refuses the TLS handshake: %s", strings.TrimPrefix(op.Err.Error(), "tls: "))
	}
	// Most of crypto/tls's errors have no type, but all begin with its name.
	for inner := err; inner != nil; inner = errors.Unwrap(inner) {
		if strings.HasPrefix(inner.Error(), "tls: ") {
			return CauseTLS, failuref(err, "TLS handshake: %s", strings.TrimPrefix(inner.Error(), "tls: "))
		}
	}
	return "", nil
}

// to returns " to 192.0.2.1:443" when the error knows the address.
func to(err error) string { return address(" to", err) }
func by(err error) string { return address(" by", err) }

func address(word string, err error) string {
	var op *net.OpError
	if !errors.As(err, &op) || op.Addr == nil {
		return ""
	}
	return fmt.Sprintf("%s %v", word, op.Addr)
}
