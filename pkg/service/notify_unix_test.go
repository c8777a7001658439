//go:build unix

package service

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// listen makes the socket of a service manager, whose messages come back.
func listen(t *testing.T) (socket string, messages <-chan string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "notify") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket = filepath.Join(dir, "s")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	c := make(chan string, 1000)
	go func() {
		defer close(c)
		b := make([]byte, 1000)
		for {
			n, err := l.Read(b)
			if err != nil {
				return
			}
			c <- string(b[:n])
		}
	}()
	return socket, c
}

func next(t *testing.T, messages <-chan string) string {
	t.Helper()
	select {
	case m := <-messages:
		return m
	case <-time.After(time.Minute):
		t.Fatal("waited a minute for a message")
		return ""
	}
}

// A service says when it is ready, that it lives while it is well, and that it
// ends.
func TestRun(t *testing.T) {
	socket, messages := listen(t)
	t.Setenv("NOTIFY_SOCKET", socket)
	t.Setenv("WATCHDOG_USEC", "3000")
	t.Setenv("WATCHDOG_PID", strconv.Itoa(os.Getpid()))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ill := make(chan error, 1)
	sick := errors.New("a part hangs")
	wrong := make(chan error, 1)
	ended := make(chan error, 1)
	go func() {
		ended <- Run(ctx, "test", func(ctx context.Context, n *Notifier) error {
			if err := n.Ready(); err != nil {
				return err
			}
			beats := 0
			n.Watch(ctx, func(context.Context) error {
				if beats++; beats > 3 {
					return sick
				}
				return nil
			}, func(err error) {
				select {
				case ill <- err:
				default:
				}
			})
			return <-wrong
		})
	}()
	for _, want := range []string{"READY=1", "WATCHDOG=1", "WATCHDOG=1", "WATCHDOG=1"} {
		if got := next(t, messages); got != want {
			t.Fatalf("%q instead of %q", got, want)
		}
	}
	if err := <-ill; !errors.Is(err, sick) {
		t.Fatal(err)
	}
	cancel()
	if got := next(t, messages); got != "STOPPING=1" { // and no heartbeat before
		t.Fatal(got)
	}
	wrong <- sick
	if err := <-ended; !errors.Is(err, sick) {
		t.Fatal(err)
	}
	select {
	case m := <-messages:
		t.Errorf("more was said: %s", m)
	default:
	}
}

// Without a manager that listens, nothing is told and nothing is wrong.
func TestRunAlone(t *testing.T) {
	for name, env := range map[string]map[string]string{
		"no manager":         {},
		"empty":              {"NOTIFY_SOCKET": ""},
		"no watchdog":        {"NOTIFY_SOCKET": "/none"},
		"another's watchdog": {"NOTIFY_SOCKET": "/none", "WATCHDOG_USEC": "5", "WATCHDOG_PID": "1"},
	} {
		n, err := newNotifier(func(key string) (string, bool) { v, ok := env[key]; return v, ok })
		if err != nil || n.Watched() {
			t.Errorf("%s: %v, %t", name, err, n.Watched())
			continue
		}
		n.Watch(t.Context(), func(context.Context) error { t.Error("asked"); return nil }, nil)
		if err := n.Ready(); (err != nil) != (env["NOTIFY_SOCKET"] != "") {
			t.Errorf("%s: %v", name, err)
		}
		n.Stop()
	}
	for _, usec := range []string{"", "0", "-1", "1s", "99999999999999999999", "86400000001"} {
		_, err := newNotifier(func(key string) (string, bool) {
			return map[string]string{"NOTIFY_SOCKET": "/none", "WATCHDOG_USEC": usec}[key], key != "WATCHDOG_PID"
		})
		if err == nil || !strings.Contains(err.Error(), "WATCHDOG_USEC") {
			t.Errorf("%q: %v", usec, err)
		}
	}
}

// A program of the system that hangs or fails is told of, and hints at why.
func TestTool(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := tool(ctx, "sleep", "600"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a hanging one: %v", err)
	}
	_, err := tool(t.Context(), "sh", "-c", "echo first; printf 'it\n went wrong' >&2; exit 3")
	if err == nil || !strings.HasSuffix(err.Error(), "exit status 3: it went wrong") {
		t.Errorf("a failing one: %v", err)
	}
	if _, err := tool(t.Context(), "no-such-program-of-the-system"); err == nil || !strings.Contains(err.Error(), "no-such-program") {
		t.Errorf("a missing one: %v", err)
	}
	if said := lastOf(strings.Repeat("x", 10_000) + "end"); len(said) > 410 || !strings.HasSuffix(said, "xend") {
		t.Errorf("%d octets", len(said))
	}
}

// TestShowTells: what is news is shown at once, what counts is not, and no line
// becomes two messages.
func TestShowTells(t *testing.T) {
	t.Parallel()
	socket, messages := listen(t)
	n, err := newNotifier(func(name string) (string, bool) { return socket, name == "NOTIFY_SOCKET" })
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	news, count := "well", 0
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		n.Show(ctx, func() (string, string) {
			mu.Lock()
			defer mu.Unlock()
			count++
			return news, fmt.Sprintf(", %d logins", count)
		})
	}()
	if got := next(t, messages); got != "STATUS=well, 1 logins" {
		t.Errorf("first %q", got)
	}
	mu.Lock()
	news = "ill:\nREADY=1\xff" + strings.Repeat("x", 1000)
	mu.Unlock()
	got := next(t, messages)
	if !strings.HasPrefix(got, "STATUS=ill: READY=1\uFFFDxxx") || strings.Contains(got, "\n") || len(got) > 450 {
		t.Errorf("then %q", got)
	}
	cancel()
	if got := next(t, messages); got != "STATUS=stopping" {
		t.Errorf("last %q", got)
	}
	<-ended
	(&Notifier{}).Show(t.Context(), nil) // nobody reads it, and nobody is asked
}

// A process that another one follows says so, and nothing more; the other one is
// silent until then.
func TestBecome(t *testing.T) {
	socket, messages := listen(t)
	of := func() *Notifier {
		n, err := newNotifier(func(key string) (string, bool) { return socket, key == "NOTIFY_SOCKET" })
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	former, next := of(), of()
	next.Mute()
	for _, say := range []func() error{
		former.Ready, next.Ready, func() error { return former.Become(4711) }, former.Ready,
		func() error { former.Stop(); next.Speak(); return next.Ready() },
	} {
		if err := say(); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []string{"READY=1", "MAINPID=4711", "READY=1"} {
		if got := <-messages; got != want {
			t.Errorf("%s instead of %s", got, want)
		}
	}
	select {
	case m := <-messages:
		t.Errorf("more was said: %s", m)
	default:
	}
	alone, err := newNotifier(func(string) (string, bool) { return "", false })
	if err != nil || alone.Managed() || !former.Managed() || alone.Become(1) != nil {
		t.Errorf("without a manager: %v", err)
	}
}
