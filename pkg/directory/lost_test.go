package directory_test

import (
	"sync/atomic"
	"testing"

	"ad-ldap-connector/pkg/directory"
	"ad-ldap-connector/pkg/identity"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"
)

func isRootDSE(op ber.Tag, p *ber.Packet) bool {
	return op == ldap.ApplicationSearchRequest && p.Children[1].Children[1].Value == int64(0)
}

// A server that goes down over the question what it can do is asked it again
// when it is back: else password policies would be out of sight from then on.
func TestTraitsAreAskedAgainAfterALoss(t *testing.T) {
	var asked atomic.Int32
	var down atomic.Bool
	url := listen(t, fake(func(op ber.Tag, p *ber.Packet) []answer {
		switch {
		case down.Load():
			return []answer{{hangUp: true}}
		case isRootDSE(op, p):
			down.Store(asked.Add(1) == 1)
			if down.Load() {
				return []answer{{hangUp: true}}
			}
		}
		return done(op, 0, "")
	}))
	c := ask(t, func(o *directory.Options) { o.BindUser, o.BindPassword = "cn=svc", "planted-Secret" }, url)
	_, err := c.Find(t.Context(), "x")
	isFault(t, err, "the connection was lost")
	down.Store(false)
	_, err = c.Find(t.Context(), "x")
	refused(t, err, identity.WrongUsername)
	if asked.Load() != 2 {
		t.Errorf("the root DSE was asked for %d times", asked.Load())
	}
}
