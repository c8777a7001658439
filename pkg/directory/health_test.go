package directory_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"ad-ldap-connector/pkg/directory"
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
