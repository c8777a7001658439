package directory_test

import (
	"net"
	"sync/atomic"
	"testing"
	"time"

	"ad-ldap-connector/pkg/directory"
	"ad-ldap-connector/pkg/identity"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"
)

// garbledControl is a bind's answer with a control that nobody can read.
func garbledControl(request *ber.Packet, code int64) []byte {
	text := func(s string) *ber.Packet {
		return ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, s, "")
	}
	op := ber.Encode(ber.ClassApplication, ber.TypeConstructed, ldap.ApplicationBindResponse, nil, "")
	op.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagEnumerated, code, ""))
	op.AppendChild(text(""))
	op.AppendChild(text(""))
	control := ber.NewSequence("")
	control.AppendChild(text(ldap.ControlTypeBeheraPasswordPolicy))
	control.AppendChild(text("\x30\x05\x01"))
	controls := ber.Encode(ber.ClassContext, ber.TypeConstructed, 0, nil, "")
	controls.AppendChild(control)
	m := ber.NewSequence("")
	m.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, request.Children[0].Value, ""))
	m.AppendChild(op)
	m.AppendChild(controls)
	return m.Bytes()
}

// A password that a server has judged is not tried again, however the server
// puts its answer: each try may count towards a lock.
func TestAJudgedPasswordIsTriedOnce(t *testing.T) {
	for name, say := range map[string]func(*ber.Packet) []answer{
		"a control that cannot be read": func(p *ber.Packet) []answer { return []answer{{raw: garbledControl(p, 49)}} },
		"a message beyond bounds":       func(*ber.Packet) []answer { return []answer{{raw: []byte{0x30, 0x84, 0x7f, 0xff, 0xff, 0xff}}} },
		"a user whose name misleads": func(*ber.Packet) []answer {
			return done(ldap.ApplicationBindRequest, 49, "cannot authenticate uid=x,ou=Shutting Down,dc=lab,dc=test")
		},
	} {
		t.Run(name, func(t *testing.T) {
			var binds atomic.Int32
			url := listen(t, fake(func(op ber.Tag, p *ber.Packet) []answer {
				if op == ldap.ApplicationBindRequest {
					binds.Add(1)
					return say(p)
				}
				return done(op, 0, "")
			}))
			err := ask(t, nil, url).Bind(t.Context(), "uid=x", "planted-Secret")
			if name == "a user whose name misleads" {
				refused(t, err, identity.WrongPassword)
			} else {
				isFault(t, err, "")
			}
			if n := binds.Load(); n != 1 {
				t.Errorf("tried %d times", n)
			}
		})
	}
}

// A server that announces gigabytes is not waited for until they have come.
func TestGigabytesAreNotRead(t *testing.T) {
	url := listen(t, fake(func(op ber.Tag, _ *ber.Packet) []answer {
		return []answer{{raw: []byte{0x30, 0x84, 0x7f, 0xff, 0xff, 0xff}}}
	}))
	_, err := ask(t, nil, url).Find(t.Context(), "x")
	isFault(t, err, "larger than 32 MiB")
}

// flood is a search's answer without end, for as long as it is read.
func flood(request *ber.Packet) func(yield func([]byte) bool) {
	op := ber.Encode(ber.ClassApplication, ber.TypeConstructed, ldap.ApplicationSearchResultEntry, nil, "")
	op.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, "uid=x,dc=lab,dc=test", ""))
	op.AppendChild(ber.NewSequence(""))
	m := ber.NewSequence("")
	m.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, request.Children[0].Value, ""))
	m.AppendChild(op)
	raw := m.Bytes()
	return func(yield func([]byte) bool) {
		for yield(raw) {
		}
	}
}

// A server that never stops finding is not heard to the end: two entries are
// enough to know that it is not one.
func TestMoreThanWasAskedForIsNotKept(t *testing.T) {
	url := listen(t, func(c net.Conn) {
		p, err := ber.ReadPacket(c)
		for ; err == nil && isRootDSE(p.Children[1].Tag, p); p, err = ber.ReadPacket(c) {
			_, _ = c.Write([]byte{0x30, 12, 2, 1, 1, 0x65, 7, 10, 1, 0, 4, 0, 4, 0})
		}
		if err != nil {
			return
		}
		for raw := range flood(p) {
			if _, err := c.Write(raw); err != nil {
				return
			}
		}
	})
	_, err := ask(t, nil, url).Find(t.Context(), "x")
	refused(t, err, identity.AmbiguousUsername)
	found, err := ask(t, nil, url).Search(t.Context(), identity.Query{Limit: 3})
	if err != nil || len(found) != 3 {
		t.Errorf("%d found, %v", len(found), err)
	}
}

// A measurement of a server that stops answering ends.
func TestCeilingDoesNotWaitForEver(t *testing.T) {
	url := listen(t, fake(func(op ber.Tag, p *ber.Packet) []answer {
		if isRootDSE(op, p) {
			return done(op, 0, "")
		}
		return []answer{{nothing: true}}
	}))
	c := ask(t, func(o *directory.Options) { o.Timeout, o.GroupsTimeout = 50*time.Millisecond, 50*time.Millisecond }, url)
	m, err := c.Ceiling(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	isFault(t, m.Login("x", "planted-Secret", false), "search x")
}
