package directory

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"ad-ldap-connector/testdata/lab"

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

// What a moment is compared with may have been read before the machine's clock
// was set: only times with a monotonic reading bear that.
func TestMomentsAreMonotonic(t *testing.T) {
	var m moment
	if age := time.Since(m.time()); age < time.Hour {
		t.Errorf("what never happened was %s ago", age)
	}
	m.set()
	if at := m.time(); !strings.Contains(at.String(), " m=") || time.Since(at) < 0 || time.Since(at) > time.Minute {
		t.Errorf("it was at %s", at)
	}
}

// brokenLine is a connection that the server has ended, with these words.
type brokenLine struct{ net.Conn }

func (brokenLine) Read([]byte) (int, error) {
	return 0, errors.New("remote error: certificate required")
}

// A server that ends a connection before anything was asked has its say.
func TestCauseOfALossIsKept(t *testing.T) {
	ours, theirs := net.Pipe()
	defer func() { _ = theirs.Close() }()
	l := &line{Conn: brokenLine{ours}, tcp: ours}
	cn := &conn{line: l, ldap: ldap.NewConn(l, true)}
	cn.ldap.Start()
	defer cn.kill()
	lab.Eventually(t, "the library to learn of it", cn.ldap.IsClosing)
	bind := func(l *ldap.Conn) (struct{}, error) { return struct{}{}, l.Bind("uid=x", "planted-Secret") }
	_, one := alone(t.Context(), cn, bind)
	_, among := multiplex(t.Context(), cn, bind)
	for _, err := range []error{one, among} {
		if !lost(err) || describe(err) != "the connection was lost: remote error: certificate required" {
			t.Errorf("%v: %s", err, describe(err))
		}
	}
}
