package directory

import (
	"context"
	"crypto/tls"
	"errors"

	"github.com/go-ldap/ldap/v3/gssapi"
)

// tickets are Windows's own business: the service's account has them.
type tickets struct{ o Options }

func newTickets(o Options) *tickets { return &tickets{o} }

func (t *tickets) forget() {}

// start begins a security context as the account that this process runs as.
// Windows knows no contexts either, but has times of its own after which it
// gives up; until then its goroutine waits, and this caller does not.
func (t *tickets) start(ctx context.Context, cn *conn, target string) (*startedContext, error) {
	if t.o.Kerberos.Keytab != "" {
		return nil, &kerberosError{doing: "use LDAP_KEYTAB", err: errors.New("on Windows the account that the service runs as is used"),
			hint: "unset LDAP_KEYTAB, and let the service run as the account that may search the directory"}
	}
	type outcome struct {
		started *startedContext
		err     error
	}
	done := make(chan outcome, 1)
	go func() {
		var o outcome
		defer func() { done <- o }()
		defer guard(&o.err)
		o.started, o.err = startSSPI(cn, target)
	}()
	doing := "get a Kerberos service ticket for " + target
	select {
	case o := <-done:
		if o.err != nil {
			return nil, &kerberosError{doing: doing, err: o.err,
				hint: "the service must run as a domain account (or NetworkService on a domain's member), and the server's name in LDAP_URL must be that of its Kerberos account"}
		}
		return o.started, nil
	case <-ctx.Done():
		return nil, &kerberosError{doing: doing, err: givenUp(ctx), hint: "check that a domain controller answers on port 88"}
	}
}

// startSSPI binds the context to the TLS connection, where there is one: Active
// Directory may insist on it (RFC 5929, section 4).
func startSSPI(cn *conn, target string) (*startedContext, error) {
	client, err := newSSPI(cn)
	if err != nil {
		return nil, err
	}
	token, more, err := client.InitSecContext(target, nil)
	if err != nil {
		return nil, errors.Join(err, client.Close())
	}
	return &startedContext{GSSAPIClient: client, token: token, more: more}, nil
}

func newSSPI(cn *conn) (*gssapi.SSPIClient, error) {
	if t, ok := cn.line.Conn.(*tls.Conn); ok {
		if chain := t.ConnectionState().PeerCertificates; len(chain) > 0 {
			return gssapi.NewSSPIClientWithChannelBinding(chain[0])
		}
	}
	return gssapi.NewSSPIClient()
}
