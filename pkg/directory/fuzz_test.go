package directory

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"ad-ldap-connector/pkg/identity"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"
)

// What comes from outside and is taken apart here: names that people type,
// templates of operators, and all that a server says, which may be hostile.

func FuzzFilter(f *testing.F) {
	for _, template := range templates {
		f.Add(template, "alice*")
	}
	f.Add("({0}=x)", "a)(b")
	f.Add(`(cn=\2{0})`, "a")
	f.Add("(cn:={0})", "\x00")
	f.Add("(uid={user})", `CORP\a*`)
	f.Fuzz(func(t *testing.T, template, value string) {
		filter, err := ParseFilter(template)
		if err != nil {
			return
		}
		if filter.String() != template {
			t.Fatalf("%q became %q", template, filter)
		}
		if filter.Places() > 0 {
			checkLiteral(t, filter, value)
		}
	})
}

func FuzzDN(f *testing.F) {
	for _, dn := range []string{"", "uid=x,dc=lab,dc=test", `CN=Müller\, Jörg (Ext\\ern) \"Q\" \#1 \+ \<x\>,OU=a`, "cn=#04024869", `cn=\`, "=", "a=b+c=d,e=f", "cn=\xff\x00", `cn=\zz`} {
		f.Add(dn)
	}
	byMember := must("(member={0})")
	f.Fuzz(func(t *testing.T, dn string) {
		if dn != "" {
			checkLiteral(t, byMember, dn)
		}
		parsed, err := ldap.ParseDN(dn)
		if err == nil && !atOrBelow(parsed, parsed) {
			t.Errorf("%q is not at or below itself", dn)
		}
		var p places
		p.remember(dn, &Client{})
		if p.of(dn) == nil {
			t.Errorf("%q is forgotten", dn)
		}
	})
}

func FuzzEntry(f *testing.F) {
	f.Add("objectGUID", []byte("0123456789abcdef"), []byte{})
	f.Add("objectSid", []byte{1, 1, 0, 0, 0, 0, 0, 5, 18, 0, 0, 0}, []byte("S-1-5-18"))
	f.Add("member;range=0-1", []byte("\xff"), []byte("x"))
	f.Add("cn;lang-de", []byte(nil), []byte("\x00"))
	f.Fuzz(func(t *testing.T, name string, one, two []byte) {
		e := entry(&ldap.Entry{DN: name, Attributes: []*ldap.EntryAttribute{{Name: name, ByteValues: [][]byte{one, two}}}})
		if len(e.Attributes) != 1 || e.Attributes[0].Name != name || len(e.Attributes[0].Values) > 2 {
			t.Fatalf("%+v", e)
		}
		switch strings.ToLower(name) {
		case "objectguid", "objectsid":
		default:
			if got := e.Attributes[0].Values; string(got[0]) != string(one) || string(got[1]) != string(two) {
				t.Errorf("%q: %q", name, got)
			}
		}
	})
}

func FuzzSubCode(f *testing.F) {
	f.Add(uint16(49), adMessage("52e"))
	f.Add(uint16(49), "data data 775")
	f.Add(uint16(19), "Exceed password retry limit. Please try later.")
	f.Add(uint16(53), "Account inactivated. Contact system administrator.")
	f.Fuzz(func(t *testing.T, code uint16, message string) {
		r := refusedBind(noPolicy, said(code, message))
		if code == ldap.LDAPResultInvalidCredentials && r == nil {
			t.Errorf("%q is no refusal", message)
		}
		if r != nil && (strings.ContainsAny(r.Detail, "\x00\n\r\x1b") || len(r.Detail) > 700) {
			t.Errorf("the log gets %q", r.Detail)
		}
		if no := refusedPassword(said(code, message)); no != nil && strings.ContainsAny(no.Detail, "\x00\n\r\x1b") {
			t.Errorf("the log gets %q", no.Detail)
		}
	})
}

func FuzzReference(f *testing.F) {
	for _, text := range []string{"ldap://h/dc=x", "ldaps://h:636/dc=x??sub", "ldap:///", "ldap://[::1]/", "ldap://u:p@h/dc=x???", "ldap://h/%00"} {
		f.Add(text)
	}
	c := New(Options{ReferralHosts: []string{"good.lab.test"}})
	from, err := parseURL("ldaps://dc.lab.test", Options{})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, r := range c.followed([]string{text}, from, 1) {
			s, err := parseURL(r.url, Options{})
			if err != nil || s.host != "good.lab.test" || s.tls == nil {
				t.Errorf("%q leads to %q", text, r.url)
			}
		}
	})
}

// A server that answers a bind with any controls at all gets neither a panic
// nor a login for a password that it did not call right.
func FuzzPolicyControl(f *testing.F) {
	f.Add(uint16(0), []byte{0x30, 0x00}, false)
	f.Add(uint16(49), []byte{0x30, 0x03, 0x81, 0x01, 0x01}, false)
	f.Add(uint16(0), []byte{0x30, 0x05, 0xa0, 0x03, 0x81, 0x01, 0x02}, true)
	f.Add(uint16(0), []byte{0x30, 0x84, 0x7f, 0xff, 0xff, 0xff}, true)
	f.Add(uint16(0), []byte("-1"), true)
	f.Fuzz(func(t *testing.T, code uint16, value []byte, older bool) {
		oid := policyOID
		if older {
			oid = ldap.ControlTypeVChuPasswordWarning
		}
		err := bindWith(t, code, oid, value)
		if err == nil && code != ldap.LDAPResultSuccess {
			t.Errorf("result %d with %x was a login", code, value)
		}
		var r *identity.Refusal
		if errors.As(err, &r) && code == ldap.LDAPResultBusy {
			t.Errorf("busy with %x was a refusal: %v", value, err)
		}
	})
}

// bindWith binds at a server that answers with a result and a control, through
// the client itself.
func bindWith(t *testing.T, code uint16, oid string, value []byte) error {
	c := New(Options{URLs: []string{"ldap://localhost"}, Timeout: 10 * time.Second,
		Dial: func(context.Context, string, string) (net.Conn, error) {
			here, there := net.Pipe()
			go answerBinds(there, code, oid, value)
			return here, nil
		}})
	defer func() { _ = c.Close() }()
	return c.Bind(t.Context(), "uid=x", "secret")
}

func answerBinds(conn net.Conn, code uint16, oid string, value []byte) {
	defer func() { _ = conn.Close() }()
	for {
		p, err := ber.ReadPacket(conn)
		if err != nil || len(p.Children) < 2 {
			return
		}
		tag := ldap.ApplicationBindResponse
		var result uint16
		if p.Children[1].Tag == ldap.ApplicationSearchRequest {
			tag = ldap.ApplicationSearchResultDone
		} else {
			result = code
		}
		op := ber.Encode(ber.ClassApplication, ber.TypeConstructed, ber.Tag(tag), nil, "")
		op.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagEnumerated, int64(result), ""))
		op.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, "", ""))
		op.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, "", ""))
		m := ber.NewSequence("")
		m.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, p.Children[0].Value, ""))
		m.AppendChild(op)
		if tag == ldap.ApplicationBindResponse {
			one := ber.NewSequence("")
			one.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, oid, ""))
			one.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, string(value), ""))
			controls := ber.Encode(ber.ClassContext, ber.TypeConstructed, 0, nil, "")
			controls.AppendChild(one)
			m.AppendChild(controls)
		}
		if _, err := conn.Write(m.Bytes()); err != nil {
			return
		}
	}
}
