package directory

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

// A panic over what a server sent is an error of whoever asked, and not the end
// of the process.
func TestPanicsAreErrors(t *testing.T) {
	said := func(err error) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), "cannot be read: planted") {
			t.Error(err)
		}
	}
	c := New(Options{})
	cache := newGroupCache(t.Context(), time.Minute, time.Now, c.spawn)
	breaks := func(context.Context) (membership, error) { panic("planted") }
	for range 2 { // a second one does not wait for the first
		_, err := cache.get(t.Context(), "cn=x", breaks)
		said(err)
	}
	said(parallel(t.Context(), 3, func(_ context.Context, i int) error {
		if i == 1 {
			panic("planted")
		}
		return nil
	}))
	ended := make(chan struct{})
	c.spawn(func() { defer close(ended); panic("planted") })
	<-ended
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if c.spawn(func() {}) || !errors.Is(context.Cause(c.life), ErrClosed) {
		t.Error("it is not closed")
	}
}
