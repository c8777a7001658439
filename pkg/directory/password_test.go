package directory_test

import (
	"bytes"
	"crypto/tls"
	"strings"
	"testing"

	"ad-ldap-connector/pkg/directory"
	"ad-ldap-connector/pkg/identity"
	"ad-ldap-connector/pkg/sandbox"
	"ad-ldap-connector/testdata/lab"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"
)

// Active Directory refuses a reset by unwillingness, over TLS.
func TestActiveDirectoryReset(t *testing.T) {
	ca := lab.NewCA(t, t.TempDir())
	certFile, keyFile := ca.Issue(t, "127.0.0.1")
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	d, err := sandbox.StartDirectory(sandbox.DirectoryOptions{TLS: &tls.Config{Certificates: []tls.Certificate{pair}}, TLSListen: "127.0.0.1:0",
		Traits: sandbox.Traits{ActiveDirectory: true, TrailingNUL: true}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	c := directory.New(directory.Options{URLs: []string{d.TLSURL()}, TLS: &tls.Config{RootCAs: ca.Pool}, BaseDN: d.BaseDN(),
		BindUser: d.BindUser(), BindPassword: identity.Password(d.BindPassword()), UnicodePassword: true, UnlockOnChange: true})
	defer func() { _ = c.Close() }()
	user, err := c.Find(t.Context(), "locked")
	if err != nil {
		t.Fatal(err)
	}
	for _, weak := range []identity.Password{"Sh0rt", "onlysmallletters", "locked-Passw0rd"} {
		refused(t, c.SetPassword(t.Context(), user.DN, weak), identity.PasswordTooWeak)
	}
	if err := c.SetPassword(t.Context(), user.DN, "neu-Pässwörd-€-😀-1"); err != nil {
		t.Fatal(err)
	}
	if err := c.Bind(t.Context(), user.DN, "neu-Pässwörd-€-😀-1"); err != nil {
		t.Errorf("unlocked, with the new password: %v", err)
	}
	d.SetTraits(sandbox.Traits{ActiveDirectory: true, NoWriteAccess: true})
	refused(t, c.SetPassword(t.Context(), user.DN, "neu-Passw0rd-2"), identity.InsufficientAccess)
}

// A server that does not take a modified userPassword gets the extended
// operation, unless the operator said otherwise.
func TestPasswordMethods(t *testing.T) {
	d := startSandbox(t, sandbox.Traits{Server389: true, OnlyExtendedPasswords: true}, lab.People(3))
	const dn = "uid=chpw,ou=special,dc=lab,dc=test"
	for method, ok := range map[string]bool{"": true, directory.AutoPasswords: true, directory.ExtendedPasswords: true, directory.ModifyPasswords: false} {
		c := client(t, d, func(o *directory.Options) { o.PasswordMethod = method })
		err := c.SetPassword(t.Context(), dn, "planted-Secret")
		switch {
		case !ok:
			isFault(t, err, "unwilling to perform (53)")
		case err != nil:
			t.Errorf("%q: %v", method, err)
		default:
			refused(t, c.SetPassword(t.Context(), dn, "short"), identity.PasswordTooWeak)
		}
	}
}

// A service account that may set passwords and not unlock sets the password.
func TestUnlockingNeedsNoRight(t *testing.T) {
	asked := make(chan string, 9)
	url := listen(t, fake(func(op ber.Tag, p *ber.Packet) []answer {
		if op == ldap.ApplicationModifyRequest {
			if bytes.Contains(p.Bytes(), []byte("lockoutTime")) {
				asked <- "both"
				return done(op, ldap.LDAPResultInsufficientAccessRights, "00002098: SecErr: DSID-03150F94, problem 4003 (INSUFF_ACCESS_RIGHTS), data 0")
			}
			asked <- "password"
		}
		if op == ldap.ApplicationSearchRequest {
			return append(rootDSE(p, "supportedCapabilities", "1.2.840.113556.1.4.800"), done(op, 0, "")...)
		}
		return done(op, 0, "")
	}))
	c := ask(t, func(o *directory.Options) { o.UnlockOnChange = true }, url)
	if err := c.SetPassword(t.Context(), "uid=x", "planted-Secret"); err != nil {
		t.Error(err)
	}
	close(asked)
	var order []string
	for what := range asked {
		order = append(order, what)
	}
	if got := strings.Join(order, ","); got != "both,password" {
		t.Errorf("asked for %s", got)
	}
}

// rootDSE is an entry with one attribute.
func rootDSE(p *ber.Packet, attribute, value string) []answer {
	set := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSet, nil, "")
	set.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, value, ""))
	one := ber.NewSequence("")
	one.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, attribute, ""))
	one.AppendChild(set)
	list := ber.NewSequence("")
	list.AppendChild(one)
	return []answer{{raw: found(p, "", list)}}
}

// found is an entry that a fake server sends.
func found(p *ber.Packet, dn string, attributes *ber.Packet) []byte {
	entry := ber.Encode(ber.ClassApplication, ber.TypeConstructed, ldap.ApplicationSearchResultEntry, nil, "")
	entry.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, dn, ""))
	entry.AppendChild(attributes)
	m := ber.NewSequence("")
	m.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, p.Children[0].Value, ""))
	m.AppendChild(entry)
	return m.Bytes()
}
