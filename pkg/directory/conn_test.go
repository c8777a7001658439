package directory

import (
	"context"
	"errors"
	"net"
	"testing"

	"github.com/go-ldap/ldap/v3"
)

// A caller that gives up for a reason of its own says nothing about the
// connection, which others may be using.
func TestGivingUpForAReasonLosesNoConnection(t *testing.T) {
	reason := errors.New("the tenant's settings have changed")
	ours, theirs := net.Pipe()
	defer func() { _ = theirs.Close() }()
	ended := make(chan struct{})
	go func() { // ends when the connection does
		defer close(ended)
		_, _ = theirs.Read(make([]byte, 1))
	}()
	wait := func(*ldap.Conn) (struct{}, error) {
		<-ended
		return struct{}{}, net.ErrClosed
	}
	for name, run := range map[string]func(context.Context, *conn) error{
		"multiplex": func(ctx context.Context, cn *conn) error { _, err := multiplex(ctx, cn, wait); return err },
		"alone":     func(ctx context.Context, cn *conn) error { _, err := alone(ctx, cn, wait); return err },
	} {
		ctx, giveUp := context.WithCancelCause(t.Context())
		giveUp(reason)
		err := run(ctx, &conn{ldap: ldap.NewConn(ours, false), line: &line{Conn: ours, tcp: ours}})
		if lost(err) || !timedOut(err) || !errors.Is(err, reason) {
			t.Errorf("%s: %v: lost %v, given up %v", name, err, lost(err), timedOut(err))
		}
	}
}
