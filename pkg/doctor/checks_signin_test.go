package doctor

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io/fs"
	"math/big"
	"slices"
	"testing"
	"time"
)

const loginSPN = "HTTP/login.corp.example"

func key(kvno uint32, kind int32) Key { return Key{loginSPN, "CORP.EXAMPLE", kvno, kind} }

// kerberised is a connector with Kerberos on, in which all is well.
func kerberised(changes ...func(*Env)) Env {
	e := well()
	e.OS = "linux"
	e.Config.Tenant.Kerberos, e.Config.Tenant.ServerURL = true, "http://login.corp.example:4000"
	e.Config.SignIn.Port = 4000
	e.Host.Listen = func(context.Context, string) error { return nil }
	e.SignIn = SignIn{
		Visit: func(context.Context) (Answer, error) { return Answer{Status: 200, Ours: true}, nil },
		Keytab: func() (Keytab, error) {
			return Keytab{Path: "/etc/krb5.keytab", Keys: []Key{key(3, 18), key(3, 17), key(2, 23)}}, nil
		},
		Holders: func(_ context.Context, spn string) ([]Holder, error) {
			if spn != loginSPN {
				return nil, nil
			}
			return []Holder{{DN: "CN=svc-http", KVNO: 3, EncTypes: 24}}, nil
		},
	}
	for _, change := range changes {
		change(&e)
	}
	return e
}

func TestKerberosChecks(t *testing.T) {
	keytab := func(k Keytab, err error) func(*Env) {
		return func(e *Env) { e.SignIn.Keytab = func() (Keytab, error) { return k, err } }
	}
	keys := func(all ...Key) func(*Env) { return keytab(Keytab{Path: "k", Keys: all}, nil) }
	holders := func(all []Holder, err error) func(*Env) {
		return func(e *Env) {
			e.SignIn.Holders = func(_ context.Context, spn string) ([]Holder, error) {
				if spn != loginSPN {
					return nil, err
				}
				return all, err
			}
		}
	}
	url := func(to string) func(*Env) { return func(e *Env) { e.Config.Tenant.ServerURL = to } }
	groups := func(n int, err error) func(*Env) {
		return func(e *Env) { e.Directory.Groups = func(context.Context, string) (int, error) { return n, err } }
	}
	header := func(n int) func(*Env) { return func(e *Env) { e.Config.SignIn.MaxHeaderSize = n } }
	one := func(h Holder) func(*Env) { h.DN = "CN=svc-http"; return holders([]Holder{h}, nil) }
	down := errors.New("the line was lost")
	try(t, []trial{
		{"well", "kerberos.keytab", kerberised(), Passed, "version 3, aes256-cts-hmac-sha1-96, aes128-cts-hmac-sha1-96"},
		{"off", "kerberos.keytab", well(), Skipped, "Kerberos is off"},
		{"Windows", "kerberos.keytab", kerberised(func(e *Env) { e.OS = "windows" }), Skipped, "no keytab"},
		{"Windows, with one", "kerberos.keytab", kerberised(func(e *Env) { e.OS, e.Config.SignIn.Keytab = "windows", "http.keytab" }), Passed, "version 3"},
		{"in front", "kerberos.keytab", kerberised(func(e *Env) { e.Config.SignIn.KerberosFrontend = true }), Skipped, "in front"},
		{"no URL", "kerberos.keytab", kerberised(url("")), Skipped, "SERVER_URL"},
		{"none", "kerberos.keytab", kerberised(keytab(Keytab{}, fs.ErrNotExist)), Failed, "does not exist"},
		{"closed", "kerberos.keytab", kerberised(keytab(Keytab{}, fs.ErrPermission)), Failed, "Run doctor as"},
		{"another's", "kerberos.keytab", kerberised(keys(Key{"ldap/dc1", "CORP", 1, 18})), Failed, "is for ldap/dc1@CORP"},
		{"empty", "kerberos.keytab", kerberised(keys()), Failed, "is for nobody"},
		{"its case", "kerberos.keytab", kerberised(keys(Key{"http/LOGIN.corp.example", "CORP", 3, 18})), Passed, "version 3"},
		{"open", "kerberos.keytab", kerberised(keytab(Keytab{Path: "k", Loose: "mode 0644", Keys: []Key{key(3, 18)}}, nil)), Failed, "chmod 600 k"},
		{"RC4", "kerberos.keytab", kerberised(keys(key(3, 23), key(2, 18))), Failed, "off on Windows Server 2025"},
		{"old", "kerberos.keytab", kerberised(keys(key(2, 18))), Failed, "the KDC has version 3"},
		{"modulo 256", "kerberos.keytab", kerberised(keys(key(4, 18)), one(Holder{KVNO: 260, EncTypes: 24})), Passed, "version 4"},
		{"not modulo", "kerberos.keytab", kerberised(keys(key(260, 18)), one(Holder{KVNO: 4, EncTypes: 24})), Failed, "the KDC has version 4"},
		{"other type", "kerberos.keytab", kerberised(keys(key(3, 17))), Failed, "tickets of aes256-cts-hmac-sha1-96"},
		{"no types", "kerberos.keytab", kerberised(keys(key(3, 18)), one(Holder{KVNO: 3})), Failed, "msDS-SupportedEncryptionTypes of the account to 24"},
		{"no types, both", "kerberos.keytab", kerberised(keys(key(3, 18), key(3, 23)), one(Holder{KVNO: 3})), Passed, "as CN=svc-http has it"},
		{"not told", "kerberos.keytab", kerberised(one(Holder{})), Passed, "does not tell which key"},
		{"two", "kerberos.keytab", kerberised(holders(make([]Holder, 2), nil)), Passed, "does not tell which key"},
		{"not asked", "kerberos.keytab", kerberised(holders(nil, down)), Passed, "the line was lost"},
		{"no directory", "kerberos.keytab", kerberised(func(e *Env) { e.SignIn.Holders = nil }), Passed, "no directory is known"},

		{"one", "kerberos.spn", kerberised(), Passed, loginSPN + " is CN=svc-http's"},
		{"off", "kerberos.spn", well(), Skipped, "Kerberos is off"},
		{"none", "kerberos.spn", kerberised(holders(nil, nil)), Failed, "setspn -S " + loginSPN},
		{"two", "kerberos.spn", kerberised(holders([]Holder{{DN: "CN=a"}, {DN: "CN=b"}}, nil)), Failed, "CN=a\nCN=b"},
		{"the computer", "kerberos.spn", kerberised(func(e *Env) {
			e.SignIn.Holders = func(_ context.Context, spn string) ([]Holder, error) {
				if spn == loginSPN {
					return nil, nil
				}
				return []Holder{{DN: "CN=HOST1"}}, nil
			}
		}), Passed, "HOST/login.corp.example is CN=HOST1's"},
		{"address", "kerberos.spn", kerberised(url("http://192.0.2.1:4000")), Failed, "no ticket for addresses"},
		{"no URL", "kerberos.spn", kerberised(url("")), Skipped, "SERVER_URL"},
		{"no names", "kerberos.spn", kerberised(holders(nil, Unknown("no Active Directory"))), Skipped, "no Active Directory"},
		{"broken", "kerberos.spn", kerberised(holders(nil, down)), Failed, "lost"},
		{"no directory", "kerberos.spn", kerberised(func(e *Env) { e.SignIn.Holders = nil }), Skipped, noDirectory},

		{"few", "kerberos.ticket-size", kerberised(), Passed, "about 3754 octets for CN=Jane,DC=corp, in 2 groups"},
		{"many", "kerberos.ticket-size", kerberised(groups(1500, nil)), Failed, "config set MAX_HEADER_SIZE"},
		{"the most", "kerberos.ticket-size", kerberised(groups(1160, nil)), Passed, "1160 groups"},
		{"small", "kerberos.ticket-size", kerberised(header(1024)), Failed, "0 groups fit"},
		{"off", "kerberos.ticket-size", well(), Skipped, "Kerberos is off"},
		{"no groups", "kerberos.ticket-size", kerberised(groups(0, down)), Skipped, "directory.groups"},
		{"no user", "kerberos.ticket-size", kerberised(func(e *Env) {
			e.Directory.Users = func(context.Context) (Users, error) { return Users{}, nil }
		}), Skipped, "no user"},
	})
}

func TestSignInChecks(t *testing.T) {
	listen := func(err error, ours bool) func(*Env) {
		return func(e *Env) {
			e.Host.Listen = func(context.Context, string) error { return err }
			e.Host.Holder = func(context.Context, string) (string, error) { return "httpd (process 8)", nil }
			e.SignIn.Ours = func(context.Context) bool { return ours }
		}
	}
	visit := func(a Answer, err error) func(*Env) {
		return func(e *Env) { e.SignIn.Visit = func(context.Context) (Answer, error) { return a, err } }
	}
	try(t, []trial{
		{"free", "signin.port", kerberised(), Passed, ":4000 is free"},
		{"ours", "signin.port", kerberised(listen(ErrTaken, true)), Passed, "this connector"},
		{"taken", "signin.port", kerberised(listen(ErrTaken, false)), Failed, "httpd (process 8) listens on :4000"},
		{"reserved", "signin.port", kerberised(listen(ErrReserved, false)), Skipped, "administrator"},
		{"broken", "signin.port", kerberised(listen(errors.New("no network"), false)), Failed, "no network"},
		{"any", "signin.port", kerberised(func(e *Env) { e.Config.SignIn.Port = 0 }), Skipped, "any free port"},
		{"off", "signin.port", well(), Skipped, "off at the tenant"},

		{"open", "signin.firewall", kerberised(wall(Firewall{Name: "ufw", Open: true}, nil)), Passed, "ufw lets others reach TCP port 4000"},
		{"shut", "signin.firewall", kerberised(wall(Firewall{Name: "ufw"}, nil)), Failed, "ufw has no rule for TCP port 4000"},
		{"none", "signin.firewall", kerberised(wall(Firewall{}, nil)), Skipped, "no firewall is active"},
		{"bare rules", "signin.firewall", kerberised(wall(Firewall{Note: "nftables, 4000"}, nil)), Skipped, "nftables, 4000"},
		{"silent", "signin.firewall", kerberised(wall(Firewall{}, errors.New("run this as root"))), Skipped, "is not known: run this as root"},
		{"not asked", "signin.firewall", kerberised(), Skipped, "not looked at"},
		{"any", "signin.firewall", kerberised(func(e *Env) { e.Config.SignIn.Port = 0 }), Skipped, "any free port"},
		{"in front", "signin.firewall", kerberised(func(e *Env) { e.Config.SignIn.KerberosFrontend = true }), Skipped, "the web server in front"},
		{"off", "signin.firewall", well(), Skipped, "off at the tenant"},

		{"ours", "signin.reach", kerberised(), Passed, "shows the agent's certificate"},
		{"guarded", "signin.reach", kerberised(visit(Answer{Guarded: true}, nil)), Passed, "asks for a user's"},
		{"nobody", "signin.reach", kerberised(visit(Answer{}, errors.New("connection refused"))), Failed, "Start the connector"},
		{"not trusted", "signin.reach", kerberised(visit(Answer{}, hinting{"unknown authority", "add it to SSL_CA_PATH"})), Failed, "add it to SSL_CA_PATH"},
		{"another program", "signin.reach", kerberised(visit(Answer{Status: 404}, nil)), Failed, "another program"},
		{"another connection", "signin.reach", kerberised(visit(Answer{Status: 200, Other: true}, nil)), Failed, "another key pair"},
		{"no keys", "signin.reach", kerberised(visit(Answer{}, fs.ErrNotExist)), Skipped, "no key pair"},
		{"no URL", "signin.reach", kerberised(func(e *Env) { e.Config.Tenant.ServerURL = "" }), Skipped, "SERVER_URL"},
		{"off", "signin.reach", well(), Skipped, "off at the tenant"},
	})
}

// A maker issues certificates.
type maker struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func (by *maker) issue(t *testing.T, name string, change func(*x509.Certificate)) *maker {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: noon.AddDate(-1, 0, 0), NotAfter: noon.AddDate(1, 0, 0), BasicConstraintsValid: true, IsCA: true,
	}
	if change != nil {
		change(c)
	}
	if by == nil {
		by = &maker{c, k}
	}
	der, err := x509.CreateCertificate(rand.Reader, c, by.cert, k.Public(), by.key)
	if err != nil {
		t.Fatal(err)
	}
	if c, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return &maker{c, k}
}

func (by *maker) pem() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: by.cert.Raw}))
}

func TestCertificateChecks(t *testing.T) {
	root := (*maker)(nil).issue(t, "Root", nil)
	middle := root.issue(t, "Middle", nil)
	own := middle.issue(t, "login.corp.example", nil)
	old := middle.issue(t, "login.corp.example", func(c *x509.Certificate) { c.NotAfter = noon.AddDate(0, 0, 7) })
	end := func(day time.Time) *maker {
		return root.issue(t, "Users", func(c *x509.Certificate) { c.NotAfter = day })
	}
	on := func(changes ...func(*Env)) Env {
		e := kerberised(changes...)
		e.Config.Tenant.Kerberos, e.Config.Tenant.ClientCertificates = false, true
		return e
	}
	trusting := x509.NewCertPool()
	trusting.AddCert(root.cert)
	pfx := func(roots *x509.CertPool, all ...*maker) func(*Env) {
		return func(e *Env) {
			e.Config.SignIn.PFX = "AA=="
			e.SignIn.Roots = roots
			e.SignIn.Certificates = func() (certs []*x509.Certificate, err error) {
				for _, m := range all {
					certs = append(certs, m.cert)
				}
				return certs, nil
			}
		}
	}
	closed := func(e *Env) {
		e.Config.SignIn.PFX = "AA=="
		e.SignIn.Certificates = func() ([]*x509.Certificate, error) {
			return nil, hinting{"open SSL_PFX: the password is another one", "set SSL_KEY_PASSWORD"}
		}
	}
	cas := func(texts ...string) func(*Env) { return func(e *Env) { e.Config.SignIn.CACerts = texts } }
	both := func(e Env) Env {
		e.Config.Tenant.Kerberos, e.Config.Tenant.ServerURL = true, "https://login.corp.example:4000"
		return e
	}
	none := x509.NewCertPool()
	try(t, []trial{
		{"whole", "signin.certificate", on(pfx(trusting, own, middle)), Passed, "login.corp.example, valid until 2027-03-01, with 1 certificate"},
		{"with its root", "signin.certificate", on(pfx(none, own, middle, root)), Passed, "the authority Root is not trusted on this machine"},
		{"self-signed", "signin.certificate", on(pfx(none, (*maker)(nil).issue(t, "login.corp.example", nil))), Passed, "users' browsers must trust it"},
		{"a gap", "signin.certificate", on(pfx(trusting, own)), Failed, "ends at login.corp.example: its issuer CN=Middle"},
		{"no root", "signin.certificate", on(pfx(none, own, middle)), Failed, "ends at Middle: its issuer CN=Root"},
		{"ends soon", "signin.certificate", on(pfx(trusting, old, middle)), Failed, "login.corp.example ends in 7 days"},
		{"another name", "signin.certificate", on(pfx(trusting, middle.issue(t, "other.example", nil), middle)), Failed, "other.example"},
		{"closed", "signin.certificate", on(closed), Failed, "Set SSL_KEY_PASSWORD"},
		{"none", "signin.certificate", on(func(e *Env) { e.SignIn.Certificates = func() ([]*x509.Certificate, error) { return nil, nil } }), Failed, "neither TLS_CERT nor SSL_PFX is set"},
		{"off", "signin.certificate", kerberised(func(e *Env) { e.Config.Tenant.Kerberos = false }), Skipped, "off at the tenant"},
		{"Kerberos alone", "signin.certificate", kerberised(), Skipped, "without TLS"},
		{"Kerberos over TLS", "signin.certificate", kerberised(pfx(trusting, own, middle), func(e *Env) { e.Config.SignIn.TLSCert = "login.pem" }), Passed, "login.corp.example"},
		{"both", "signin.certificate", both(on(pfx(trusting, own, middle))), Passed, "login.corp.example"},
		{"behind a balancer", "signin.certificate", on(func(e *Env) { e.Config.SignIn.CertHeader = "x-cert" }), Skipped, "the proxy in front ends TLS"},

		{"two", "signin.ca", on(cas(root.pem()+middle.pem(), end(noon.AddDate(1, 0, 0)).pem())), Passed, "Root, Middle, Users"},
		{"none", "signin.ca", on(), Failed, "CA_CERT is not set"},
		{"a server's", "signin.ca", on(cas(root.issue(t, "www", func(c *x509.Certificate) { c.IsCA = false }).pem())), Failed, "www is no authority"},
		{"ended", "signin.ca", on(cas(end(noon.AddDate(0, 0, -1)).pem())), Failed, "Users ended on 2026-02-28"},
		{"early", "signin.ca", on(cas(root.issue(t, "Users", func(c *x509.Certificate) { c.NotBefore = noon.AddDate(0, 0, 1) }).pem())), Failed, "Users is not valid before 2026-03-02"},
		{"no PEM", "signin.ca", on(cas(root.pem(), "authority")), Failed, "entry 2: there is no certificate"},
		{"a key", "signin.ca", on(cas("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")), Failed, "only certificates belong there"},
		{"damaged", "signin.ca", on(cas("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")), Failed, "entry 1: read a certificate"},
		{"off", "signin.ca", kerberised(), Skipped, "off at the tenant"},
		{"both", "signin.ca", both(on(cas(root.pem()))), Passed, "Root"},
	})
}

// wall is a change that gives the machine a firewall.
func wall(f Firewall, err error) func(*Env) {
	return func(e *Env) { e.Host.Firewall = func(context.Context) (Firewall, error) { return f, err } }
}

func TestFirewallIsMended(t *testing.T) {
	open := false
	e := kerberised(func(e *Env) {
		e.Host.Firewall = func(context.Context) (Firewall, error) {
			return Firewall{Name: "ufw", Rule: "auth0-adldap", Open: open}, nil
		}
		e.Host.OpenPort = func(context.Context) error { open = true; return nil }
	})
	c, err := Lookup("signin.firewall")
	if err != nil {
		t.Fatal(err)
	}
	r := Run(t.Context(), &e, []Check{*c}, nil, nil)
	got, err := Mend(t.Context(), &e, r, func(_ Check, p Planned) (bool, error) { return p.Pin == "", nil })
	want := []Mended{{ID: "signin.firewall", Says: "Let others reach TCP port 4000 of this machine, by the rule auth0-adldap of ufw", Done: true}}
	if err != nil || !slices.Equal(got, want) || !open {
		t.Errorf("%+v, %v", got, err)
	}
	if f := Run(t.Context(), &e, []Check{*c}, nil, nil).Findings[0]; f.Status != Passed {
		t.Errorf("%+v", f)
	}
	e.Host.OpenPort = nil
	if got, err := Mend(t.Context(), &e, r, nil); err != nil || len(got) != 1 || got[0].Error == "" {
		t.Errorf("%+v, %v", got, err)
	}
}
