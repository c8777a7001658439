package main

import (
	"errors"
	"net/http"
	"runtime"

	"ad-ldap-connector/pkg/config"
	"ad-ldap-connector/pkg/identity"
	"ad-ldap-connector/pkg/kerberos"
	"ad-ldap-connector/pkg/wsfed"
)

// A kerberosWay lets users in by HTTP Negotiate.
type kerberosWay struct{ *kerberos.Acceptor }

// Accept puts what came of it into the words of the sign-in.
func (k kerberosWay) Accept(w http.ResponseWriter, r *http.Request) (identity.Principal, error) {
	p, err := k.Acceptor.Accept(w, r)
	switch {
	case errors.Is(err, kerberos.ErrChallenged):
		return p, wsfed.ErrChallenged
	case errors.Is(err, kerberos.ErrNoTicket):
		return p, wsfed.ErrNoProof
	}
	return p, err
}

// signInKeytab is the keytab that browsers' service tickets are opened with; ""
// on Windows, where the service's account has the keys.
func (t *transport) signInKeytab(c config.SignIn) (string, error) {
	if c.Keytab != "" {
		return t.inHome(c.Keytab), nil
	}
	if runtime.GOOS == "windows" {
		return "", nil
	}
	return kerberos.KeytabPath(func(name string) string { return lookup(t.environ, name) })
}

func (n *node) newAcceptor(realms kerberos.Realms, served *servedCertificate) (*kerberos.Acceptor, error) {
	c := n.config.SignIn
	keytab, err := n.transport.signInKeytab(c)
	if err != nil {
		return nil, err
	}
	o := kerberos.Options{
		Keytab: keytab, Principals: c.Principals, Realms: realms, Binding: kerberos.Binding(c.ChannelBinding),
		Log: n.log.With("part", "signin"),
	}
	if served != nil {
		o.Certificates = served.shown
	}
	return kerberos.New(o), nil
}
