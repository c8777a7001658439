package directory_test

import (
	"context"
	"io"
	"net"
	"testing"

	"ad-ldap-connector/pkg/identity"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"
)

type noMapper struct{}

func (noMapper) Map(context.Context, *identity.Entry, []identity.Group, identity.Status) (identity.Profile, error) {
	return identity.ParseProfile([]byte("{}"))
}

// listen runs a server of the test's own on a loopback port, until the test
// ends, and returns its URL.
func listen(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			context.AfterFunc(ctx, func() { _ = c.Close() })
			go func() {
				defer func() { _ = c.Close() }()
				serve(c)
			}()
		}
	}()
	t.Cleanup(func() {
		cancel()
		_ = l.Close()
		<-done
	})
	return "ldap://" + l.Addr().String()
}

// silent takes connections and never answers.
func silent(c net.Conn) { _, _ = io.Copy(io.Discard, c) }

// answer is what a fake server says to a request: the tag of the response and
// its result, or nothing at all.
type answer struct {
	tag     ber.Tag
	code    int64
	text    string
	hangUp  bool
	nothing bool
	raw     []byte // sent as it is
}

// fake answers each request of a connection as say wants.
func fake(say func(op ber.Tag, request *ber.Packet) []answer) func(net.Conn) {
	return func(c net.Conn) {
		for {
			p, err := ber.ReadPacket(c)
			if err != nil || len(p.Children) < 2 {
				return
			}
			for _, a := range say(p.Children[1].Tag, p) {
				if a.hangUp {
					return
				}
				if a.raw != nil {
					_, _ = c.Write(a.raw)
					continue
				}
				if a.nothing {
					continue
				}
				op := ber.Encode(ber.ClassApplication, ber.TypeConstructed, a.tag, nil, "")
				op.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagEnumerated, a.code, ""))
				op.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, "", ""))
				op.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, a.text, ""))
				m := ber.NewSequence("")
				m.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, p.Children[0].Value, ""))
				m.AppendChild(op)
				_, _ = c.Write(m.Bytes())
			}
		}
	}
}

// done is a result of an operation.
func done(op ber.Tag, code int64, text string) []answer {
	tag := map[ber.Tag]ber.Tag{
		ldap.ApplicationBindRequest: ldap.ApplicationBindResponse, ldap.ApplicationSearchRequest: ldap.ApplicationSearchResultDone,
		ldap.ApplicationModifyRequest: ldap.ApplicationModifyResponse,
	}[op]
	return []answer{{tag: tag, code: code, text: text}}
}
