package directory_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"ad-ldap-connector/pkg/directory"
	"ad-ldap-connector/pkg/identity"
	"ad-ldap-connector/pkg/sandbox"

	"pgregory.net/rapid"
)

// odd are values that somebody's attribute has: what a filter escapes, what a
// template replaces, and what is no text.
var odd = []string{
	"alice", "*", "a*", "al*ce", "(", ")", `\`, `\2a`, "\x00", "alice\x00", "{0}", "{user}", "{domain}", "$&", "$$", "*)(gecos=*", "&", "|", "!",
	"\xff\xfe", "\xc3", "\u00fc", "😀", " ", " alice", "alice ", "ALICE", `CORP\alice`, "alice@corp", "a=b", "<>~=:", "\n", strings.Repeat("x", 300),
}

// holders is a directory in which each of odd is the gecos, compared octet for
// octet, of one person. Its filters are evaluated by an engine of its own.
func holders(t *testing.T) *sandbox.Directory {
	t.Helper()
	var b strings.Builder
	b.WriteString("dn: dc=lab,dc=test\nobjectClass: domain\ndc: lab\n\n")
	for i, value := range odd {
		fmt.Fprintf(&b, "dn: uid=u%d,dc=lab,dc=test\nobjectClass: inetOrgPerson\nuid: u%d\ncn: x\nsn: x\ngecos:: %s\n\n",
			i, i, base64.StdEncoding.EncodeToString([]byte(value)))
	}
	d, err := sandbox.StartDirectory(sandbox.DirectoryOptions{LDIF: strings.NewReader(b.String())})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

// Whatever is typed, the filter that is sent is one to the server, and finds
// who has just that value, and nobody else.
func TestUsernamesAreLiteral(t *testing.T) {
	d, ctx := holders(t), t.Context()
	for _, template := range []string{
		"(gecos={0})", "(&(objectClass=inetOrgPerson)(|(gecos={0})(uid={0}*{0}*{0}*{0})))", "(!(!(gecos={0})))",
		"(|(gecos={0})(&(gecos={user}@{domain})(!(objectClass=*))))",
	} {
		f, err := directory.ParseFilter(template)
		if err != nil {
			t.Fatal(err)
		}
		c := directory.New(directory.Options{URLs: []string{d.URL()}, BaseDN: d.BaseDN(),
			BindUser: d.BindUser(), BindPassword: identity.Password(d.BindPassword()), UserFilter: f})
		check := func(t interface{ Errorf(string, ...any) }, name string) {
			user, err := c.Find(ctx, name)
			i := slices.Index(odd, name)
			var r *identity.Refusal
			switch {
			case i < 0 && (!errors.As(err, &r) || r.Reason != identity.WrongUsername):
				t.Errorf("%s with %q found %v, %v", template, name, user, err)
			case i >= 0 && (err != nil || user.DN != fmt.Sprintf("uid=u%d,dc=lab,dc=test", i)):
				t.Errorf("%s with %q, of u%d, found %v, %v", template, name, i, user, err)
			}
		}
		for _, name := range odd {
			check(t, name)
		}
		rapid.Check(t, func(t *rapid.T) {
			pieces := rapid.SliceOfN(rapid.SampledFrom(odd), 0, 3).Draw(t, "pieces")
			octets := string(rapid.SliceOfN(rapid.Byte(), 0, 12).Draw(t, "octets"))
			check(t, strings.Join(pieces, octets)+rapid.SampledFrom([]string{"", octets}).Draw(t, "end"))
		})
		_ = c.Close()
	}
}
