package directory_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ad-ldap-connector/pkg/directory"
	"ad-ldap-connector/pkg/identity"
	"ad-ldap-connector/pkg/sandbox"
	"ad-ldap-connector/testdata/lab"
)

// Run says how the directory fares when that changes, and recovers by itself.
func TestRun(t *testing.T) {
	type state struct {
		ok     bool
		detail string
	}
	server := lab.Slapd(t, lab.SlapdOptions{Users: 3})
	states := make(chan state, 100)
	c := client(t, slapd{server}, func(o *directory.Options) {
		o.Heartbeat = 10 * time.Millisecond
		o.State = func(ok bool, detail string) { states <- state{ok, detail} }
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	next := func(want bool) state {
		t.Helper()
		for {
			select {
			case s := <-states:
				if s.ok == want {
					return s
				}
			case <-time.After(time.Minute):
				t.Fatalf("waited for ok=%v", want)
			}
		}
	}
	if s := next(true); s.detail != server.URL {
		t.Errorf("detail %q", s.detail)
	}
	server.Stop()
	if s := next(false); !strings.Contains(s.detail, server.URL) || strings.Contains(s.detail, server.BindPassword) {
		t.Errorf("detail %q", s.detail)
	}
	server.Start()
	next(true)
	if err := login(t.Context(), c, 1); err != nil {
		t.Error(err)
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
}

// What a login learns of the directory shows at once, and not at the next look,
// which is a minute away here.
func TestALoginIsNewsOfTheDirectory(t *testing.T) {
	t.Parallel()
	d, err := sandbox.StartDirectory(sandbox.DirectoryOptions{Users: 1})
	if err != nil {
		t.Fatal(err)
	}
	var fine atomic.Bool
	c := directory.New(directory.Options{
		URLs: []string{d.URL()}, BaseDN: d.BaseDN(), BindUser: d.BindUser(), BindPassword: identity.Password(d.BindPassword()),
		State: func(ok bool, _ string) { fine.Store(ok) },
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	lab.Eventually(t, "the directory to be well", fine.Load)
	begun := time.Now()
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Find(t.Context(), "user00000"); err == nil {
		t.Error("somebody was found in a directory that is gone")
	}
	lab.Eventually(t, "the directory to be said to be away", func() bool { return !fine.Load() })
	again, err := sandbox.StartDirectory(sandbox.DirectoryOptions{Users: 1, Listen: strings.TrimPrefix(d.URL(), "ldap://"), Password: d.BindPassword()})
	if err != nil {
		t.Fatal(err)
	}
	lab.Eventually(t, "the directory to be well again", func() bool {
		_, _ = c.Find(t.Context(), "user00000") // whether it is found is another matter
		return fine.Load()
	})
	if took := time.Since(begun); took > 50*time.Second {
		t.Errorf("it took %v, as long as a look that is due each minute", took)
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
	if err := errors.Join(c.Close(), again.Close()); err != nil {
		t.Error(err)
	}
}
