//go:build unix

package main

import (
	"cmp"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"ad-ldap-connector/pkg/sandbox"
	"ad-ldap-connector/testdata/lab"
)

// A stream is logins at a steady rate through a tenant, whatever becomes of
// those before.
type stream struct {
	t     *testing.T
	cloud *sandbox.Cloud
	quit  chan struct{}
	work  sync.WaitGroup
	over  sync.WaitGroup

	// killed says that a process was killed under the logins: what it had in hand
	// is answered by another one alone.
	killed bool

	mu      sync.Mutex
	asked   int
	faults  []string
	slowest time.Duration
}

// startStream starts one of so many logins a second.
func startStream(t *testing.T, cloud *sandbox.Cloud, perSecond int) *stream {
	s := &stream{t: t, cloud: cloud, quit: make(chan struct{})}
	s.over.Go(func() {
		beat := time.NewTicker(time.Second / time.Duration(perSecond))
		defer beat.Stop()
		for {
			select {
			case <-beat.C:
				s.work.Go(s.login)
			case <-s.quit:
				return
			}
		}
	})
	t.Cleanup(s.stop)
	return s
}

func (s *stream) login() {
	begun := time.Now()
	r, err := tryAsk(s.cloud, "authenticate_user", sandbox.Request{Username: "alice", Password: sandbox.DemoPassword})
	took := time.Since(begun)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	s.slowest = max(s.slowest, took)
	switch {
	case err != nil:
		s.faults = append(s.faults, err.Error())
	case r.Err != nil:
		s.faults = append(s.faults, r.Err.Name+" "+r.Err.Message)
	}
}

func (s *stream) stop() {
	select {
	case <-s.quit:
	default:
		close(s.quit)
	}
	s.over.Wait()
	s.work.Wait()
}

// nothingLost ends the stream. Each login must have been accepted, and each
// command that the hub has sent answered, whether or not another agent was
// asked too.
func (s *stream) nothingLost() {
	s.t.Helper()
	s.stop()
	for late := time.After(10 * time.Second); late != nil && !s.killed; {
		changed := s.cloud.Changed()
		if s.cloud.Unanswered() == 0 {
			break
		}
		select {
		case <-changed:
		case <-late:
			late = nil
		}
	}
	s.t.Logf("%d logins, the slowest took %v", s.asked, s.slowest.Round(time.Millisecond))
	if n := len(s.faults); n > 0 {
		s.t.Errorf("%d of %d logins were not accepted, the first: %s", n, s.asked, s.faults[0])
	}
	if n := s.cloud.Unanswered(); n > 0 && !s.killed {
		s.t.Errorf("%d commands that the hub has sent were never answered", n)
	}
	if s.asked == 0 {
		s.t.Error("nobody logged in")
	}
}

// newHandover provisions a home, perhaps one with a long path, against a tenant
// and a directory that end with the test.
func newHandover(t *testing.T, deep bool, environ ...string) (*cli, *sandbox.Cloud) {
	t.Helper()
	cloud, err := sandbox.StartCloud(sandbox.CloudOptions{State: t.TempDir(), Timeout: patience})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cloud.Close() }) // the test has ended
	d, err := sandbox.StartDirectory(sandbox.DirectoryOptions{Traits: sandbox.Traits{ActiveDirectory: true}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	c := newCLI(t, environ...)
	if deep {
		c.home = filepath.Join(c.dir, strings.Repeat("deep/", 30), "home") // no socket's path is so long
	}
	c.must("install", "--no-service", "--non-interactive", "--ticket-file", c.file("ticket", cloud.Ticket()+"\n"),
		"--ca-file", cloud.CAFile(), "--ldap-url", d.URL(), "--ldap-bind-user", d.BindUser(),
		"--ldap-bind-password-file", c.file("password", d.BindPassword()+"\n"))
	return c, cloud
}

// rates of the streams: "CONNECTOR_HANDOVER=200x60s" is the long version, 200
// logins a second for a minute.
func rates(t *testing.T) (perSecond int, lasts time.Duration) {
	t.Helper()
	rate, long, ok := strings.Cut(cmp.Or(os.Getenv("CONNECTOR_HANDOVER"), "50x2s"), "x")
	perSecond, bad := strconv.Atoi(rate)
	lasts, worse := time.ParseDuration(long)
	if err := errors.Join(bad, worse); !ok || err != nil || perSecond < 1 {
		t.Fatalf("CONNECTOR_HANDOVER is to be like 200x60s: %v", err)
	}
	return perSecond, lasts
}

// TestReloadsLoseNothing: a reload every 200 ms under logins, then a storm of
// signals, of which each reload takes in many.
func TestReloadsLoseNothing(t *testing.T) {
	t.Parallel()
	perSecond, lasts := rates(t)
	c, cloud := newHandover(t, false)
	node := c.start("run", "--home", c.home)
	awaitAgent(t, cloud)
	reloads := func() int { return strings.Count(node.stderr.String(), "configuration reloaded") }
	hangup := func() {
		if err := node.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
	}
	s := startStream(t, cloud, perSecond)
	ctx, cancel := context.WithTimeout(t.Context(), lasts)
	defer cancel()
	for beat := time.NewTicker(200 * time.Millisecond); ctx.Err() == nil; <-beat.C {
		hangup()
	}
	lab.Eventually(t, "a reload", func() bool { return reloads() > 0 })
	before, storm := reloads(), 300
	for range storm {
		hangup()
		time.Sleep(time.Millisecond) // 1000 a second: the storm itself, and no wait for anything
	}
	lab.Eventually(t, "a reload after the storm", func() bool { return reloads() > before })
	s.nothingLost()
	node.interrupt()
	node.wait(patience)
	t.Logf("%d reloads, %d of them of %d signals", reloads(), reloads()-before, storm)
	if reloads()-before > storm/10 || node.status() != exitOK {
		t.Errorf("ended with %d", node.status())
	}
	if said := node.stderr.String(); strings.Contains(said, "too late") || strings.Contains(said, "reply was lost") || strings.Contains(said, "error: ") {
		t.Error(said)
	}
}
