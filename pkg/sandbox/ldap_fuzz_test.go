package sandbox

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"
)

// filterBER encodes a filter as a client does.
func filterBER(f testing.TB, filter string) []byte {
	f.Helper()
	p, err := ldap.CompileFilter(filter)
	if err != nil {
		f.Fatal(err)
	}
	return p.Bytes()
}

func fuzzDirectory(f testing.TB) *Directory {
	d := &Directory{log: slog.New(slog.DiscardHandler), now: time.Now, password: "x", conns: map[*ldapConn]struct{}{}, wrong: map[*storeEntry]int{}}
	d.SetTraits(adTraits)
	d.ctx = context.Background()
	if err := d.populate(DirectoryOptions{}); err != nil {
		f.Fatal(err)
	}
	return d
}

// Any octets are a filter that can be evaluated, or an error.
func FuzzFilter(f *testing.F) {
	for _, s := range []string{"(cn=a)", "(&(a=b)(|(c>=d)(e<=f))(!(g~=h)))", "(cn=a*b*c)", "(cn=*)", "(member:1.2.840.113556.1.4.1941:=cn=a)",
		"(manager:1.2.840.113556.1.4.1941:=cn=a)", "(userAccountControl:1.2.840.113556.1.4.803:=2)", "(ou:dn:=x)", "(:caseExactMatch:=x)", "(anr=a b)", "(objectSid=S-1-5)"} {
		f.Add(filterBER(f, s))
	}
	f.Add(bytes.Repeat([]byte{0xa2, 0x7f}, 200))
	d := fuzzDirectory(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		r := berReader(b)
		n, err := decodeFilter(&r, d.store.schema, true)
		if err != nil {
			return
		}
		// What the index finds is what looking at all entries finds.
		found, err := d.store.search("", scopeSubtree, n, func() error { return nil })
		if err != nil {
			t.Fatal(err)
		}
		all := 0
		for _, e := range d.store.list {
			if d.store.match(e, n) == truthYes {
				all++
			}
		}
		if all != len(found) {
			t.Errorf("%d found, %d match", len(found), all)
		}
	})
}

// Any octets are answered or end the connection; the directory lives on.
func FuzzMessage(f *testing.F) {
	add := func(op ber.Tag, children ...*ber.Packet) {
		p := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSequence, nil, "")
		p.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, 7, ""))
		o := ber.Encode(ber.ClassApplication, ber.TypeConstructed, op, nil, "")
		for _, c := range children {
			o.AppendChild(c)
		}
		p.AppendChild(o)
		f.Add(p.Bytes())
	}
	text := func(s string) *ber.Packet {
		return ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, s, "")
	}
	add(ldap.ApplicationBindRequest, ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, 3, ""), text("cn=x"),
		ber.NewString(ber.ClassContext, ber.TypePrimitive, 0, "pw", ""))
	add(ldap.ApplicationCompareRequest, text("dc=test"), text("x"))
	add(ldap.ApplicationModifyRequest, text(aliceDN))
	add(ldap.ApplicationExtendedRequest, ber.NewString(ber.ClassContext, ber.TypePrimitive, 0, oidPasswordModify, ""))
	f.Add([]byte("0\x05\x02\x01\x07B\x00"))
	d := fuzzDirectory(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		d.SetTraits(Traits{ActiveDirectory: len(b)%2 == 0})
		here, there := net.Pipe()
		c := newLDAPConn(d, here)
		c.who = d.service
		done := make(chan struct{})
		go func() {
			defer close(done)
			c.serve(false)
		}()
		go func() { _, _ = io.Copy(io.Discard, there) }() // ends with the pipe
		_, _ = there.Write(b)                             // the server may close it before
		if err := there.Close(); err != nil {
			t.Error(err)
		}
		<-done
	})
}

// Filters deeper or larger than any client's are refused, not evaluated.
func TestFilterBounds(t *testing.T) {
	d := fuzzDirectory(t)
	for name, filter := range map[string]string{
		"deep": strings.Repeat("(!", 150) + "(cn=a)" + strings.Repeat(")", 150),
		"wide": "(|" + strings.Repeat("(cn=a)", filterMaxParts) + ")",
	} {
		r := berReader(filterBER(t, filter))
		if _, err := decodeFilter(&r, d.store.schema, true); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
