package directory_test

import (
	"context"
	"fmt"
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

// Logins go on, and all come right, whatever the network does to a server.
func TestNetworkFaults(t *testing.T) {
	server := lab.Slapd(t, lab.SlapdOptions{Users: 60})
	for name, fault := range map[string]struct {
		do     func(*lab.Proxy)
		logins int64
	}{
		"20 ms":  {func(p *lab.Proxy) { p.Delay(10 * time.Millisecond) }, 600},
		"200 ms": {func(p *lab.Proxy) { p.Delay(100 * time.Millisecond) }, 100},
		"drip":   {func(p *lab.Proxy) { p.Drip(100 * time.Microsecond) }, 30},
		"reset":  {func(p *lab.Proxy) { p.Reset() }, 300},
	} {
		t.Run(name, func(t *testing.T) {
			p, url := behind(t, server)
			c := client(t, slapd{server}, func(o *directory.Options) { o.URLs = []string{url}; o.Timeout = 30 * time.Second })
			logins := newCrowd(t, c, 16, 60)
			logins.more(t, 30)
			fault.do(p)
			logins.more(t, fault.logins)
			logins.stop()
		})
	}
}

// An answer that breaks off in its middle is asked for again.
func TestResetInTheMiddleOfAnAnswer(t *testing.T) {
	server := lab.Slapd(t, lab.SlapdOptions{Users: 60})
	p, url := behind(t, server)
	c := client(t, slapd{server}, func(o *directory.Options) { o.URLs = []string{url} })
	for i := range 40 {
		if err := login(t.Context(), c, i+1); err != nil {
			t.Fatal(err)
		}
		before := p.Opened()
		p.CutAfter(i * 7)
		if err := login(t.Context(), c, i+1); err != nil {
			t.Errorf("cut after %d octets: %v", i*7, err)
		}
		if p.Opened() == before {
			t.Errorf("nothing was cut after %d octets", i*7)
		}
	}
}

// A firewall forgets the connections that exist, and lets new ones through: the
// server is not left for that, but the connections are.
func TestDeadLinks(t *testing.T) {
	t.Parallel()
	first, second := lab.Slapd(t, lab.SlapdOptions{Users: 9}), lab.Slapd(t, lab.SlapdOptions{Users: 9})
	p1, url1 := behind(t, first)
	p2, url2 := behind(t, second)
	c := client(t, slapd{first}, func(o *directory.Options) { o.URLs, o.Timeout = []string{url1, url2}, 40*time.Second })
	opened := time.Now()
	if err := login(t.Context(), c, 1); err != nil {
		t.Fatal(err)
	}
	// A connection that was opened just now is not suspected.
	lab.Eventually(t, "the connections to be a while old", func() bool { return time.Since(opened) > 3*time.Second })
	p1.HangLinks()
	start := time.Now()
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			if err := login(t.Context(), c, i+1); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if took := time.Since(start); took > 30*time.Second {
		t.Errorf("took %s", took)
	}
	if p2.Opened() != 0 {
		t.Error("the server was left, though it was well")
	}
}

// slow is a server that takes its time over everything but what it is.
func slow(t *testing.T, d time.Duration, asked *atomic.Int32) string {
	return listen(t, fake(func(op ber.Tag, p *ber.Packet) []answer {
		if op != ldap.ApplicationUnbindRequest && !isRootDSE(op, p) {
			asked.Add(1)
			time.Sleep(d)
		}
		return done(op, 0, "")
	}))
}

// A server that is slow, but alive, is not left for another.
func TestSlowIsNotDead(t *testing.T) {
	t.Parallel()
	var asked, other atomic.Int32
	c := ask(t, nil, slow(t, 3*time.Second, &asked), slow(t, 0, &other))
	refused(t, second(c.Find(t.Context(), "x")), identity.WrongUsername)
	if err := c.Bind(t.Context(), "uid=x", "planted-Secret"); err != nil {
		t.Error(err)
	}
	if asked.Load() != 2 || other.Load() != 0 {
		t.Errorf("the slow server was asked %d times, the other one %d times", asked.Load(), other.Load())
	}
}

func second[T any](_ T, err error) error { return err }

// A server that says that it does no work has done none: the next one is asked
// at once, and the first one again when nobody else is left.
func TestServerDeclines(t *testing.T) {
	notice := append([]byte{0x30, 0x24, 2, 1, 0, 0x78, 0x1f, 0x0a, 1, 52, 4, 0, 4, 0, 0x8a, 0x16}, "1.3.6.1.4.1.1466.20036"...)
	for name, says := range map[string]func(op ber.Tag) []answer{
		"busy":        func(op ber.Tag) []answer { return done(op, 51, "") },
		"unavailable": func(op ber.Tag) []answer { return done(op, 52, "") },
		"unwilling":   func(op ber.Tag) []answer { return done(op, 53, "Server is shutting down") },
		"notice":      func(ber.Tag) []answer { return []answer{{raw: notice}, {hangUp: true}} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var asked, other atomic.Int32
			first := listen(t, fake(func(op ber.Tag, p *ber.Packet) []answer {
				if op == ldap.ApplicationUnbindRequest || isRootDSE(op, p) && (asked.Load() == 0 || name != "notice") {
					return done(op, 0, "")
				}
				if !isRootDSE(op, p) {
					asked.Add(1)
				}
				return says(op)
			}))
			working := listen(t, fake(func(op ber.Tag, p *ber.Packet) []answer {
				if op != ldap.ApplicationUnbindRequest && !isRootDSE(op, p) {
					other.Add(1)
				}
				return done(op, 0, "")
			}))
			for _, do := range []func(context.Context, *directory.Client) error{
				func(ctx context.Context, c *directory.Client) error { return c.Bind(ctx, "uid=x", "planted-Secret") },
				func(ctx context.Context, c *directory.Client) error {
					_, err := c.Search(ctx, identity.Query{})
					return err
				},
				func(ctx context.Context, c *directory.Client) error { return second(c.ListGroups(ctx, 3)) },
			} {
				asked.Store(0)
				other.Store(0)
				err := do(t.Context(), ask(t, nil, first, working))
				if err != nil || asked.Load() != 1 || other.Load() != 1 {
					t.Errorf("asked %d times and %d times: %v", asked.Load(), other.Load(), err)
				}
				isFault(t, do(t.Context(), ask(t, nil, first)), fmt.Sprintf("at %s", first))
			}
		})
	}
}
