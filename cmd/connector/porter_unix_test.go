//go:build unix

package main

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"ad-ldap-connector/pkg/home"
	"ad-ldap-connector/testdata/lab"
)

// TestATakeoverThatEndsEarlyChangesNothing: whenever the one that wants to take
// over dies, or talks nonsense, the one that runs goes on.
func TestATakeoverThatEndsEarlyChangesNothing(t *testing.T) {
	t.Parallel()
	c, cloud := newHandover(t, true)
	node := c.start("run", "--home", c.home)
	awaitAgent(t, cloud)
	process := node.cmd.Process.Pid
	c.serves(cloud, process)
	h, err := home.Open(c.home, nil)
	if err != nil {
		t.Fatal(err)
	}
	s := startStream(t, cloud, 20)
	say := func(w word) func(*testing.T, *porterWire) {
		return func(t *testing.T, p *porterWire) {
			if err := p.say(w, patience); err != nil {
				t.Error(err)
			}
		}
	}
	raw := func(text string) func(*testing.T, *porterWire) {
		return func(_ *testing.T, p *porterWire) { _, _ = io.WriteString(p.conn, text) } // it may hang up on us
	}
	hear := func(expected string) func(*testing.T, *porterWire) {
		return func(t *testing.T, p *porterWire) {
			if _, err := p.hear(patience, expected); err != nil {
				t.Errorf("instead of %s: %v", expected, err)
			}
		}
	}
	refused := func(why string) func(*testing.T, *porterWire) {
		return func(t *testing.T, p *porterWire) {
			var no *refusedError
			if _, err := p.hear(patience); !errors.As(err, &no) || !strings.Contains(no.Error(), why) {
				t.Errorf("instead of %q: %v", why, err)
			}
		}
	}
	sockets := func(t *testing.T, p *porterWire) {
		w, all, err := hearWithSockets(p, patience, sayHello)
		if err != nil || len(all) != 1 || w.PID != process || w.Sockets[0].Name != "console" {
			t.Errorf("%+v, %d sockets, %v", w, len(all), err)
		}
		for _, ln := range all {
			_ = ln.Close() // a copy
		}
	}
	for _, tt := range []struct {
		name  string
		steps []func(*testing.T, *porterWire)
	}{
		{"before a word", nil},
		{"with nonsense", []func(*testing.T, *porterWire){raw("GET / HTTP/1.1\r\n\r\n"), refused("none")}},
		{"with half a word", []func(*testing.T, *porterWire){raw(`{"say":"take`)}},
		{"with a word without an end", []func(*testing.T, *porterWire){raw(strings.Repeat("x", 2*maxAsking))}},
		{"once it asked", []func(*testing.T, *porterWire){say(word{Say: sayTakeover})}},
		{"with the sockets", []func(*testing.T, *porterWire){say(word{Say: sayTakeover}), sockets}},
		{"with the wrong word", []func(*testing.T, *porterWire){say(word{Say: sayTakeover}), sockets, say(word{Say: sayHere})}},
		{"once it serves", []func(*testing.T, *porterWire){say(word{Say: sayTakeover}), sockets, say(word{Say: sayGo})}},
		{"with the lock", []func(*testing.T, *porterWire){say(word{Say: sayTakeover}), sockets, say(word{Say: sayGo}), hear(sayYours)}},
		{"without the lock", []func(*testing.T, *porterWire){say(word{Say: sayTakeover}), sockets, say(word{Say: sayGo}), hear(sayYours), say(word{Say: sayNo, Error: "no"})}},
		{"a restart that nobody can be told of", []func(*testing.T, *porterWire){say(word{Say: saySucceed}), refused("no service manager started it")}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			conn, err := dialPorter(h.Path(porterFile))
			if err != nil {
				t.Fatal(err)
			}
			p := newPorterWire(conn, maxAsking)
			for i, step := range tt.steps {
				if step(t, p); t.Failed() {
					t.Fatalf("step %d", i)
				}
			}
			_ = conn.Close() // whoever asked has gone, which is the case tried
			lab.Eventually(t, "the home to be locked", h.Locked)
			if got := c.serves(cloud, process); got.PID != process {
				t.Errorf("%+v serves", got)
			}
		})
	}

	// Real ones: two at a time, one that is killed, and one that cannot serve. None
	// of them is asked by the hub.
	elsewhere := c.environCopy("LDAP_URL=ldap://127.0.0.1:1")
	killed := elsewhere.start("run", "--home", c.home, takeoverFlag)
	node.says("pid=" + strconv.Itoa(killed.cmd.Process.Pid))
	if i := c.run("run", takeoverFlag); i.status() != exitFault || !strings.Contains(i.stderr.String(), "another process is taking over already") {
		t.Errorf("two at a time: %d: %s", i.status(), i.stderr)
	}
	killed.kill()
	c.serves(cloud, process)
	if i := elsewhere.run("run", takeoverFlag, "--takeover-timeout", "1s"); i.status() != exitFault ||
		!strings.Contains(i.stderr.String(), "not ready within 1s: ") || !strings.Contains(i.stderr.String(), "hint: the former process goes on") {
		t.Errorf("one that is not ready: %d: %s", i.status(), i.stderr)
	}
	c.serves(cloud, process)
	s.nothingLost()
	if i := c.run("run"); i.status() != exitFault || !strings.Contains(i.stderr.String(), home.ErrLocked.Error()) {
		t.Errorf("another one without a takeover: %d: %s", i.status(), i.stderr)
	}
	node.interrupt()
	node.wait(patience)
	if node.status() != exitOK {
		t.Errorf("it ended with %d:\n%s", node.status(), node.stderr)
	}
}

// TestSilentPredecessors: one of an earlier version has no socket, and one that
// hangs says nothing.
func TestSilentPredecessors(t *testing.T) {
	t.Parallel()
	c := newCLI(t, "LDAP_URL=ldap://127.0.0.1:1", "LDAP_BASE=dc=x", "ANONYMOUS_SEARCH_ENABLED=true")
	h, err := home.Open(c.home, nil)
	if err == nil {
		err = h.Create()
	}
	if err != nil {
		t.Fatal(err)
	}
	unlock, err := h.Lock()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unlock() }()
	for name, prepare := range map[string]func(*testing.T){
		"an earlier version": func(*testing.T) {},
		"one that hangs": func(t *testing.T) {
			ln, err := listenPorter(h.Path(porterFile))
			if err != nil {
				t.Fatal(err)
			}
			if info, err := os.Stat(h.Path(porterFile)); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%v, %v", info, err)
			}
			t.Cleanup(func() { _ = ln.Close(); _ = os.Remove(h.Path(porterFile)) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			prepare(t)
			begun := time.Now()
			for _, args := range [][]string{{"run", takeoverFlag}, {"restart"}} {
				if args[0] == "restart" && name == "one that hangs" {
					continue // it is given time
				}
				i := c.run(args...)
				if i.status() != exitFault || !strings.Contains(i.stderr.String(), "it does not answer: ") || !strings.Contains(i.stderr.String(), "systemctl restart") {
					t.Errorf("%v ended with %d after %v: %s", args, i.status(), time.Since(begun), i.stderr)
				}
			}
		})
	}
}

// TestPeers: who is at the other end is the kernel's word.
func TestPeers(t *testing.T) {
	t.Parallel()
	path := t.TempDir() + "/s"
	ln, err := listenPorter(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	conn, err := dialPorter(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }() // it was only looked at
	got, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = got.Close() }()
	if uid, process, err := peerOf(got); err != nil || uid != os.Geteuid() || process != os.Getpid() {
		t.Errorf("account %d, process %d, %v", uid, process, err)
	}
	ours, theirs := net.Pipe()
	_, _ = ours.Close(), theirs.Close() // pipes close without errors
	if _, _, err := peerOf(ours); err == nil {
		t.Error("a pipe has a peer")
	}
}

// FuzzWord: whatever comes in the place of a word, it is one or an error.
func FuzzWord(f *testing.F) {
	f.Add([]byte(`{"say":"takeover","version":"1.0.0","pid":7}` + "\n"))
	f.Add([]byte(`{"say":"no","error":"x","hint":"y","unmanaged":true}` + "\n{}"))
	f.Add([]byte("{\"say\":1}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		ours, theirs := net.Pipe()
		go func() {
			_, _ = io.Copy(theirs, bytes.NewReader(data)) // till nobody reads
			_ = theirs.Close()                            // the same
		}()
		defer func() { _ = ours.Close() }() // the same
		w, err := newPorterWire(ours, 4096).hear(0, sayTakeover, saySucceed)
		if err == nil && w.Say != sayTakeover && w.Say != saySucceed {
			t.Errorf("%+v", w)
		}
	})
}
