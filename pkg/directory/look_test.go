package directory

import (
	"context"
	"errors"
	"net"
	"testing"

	"github.com/go-ldap/ldap/v3"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/dns/dnsmessage"
)

func TestDescribeServer(t *testing.T) {
	for name, test := range map[string]struct {
		dse  map[string][]string
		want Server
	}{
		"AD": {map[string][]string{"defaultNamingContext": {"DC=corp,DC=example"}, "supportedCapabilities": {capabilityAD}, "supportedExtension": {startTLSOID}},
			Server{Preset: "ad", BaseDN: "DC=corp,DC=example", StartTLS: true}},
		"AD LDS": {map[string][]string{"namingContexts": {"CN=Configuration,CN={1}", "OU=app"}, "supportedCapabilities": {capabilityLDS}},
			Server{Preset: "ad", BaseDN: "OU=app"}},
		"Samba": {map[string][]string{"vendorName": {"Samba Team (https://www.samba.org)"}, "supportedCapabilities": {capabilityAD}},
			Server{Preset: "samba", Vendor: "Samba Team (https://www.samba.org)"}},
		"OpenLDAP": {map[string][]string{"objectClass": {"top", "OpenLDAProotDSE"}, "namingContexts": {"dc=x"}}, Server{Preset: "openldap", BaseDN: "dc=x"}},
		"389": {map[string][]string{"vendorName": {"389 Project"}, "vendorVersion": {"389-Directory/2.3.1"}, "namingContexts": {"cn=changelog", "dc=x"}},
			Server{Preset: "389ds", BaseDN: "dc=x", Vendor: "389 Project 389-Directory/2.3.1"}},
		"FreeIPA": {map[string][]string{"vendorname": {"389 Project"}, "namingcontexts": {"o=ipaca", "cn=changelog", "dc=x"}, "defaultnamingcontext": {"dc=ipa"}},
			Server{Preset: "freeipa", BaseDN: "dc=ipa", Vendor: "389 Project"}},
		"FreeIPA without a CA": {map[string][]string{"vendorName": {"389 Project"}, "ipaDomainLevel": {"1"}}, Server{Preset: "freeipa", Vendor: "389 Project"}},
		"lldap":                {map[string][]string{"vendorName": {"LLDAP"}, "namingContexts": {"dc=x"}}, Server{Preset: "lldap", BaseDN: "dc=x", Vendor: "LLDAP"}},
		"unknown":              {map[string][]string{"vendorName": {"Some\x00\none"}, "namingContexts": {""}}, Server{Vendor: "Some  one"}},
		"nothing":              {nil, Server{}},
	} {
		if d := cmp.Diff(test.want, describeServer(ldap.NewEntry("", test.dse))); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}

// resolver answers SRV questions on a loopback port with the records given.
func resolver(t *testing.T, code dnsmessage.RCode, records ...dnsmessage.SRVResource) *net.Resolver {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { _ = conn.Close(); <-done })
	go func() {
		defer close(done)
		for buf := make([]byte, 1500); ; {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(buf[:n]) != nil {
				continue
			}
			m.Response, m.RCode, m.Additionals = true, code, nil
			for _, r := range records {
				m.Answers = append(m.Answers, dnsmessage.Resource{
					Header: dnsmessage.ResourceHeader{Name: m.Questions[0].Name, Type: dnsmessage.TypeSRV, Class: dnsmessage.ClassINET}, Body: &r})
			}
			if out, err := m.Pack(); err == nil {
				_, _ = conn.WriteTo(out, from)
			}
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

func srv(priority uint16, port uint16, target string) dnsmessage.SRVResource {
	return dnsmessage.SRVResource{Priority: priority, Weight: 1, Port: port, Target: dnsmessage.MustNewName(target)}
}

func TestDiscover(t *testing.T) {
	got, err := Discover(t.Context(), resolver(t, dnsmessage.RCodeSuccess,
		srv(20, 3389, "dc2.corp.example.test."), srv(10, 389, "dc1.corp.example.test."), srv(30, 0, ".")), "corp.example.test")
	want := []Candidate{
		{URL: "ldap://dc1.corp.example.test:389", BaseDN: "DC=corp,DC=example,DC=test"},
		{URL: "ldap://dc2.corp.example.test:3389", BaseDN: "DC=corp,DC=example,DC=test"},
	}
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Errorf("%s %v", d, err)
	}
	if got, err := Discover(t.Context(), resolver(t, dnsmessage.RCodeNameError), "none.example.test"); err != nil || len(got) != 0 {
		t.Errorf("no records: %v, %v", got, err)
	}
	var dns *net.DNSError
	if _, err := Discover(t.Context(), resolver(t, dnsmessage.RCodeRefused), "corp.example.test"); !errors.As(err, &dns) {
		t.Errorf("refused: %v", err)
	}
	for _, domain := range []string{"", ".", "a..b", "a b", "x,DC=evil", "dom\x00ain", "_ldap._tcp.x/"} {
		if got, err := Discover(t.Context(), nil, domain); err == nil {
			t.Errorf("%q: %v", domain, got)
		}
	}
}
