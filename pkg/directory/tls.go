package directory

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"
)

// clientTLS is how a server at host is verified, and what is offered to it.
func clientTLS(o Options, host string) *tls.Config {
	config := &tls.Config{}
	if o.TLS != nil {
		config = o.TLS.Clone()
	}
	config.MinVersion = max(config.MinVersion, tls.VersionTLS12) // RFC 8996
	if config.ServerName == "" {
		config.ServerName = host
	}
	if o.ClientCert != "" {
		// A resumed session would go on with the identity of a certificate that
		// has been renewed since.
		config.ClientSessionCache = nil
	} else if config.ClientSessionCache == nil {
		config.ClientSessionCache = tls.NewLRUClientSessionCache(0)
	}
	return config
}

// errNeedsTLS is the cause of not even beginning.
var errNeedsTLS = errors.New("the connection would be in clear, and LDAP_REQUIRE_TLS forbids that")

// secure puts TLS on a line, if the server is to have it. It is the only door
// to a connection, so what it refuses sends nobody's password.
func (c *Client) secure(ctx context.Context, s *server, l *line) error {
	if s.tls == nil {
		return c.inClear(s)
	}
	config := s.tls
	if c.cert != nil {
		cert, err := c.cert.get(c.o.Now(), c.o.Log)
		if err != nil {
			return err
		}
		config = s.tls.Clone()
		// Sent whatever authorities the server names: its own no says more than
		// a certificate that was kept back.
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return cert, nil }
	}
	stop := context.AfterFunc(ctx, func() { _ = l.tcp.Close() }) // given up
	defer stop()
	if s.start {
		if err := startTLS(l); err != nil {
			return &startError{err}
		}
	}
	t := tls.Client(l.tcp, config)
	if err := t.HandshakeContext(ctx); err != nil {
		return &tlsError{err}
	}
	l.Conn = t
	return nil
}

// inClear lets a connection be without TLS, unless that is forbidden, and says
// once what it means.
func (c *Client) inClear(s *server) error {
	if c.o.RequireTLS {
		return &advised{errNeedsTLS, inClearHint}
	}
	if !loopback(s.host) {
		c.warned.Do(func() {
			c.o.Log.Warn("passwords cross the network in clear", "server", s.url, "hint", inClearHint)
		})
	}
	return nil
}

const inClearHint = "use ldaps:// in LDAP_URL, or set LDAP_STARTTLS"

// loopback reports whether what is sent to host stays on this machine.
func loopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && addr.Unmap().IsLoopback()
}

// startTLS asks the server to speak TLS next (RFC 4511, section 4.14). The
// library's own way loses the cause of a failed handshake, which says whose
// certificate was not trusted.
func startTLS(l *line) error {
	request := ber.Encode(ber.ClassApplication, ber.TypeConstructed, ldap.ApplicationExtendedRequest, nil, "")
	request.AppendChild(ber.NewString(ber.ClassContext, ber.TypePrimitive, 0, startTLSOID, ""))
	message := ber.NewSequence("")
	message.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, int64(1), ""))
	message.AppendChild(request)
	if _, err := l.Write(message.Bytes()); err != nil {
		return err
	}
	// ReadPacket takes no octet beyond the answer, so none of what precedes
	// the handshake can be taken for what follows it.
	answer, err := ber.ReadPacket(l)
	if err != nil {
		return err
	}
	return ldap.GetLDAPError(answer)
}

// A startError is a server's answer to StartTLS, or the lack of one.
type startError struct{ err error }

func (e *startError) Error() string { return "start TLS: " + describe(e.err) }
func (e *startError) Unwrap() error { return e.err }

// Hint says what to use instead. There is no going on in clear.
func (e *startError) Hint() string {
	if _, _, answered := result(e.err); answered {
		return "the server does not offer StartTLS: use ldaps:// in LDAP_URL and unset LDAP_STARTTLS, or give the server a certificate"
	}
	return ""
}

// A tlsError is a handshake that came to nothing.
type tlsError struct{ err error }

func (e *tlsError) Unwrap() error { return e.err }

func (e *tlsError) Error() string {
	var verify *tls.CertificateVerificationError
	if !errors.As(e.err, &verify) || len(verify.UnverifiedCertificates) == 0 {
		return "TLS: " + strings.TrimPrefix(e.err.Error(), "tls: ")
	}
	leaf := verify.UnverifiedCertificates[0]
	return clean(fmt.Sprintf("TLS: the certificate %q, issued by %q: %s",
		leaf.Subject, leaf.Issuer, strings.TrimPrefix(verify.Err.Error(), "x509: ")))
}
