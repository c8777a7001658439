package directory_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"ad-ldap-connector/pkg/directory"
	"ad-ldap-connector/pkg/identity"
	"ad-ldap-connector/pkg/sandbox"
	"ad-ldap-connector/testdata/lab"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"
)

// A journal is a log that tests read.
type journal struct {
	mu sync.Mutex
	b  strings.Builder
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.String()
}

func (j *journal) log() *slog.Logger { return slog.New(slog.NewTextHandler(j, nil)) }

// A branch is OpenLDAP that holds the users of ou=NAME,dc=lab,dc=test, beside
// whom it refers to.
func branch(t *testing.T, name string, users []string, refs ...string) *lab.SlapdServer {
	t.Helper()
	var b strings.Builder
	dn := "ou=" + name + ",dc=lab,dc=test"
	fmt.Fprintf(&b, "dn: %s\nobjectClass: organizationalUnit\nou: %s\n\n", dn, name)
	for _, uid := range users {
		fmt.Fprintf(&b, "dn: uid=%s,%s\nobjectClass: inetOrgPerson\nuid: %s\ncn: %s\nsn: x\nuserPassword: %s\n\n", uid, dn, uid, uid, "right-Passw0rd")
		fmt.Fprintf(&b, "dn: cn=of-%s,%s\nobjectClass: groupOfNames\ncn: of-%s\nmember: uid=%s,%s\n\n", uid, dn, uid, uid, dn)
	}
	for i, ref := range refs {
		fmt.Fprintf(&b, "dn: ou=away%d,%s\nobjectClass: referral\nobjectClass: extensibleObject\nou: away%d\nref: %s\n\n", i, dn, i, ref)
	}
	return lab.Slapd(t, lab.SlapdOptions{LDIF: b.String()})
}

func hostOf(urls ...string) []string {
	var out []string
	for _, u := range urls {
		out = append(out, strings.TrimPrefix(u, "ldap://"))
	}
	return out
}

// References lead to the users, groups and passwords of other servers where the
// operator lists these, and nowhere else.
func TestReferences(t *testing.T) {
	far := branch(t, "far", []string{"faraway", "twice"})
	near := branch(t, "near", []string{"nearby", "twice"}, far.URL+"/ou=far,dc=lab,dc=test", "ldap://elsewhere.lab.test/ou=x,dc=lab,dc=test")
	on := slapd{near}
	var told journal
	strict := client(t, on, func(o *directory.Options) { o.Log = told.log() })
	for range 2 {
		_, err := strict.Find(t.Context(), "faraway")
		refused(t, err, identity.WrongUsername)
	}
	if n := strings.Count(told.String(), "LDAP_REFERRAL_HOSTS"); n != 2 || !strings.Contains(told.String(), "elsewhere.lab.test") {
		t.Errorf("told of %d hosts: %s", n, told.String())
	}

	c := client(t, on, func(o *directory.Options) { o.ReferralHosts = hostOf(far.URL) })
	user, err := c.Find(t.Context(), "faraway")
	if err != nil {
		t.Fatal(err)
	}
	if want := "uid=faraway,ou=far,dc=lab,dc=test"; user.DN != want {
		t.Errorf("found %s", user.DN)
	}
	if err := c.Bind(t.Context(), user.DN, "right-Passw0rd"); err != nil {
		t.Error(err)
	}
	refused(t, c.Bind(t.Context(), user.DN, "wrong-Passw0rd"), identity.WrongPassword)
	groups, err := c.Groups(t.Context(), user)
	if err != nil || strings.Join(labels(groups), ",") != "of-faraway" {
		t.Errorf("groups %q, %v", labels(groups), err)
	}
	if err := c.SetPassword(t.Context(), user.DN, "other-Passw0rd"); err != nil {
		t.Error(err)
	}
	if err := c.Bind(t.Context(), user.DN, "other-Passw0rd"); err != nil {
		t.Error(err)
	}
	_, err = c.Find(t.Context(), "twice")
	refused(t, err, identity.AmbiguousUsername)
	near1, err := c.Find(t.Context(), "nearby")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Bind(t.Context(), near1.DN, "right-Passw0rd"); err != nil {
		t.Error(err)
	}
	all, err := c.ListGroups(t.Context(), 0)
	if err != nil || !strings.Contains(strings.Join(labels(all), ","), "of-faraway") {
		t.Errorf("%d groups, %v", len(all), err)
	}

	// A listed server that is away spoils nothing that the others said; but who
	// was not found may be there.
	far.Stop()
	away := client(t, on, func(o *directory.Options) { o.ReferralHosts = hostOf(far.URL) })
	if _, err := away.Find(t.Context(), "nearby"); err != nil {
		t.Error(err)
	}
	_, err = away.Find(t.Context(), "faraway")
	isFault(t, err, "follow a reference: connect at "+far.URL)
	if all, err := away.ListGroups(t.Context(), 0); err != nil || len(all) == 0 {
		t.Errorf("%d groups, %v", len(all), err)
	}
}

// Servers that refer to each other, or on and on, are an end, not a hang.
func TestReferencesEnd(t *testing.T) {
	var second *sandbox.Directory
	first := startSandbox(t, sandbox.Traits{}, lab.People(2))
	second = startSandbox(t, sandbox.Traits{}, lab.People(2)).Directory
	base := "/dc=lab,dc=test"
	first.SetTraits(sandbox.Traits{References: []string{second.URL() + base, first.URL() + base, first.URL()}})
	second.SetTraits(sandbox.Traits{References: []string{first.URL() + base}})
	c := client(t, first, func(o *directory.Options) {
		o.ReferralHosts = hostOf(first.URL(), second.URL())
		o.BindUser = "" // each has a service account of its own
	})
	first.SetTraits(sandbox.Traits{AnonymousSearch: true, References: []string{second.URL() + base, first.URL() + base, first.URL()}})
	second.SetTraits(sandbox.Traits{AnonymousSearch: true, References: []string{first.URL() + base}})
	if _, err := c.Find(t.Context(), lab.User(1)); err != nil { // the same entry twice is one
		t.Error(err)
	}
	var many []string
	for i := range 40 {
		many = append(many, fmt.Sprintf("%s/ou=no%d,dc=lab,dc=test", second.URL(), i))
	}
	first.SetTraits(sandbox.Traits{AnonymousSearch: true, References: many})
	_, err := c.Find(t.Context(), "nobody")
	isFault(t, err, "follow a reference at "+second.URL())
}

// A server answers for what it was asked about alone: not for the users of who
// referred to it.
func TestReferencesStayBelow(t *testing.T) {
	liar := listen(t, fake(func(op ber.Tag, p *ber.Packet) []answer {
		if op == ldap.ApplicationSearchRequest && p.Children[1].Children[1].Value != int64(0) {
			return append([]answer{{raw: found(p, "uid=admin,ou=people,dc=lab,dc=test", ber.NewSequence(""))}}, done(op, 0, "")...)
		}
		return done(op, 0, "") // whatever the password
	}))
	d := startSandbox(t, sandbox.Traits{References: []string{liar + "/dc=child,dc=lab,dc=test"}}, lab.People(2))
	c := client(t, d, func(o *directory.Options) { o.ReferralHosts = hostOf(liar) })
	_, err := c.Find(t.Context(), "anybody")
	refused(t, err, identity.WrongUsername)
	refused(t, c.Bind(t.Context(), "uid=admin,ou=people,dc=lab,dc=test", "any-Passw0rd"), identity.WrongPassword)
}

// A result that is a referral is followed alike, for a search whose base lies
// elsewhere and for what only another server may write.
func TestReferralResults(t *testing.T) {
	holder := branch(t, "far", []string{"faraway"})
	// This one holds another suffix, and refers for all others.
	pointer := lab.Slapd(t, lab.SlapdOptions{Global: "referral " + holder.URL + "/\n"})
	on := slapd{holder}
	with := func(hosts ...string) *directory.Client {
		return client(t, on, func(o *directory.Options) {
			o.URLs, o.BaseDN, o.ReferralHosts = []string{pointer.URL}, "dc=other,dc=test", hosts
			o.PasswordMethod = directory.ModifyPasswords // the other operation is not referred
		})
	}
	_, err := with().Find(t.Context(), "faraway")
	isFault(t, err, "referral (10)")
	var h interface{ Hint() string }
	if !asHint(err, &h) || !strings.Contains(h.Hint(), "LDAP_REFERRAL_HOSTS") {
		t.Errorf("no hint of the key: %v", err)
	}
	_, err = with(hostOf(holder.URL)...).Find(t.Context(), "faraway")
	isFault(t, err, "no such object (32)") // it was followed to who does not hold dc=other either
	err = with(hostOf(holder.URL)...).SetPassword(t.Context(), "uid=x,dc=other,dc=test", "planted-Secret")
	isFault(t, err, "no global superior knowledge") // likewise
	isFault(t, with().SetPassword(t.Context(), "uid=x,dc=other,dc=test", "planted-Secret"), "referral (10)")
}

// A replica that may only be read refers to who may be written to.
func TestReplicaRefers(t *testing.T) {
	holder := branch(t, "far", []string{"faraway"})
	replica := listen(t, fake(func(op ber.Tag, p *ber.Packet) []answer {
		if op == ldap.ApplicationModifyRequest {
			return []answer{{raw: referTo(p, ldap.ApplicationModifyResponse, holder.URL+"/uid=faraway,ou=far,dc=lab,dc=test")}}
		}
		if op == ldap.ApplicationBindRequest && bytes.Contains(p.Bytes(), []byte("faraway")) {
			return []answer{{raw: referTo(p, ldap.ApplicationBindResponse, holder.URL)}}
		}
		return done(op, 0, "")
	}))
	const dn = "uid=faraway,ou=far,dc=lab,dc=test"
	for _, follow := range []bool{false, true} {
		c := client(t, slapd{holder}, func(o *directory.Options) {
			o.URLs = []string{replica}
			if follow {
				o.ReferralHosts = hostOf(holder.URL)
			}
		})
		set, bind := c.SetPassword(t.Context(), dn, "other-Passw0rd"), c.Bind(t.Context(), dn, "other-Passw0rd")
		if !follow {
			isFault(t, set, "referral (10)")
			isFault(t, bind, "referral (10)")
		} else if set != nil || bind != nil {
			t.Errorf("%v; %v", set, bind)
		}
	}
}

// referTo is a result that refers to another server.
func referTo(p *ber.Packet, tag ber.Tag, url string) []byte {
	op := ber.Encode(ber.ClassApplication, ber.TypeConstructed, tag, nil, "")
	op.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagEnumerated, int64(ldap.LDAPResultReferral), ""))
	op.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, "", ""))
	op.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, "", ""))
	refs := ber.Encode(ber.ClassContext, ber.TypeConstructed, 3, nil, "")
	refs.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, url, ""))
	op.AppendChild(refs)
	m := ber.NewSequence("")
	m.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, p.Children[0].Value, ""))
	m.AppendChild(op)
	return m.Bytes()
}

// asHint finds the advice in an error.
func asHint(err error, h *interface{ Hint() string }) bool { return errors.As(err, h) }
