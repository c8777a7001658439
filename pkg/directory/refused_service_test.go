package directory_test

import (
	"errors"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"ad-ldap-connector/pkg/directory"
	"ad-ldap-connector/pkg/identity"
	"ad-ldap-connector/pkg/sandbox"
	"ad-ldap-connector/testdata/lab"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"
)

// A refused service account is seen as that, also when another server could
// not be reached before.
func TestRefusedBehindUnreachable(t *testing.T) {
	d := startSandbox(t, sandbox.Traits{}, lab.People(1))
	c := client(t, d, func(o *directory.Options) {
		o.URLs = append([]string{"ldap://127.0.0.1:1"}, o.URLs...)
		o.BindPassword = "planted-Secret"
	})
	_, err := c.Find(t.Context(), "x")
	isFault(t, err, "ldap://127.0.0.1:1")
	var e *directory.Error
	if !errors.As(err, &e) || !e.Refused() {
		t.Errorf("%v is not seen as a refused account", err)
	}
}

// The server of choice comes back and does not know the service account's
// password: whoever uses the other one must not notice.
func TestReturnToAFirstThatRefuses(t *testing.T) {
	second := startSandbox(t, sandbox.Traits{}, lab.People(3))
	gone := startSandbox(t, sandbox.Traits{}, lab.People(3))
	first, err := url.Parse(gone.URL())
	if err != nil {
		t.Fatal(err)
	}
	if err := gone.Close(); err != nil {
		t.Fatal(err)
	}
	var now atomic.Int64
	c := client(t, second, func(o *directory.Options) {
		o.URLs = append([]string{gone.URL()}, o.URLs...)
		o.Now = func() time.Time { return time.Unix(now.Load(), 0) }
	})
	if err := login(t.Context(), c, 1); err != nil {
		t.Fatal(err)
	}
	asked := make(chan struct{}, 10)
	var back *sandbox.Directory
	lab.Eventually(t, "the first server's port to be free again", func() (ok bool) { // a connection from it ends soon
		var err error
		back, err = sandbox.StartDirectory(sandbox.DirectoryOptions{Listen: first.Host, Traits: sandbox.Traits{Fault: func(op string) sandbox.Fault {
			if op == "bind" {
				asked <- struct{}{}
			}
			return sandbox.FaultNone
		}}})
		return err == nil
	})
	defer func() { _ = back.Close() }()
	now.Add(200) // beyond the idle age, so that connections are opened
	if err := login(t.Context(), c, 1); err != nil {
		t.Fatal(err)
	}
	select {
	case <-asked:
	case <-time.After(time.Minute):
		t.Fatal("the first server was not asked again")
	}
	for range 20 { // the refusal arrives while these go on
		if err := login(t.Context(), c, 2); err != nil {
			t.Fatal(err)
		}
	}
	// A search of everybody needs a connection that is not open yet.
	if _, err := c.Search(t.Context(), identity.Query{}); err != nil {
		t.Error(err)
	}
}

// A service account that is refused is tried less and less often: each try
// counts towards a lock. One that is let in again is as good as ever.
func TestRefusedAccountIsTriedLessOften(t *testing.T) {
	var binds atomic.Int32
	var letIn atomic.Bool
	url := listen(t, fake(func(op ber.Tag, _ *ber.Packet) []answer {
		if op == ldap.ApplicationBindRequest {
			binds.Add(1)
			if !letIn.Load() {
				return done(op, ldap.LDAPResultInvalidCredentials, "")
			}
		}
		return done(op, 0, "")
	}))
	var now atomic.Int64
	c := ask(t, func(o *directory.Options) {
		o.BindUser, o.BindPassword = "cn=svc", "planted-Secret"
		o.Now = func() time.Time { return time.Unix(now.Load(), 0) }
	}, url)
	for range 120 { // an hour of logins
		_, err := c.Find(t.Context(), "x")
		isFault(t, err, "invalid credentials (49)")
		now.Add(30)
	}
	if binds.Load() != 8 { // at 0, 30 s, 90 s, ... and then every quarter of an hour
		t.Errorf("bound %d times in an hour", binds.Load())
	}
	letIn.Store(true)
	now.Add(15 * 60)
	_, err := c.Find(t.Context(), "x")
	refused(t, err, identity.WrongUsername)
}
