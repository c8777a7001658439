//go:build unix

package service

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"
)

// words are the messages of sd_notify(3).
var words = map[message]string{ready: "READY=1", alive: "WATCHDOG=1", stopping: "STOPPING=1"}

func run(ctx context.Context, _ string, main func(context.Context, *Notifier) error) error {
	n, err := newNotifier(os.LookupEnv)
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, n.Stop)()
	defer n.Stop()
	return main(ctx, n)
}

// newNotifier looks for a manager that listens as sd_notify(3) and
// sd_watchdog_enabled(3) have it.
func newNotifier(env func(string) (string, bool)) (*Notifier, error) {
	socket, _ := env("NOTIFY_SOCKET")
	if socket == "" {
		return &Notifier{tell: func(message) error { return nil }}, nil
	}
	n := &Notifier{
		tell:   func(m message) error { return datagram(socket, words[m]) },
		show:   func(line string) error { return datagram(socket, "STATUS="+line) },
		become: func(pid int) error { return datagram(socket, "MAINPID="+strconv.Itoa(pid)) },
	}
	usec, ok := env("WATCHDOG_USEC")
	if !ok {
		return n, nil
	}
	// Meant for another process: that of a shell in between.
	if pid, ok := env("WATCHDOG_PID"); ok && pid != strconv.Itoa(os.Getpid()) {
		return n, nil
	}
	us, err := strconv.ParseInt(usec, 10, 64)
	if err != nil || us < 1 || us > int64(24*time.Hour/time.Microsecond) {
		return nil, fmt.Errorf("read WATCHDOG_USEC: %q is no number of microseconds up to a day", usec)
	}
	n.watchdog = time.Duration(us) * time.Microsecond
	return n, nil
}

// datagram sends a text to a socket; a name that begins with @ is an abstract
// one. It never waits long: a full queue is an error.
func datagram(socket, text string) error {
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }() // a datagram is sent whole or not
	if err := c.SetWriteDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return err
	}
	_, err = c.Write([]byte(text))
	return err
}
