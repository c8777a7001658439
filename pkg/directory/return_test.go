package directory_test

import (
	"context"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ad-ldap-connector/pkg/directory"
	"ad-ldap-connector/pkg/sandbox"
	"ad-ldap-connector/testdata/lab"
)

// The server of choice is taken again also when no connection is ever opened,
// because those that are open never idle.
func TestRunReturnsToTheFirst(t *testing.T) {
	second := startSandbox(t, sandbox.Traits{}, lab.People(3))
	gone := startSandbox(t, sandbox.Traits{}, lab.People(3))
	at, err := url.Parse(gone.URL())
	if err != nil {
		t.Fatal(err)
	}
	if err := gone.Close(); err != nil {
		t.Fatal(err)
	}
	var now atomic.Int64
	states := make(chan string, 100)
	c := client(t, second, func(o *directory.Options) {
		o.URLs = append([]string{gone.URL()}, o.URLs...)
		o.BindUser, o.BindPassword = "", "" // the password is another one after the start
		o.Heartbeat = 10 * time.Millisecond
		o.Now = func() time.Time { return time.Unix(now.Load(), 0) }
		o.State = func(_ bool, detail string) { states <- detail }
	})
	anonymous := sandbox.Traits{AnonymousSearch: true}
	second.SetTraits(anonymous)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	defer func() { cancel(); <-ended }()
	next := func(want string) {
		t.Helper()
		select {
		case got := <-states:
			if !strings.HasPrefix(got, want) {
				t.Fatalf("asked %s, want %s", got, want)
			}
		case <-time.After(time.Minute):
			t.Fatalf("waited for %s", want)
		}
	}
	next(second.URL() + " instead of " + gone.URL() + ": ")
	var back *sandbox.Directory
	lab.Eventually(t, "the first server's port to be free again", func() (ok bool) { // a connection from it ends soon
		var err error
		back, err = sandbox.StartDirectory(sandbox.DirectoryOptions{Listen: at.Host, LDIF: strings.NewReader(lab.People(3)), Traits: anonymous})
		return err == nil
	})
	defer func() { _ = back.Close() }()
	now.Add(61) // not beyond the idle age
	next(back.URL())
}
