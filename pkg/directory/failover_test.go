package directory_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ad-ldap-connector/pkg/directory"
	"ad-ldap-connector/pkg/identity"
	"ad-ldap-connector/testdata/lab"
)

// behind returns a proxy in front of a server, and its URL.
func behind(t testing.TB, server *lab.SlapdServer) (*lab.Proxy, string) {
	t.Helper()
	p := lab.NewProxy(t, strings.TrimPrefix(server.URL, "ldap://"))
	return p, "ldap://" + p.Addr
}

// states collects what State is told.
type states struct {
	mu  sync.Mutex
	all []string
}

func (s *states) tell(ok bool, detail string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, fmt.Sprint(ok, " ", detail))
}

func (s *states) last() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.all) == 0 {
		return ""
	}
	return s.all[len(s.all)-1]
}

// crowd logs in from many goroutines at once until it is stopped.
type crowd struct {
	stop    func()
	logins  atomic.Int64
	slowest atomic.Int64
}

func newCrowd(t *testing.T, c *directory.Client, workers, users int) *crowd {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	w := &crowd{}
	for k := range workers {
		wg.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				i := (k*7+n*13)%users + 1
				start := time.Now()
				if err := timedLogin(t.Context(), c, i, n%8 == 7); err != nil {
					t.Errorf("user %d after %s: %v", i, time.Since(start), err)
				}
				took := int64(time.Since(start))
				for old := w.slowest.Load(); took > old && !w.slowest.CompareAndSwap(old, took); old = w.slowest.Load() {
				}
				w.logins.Add(1)
			}
		})
	}
	w.stop = sync.OnceFunc(func() { stop(); wg.Wait() })
	t.Cleanup(w.stop)
	return w
}

// more waits for so many more logins.
func (w *crowd) more(t *testing.T, n int64) {
	t.Helper()
	until := w.logins.Load() + n
	lab.Eventually(t, fmt.Sprintf("%d more logins", n), func() bool { return w.logins.Load() >= until })
}

// timedLogin is a login that has the time that the hub gives one.
func timedLogin(ctx context.Context, c *directory.Client, i int, wrong bool) error {
	ctx, cancel := context.WithTimeout(ctx, 60*time.Second)
	defer cancel()
	if !wrong {
		return login(ctx, c, i)
	}
	err := c.Bind(ctx, fmt.Sprintf("uid=%s,ou=people,dc=lab,dc=test", lab.User(i)), "wrong-Passw0rd")
	var r *identity.Refusal
	if !errors.As(err, &r) || r.Reason != identity.WrongPassword {
		return fmt.Errorf("a wrong password: %w", err)
	}
	return nil
}

// One of two servers goes away, in several ways, under 64 logins at a time:
// none fails, none takes long, the change is told, and so is the way back.
func TestLoseOneOfTwo(t *testing.T) {
	for name, way := range map[string]struct {
		lose, mend func(*lab.SlapdServer, *lab.Proxy)
		within     time.Duration // generous: this machine may be busy
	}{
		"killed": {
			func(s *lab.SlapdServer, p *lab.Proxy) { s.Stop(); p.Down() },
			func(s *lab.SlapdServer, p *lab.Proxy) { s.Start(); p.Up() }, 10 * time.Second,
		},
		"frozen": {
			func(s *lab.SlapdServer, _ *lab.Proxy) { s.Pause() },
			func(s *lab.SlapdServer, _ *lab.Proxy) { s.Resume() }, 10 * time.Second,
		},
		"black hole": {
			func(_ *lab.SlapdServer, p *lab.Proxy) { p.Hang() },
			func(_ *lab.SlapdServer, p *lab.Proxy) { p.Resume() }, 10 * time.Second,
		},
	} {
		t.Run(name, func(t *testing.T) {
			first, second := lab.Slapd(t, lab.SlapdOptions{Users: 60}), lab.Slapd(t, lab.SlapdOptions{Users: 60})
			to1, url1 := behind(t, first)
			to2, url2 := behind(t, second)
			var told states
			c := client(t, slapd{first}, func(o *directory.Options) {
				o.URLs = []string{url1, url2}
				o.State = told.tell
				o.ReturnAfter = 500 * time.Millisecond
				o.Timeout = 30 * time.Second // waiting for it would be noticed
			})
			logins := newCrowd(t, c, 64, 60)
			logins.more(t, 500)
			if got := told.last(); got != "true "+url1 {
				t.Errorf("told %q", got)
			}
			if to2.Opened() != 0 {
				t.Error("the second server was asked while the first one worked")
			}
			way.lose(first, to1)
			lab.Eventually(t, "the change to be told", func() bool {
				return strings.HasPrefix(told.last(), "true "+url2+" instead of "+url1+": ")
			})
			logins.more(t, 500)
			slowest := time.Duration(logins.slowest.Load())
			t.Logf("the slowest of %d logins took %s; %s", logins.logins.Load(), slowest, told.last())
			if slowest > way.within {
				t.Errorf("the slowest login took %s", slowest)
			}
			way.mend(first, to1)
			lab.Eventually(t, "the way back to be told", func() bool { return told.last() == "true "+url1 })
			logins.more(t, 500)
			lab.Eventually(t, "the second server to be left alone", func() bool { return to2.Open() == 0 })
			logins.stop()
			if err := c.Close(); err != nil {
				t.Error(err)
			}
			lab.Eventually(t, "all connections to end", func() bool { return to1.Open()+to2.Open() == 0 })
		})
	}
}
