package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"

	"ad-ldap-connector/pkg/doctor"
	"ad-ldap-connector/pkg/kerberos"
	"ad-ldap-connector/pkg/tenant"
)

// signInEnv is what there is to ask of sign-in in the browser.
func (a *app) signInEnv(t *target) doctor.SignIn {
	c := t.config
	if !c.Tenant.Kerberos && !c.Tenant.ClientCertificates {
		return doctor.SignIn{}
	}
	s := doctor.SignIn{
		Certificates: func() ([]*x509.Certificate, error) { return t.servedChain() },
		Keytab:       func() (doctor.Keytab, error) { return a.keytab(t) },
	}
	if t.transport != nil {
		s.Roots = t.transport.TLS.RootCAs
		s.Visit = t.visitSignIn
		s.Ours = func(ctx context.Context) bool {
			scheme, host := "http", hostname(c.Tenant.ServerURL)
			if c.SignInTLS() {
				scheme = "https"
			}
			answer, err := t.askSignIn(ctx, scheme+"://"+net.JoinHostPort("127.0.0.1", strconv.Itoa(c.SignIn.Port)), host)
			return err == nil && answer.Ours
		}
	}
	if len(c.Directory.URLs) > 0 && c.Directory.BaseDN != "" {
		s.Holders = t.holders
	}
	return s
}

// keytab reads the keytab of this machine's services, or the connector's own.
func (a *app) keytab(t *target) (doctor.Keytab, error) {
	path, err := kerberos.KeytabPath(a.env)
	if own := t.config.SignIn.Keytab; own != "" {
		path, err = own, nil
		if t.transport != nil {
			path = t.transport.inHome(own)
		}
	}
	if err != nil {
		return doctor.Keytab{}, err
	}
	keys, err := kerberos.ReadKeytab(path)
	if err != nil {
		return doctor.Keytab{}, err
	}
	k := doctor.Keytab{Path: path}
	for _, key := range keys {
		k.Keys = append(k.Keys, doctor.Key(key))
	}
	// A group of its own for those who may read a keytab is an everyday thing.
	if info, err := os.Stat(path); err == nil && info.Mode().Perm()&0o027 != 0 {
		k.Loose = fmt.Sprintf("mode %04o", info.Mode().Perm())
	}
	return k, nil
}

// holders asks the directory who has a service principal name.
func (t *target) holders(ctx context.Context, spn string) ([]doctor.Holder, error) {
	i, err := t.inspector()
	if err != nil {
		return nil, err
	}
	defer func() { _ = i.Close() }() // nothing was left to send
	found, known, err := i.Holders(ctx, spn)
	switch {
	case err != nil:
		return nil, err
	case !known:
		return nil, doctor.Unknown("this directory is no Active Directory: its KDC has the service principal names")
	}
	holders := make([]doctor.Holder, len(found))
	for n, h := range found {
		holders[n] = doctor.Holder(h)
	}
	return holders, nil
}

// servedChain opens the certificate for browsers: the server's own first, then
// those that came along with it.
func (t *target) servedChain() ([]*x509.Certificate, error) {
	at := t.transport
	if at == nil {
		at = &transport{} // relative paths begin where this command runs
	}
	c, err := at.openCertificate(t.config.SignIn)
	if err != nil {
		return nil, err
	}
	return certificatesOf(c)
}

// metadataPath is where a connector's sign-in tells what it is.
const metadataPath = "/wsfed/FederationMetadata/2007-06/FederationMetadata.xml"

// maxMetadata is more than any sign-in's metadata, in octets.
const maxMetadata = 1 << 20

func (t *target) visitSignIn(ctx context.Context) (doctor.Answer, error) {
	return t.askSignIn(ctx, strings.TrimRight(t.config.Tenant.ServerURL, "/"), "")
}

// askSignIn asks for the metadata below a URL, without any proxy: those are on
// the way to the tenant. Name is whom the certificate must be for, when that is
// not the URL's host.
func (t *target) askSignIn(ctx context.Context, base, name string) (doctor.Answer, error) {
	agent, err := t.agentCertificate()
	if err != nil {
		return doctor.Answer{}, err
	}
	var shown *x509.Certificate
	conf := t.transport.TLS.Clone()
	conf.ServerName = name
	conf.VerifyConnection = func(s tls.ConnectionState) error {
		shown = s.PeerCertificates[0] // what is not trusted never comes here
		return nil
	}
	client := http.Client{
		Transport:     &http.Transport{DialContext: t.transport.Dial, TLSClientConfig: conf, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+metadataPath, nil)
	if err != nil {
		return doctor.Answer{}, err
	}
	res, err := client.Do(req)
	if err != nil {
		if own, pfxErr := t.servedChain(); pfxErr == nil && shown != nil && shown.Equal(own[0]) {
			return doctor.Answer{Guarded: true}, nil // it wants a certificate, which only users have
		}
		return doctor.Answer{}, signInFault(base, err)
	}
	defer func() { _ = res.Body.Close() }() // it was only read
	body, err := io.ReadAll(io.LimitReader(res.Body, maxMetadata))
	if err != nil {
		return doctor.Answer{}, signInFault(base, err)
	}
	answer := doctor.Answer{Status: res.StatusCode}
	text := bytes.Join(bytes.Fields(body), nil)
	switch {
	case res.StatusCode != http.StatusOK:
	case bytes.Contains(text, []byte(base64.StdEncoding.EncodeToString(agent.Raw))):
		answer.Ours = true
	case bytes.Contains(text, []byte("SecurityTokenServiceType")):
		answer.Other = true
	}
	return answer, nil
}

// signInFault explains an error. Only what is said of a certificate does not
// take the tenant for the other side.
func signInFault(base string, err error) error {
	var e *tenant.Error
	if errors.As(tenant.Explain("", hostOf(base), err), &e) && untrusted[e.Cause] {
		return e
	}
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	return err
}

func (t *target) agentCertificate() (*x509.Certificate, error) {
	if t.home == nil {
		return nil, fs.ErrNotExist
	}
	pair, err := t.home.Keys(t.config)
	if err != nil {
		return nil, err
	}
	return pair.Certificate, nil
}
