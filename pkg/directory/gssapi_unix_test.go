//go:build unix

package directory_test

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ad-ldap-connector/pkg/directory"
	"ad-ldap-connector/pkg/identity"
	"ad-ldap-connector/testdata/lab"

	ber "github.com/go-asn1-ber/asn1-ber"
)

// A kerberized is a KDC and an OpenLDAP server that takes its tickets.
type kerberized struct {
	slapd
	kdc    *lab.KDCServer
	keytab string // of svc
	own    string // the server's own
}

const ldapService = "ldap/localhost"

// refusing says no to every bind.
func refusing(code int64, text string) func(ber.Tag, *ber.Packet) []answer {
	return func(op ber.Tag, _ *ber.Packet) []answer { return done(op, code, text) }
}

func kerberize(t *testing.T, principals ...string) kerberized {
	t.Helper()
	kdc := lab.KDC(t, append([]string{"svc", "other", ldapService}, principals...)...)
	own := kdc.Keytab(ldapService)
	server := lab.Slapd(t, lab.SlapdOptions{
		Users:  5,
		Global: "sasl-host localhost\nauthz-regexp \"^uid=svc,cn=gssapi,cn=auth$\" \"cn=svc,ou=service,dc=lab,dc=test\"\n",
		Env:    []string{"KRB5_CONFIG=" + kdc.Config, "KRB5_KTNAME=" + own, "KRB5RCACHETYPE=none"},
	})
	server.URL = strings.Replace(server.URL, "127.0.0.1", "localhost", 1)
	server.TLSURL = strings.Replace(server.TLSURL, "127.0.0.1", "localhost", 1)
	return kerberized{slapd{server}, kdc, kdc.Keytab("svc"), own}
}

// bound binds a client of k by Kerberos.
func (k kerberized) bound(o *directory.Options) {
	o.URLs = []string{k.URL}
	o.Method, o.BindUser, o.BindPassword = directory.GSSAPI, "svc", ""
	o.Kerberos = directory.Kerberos{Keytab: k.keytab, Config: k.kdc.Config}
}

func TestGSSAPI(t *testing.T) {
	k := kerberize(t)
	for name, change := range map[string]func(*directory.Options){
		"keytab":         func(*directory.Options) {},
		"with the realm": func(o *directory.Options) { o.BindUser = "svc@LAB.TEST" },
		"realm in lower": func(o *directory.Options) { o.BindUser = "svc@lab.test" },
		"over TLS": func(o *directory.Options) {
			o.URLs, o.TLS = []string{k.TLSURL}, &tls.Config{RootCAs: caPool(t, k.CAFile)}
		},
		"a credential cache": func(o *directory.Options) {
			o.BindUser, o.Kerberos.Keytab, o.Kerberos.Cache = "", "", k.kdc.Cache(k.keytab, "svc", "1h")
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := client(t, k.slapd, k.bound, change)
			if err := login(t.Context(), c, 1); err != nil {
				t.Error(err)
			}
			// Only the service account may.
			if err := c.SetPassword(t.Context(), "uid=user00002,ou=people,dc=lab,dc=test", "neu-Passw0rd"+identity.Password(name)); err != nil {
				t.Error(err)
			}
		})
	}
}

// One login serves all connections, also when the KDC is away; a new keytab
// and a new key of the server's need no restart.
func TestGSSAPIKeepsItsTickets(t *testing.T) {
	k := kerberize(t)
	now := time.Now()
	step := time.Duration(0)
	c := client(t, k.slapd, k.bound, func(o *directory.Options) {
		o.Now = func() time.Time { return now.Add(step) }
	})
	find := func() error {
		step += 3 * time.Minute // every connection is a new one
		_, err := c.Find(t.Context(), lab.User(1))
		return err
	}
	if err := find(); err != nil {
		t.Fatal(err)
	}
	k.kdc.Stop()
	for range 3 {
		if err := find(); err != nil {
			t.Error(err)
		}
	}
	step += 20 * time.Hour // beyond the tickets' life
	hinted(t, find(), []string{"KDC " + k.kdc.Addr, "refused"}, []string{"KDC", "port 88"})
	k.kdc.Start(0)
	step = 0
	if err := find(); err != nil {
		t.Error(err)
	}
	renewed := k.kdc.Keytab("svc")
	rename(t, renewed, k.keytab)
	if err := find(); err != nil {
		t.Error(err)
	}
}

func TestGSSAPIRefused(t *testing.T) {
	k := kerberize(t, "outdated", "disabled")
	dir := t.TempDir()
	outdated, disabled := k.kdc.Keytab("outdated"), k.kdc.Keytab("disabled")
	k.kdc.Admin("cpw -randkey outdated", "modprinc -allow_tix disabled")
	garbage := filepath.Join(dir, "garbage.keytab")
	write(t, garbage, "\x05\x02\x00\x00\x7f\xffplanted-Secret")
	for name, test := range map[string]struct {
		change      func(*directory.Options)
		texts, hint []string
		refused     bool // it is the account that is wrong
	}{
		"no keytab": {change: func(o *directory.Options) { o.Kerberos.Keytab = filepath.Join(dir, "none") },
			texts: []string{"read the keytab", "none", "no such file"}, hint: []string{"LDAP_KEYTAB"}},
		"garbage":      {change: func(o *directory.Options) { o.Kerberos.Keytab = garbage }, texts: []string{"garbage.keytab", "not a keytab"}},
		"nothing":      {change: func(o *directory.Options) { o.Kerberos.Keytab = "" }, texts: []string{"neither a keytab"}, hint: []string{"LDAP_KEYTAB"}},
		"another's":    {change: func(o *directory.Options) { o.BindUser = "other" }, texts: []string{"no key of other@LAB.TEST", "but of svc@LAB.TEST"}, hint: []string{"LDAP_BIND_USER", "klist"}},
		"a DN":         {change: func(o *directory.Options) { o.BindUser = k.BindUser }, texts: []string{"no key of cn=svc"}, hint: []string{"svc@REALM"}},
		"no krb5.conf": {change: func(o *directory.Options) { o.Kerberos.Config = filepath.Join(dir, "krb5.conf") }, texts: []string{"krb5.conf", "no such file"}, hint: []string{"LDAP_KRB5_CONF"}},
		"an old keytab": {change: func(o *directory.Options) { o.BindUser, o.Kerberos.Keytab = "outdated", outdated },
			texts: []string{"log in to Kerberos as outdated@LAB.TEST", "the keytab's key is not the account's"}, hint: []string{"make the keytab anew"}, refused: true},
		"disabled": {change: func(o *directory.Options) { o.BindUser, o.Kerberos.Keytab = "disabled", disabled },
			texts: []string{"disabled@LAB.TEST"}, hint: []string{"enable"}, refused: true},
		"unknown service": {change: func(o *directory.Options) { o.URLs = []string{strings.Replace(k.URL, "localhost", "127.0.0.1", 1)} },
			texts: []string{"ldap/127.0.0.1", "knows no such service"}, hint: []string{"LDAP_URL", "host name"}},
		"not offered": {change: func(o *directory.Options) {
			plain := listen(t, fake(refusing(7, "SASL(-4): no mechanism available: ")))
			o.Dial = dialer(strings.TrimPrefix(plain, "ldap://"))
		}, texts: []string{"bind by Kerberos to ldap/localhost", "auth method not supported (7)"}, hint: []string{"does not offer"}},
		"signing": {change: func(o *directory.Options) {
			plain := listen(t, fake(refusing(8, "00002028: LdapErr: DSID-0C090273, comment: The server requires binds to turn on integrity checking if SSL\\TLS are not already active on the connection, data 0, v4563\x00")))
			o.Dial = dialer(strings.TrimPrefix(plain, "ldap://"))
		}, texts: []string{"strong auth required (8)", "integrity checking"}, hint: []string{"LDAP signing", "ldaps://"}},
		"signing, Samba": {change: func(o *directory.Options) {
			plain := listen(t, fake(refusing(8, "SASL:[GSSAPI]: Sign or Seal are required.")))
			o.Dial = dialer(strings.TrimPrefix(plain, "ldap://"))
		}, texts: []string{"Sign or Seal are required"}, hint: []string{"LDAP signing", "ldaps://", "external"}},
		"channel binding": {change: func(o *directory.Options) {
			plain := listen(t, fake(refusing(49, "80090346: LdapErr: DSID-0C0906A4, comment: AcceptSecurityContext error, data 80090346, v4563\x00")))
			o.Dial = dialer(strings.TrimPrefix(plain, "ldap://"))
		}, texts: []string{"80090346"}, hint: []string{"channel binding", "simple"}, refused: true},
	} {
		t.Run(name, func(t *testing.T) {
			c := client(t, k.slapd, k.bound, test.change)
			_, err := c.Find(t.Context(), lab.User(1))
			hinted(t, err, test.texts, test.hint)
			var e *directory.Error
			if errors.As(err, &e) && e.Refused() != test.refused {
				t.Errorf("Refused is %t: %v", e.Refused(), err)
			}
		})
	}
}

// The server's key was changed and its keytab was not: the error says that it
// is the server's, and it heals without a restart.
func TestGSSAPIServersKeyChanges(t *testing.T) {
	k := kerberize(t)
	c := client(t, k.slapd, k.bound)
	renewed := k.kdc.Keytab(ldapService)
	_, err := c.Find(t.Context(), lab.User(1))
	hinted(t, err, []string{"bind by Kerberos to ldap/localhost at " + k.URL}, []string{"its own keytab"})
	rename(t, renewed, k.own)
	if err := login(t.Context(), c, 1); err != nil {
		t.Error(err)
	}
}

func TestGSSAPIClockSkew(t *testing.T) {
	k := kerberize(t)
	k.kdc.Stop()
	k.kdc.Start(20 * time.Minute)
	_, err := client(t, k.slapd, k.bound).Find(t.Context(), lab.User(1))
	hinted(t, err, []string{"log in to Kerberos as svc@LAB.TEST", "the clocks differ too much"}, []string{"NTP"})
}

// A KDC that never answers holds up nobody beyond the deadline, and another one
// gets its share of it.
func TestGSSAPISilentKDC(t *testing.T) {
	t.Parallel() // it waits more than it works
	k := kerberize(t)
	hung := strings.TrimPrefix(listen(t, silent), "ldap://")
	conf := filepath.Join(t.TempDir(), "krb5.conf")
	kdcs := func(addresses ...string) {
		write(t, conf, "[libdefaults]\ndefault_realm = LAB.TEST\n[realms]\nLAB.TEST = {\nkdc = "+strings.Join(addresses, "\nkdc = ")+"\n}\n")
	}
	kdcs(hung)
	c := client(t, k.slapd, k.bound, func(o *directory.Options) { o.Kerberos.Config = conf })
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	begin := time.Now()
	_, err := c.Find(ctx, lab.User(1))
	hinted(t, err, []string{"KDC " + hung}, []string{"KDC"})
	if took := time.Since(begin); took > 4*time.Second {
		t.Errorf("it took %s", took)
	}
	kdcs(hung, k.kdc.Addr)
	if err := login(t.Context(), client(t, k.slapd, k.bound, func(o *directory.Options) { o.Kerberos.Config = conf }), 1); err != nil {
		t.Error(err)
	}
	// What is no KDC is said to be none, and not believed in its lengths.
	kdcs(strings.TrimPrefix(listen(t, func(c net.Conn) { _, _ = c.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n")) }), "ldap://"))
	_, err = client(t, k.slapd, k.bound, func(o *directory.Options) { o.Kerberos.Config = conf }).Find(t.Context(), lab.User(1))
	hinted(t, err, []string{"no KDC"}, []string{"KDC"})
}

// An old ticket in a credential cache says when it ended.
func TestGSSAPIOldCache(t *testing.T) {
	k := kerberize(t)
	cache := k.kdc.Cache(k.keytab, "svc", "1h")
	later := time.Now().Add(3 * time.Hour)
	use := func(o *directory.Options) { o.Kerberos.Keytab, o.Kerberos.Cache = "", cache }
	_, err := client(t, k.slapd, k.bound, use, func(o *directory.Options) { o.Now = func() time.Time { return later } }).Find(t.Context(), "x")
	hinted(t, err, []string{"read the credential cache " + cache, "ended at"}, []string{"kinit"})
	write(t, cache, read(t, cache)[:60])
	_, err = client(t, k.slapd, k.bound, use).Find(t.Context(), "x")
	hinted(t, err, []string{"credential cache"}, []string{"LDAP_KEYTAB"})
}
