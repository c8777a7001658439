package sandbox

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/go-ldap/ldap/v3"
)

// A domain whose groups nest through a distribution group, in a loop, and by
// way of the primary group.
func tokenLDIF() string {
	var b strings.Builder
	entry := func(cn string, rid int, lines ...string) {
		sid, _ := sidFromText(fmt.Sprintf("S-1-5-21-1-2-3-%d", rid))
		fmt.Fprintf(&b, "dn: cn=%s,dc=lab,dc=test\ncn: %s\nobjectSid:: %s\n%s\n\n", cn, cn,
			base64.StdEncoding.EncodeToString([]byte(sid)), strings.Join(lines, "\n"))
	}
	group := func(cn string, rid int, kind string, members ...string) {
		lines := []string{"objectClass: group"}
		if kind != "" {
			lines = append(lines, "groupType: "+kind)
		}
		for _, m := range members {
			lines = append(lines, "member: cn="+m+",dc=lab,dc=test")
		}
		entry(cn, rid, lines...)
	}
	b.WriteString("dn: dc=lab,dc=test\nobjectClass: domainDNS\ndc: lab\n\n")
	entry("user", 1100, "objectClass: user", "sAMAccountName: user", "primaryGroupID: 513")
	group("direct", 1201, "-2147483646", "user", "up")
	group("up", 1202, "", "direct") // a loop
	group("mail", 1203, "2", "user")
	group("overmail", 1204, "-2147483646", "mail")
	group("everybody", 513, "-2147483646")
	group("overall", 1205, "-2147483644", "everybody")
	return b.String()
}

func TestTokenGroups(t *testing.T) {
	d := startDirectory(t, DirectoryOptions{LDIF: strings.NewReader(tokenLDIF()), Traits: adTraits})
	c := bindDirectory(t, d)
	get := func(scope int) (*ldap.SearchResult, error) {
		return c.Search(ldap.NewSearchRequest("cn=user,dc=lab,dc=test", scope, 0, 0, 0, false, "(objectClass=*)", []string{"tokenGroups", "groupType"}, nil))
	}
	res, err := get(ldap.ScopeBaseObject)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, v := range res.Entries[0].GetRawAttributeValues("tokenGroups") {
		got = append(got, names(ask(t, c, d, "(objectSid="+ldap.EscapeFilter(string(v))+")")))
	}
	slices.Sort(got)
	if want := []string{"direct", "everybody", "overall", "up"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	_, err = get(ldap.ScopeWholeSubtree)
	if code, text := ldapCode(t, err); code != 1 || !strings.Contains(text, "not a BASE search") {
		t.Errorf("subtree: %d %s", code, text)
	}
	d.SetTraits(Traits{})
	if res, err := get(ldap.ScopeWholeSubtree); err != nil || len(res.Entries) != 1 || len(res.Entries[0].GetAttributeValues("tokenGroups")) != 0 {
		t.Errorf("not Active Directory: %v %v", res, err)
	}
}

// A SID names an entry as text and as octets, in a filter and as a base.
func TestNamesBySID(t *testing.T) {
	d := startDirectory(t, DirectoryOptions{LDIF: strings.NewReader(tokenLDIF()), Traits: adTraits})
	c := bindDirectory(t, d)
	octets, _ := sidFromText("S-1-5-21-1-2-3-1204")
	for _, value := range []string{"S-1-5-21-1-2-3-1204", ldap.EscapeFilter(octets)} {
		if got := names(ask(t, c, d, "(objectSid="+value+")")); got != "overmail" {
			t.Errorf("filter %s: %q", value, got)
		}
	}
	for _, base := range []string{"<SID=S-1-5-21-1-2-3-1204>", fmt.Sprintf("<SID=%x>", octets), fmt.Sprintf("<sid=%X>", octets)} {
		res, err := c.Search(ldap.NewSearchRequest(base, 0, 0, 0, 0, false, "(cn=*)", nil, nil))
		if err != nil || names(res.Entries) != "overmail" {
			t.Errorf("base %s: %v %v", base, res, err)
		}
	}
	_, err := c.Search(ldap.NewSearchRequest("<SID=S-1-5-21-1-2-3-9>", 0, 0, 0, 0, false, "(cn=*)", nil, nil))
	if code, _ := ldapCode(t, err); code != 32 {
		t.Errorf("nobody's SID: %v", err)
	}
}
