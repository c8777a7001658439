package directory

import (
	"context"
	"strings"

	"github.com/go-ldap/ldap/v3"
)

// Kerberos says where the service account's tickets come from. On Windows they
// are those of the account that the service runs as, and none of this is used.
type Kerberos struct {
	// Keytab is the path of a file with the keys of BindUser, a principal:
	// svc@REALM, or svc in the default realm.
	Keytab string
	// Cache is the path of a credential cache that somebody else keeps fresh.
	// It is used when there is no Keytab.
	Cache string
	// Config is the path of krb5.conf. When there is no such file the realm is
	// that of BindUser, and DNS says where its KDCs are.
	Config string
}

// bindGSSAPI binds by Kerberos. The library knows no contexts: all that asks
// others than the directory server is done before, within ctx.
func (c *Client) bindGSSAPI(ctx context.Context, cn *conn) error {
	const doing = "bind by Kerberos"
	target := "ldap/" + strings.ToLower(cn.server.host)
	started, err := c.tickets.start(ctx, cn, target)
	if err != nil {
		return &Error{Doing: doing, Server: cn.server.url, Err: err}
	}
	_, err = alone(ctx, cn, func(l *ldap.Conn) (struct{}, error) {
		return struct{}{}, l.GSSAPIBind(started, target, "")
	})
	if err == nil {
		return nil
	}
	// The server may have got a new key since the ticket was issued.
	c.tickets.forget()
	return &Error{Doing: doing + " to " + target, Server: cn.server.url, Err: &saslError{inTime(ctx, err)}}
}

// A startedContext is a security context whose first token is there already, so
// that the library waits for nobody but the directory server.
type startedContext struct {
	ldap.GSSAPIClient
	token []byte
	more  bool
}

func (s *startedContext) InitSecContextWithOptions(target string, input []byte, options []int) ([]byte, bool, error) {
	if input == nil {
		return s.token, s.more, nil
	}
	return s.GSSAPIClient.InitSecContextWithOptions(target, input, options)
}

// A kerberosError says that there is no service ticket, and why. Its text never
// holds what is in a keytab.
type kerberosError struct {
	doing string // "read the keytab /etc/svc.keytab"
	code  int32  // a KDC's answer (RFC 4120, section 7.5.9), or 0
	err   error
	hint  string
}

func (e *kerberosError) Error() string { return clean(e.doing + ": " + e.err.Error()) }
func (e *kerberosError) Unwrap() error { return e.err }
func (e *kerberosError) Hint() string  { return e.hint }

// denied reports whether the KDC does not take the service account's key, and
// trying again may lock the account.
func (e *kerberosError) denied() bool {
	switch e.code {
	case krbClientUnknown, krbClientRevoked, krbKeyExpired, krbPreauthFailed:
		return true
	}
	return false
}

// What a KDC answers (RFC 4120, section 7.5.9).
const (
	krbClientUnknown   = 6
	krbServiceUnknown  = 7
	krbNoSupportedType = 14
	krbClientRevoked   = 18
	krbKeyExpired      = 23
	krbPreauthFailed   = 24
	krbPreauthRequired = 25
	krbClockSkew       = 37
	krbWrongRealm      = 68
)
