package directory

import (
	"crypto/tls"
	"slices"
	"testing"
)

// What a server refers to is followed with no less TLS than there is to it, and
// never with another filter.
func TestParseReference(t *testing.T) {
	plain, start, secure := &server{}, &server{tls: &tls.Config{}, start: true}, &server{tls: &tls.Config{}}
	for _, test := range []struct {
		text      string
		from      *server
		url, base string
		one, bad  bool
	}{
		{text: "ldap://Child.Corp.Example/DC=child,DC=corp,DC=example", from: plain, url: "ldap://child.corp.example:389", base: "DC=child,DC=corp,DC=example"},
		{text: "ldap://child.corp.example/DC=child", from: secure, url: "ldaps://child.corp.example:636", base: "DC=child"},
		{text: "ldap://child.corp.example:389/DC=child", from: secure, url: "ldaps://child.corp.example:636", base: "DC=child"},
		{text: "ldap://child.corp.example:3389/DC=child", from: secure, url: "ldaps://child.corp.example:3389", base: "DC=child"},
		{text: "ldap://child.corp.example/DC=child", from: start, url: "ldap://child.corp.example:389", base: "DC=child"},
		{text: "ldaps://child.corp.example/DC=child", from: plain, url: "ldaps://child.corp.example:636", base: "DC=child"},
		{text: "ldap://h/ou=a%20b,dc=x??one", from: plain, url: "ldap://h:389", base: "ou=a b,dc=x", one: true},
		{text: "ldap://h/dc=x??sub", from: plain, url: "ldap://h:389", base: "dc=x"},
		{text: "ldap://h", from: plain, url: "ldap://h:389"},
		{text: "ldap://[::1]:1389/dc=x", from: plain, url: "ldap://[::1]:1389", base: "dc=x"},
		{text: "ldap://h/dc=x??base", from: plain, bad: true},
		{text: "ldap://h/dc=x??sub?(uid=admin)", from: plain, bad: true},
		{text: "ldap://h/dc=x????!e-critical", from: plain, bad: true},
		{text: "ldap:///dc=x", from: plain, bad: true},
		{text: "http://h/dc=x", from: plain, bad: true},
		{text: "ldap:dc=x", from: plain, bad: true},
		{text: "", from: plain, bad: true},
		{text: "ldap://h:x/", from: plain, bad: true},
		{text: "\x00", from: plain, bad: true},
	} {
		r, err := parseReference(test.text, test.from)
		if (err != nil) != test.bad || err == nil && (r.url != test.url || r.base != test.base || r.one != test.one) {
			t.Errorf("%q: %+v, %v", test.text, r, err)
		}
	}
}

// A host is listed by its name, and an unusual port only together with that.
func TestListedHosts(t *testing.T) {
	c := New(Options{ReferralHosts: []string{"DC1.corp.example", "dc2.corp.example:3389", "[::1]:636"}})
	defer func() { _ = c.Close() }()
	for url, want := range map[string]bool{
		"ldap://dc1.corp.example:389": true, "ldaps://dc1.corp.example:636": true, "ldaps://dc1.corp.example:3269": true,
		"ldap://dc1.corp.example:22": false, "ldap://dc2.corp.example:3389": true, "ldap://dc2.corp.example:389": false,
		"ldap://corp.example:389": false, "ldap://dc1.corp.example.evil.example:389": false, "ldaps://[::1]:636": true, "ldap://[::1]:389": false,
	} {
		if got := c.listed(reference{url: url}); got != want {
			t.Errorf("%s: %t", url, got)
		}
	}
}

// Beyond is what is neither followed nor Active Directory's own.
func TestBeyond(t *testing.T) {
	c := New(Options{ReferralHosts: []string{"child.corp.example"}})
	defer func() { _ = c.Close() }()
	refs := []string{
		"ldap://corp.example/CN=Configuration,DC=corp,DC=example", "ldap://DomainDnsZones.corp.example/DC=DomainDnsZones,DC=corp,DC=example",
		"ldap://forestdnszones.corp.example/dc=forestdnszones,DC=corp,DC=example", "ldap://child.corp.example/DC=child,DC=corp,DC=example",
		"ldap://other.corp.example/DC=other,DC=corp,DC=example", "ldap://child.corp.example:22/DC=child,DC=corp,DC=example", "nonsense",
		"ldap://x.example/DC=x,CN=Configuration,DC=corp,DC=example",
	}
	if got := c.beyond(refs, &server{}); !slices.Equal(got, refs[4:]) {
		t.Errorf("%q", got)
	}
}

// What is remembered of other servers is bounded.
func TestPlacesAreBounded(t *testing.T) {
	var p places
	c := &Client{}
	for i := range 5 * maxPlaces {
		p.remember(string(rune('a'+i%26))+string(rune(0x100+i)), c)
	}
	if n := len(p.young) + len(p.old); n > 2*maxPlaces {
		t.Errorf("%d are remembered", n)
	}
	p.remember("UID=x", c)
	if p.of("uid=X") != c {
		t.Error("the last one is forgotten")
	}
	p.forget("uid=x")
	if p.of("uid=x") != nil {
		t.Error("it is not forgotten")
	}
}
