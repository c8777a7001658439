package directory_test

import (
	"context"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ad-ldap-connector/pkg/directory"
	"ad-ldap-connector/pkg/identity"
	"ad-ldap-connector/testdata/lab"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"
)

// Long lists take no more than a part of the connections: a password is changed
// meanwhile.
func TestListsLeaveRoom(t *testing.T) {
	var lists atomic.Int32
	goOn := make(chan struct{})
	url := listen(t, fake(func(op ber.Tag, p *ber.Packet) []answer {
		if op == ldap.ApplicationSearchRequest && !isRootDSE(op, p) {
			lists.Add(1)
			<-goOn
		}
		return done(op, 0, "")
	}))
	c := ask(t, func(o *directory.Options) { o.Timeout = time.Minute }, url)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer close(goOn)
	for range 20 {
		wg.Go(func() { _, _ = c.Search(t.Context(), identity.Query{}) })
	}
	lab.Eventually(t, "the lists to have begun", func() bool { return lists.Load() >= 2 })
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := c.SetPassword(ctx, "uid=x", "planted-Secret"); err != nil {
		t.Error(err)
	}
}

// The same trouble is told once, though each connection has a port of its own.
func TestTroubleIsToldOnce(t *testing.T) {
	var opened atomic.Int32
	url := listen(t, func(c net.Conn) {
		opened.Add(1)
		_, _ = c.Read(make([]byte, 1))
		_ = c.(*net.TCPConn).SetLinger(0) // the rest is unread: a reset
	})
	var mu sync.Mutex
	var told []string
	c := ask(t, func(o *directory.Options) {
		o.Heartbeat = time.Millisecond
		o.BindUser, o.BindPassword = "cn=svc", "planted-Secret"
		o.State = func(_ bool, detail string) {
			mu.Lock()
			defer mu.Unlock()
			told = append(told, detail)
		}
	}, url)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	lab.Eventually(t, "many looks", func() bool { return opened.Load() >= 20 })
	cancel()
	<-ended
	mu.Lock()
	defer mu.Unlock()
	if len(told) != 1 || !strings.Contains(told[0], "reset") {
		t.Errorf("told %d times: %q", len(told), told)
	}
}
