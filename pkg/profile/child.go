package profile

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"
)

// Child is what the mapper process runs: it takes a script and then entries
// from in, and gives profiles to out, until in ends. It limits the memory of
// the whole process to memoryMB beyond what it has at the start, so it must be
// called first, by a process that does nothing else.
func Child(in io.Reader, out io.Writer, memoryMB int) error {
	// A terminal's Ctrl-C and a service manager's stop reach the whole group.
	// The connector may want to finish its logins first; this process ends
	// with it, because in ends.
	signal.Ignore(os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	runtime.GOMAXPROCS(min(2, runtime.GOMAXPROCS(0))) // one for the script, one for the garbage
	debug.SetMaxStack(64 << 20)                       // built-in functions recurse on Go's stack
	m, err := limitMemory(memoryMB)
	if err != nil {
		return err
	}
	return serve(in, out, m)
}

// serve answers frames until in ends, even while a script is running: a
// connector that died leaves no process behind that loops for ever.
func serve(in io.Reader, out io.Writer, m *meter) error {
	frames := make(chan frame)
	ended := make(chan error, 1)
	go func() {
		r := bufio.NewReaderSize(in, 64<<10)
		for {
			f, err := readFrame(r, maxCall)
			if err != nil {
				ended <- err
				return
			}
			frames <- f
		}
	}()
	quit := make(chan struct{})
	defer close(quit)
	go func() {
		ended <- answer(frames, out, m, quit)
	}()
	if err := <-ended; err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("talk to the connector: %w", err)
	}
	return nil
}

// answer runs the script for each frame. The runtime stays in this goroutine.
func answer(frames <-chan frame, out io.Writer, m *meter, quit <-chan struct{}) error {
	var s *script
	for {
		var f frame
		select {
		case f = <-frames:
		case <-quit:
			return nil
		}
		var kind byte
		var body []byte
		var fault *failure
		stop := m.watch()
		switch {
		case f.kind == frameScript && s == nil:
			var l loading
			if err := json.Unmarshal(f.body, &l); err != nil {
				return err
			}
			kind, body = frameReady, []byte("{}")
			s, fault = load(l, out)
		case f.kind == frameCall && s != nil:
			kind = frameProfile
			body, fault = s.call(string(f.body))
		default:
			return fmt.Errorf("a frame %q came out of turn", f.kind)
		}
		stop()
		if fault != nil {
			kind = frameFailed
			var err error
			if body, err = json.Marshal(fault); err != nil {
				return err
			}
		}
		if err := writeFrame(out, kind, body); err != nil {
			return err
		}
	}
}
