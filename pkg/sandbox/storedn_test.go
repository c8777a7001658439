package sandbox

import (
	"strings"
	"testing"

	"github.com/go-ldap/ldap/v3"
	"pgregory.net/rapid"
)

func TestNormaliseDN(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"", ""}, {"  ", ""},
		{"CN=Alice,DC=example,DC=test", "cn=alice,dc=example,dc=test"},
		{"cn = Alice  B. , dc = Test", "cn=alice b.,dc=test"},
		{"2.5.4.3=a,domainComponent=b", "cn=a,dc=b"},
		{`cn=a\,b`, `cn=a\,b`}, {`cn=a\2Cb`, `cn=a\,b`}, {`cn="a,b"`, `cn=a\,b`},
		{`cn=\20a\20`, "cn=a"}, {`cn=a\ `, "cn=a"},
		{`cn=\#a`, `cn=\#a`}, {"cn=#0403414243", "cn=abc"},
		{"uid=b+cn=a,dc=x", "cn=a+uid=b,dc=x"},
		{`cn=M\C3\BCller`, "cn=müller"}, {"cn=MÜLLER", "cn=müller"},
		{"cn=a=b", `cn=a\=b`}, {`cn=a\00b`, `cn=a\00b`}, {"cn=", "cn="},
	} {
		if got, err := normaliseDN(tt.in); err != nil || got != tt.want {
			t.Errorf("%q: %q %v, want %q", tt.in, got, err, tt.want)
		}
	}
	for _, bad := range []string{"alice", "cn", "=a", "cn=a,", "cn=a,,dc=b", "c n=a", `cn=a\`, `cn=a\zz`, `cn=\C3`, "cn=a;b", "cn=a<b", `cn="a`, `cn="a"b`, "cn=#04", "cn=#zz", "cn=a\x00", "cn=\xff", "-cn=a"} {
		if got, err := normaliseDN(bad); err == nil {
			t.Errorf("%q: %q", bad, got)
		}
	}
}

// Whatever a value holds, its escaped form reads back as itself, for us and for
// the client's library; and normalising twice changes nothing.
func TestEscapeDN(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.OneOf(rapid.String(), rapid.StringOf(rapid.SampledFrom([]rune(` ,+"\<>;=#aÄ`+"\x00")))).Draw(t, "value")
		dn := "cn=" + escapeDN(v) + ",dc=x"
		rdns, err := parseDN(dn)
		if err != nil || len(rdns) != 2 || rdns[0][0].value != v {
			t.Fatalf("%q: %q %v", dn, rdns, err)
		}
		theirs, err := ldap.ParseDN(dn)
		if err != nil || theirs.RDNs[0].Attributes[0].Value != v {
			t.Fatalf("%q: %v %v", dn, theirs, err)
		}
		once, err := normaliseDN(dn)
		if err != nil {
			t.Fatal(err)
		}
		if twice, err := normaliseDN(once); err != nil || twice != once {
			t.Fatalf("%q becomes %q: %v", once, twice, err)
		}
		if parentDN(once) != "dc=x" || !belowDN(once, "dc=x") || belowDN("dc=x", once) {
			t.Fatalf("%q has the parent %q", once, parentDN(once))
		}
	})
}

func TestBelowDN(t *testing.T) {
	for _, tt := range []struct {
		norm, base string
		want       bool
	}{
		{"cn=a,dc=x", "dc=x", true}, {"dc=x", "dc=x", true}, {"cn=a,dc=x", "", true},
		{"cn=a,dc=xx", "dc=x", false}, {`cn=a\,dc=x`, "dc=x", false}, {`cn=a\\,dc=x`, "dc=x", true}, {"dc=x", "cn=a,dc=x", false},
	} {
		if got := belowDN(tt.norm, tt.base); got != tt.want {
			t.Errorf("%s below %s: %v", tt.norm, tt.base, got)
		}
	}
}

func FuzzNormaliseDN(f *testing.F) {
	for _, s := range []string{"cn=a,dc=b", `cn=a\,b+uid="x"`, "cn=#0401ff", `cn=\C3\BC`, ",", "=", `cn=a\`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		once, err := normaliseDN(s)
		if err != nil {
			return
		}
		twice, err := normaliseDN(once)
		if err != nil && !strings.Contains(s, "#") || err == nil && twice != once {
			t.Errorf("%q: %q, then %q %v", s, once, twice, err)
		}
	})
}
