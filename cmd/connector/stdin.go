package main

import (
	"context"
	"io"
	"os"

	"golang.org/x/term"
)

// input is standard input for what waits on it: a read ends with the command,
// where the system would go on waiting for whoever sits at the other end.
func (a *app) input() io.Reader { return &input{a.stdin, a.stop} }

type input struct {
	from io.Reader
	stop <-chan struct{}
}

func (i *input) Read(p []byte) (int, error) {
	text, err := unlessStopped(i.stop, func() ([]byte, error) {
		b := make([]byte, len(p)) // p is the caller's again once this has returned
		n, err := i.from.Read(b)
		return b[:n], err
	})
	return copy(p, text), err
}

// unlessStopped returns what read does, or context.Canceled when stop is closed
// first. The read is then left behind: the process is about to end.
func unlessStopped[T any](stop <-chan struct{}, read func() (T, error)) (T, error) {
	type result struct {
		v   T
		err error
	}
	done := make(chan result, 1)
	go func() {
		v, err := read()
		done <- result{v, err}
	}()
	select {
	case r := <-done:
		return r.v, r.err
	case <-stop:
		var none T
		return none, context.Canceled
	}
}

// restoreTerminal makes the terminal echo again, should a question have been
// left behind that turned it off.
func (a *app) restoreTerminal() {
	if f, ok := a.stdin.(*os.File); ok && a.terminal != nil {
		_ = term.Restore(int(f.Fd()), a.terminal) // whoever took the terminal away needs no echo
	}
}
