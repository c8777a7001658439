package directory_test

import (
	"context"
	"errors"
	"net"
	"strings"
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

// ask is a client of servers of the test's own, where nobody need be bound.
func ask(t *testing.T, change func(*directory.Options), urls ...string) *directory.Client {
	t.Helper()
	o := directory.Options{URLs: urls, BaseDN: "dc=lab,dc=test", UserFilter: filter(t, "(uid={0})"), GroupsFilter: filter(t, "(member={0})")}
	if change != nil {
		change(&o)
	}
	c := directory.New(o)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// isFault fails the test unless err is one that says text.
func isFault(t *testing.T, err error, text string) {
	t.Helper()
	var r *identity.Refusal
	if err == nil || errors.As(err, &r) || !strings.Contains(err.Error(), text) {
		t.Errorf("got %v, want a fault that says %q", err, text)
	}
	if err != nil && strings.Contains(err.Error(), "planted-Secret") {
		t.Errorf("a secret is in %v", err)
	}
}

// A listener that never answers holds up nobody beyond the deadline.
func TestSilentServer(t *testing.T) {
	c := ask(t, func(o *directory.Options) { o.Timeout = 50 * time.Millisecond }, listen(t, silent))
	isFault(t, c.Bind(t.Context(), "uid=x", "planted-Secret"), "no answer within 50ms")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := c.Find(ctx, "x"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("find: %v", err)
	}
	ctx, cancel = context.WithCancel(t.Context())
	cancel()
	if err := c.Bind(ctx, "uid=x", "planted-Secret"); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestBusyAndTheLikeAreFaults(t *testing.T) {
	t.Parallel() // it waits more than it works
	for code, text := range map[int64]string{51: "busy (51)", 52: "unavailable (52)", 53: "unwilling to perform (53)", 2: "protocol error (2)", 8: "strong auth required (8)", 80: "(80)"} {
		c := ask(t, nil, listen(t, fake(func(op ber.Tag, _ *ber.Packet) []answer { return done(op, code, "data 775") })))
		isFault(t, c.Bind(t.Context(), "uid=x", "planted-Secret"), text)
		_, err := c.Find(t.Context(), "x")
		isFault(t, err, text)
		_, err = c.Search(t.Context(), identity.Query{})
		isFault(t, err, text)
		_, err = c.ListGroups(t.Context(), 1)
		isFault(t, err, text)
		groups, err := c.Groups(t.Context(), &identity.Entry{DN: "uid=x"})
		isFault(t, err, text)
		if groups != nil {
			t.Errorf("part of the groups: %v", groups)
		}
	}
}

// A bind whose connection ends before the answer is tried once more, since a
// server may count it; a search more often, and neither for ever.
func TestLostConnectionIsTriedAgain(t *testing.T) {
	for operation, most := range map[ber.Tag]int32{ldap.ApplicationBindRequest: 2, ldap.ApplicationSearchRequest: 4} {
		for _, want := range []bool{true, false} {
			lost := most
			if want {
				lost--
			}
			var asked atomic.Int32
			url := listen(t, fake(func(op ber.Tag, p *ber.Packet) []answer {
				if op == operation && !isRootDSE(op, p) && asked.Add(1) <= lost {
					return []answer{{hangUp: true}}
				}
				return done(op, 0, "")
			}))
			c := ask(t, nil, url)
			var err error
			if operation == ldap.ApplicationBindRequest {
				err = c.Bind(t.Context(), "uid=x", "planted-Secret")
			} else {
				_, err = c.Find(t.Context(), "x")
				var r *identity.Refusal
				if errors.As(err, &r) { // an answer: nobody
					err = nil
				}
			}
			if (err == nil) != want || asked.Load() != most {
				t.Errorf("operation %d, lost %d times: asked %d times, %v", operation, lost, asked.Load(), err)
			}
			if !want {
				isFault(t, err, "the connection was lost")
			}
		}
	}
}

// What is not LDAP, or breaks off, or claims gigabytes, is an error and no
// panic.
func TestGarbageIsAFault(t *testing.T) {
	for name, raw := range map[string][]byte{
		"http":      []byte("HTTP/1.1 400 Bad Request\r\n\r\n"),
		"gigabytes": {0x30, 0x84, 0x7f, 0xff, 0xff, 0xff, 2, 1, 1},
		"deep":      []byte(strings.Repeat("\x30\x80", 4000)),
		"empty":     {0x30, 0},
		"no result": {0x30, 5, 2, 1, 1, 0x61, 0},
		"odd types": {0x30, 12, 2, 1, 1, 0x64, 7, 4, 0, 0x30, 3, 0x30, 1, 5},
	} {
		t.Run(name, func(t *testing.T) {
			url := listen(t, func(c net.Conn) {
				_, _ = c.Read(make([]byte, 1000))
				_, _ = c.Write(raw)
			})
			c := ask(t, func(o *directory.Options) { o.Timeout = time.Second }, url)
			_, err := c.Find(t.Context(), "x")
			isFault(t, err, url)
			isFault(t, c.Bind(t.Context(), "uid=x", "planted-Secret"), url)
		})
	}
}

func TestFailover(t *testing.T) {
	const nobody = "ldap://127.0.0.1:1"
	d := startSandbox(t, sandbox.Traits{}, lab.People(9))
	now := time.Now()
	o := d.Options(t)
	o.URLs = []string{nobody, d.URL()}
	o.Now = func() time.Time { return now }
	c := directory.New(o)
	defer func() { _ = c.Close() }()
	for i := range 3 {
		if err := login(t.Context(), c, i+1); err != nil {
			t.Error(err)
		}
	}
	none := ask(t, nil, nobody, "ldap://127.0.0.1:2")
	_, err := none.Find(t.Context(), "x")
	isFault(t, err, "connect at "+nobody)
	isFault(t, err, "connect at ldap://127.0.0.1:2")
}

// The server of choice is taken again when it is back, a minute later, without
// a login waiting for it.
func TestReturnToTheFirst(t *testing.T) {
	first, second := lab.Slapd(t, lab.SlapdOptions{Users: 3}), lab.Slapd(t, lab.SlapdOptions{Users: 3})
	var now atomic.Int64
	c := client(t, slapd{first}, func(o *directory.Options) {
		o.URLs = append(o.URLs, second.URL)
		o.Now = func() time.Time { return time.Unix(now.Load(), 0) }
	})
	at := func() (server string) {
		t.Helper()
		ctx := identity.WithTrace(t.Context(), func(s identity.Stage) { server = s.Server })
		a := identity.Authenticator{Directory: c, Mapper: noMapper{}}
		_, _ = a.Authenticate(ctx, identity.Credentials{Username: "nobody", Password: "x"})
		return server
	}
	if got := at(); got != first.URL {
		t.Errorf("asked %s first", got)
	}
	first.Stop()
	if got := at(); got != second.URL {
		t.Errorf("asked %s instead", got)
	}
	first.Start()
	if got := at(); got != second.URL {
		t.Errorf("asked %s too soon", got)
	}
	lab.Eventually(t, "the first server to be asked again", func() bool {
		now.Add(200) // also beyond the idle age, so that connections are opened
		return at() == first.URL
	})
}

func TestURLs(t *testing.T) {
	for _, url := range []string{"", "http://x", "ldap://", "ldapi:///run/x", "::", "ldap://user:planted-Secret@", "ldap://[::1"} {
		_, err := ask(t, nil, url).Find(t.Context(), "x")
		isFault(t, err, "connect to the directory")
	}
	_, err := ask(t, nil).Find(t.Context(), "x")
	isFault(t, err, "no URL is configured")
}

func TestClosed(t *testing.T) {
	c := ask(t, func(o *directory.Options) { o.GroupsCache = time.Minute }, listen(t, silent))
	waiting := make(chan error, 1)
	go func() { waiting <- c.Bind(t.Context(), "uid=x", "planted-Secret") }()
	_ = c.Close()
	isFault(t, <-waiting, "")
	_, err := c.Find(t.Context(), "x")
	isFault(t, err, "closed")
	_, err = c.Groups(t.Context(), &identity.Entry{DN: "uid=x"})
	isFault(t, err, "closed")
}

// Nesting without end is an error, not a hang.
func TestNestingIsBounded(t *testing.T) {
	var n atomic.Int32
	url := listen(t, fake(func(op ber.Tag, p *ber.Packet) []answer {
		if op != ldap.ApplicationSearchRequest || p.Children[1].Children[1].Value == int64(0) {
			return done(op, 0, "")
		}
		dn := []byte{byte('a' + n.Load()%26), byte('a' + n.Add(1)/26)}
		id := byte(p.Children[0].Value.(int64))
		entry := append([]byte{0x30, 9, 2, 1, id, 0x64, 4 + 2, 4, 2}, dn...)
		entry[1] = 11
		entry = append(entry, 0x30, 0)
		return append([]answer{{raw: entry}}, done(op, 0, "")...)
	}))
	c := ask(t, func(o *directory.Options) { o.NestedGroups, o.GroupProperty = true, "dn" }, url)
	groups, err := c.Groups(t.Context(), &identity.Entry{DN: "uid=x"})
	isFault(t, err, "more than 32 levels")
	if groups != nil {
		t.Errorf("%d groups", len(groups))
	}
}
