package directory_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"ad-ldap-connector/pkg/identity"
	"ad-ldap-connector/testdata/lab"
)

func testKilled(t *testing.T, on target, b breakable) {
	c := client(t, on)
	for i := range 4 { // every connection is open
		if err := login(t.Context(), c, i+1); err != nil {
			t.Fatal(err)
		}
	}
	b.Stop()
	for range 3 {
		err := login(t.Context(), c, 1)
		var r *identity.Refusal
		if err == nil || errors.As(err, &r) {
			t.Errorf("without a server: %v, want a fault", err)
		}
	}
	b.Start()
	for i := range 4 {
		if err := login(t.Context(), c, i+1); err != nil {
			t.Errorf("after the restart: %v", err)
		}
	}
	// A restart that nobody notices between two logins: every connection is
	// dead, and no login may show it.
	b.Stop()
	b.Start()
	for i := range 4 {
		if err := login(t.Context(), c, i+1); err != nil {
			t.Errorf("after the second restart: %v", err)
		}
	}
}

func testHung(t *testing.T, on target, b breakable) {
	c := client(t, on)
	if err := login(t.Context(), c, 1); err != nil {
		t.Fatal(err)
	}
	user := on.Traits().userDN(1)
	b.Pause()
	resumed := false
	defer func() {
		if !resumed {
			b.Resume()
		}
	}()
	for name, do := range map[string]func(context.Context) error{
		"find": func(ctx context.Context) error { _, err := c.Find(ctx, lab.User(1)); return err },
		"bind": func(ctx context.Context) error { return c.Bind(ctx, user, "x-Passw0rd") },
		"groups": func(ctx context.Context) error {
			_, err := c.Groups(ctx, &identity.Entry{DN: user})
			return err
		},
		"search": func(ctx context.Context) error { _, err := c.Search(ctx, identity.Query{}); return err },
		"set":    func(ctx context.Context) error { return c.SetPassword(ctx, user, "x-Passw0rd") },
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		start := time.Now()
		err := do(ctx)
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v, want the deadline", name, err)
		}
		if took := time.Since(start); took > 20*time.Second {
			t.Errorf("%s took %s", name, took)
		}
	}
	b.Resume()
	resumed = true
	if err := login(t.Context(), c, 1); err != nil {
		t.Errorf("after the hang: %v", err)
	}
}
