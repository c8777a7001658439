package directory

import (
	"context"
	"crypto/tls"
	"fmt"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"
)

// secure puts TLS on a line, if the server is to have it.
func secure(ctx context.Context, s *server, l *line) error {
	if s.tls == nil {
		return nil
	}
	stop := context.AfterFunc(ctx, func() { _ = l.tcp.Close() }) // given up
	defer stop()
	if s.start {
		if err := startTLS(l); err != nil {
			return fmt.Errorf("start TLS: %w", err)
		}
	}
	t := tls.Client(l.tcp, s.tls)
	if err := t.HandshakeContext(ctx); err != nil {
		return fmt.Errorf("TLS: %w", err)
	}
	l.Conn = t
	return nil
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
