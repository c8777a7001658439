package profile

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// A process is the connector's end of one mapper process. One call at a time
// uses it.
type process struct {
	cmd      *exec.Cmd
	in       io.WriteCloser
	log      *slog.Logger
	memoryMB int
	answers  chan frame
	stderr   head
	killed   atomic.Bool
	gone     chan struct{} // closed when it has ended and been waited for
	err      error         // how it ended; set before gone closes
	calls    int
	since    time.Time // when it last became idle
}

// errGone says that a process ended without a word, before a call or during it:
// the script cannot make it do so, but an administrator or a full machine can.
var errGone = errors.New("the mapper process is gone")

// launch starts a process that waits for its script. It has no environment, no
// files of ours, and a folder that is nobody's.
func launch(cmd *exec.Cmd, memoryMB int, log *slog.Logger) (p *process, err error) {
	if cmd.Path, err = filepath.Abs(cmd.Path); err != nil { // it starts in another folder
		return nil, err
	}
	isolate(cmd)
	cmd.Env = []string{}
	cmd.WaitDelay = time.Second
	p = &process{cmd: cmd, log: log, memoryMB: memoryMB, answers: make(chan frame, 1), gone: make(chan struct{})}
	cmd.Stderr = &p.stderr
	if p.in, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	release, err := fence(cmd, memoryMB)
	if err != nil {
		p.kill()
		release = func() {}
	}
	go func() {
		p.read(bufio.NewReaderSize(out, 32<<10))
		p.kill()
		p.err = cmd.Wait()
		release()
		if text := p.stderr.String(); text != "" && !p.spent() {
			log.Warn("the mapper process ended", "err", p.err, "stderr", text)
		}
		close(p.gone)
	}()
	return p, err
}

// read takes frames until there are no more, or one that makes no sense.
func (p *process) read(r *bufio.Reader) {
	for {
		f, err := readFrame(r, maxAnswer)
		if err != nil {
			return // its end is told by Wait
		}
		if f.kind == frameConsole {
			p.console(f.body)
			continue
		}
		select {
		case p.answers <- f:
		default:
			return // two answers to one question
		}
	}
}

func (p *process) console(body []byte) {
	var l line
	if json.Unmarshal(body, &l) != nil {
		return // a console line is not worth a login
	}
	level := slog.LevelInfo
	switch l.Level {
	case "error":
		level = slog.LevelError
	case "warn":
		level = slog.LevelWarn
	case "debug":
		level = slog.LevelDebug
	}
	p.log.Log(context.Background(), level, "the mapper says", "text", l.Text)
}

// ask sends f and waits for the answer. When ctx ends first the process is
// killed, because nothing else stops a script. The error is errGone when the
// process had ended already, or ends without a word.
func (p *process) ask(ctx context.Context, f frame) (frame, error) {
	stop := context.AfterFunc(ctx, p.kill)
	defer stop()
	select {
	case <-p.gone:
		return frame{}, errGone
	default:
	}
	// When it cannot be written to it is about to be gone, which tells more.
	_ = writeFrame(p.in, f.kind, f.body)
	select {
	case answer := <-p.answers:
		return answer, nil
	case <-p.gone:
	}
	select {
	case answer := <-p.answers: // its last
		return answer, nil
	default:
	}
	if p.stderr.String() == "" {
		return frame{}, fmt.Errorf("%w: %w", errGone, p.err)
	}
	return frame{}, p.died()
}

// starved is what Go's runtime says when the system gives it no more memory.
// Its collector does not always notice, and then faults on the nil it was given;
// nothing else in a program without C and unsafe code makes that.
var starved = []string{
	"out of memory", "cannot allocate", "cannot map", "failed to create new OS thread", "VirtualAlloc",
	"SIGSEGV", "EXCEPTION_ACCESS_VIOLATION", "0xc0000005",
	"failed to allocate", // the race detector's words
}

// died says why a process that is gone did not answer, as far as it told.
func (p *process) died() error {
	text := p.stderr.String()
	says := func(part string) bool { return strings.Contains(text, part) }
	first, _, _ := strings.Cut(text, "\n")
	switch {
	case says("stack overflow"), says("stack exceeds"):
		return errors.New("recursed too deeply")
	case p.spent(), slices.ContainsFunc(starved, says):
		return fmt.Errorf("used more than %d MiB of memory", p.memoryMB)
	case strings.HasPrefix(first, "fatal error: "):
		return fmt.Errorf("the mapper process ended: %w: %s", p.err, first)
	}
	return fmt.Errorf("the mapper process ended: %w", p.err)
}

// spent reports whether the process ended itself for its use of memory.
func (p *process) spent() bool {
	return p.cmd.ProcessState != nil && p.cmd.ProcessState.ExitCode() == exitMemory
}

// kill ends the process at once. It may be called at any time.
func (p *process) kill() {
	p.killed.Store(true)
	_ = p.cmd.Process.Kill() // it has ended already, or ends now
	_ = p.in.Close()
}

// A head keeps the beginning of what is written to it: why a process died comes
// first, and the rest is stack traces.
type head struct {
	mu   sync.Mutex
	text []byte
}

func (h *head) Write(b []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.text = append(h.text, b[:min(len(b), 2048-len(h.text))]...)
	return len(b), nil
}

func (h *head) String() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return strings.TrimSpace(string(h.text))
}
