package directory

import (
	"strings"
	"testing"

	"github.com/go-ldap/ldap/v3"
)

func TestPrimarySID(t *testing.T) {
	own, ok := sidOctets("S-1-5-21-1004336348-1177238915-682003330-1104")
	if !ok {
		t.Fatal("not a SID")
	}
	for rid, want := range map[string]string{
		"513": "S-1-5-21-1004336348-1177238915-682003330-513", "4294967295": "S-1-5-21-1004336348-1177238915-682003330-4294967295",
		"": "", "-1": "", "x": "", "4294967296": "",
	} {
		if got := sidText(primarySID(own, rid)); got != want {
			t.Errorf("%q: %q, want %q", rid, got, want)
		}
	}
	if got := primarySID("short", "513"); got != "" {
		t.Errorf("of no SID: %x", got)
	}
}

// The text of a SID and its octets are each other's.
func FuzzSIDText(f *testing.F) {
	for _, text := range []string{"S-1-5-21-1-2-3-513", "S-1-5-11", "S-1-0xffffffffffff-1", "S-1-0x5-1", "S-1-5", "S-1--5", "S-2-5-1", "S-1-5-4294967296",
		"S-1-5" + strings.Repeat("-1", 15), "S-1-5" + strings.Repeat("-1", 16), "S-1-0x-1", "S-1-5-+1", "S-1-5-1_0"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		octets, ok := sidOctets(text)
		if !ok {
			return
		}
		again := sidText(octets)
		if other, ok := sidOctets(again); again == "" || !ok || other != octets {
			t.Errorf("%q: %x, %q, %x", text, octets, again, other)
		}
	})
}

// Two spellings of a DN have one key, and two DNs have two.
func TestDNKey(t *testing.T) {
	for _, same := range [][]string{
		{"CN=a,DC=x", "cn=A,dc=X"},
		{`CN=M\C3\BCller\, J,DC=x`, `cn=MÜLLER\2C J,dc=x`},
		{`CN=q\"q,DC=x`, `CN=q\22q,DC=x`},
		{`CN=odd\`, `cn=ODD\`}, // no DN, and still a key
	} {
		for _, dn := range same {
			if dnKey(dn) != dnKey(same[0]) {
				t.Errorf("%q and %q differ: %q and %q", dn, same[0], dnKey(dn), dnKey(same[0]))
			}
		}
	}
	if dnKey("CN=İdari,DC=x") == dnKey("CN=idari,DC=x") || dnKey("CN=\u212A,DC=x") == dnKey("CN=k,DC=x") {
		t.Error("what only Go takes for the same letter is the same name")
	}
	if dnKey(`CN=a\,b,DC=x`) == dnKey("CN=a,b,DC=x") {
		t.Error("a comma is not a comma")
	}
}

func FuzzDNKey(f *testing.F) {
	for _, dn := range []string{`CN=a\,b,DC=x`, `cn="a,b",dc=x`, `CN=a\0ACNF:1,DC=x`, `\`, `cn=\zz`, "CN=ſ,DC=İ", `cn=#0401\`} {
		f.Add(dn)
	}
	f.Fuzz(func(t *testing.T, dn string) {
		key := dnKey(dn)
		if _, err := ldap.ParseDN(dn); err == nil && strings.ContainsAny(dn, `\"`) {
			if again := dnKey(key); dnKey(again) != again {
				t.Errorf("%q: %q, %q", dn, key, again)
			}
		}
	})
}

// The filter with another item in the place of what asks for a member.
func TestFilterInstead(t *testing.T) {
	for template, want := range map[string]string{
		"(member={0})":                                 "(x=1)",
		"(member:1.2.840.113556.1.4.1941:={0})":        "(x=1)",
		"(&(objectClass=group)(member={0}))":           "(&(objectClass=group)(x=1))",
		"(|(member={0})(uniqueMember={0}))":            "(|(x=1)(x=1))",
		"(&(!(member={0}))(cn=*))":                     "(&(!(x=1))(cn=*))",
		`(&(cn=a\29{0}b{0})(description=\28)(o={0}z))`: `(&(x=1)(description=\28)(x=1))`,
		"(&(member={0})(|(cn=a)(cn=b)))":               "(&(x=1)(|(cn=a)(cn=b)))",
	} {
		got := must(template).instead("(x=1)")
		if got != want {
			t.Errorf("%s: %s, want %s", template, got, want)
		}
		if _, err := compile(got); err != nil {
			t.Errorf("%s: %v", got, err)
		}
	}
}
