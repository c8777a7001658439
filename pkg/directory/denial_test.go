package directory_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ad-ldap-connector/pkg/directory"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"
)

// refusingAccounts says no to every bind, after a while, and counts them.
func refusingAccounts(binds *atomic.Int32, after time.Duration, code int64, text string) func(ber.Tag, *ber.Packet) []answer {
	return func(op ber.Tag, _ *ber.Packet) []answer {
		if op == ldap.ApplicationBindRequest {
			binds.Add(1)
			time.Sleep(after) // as long as a directory takes to say no
			return done(op, code, text)
		}
		return done(op, 0, "")
	}
}

// A service account that is locked or disabled is tried once, at one server,
// whatever words a directory has for it.
func TestALockedServiceAccountIsTriedOnce(t *testing.T) {
	for text, code := range map[string]int64{
		"Exceed password retry limit. Please try later.":            19,
		"Account inactivated. Contact system administrator.":        53,
		"Too many failed logins.":                                   53,
		"80090308: LdapErr: DSID-0C09044E, data 775, v4563":         49,
		"Login password failure limit exceeded. Contact the admin.": 19,
	} {
		var binds atomic.Int32
		locked := fake(refusingAccounts(&binds, 0, code, text))
		c := ask(t, func(o *directory.Options) { o.BindUser, o.BindPassword = "cn=svc", "planted-Secret" }, listen(t, locked), listen(t, locked))
		for range 5 {
			_, err := c.Find(t.Context(), "x")
			isFault(t, err, text)
		}
		if n := binds.Load(); n != 1 {
			t.Errorf("%s: bound %d times", text, n)
		}
	}
}

// However many logins wait for a connection, a service account that is refused
// is refused once: a rotated password must not lock the account in one burst.
func TestABurstIsRefusedOnce(t *testing.T) {
	var binds atomic.Int32
	url := listen(t, fake(refusingAccounts(&binds, 50*time.Millisecond, 49, "")))
	c := ask(t, func(o *directory.Options) { o.BindUser, o.BindPassword = "cn=svc", "planted-Secret" }, url)
	var wait sync.WaitGroup
	for range 200 {
		wait.Go(func() {
			_, err := c.Find(t.Context(), "x")
			isFault(t, err, "invalid credentials (49)")
		})
		wait.Go(func() {
			_, err := c.ListGroups(t.Context(), 0)
			isFault(t, err, "invalid credentials (49)")
		})
	}
	wait.Wait()
	if n := binds.Load(); n != 1 {
		t.Errorf("bound %d times", n)
	}
}

// reference is a search's continuation reference.
func reference(request *ber.Packet, url string) []byte {
	op := ber.Encode(ber.ClassApplication, ber.TypeConstructed, ldap.ApplicationSearchResultReference, nil, "")
	op.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, url, ""))
	m := ber.NewSequence("")
	m.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, request.Children[0].Value, ""))
	m.AppendChild(op)
	return m.Bytes()
}

// A server that refuses the service account refuses it once, to however many of
// its places references lead.
func TestAReferenceIsRefusedOnce(t *testing.T) {
	var binds atomic.Int32
	far := listen(t, fake(refusingAccounts(&binds, 0, 49, "")))
	near := listen(t, fake(func(op ber.Tag, p *ber.Packet) []answer {
		if op != ldap.ApplicationSearchRequest || isRootDSE(op, p) {
			return done(op, 0, "")
		}
		var all []answer
		for _, place := range []string{"a", "b", "c", "d", "e"} {
			all = append(all, answer{raw: reference(p, far+"/ou="+place+",dc=lab,dc=test")})
		}
		return append(all, done(op, 0, "")...)
	}))
	c := ask(t, func(o *directory.Options) {
		o.BindUser, o.BindPassword, o.ReferralHosts = "cn=svc", "planted-Secret", hostOf(far)
	}, near)
	for range 3 {
		_, err := c.Find(t.Context(), "x")
		isFault(t, err, "invalid credentials (49)")
	}
	if n := binds.Load(); n != 1 {
		t.Errorf("bound %d times", n)
	}
}
