package directory

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/go-ldap/ldap/v3"
)

// A Method is how the service account binds.
type Method string

// The methods.
const (
	Simple   Method = "simple"   // by name and password; without a name, not at all
	External Method = "external" // by ClientCert (RFC 4513, section 5.2.3); TLS only
	GSSAPI   Method = "gssapi"   // by Kerberos (RFC 4752), without a security layer
)

// hasAccount reports whether there is a service account to bind as.
func (o *Options) hasAccount() bool { return o.BindUser != "" || o.Method != Simple }

// A binder binds a new connection as the service account.
type binder func(context.Context, *conn) error

// dialBound opens a connection to s and binds it as the service account.
func (c *Client) dialBound(ctx context.Context, s *server, bind binder) (*conn, error) {
	cn, err := c.dial(ctx, s)
	if err != nil || !c.o.hasAccount() {
		return cn, err
	}
	if err = bind(ctx, cn); err == nil {
		return cn, nil
	}
	cn.kill()
	return nil, err
}

// bindService binds by the method that is configured.
func (c *Client) bindService(ctx context.Context, cn *conn) error {
	switch c.o.Method {
	case External:
		return c.bindExternal(ctx, cn)
	case GSSAPI:
		return c.bindGSSAPI(ctx, cn)
	}
	return c.bindSimple(ctx, cn)
}

func (c *Client) bindSimple(ctx context.Context, cn *conn) error {
	_, err := alone(ctx, cn, func(l *ldap.Conn) (*ldap.SimpleBindResult, error) {
		return l.SimpleBind(ldap.NewSimpleBindRequest(c.o.BindUser, string(c.o.BindPassword), nil))
	})
	if err == nil {
		return nil
	}
	e := &Error{Doing: "bind as " + c.o.BindUser, Server: cn.server.url, Err: inTime(ctx, err)}
	if isDenial(err) {
		e.hint = denialHint(err)
	}
	return e
}

// bindExternal binds as whom the server takes the client certificate for.
func (c *Client) bindExternal(ctx context.Context, cn *conn) error {
	const doing = "bind by the client certificate"
	switch {
	case !cn.secure:
		return &Error{Doing: doing, Server: cn.server.url, Err: &advised{errors.New("the connection is in clear, where none can be shown"), inClearHint}}
	case c.cert == nil:
		return &Error{Doing: doing, Server: cn.server.url, Err: &advised{errors.New("there is none"), "set LDAP_CLIENT_CERT and LDAP_CLIENT_KEY"}}
	}
	_, err := alone(ctx, cn, func(l *ldap.Conn) (struct{}, error) { return struct{}{}, l.ExternalBind() })
	if err == nil {
		return nil
	}
	e := &Error{Doing: doing, Server: cn.server.url, Err: &saslError{inTime(ctx, err)}}
	if e.hint = hint(e.Err); e.hint == "" && lost(e.Err) {
		e.hint = "the server may have hung up because it does not trust LDAP_CLIENT_CERT: its log says why"
	}
	return e
}

// A saslError is a server's no to a bind without a password. It is no denial:
// no account comes nearer to being locked by it, and another server's key or
// settings may be in order.
type saslError struct{ err error }

func (e *saslError) Error() string { return describe(e.err) }
func (e *saslError) Unwrap() error { return e.err }

// sayings are what servers answer to SASL binds, in OpenLDAP's, Samba's and
// Active Directory's words, and what to do about it.
var sayings = []struct{ says, hint string }{
	{"sign or seal", signHint},       // Samba
	{"integrity checking", signHint}, // Active Directory, 00002028
	{"80090346", "the directory insists on channel binding (LdapEnforceChannelBinding), which this program lacks for Kerberos: set LDAP_BIND_METHOD to simple, over ldaps://"},
	{"clock skew", "this machine's clock and the directory server's differ by more than Kerberos allows, 5 minutes: set both by NTP"},
	// MIT: Request ticket server ldap/... kvno 3 not found in keytab; Cyrus SASL says no more than the function's name.
	{"keytab", serverKeyHint},
	{"gss_accept_sec_context", serverKeyHint},
	{"wrong principal", "the directory server goes by another name: write it into LDAP_URL as in its Kerberos account, ldap/HOST"},
	{"no mechanism available", "the directory does not offer this LDAP_BIND_METHOD, or did not ask for a client certificate: its SASL settings say why"},
}

const serverKeyHint = "the directory server does not take the ticket: its own keytab may be older than its key, or its clock is off; its log says why"

const signHint = "the directory insists on signed or sealed binds (LDAP signing), which this program lacks for Kerberos: " +
	"use ldaps:// if the directory takes Kerberos there unsigned, as Active Directory does, or set LDAP_BIND_METHOD to simple or external over ldaps://"

// Hint says what to do about it.
func (e *saslError) Hint() string {
	code, message, answered := result(e.err)
	if !answered {
		return tlsHint(e.err)
	}
	for _, s := range sayings {
		if strings.Contains(strings.ToLower(message), s.says) {
			return s.hint
		}
	}
	switch code {
	case ldap.LDAPResultAuthMethodNotSupported:
		return "the directory does not offer this LDAP_BIND_METHOD"
	case ldap.LDAPResultInvalidCredentials, ldap.LDAPResultInappropriateAuthentication:
		return "the directory knows no account for this certificate or Kerberos principal: map it there (OpenLDAP: authz-regexp)"
	case ldap.LDAPResultStrongAuthRequired, ldap.LDAPResultConfidentialityRequired:
		return fmt.Sprintf("the directory wants this bind protected: %s; or %s", inClearHint, signHint)
	}
	return ""
}
