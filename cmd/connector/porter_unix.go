//go:build unix

package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

const (
	// maxSocketPath is the longest path of a socket that every system takes:
	// 104 octets on macOS, with the 0 at its end; 108 on Linux.
	maxSocketPath = 103
	maxSockets    = 16 // that are handed over; there are one or two
)

// listenPorter makes the socket, which nobody else may write to.
func listenPorter(path string) (net.Listener, error) {
	name, done, err := shortPath(path)
	if err != nil {
		return nil, err
	}
	defer done()
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: name, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", path, bareNet(err))
	}
	ln.SetUnlinkOnClose(false) // by then it may be another process's
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(err, ln.Close())
	}
	return ln, nil
}

func dialPorter(path string) (net.Conn, error) {
	name, done, err := shortPath(path)
	if err != nil {
		return nil, err
	}
	defer done()
	ctx, cancel := context.WithTimeout(context.Background(), porterPatience)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "unix", name)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", path, bareNet(err))
	}
	return conn, nil
}

// bareNet leaves out what the error says of a name that is our own business.
func bareNet(err error) error {
	if op := (*net.OpError)(nil); errors.As(err, &op) {
		return op.Err
	}
	return err
}

// shortPath is a name by which the system finds a socket whose path is longer
// than a socket's address has room for, until done is called: by way of a
// descriptor of its folder.
func shortPath(path string) (name string, done func(), err error) {
	if len(path) <= maxSocketPath {
		return path, func() {}, nil
	}
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return "", nil, err
	}
	done = func() { _ = folder.Close() } // it was only read
	if err := inFolder(folder, func(fd uintptr) { name = fmt.Sprintf("/proc/self/fd/%d/%s", fd, filepath.Base(path)) }); err != nil {
		done()
		return "", nil, err
	}
	if _, err := os.Stat(filepath.Dir(name)); err != nil {
		done()
		return "", nil, fmt.Errorf("%s: the path is too long for a socket", path)
	}
	return name, done, nil
}

func inFolder(f *os.File, do func(fd uintptr)) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	return raw.Control(do)
}

// sayWithSockets sends a word, and with it the sockets that are listened on.
func sayWithSockets(d *porterWire, w word, all *listeners) error {
	conn, ok := d.conn.(*net.UnixConn)
	if !ok {
		return errors.New("not a unix socket")
	}
	var files []*os.File
	defer func() {
		for _, f := range files {
			_ = f.Close() // a copy
		}
	}()
	err := all.each(func(at spot, ln net.Listener) error {
		tcp, ok := ln.(*net.TCPListener)
		if !ok || len(files) == maxSockets {
			return nil // whoever needs it opens its own
		}
		f, err := tcp.File()
		if err == nil {
			files, w.Sockets = append(files, f), append(w.Sockets, at)
		}
		return err
	})
	if err != nil {
		return err
	}
	// Not Fd, which would have the socket block those who accept on it.
	fds := make([]int, len(files))
	for i, f := range files {
		if err := inFolder(f, func(fd uintptr) { fds[i] = int(fd) }); err != nil {
			return err
		}
	}
	if err := conn.SetWriteDeadline(time.Now().Add(porterPatience)); err != nil {
		return err
	}
	data := encodeWord(w)
	n, _, err := conn.WriteMsgUnix(data, syscall.UnixRights(fds...), nil)
	if err == nil && n < len(data) {
		err = io.ErrShortWrite
	}
	return err
}

// hearWithSockets waits for a word with sockets. Nothing may have been heard
// before.
func hearWithSockets(d *porterWire, within time.Duration, expected ...string) (w word, all []net.Listener, err error) {
	conn, ok := d.conn.(*net.UnixConn)
	if !ok {
		return w, nil, errors.New("not a unix socket")
	}
	if err := conn.SetReadDeadline(time.Now().Add(within)); err != nil {
		return w, nil, err
	}
	data, rights := make([]byte, maxAsking), make([]byte, syscall.CmsgSpace(4*maxSockets))
	n, got, _, _, err := conn.ReadMsgUnix(data, rights)
	if err != nil {
		return w, nil, err
	}
	defer func() {
		if err != nil {
			for _, ln := range all {
				_ = ln.Close() // they come to nothing
			}
			all = nil
		}
	}()
	if all, err = socketsOf(rights[:got]); err != nil {
		return w, all, err
	}
	d.r = bufio.NewReader(io.MultiReader(bytes.NewReader(data[:n]), conn))
	if w, err = d.hear(within, expected...); err != nil {
		return w, all, err
	}
	if len(w.Sockets) != len(all) {
		err = fmt.Errorf("%d sockets came, and %d were named", len(all), len(w.Sockets))
	}
	return w, all, err
}

// socketsOf makes listeners of the descriptors that came. One that is none is
// an error, and all are taken in before, so that none is left open.
func socketsOf(rights []byte) (all []net.Listener, err error) {
	messages, err := syscall.ParseSocketControlMessage(rights)
	if err != nil {
		return nil, err
	}
	var faults []error
	for _, m := range messages {
		fds, err := syscall.ParseUnixRights(&m)
		faults = append(faults, err)
		for _, fd := range fds {
			syscall.CloseOnExec(fd)
			f := os.NewFile(uintptr(fd), "socket")
			ln, err := net.FileListener(f)
			if faults = append(faults, err, f.Close()); err == nil {
				all = append(all, ln)
			}
		}
	}
	return all, errors.Join(faults...)
}
