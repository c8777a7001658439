package profile

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os/exec"
	"strings"
	"sync"
	"time"

	"ad-ldap-connector/pkg/identity"
)

// Options say how to run a script.
type Options struct {
	// Script is the mapper's source: a CommonJS module, or an expression whose
	// value is the function.
	Script string
	// Name is what errors call it, such as "lib/profileMapper.js".
	Name string
	// Command returns a command, not started, that runs Child: this program
	// with a hidden argument. Its environment, folder and streams are set here.
	Command func() *exec.Cmd
	// Timeout is how long one call may take; 0 means 10 s.
	Timeout time.Duration
	// MemoryMB is how much memory the script may use, in MiB; 0 means 128, and
	// less than 64 means 64.
	MemoryMB int
	// Children is how many processes are kept warm; 0 means 2. Up to 4 run when
	// there are so many logins at once.
	Children int
	// Units is what the script is told of organizational units; "" is UnitsDN.
	Units Units
	// Log, if not nil, takes the script's console and the news of processes.
	Log *slog.Logger
	// Event, if not nil, learns of each, concurrently. It must not block.
	Event func(Event)
}

// A Mapper runs the operator's script in child processes: each answers one call
// at a time, and is killed and replaced when it hangs or takes too much memory,
// to the harm of that one login only. It is safe for concurrent use.
type Mapper struct {
	o      Options
	slots  chan struct{} // one for each call under way
	crowd  patience      // while there is none left
	ctx    context.Context
	cancel context.CancelFunc
	wake   chan struct{} // the keeper may have something to do
	kept   sync.WaitGroup

	mu       sync.Mutex
	idle     []*process // the most lately used last
	all      map[*process]bool
	failures int // starts in a row that failed
	fault    error
	retry    time.Time // when to try the next start
}

var _ identity.Mapper = (*Mapper)(nil)

// ErrClosed is the error of a call to a Mapper that was closed.
var ErrClosed = errors.New("the mapper is closed")

// warmest is how many processes run at most, if Children does not ask for more.
const warmest = 4

// New starts the first process and loads the script there. A script that does
// not compile, that throws, or that exports no function is an error here, with
// its place: "load lib/profileMapper.js: SyntaxError: ... (3:12)".
func New(o Options) (*Mapper, error) {
	if o.Command == nil {
		return nil, errors.New("start a mapper: no command is given")
	}
	if o.Name == "" {
		o.Name = "the mapper"
	}
	if o.Timeout <= 0 {
		o.Timeout = 10 * time.Second
	}
	if o.MemoryMB == 0 {
		o.MemoryMB = 128
	}
	o.MemoryMB = max(o.MemoryMB, 64)
	if o.Children <= 0 {
		o.Children = 2
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Event == nil {
		o.Event = func(Event) {}
	}
	if len(o.Script) > maxScript {
		return nil, fmt.Errorf("load %s: it is longer than 4 MiB", o.Name)
	}
	if strings.Contains(o.Script, `\p{`) || strings.Contains(o.Script, `\P{`) {
		o.Log.Warn(`the mapper uses \p{...} in a regular expression, which may never match here: name the characters instead`, "script", o.Name)
	}
	m := &Mapper{o: o, slots: make(chan struct{}, max(warmest, o.Children)), crowd: patience{least: while}, wake: make(chan struct{}, 1), all: map[*process]bool{}}
	m.ctx, m.cancel = context.WithCancel(context.Background())
	first, err := m.start()
	if err != nil {
		m.cancel()
		return nil, err
	}
	m.put(first)
	m.kept.Go(m.keep)
	m.poke()
	return m, nil
}

// Map returns the profile that the script makes of user. It ends when ctx does,
// and no later than the time limit after a process is free. Errors name the
// script, say what it did, and leave out what they can of the user's data:
// "run lib/profileMapper.js: TypeError: ... (3:12)".
func (m *Mapper) Map(ctx context.Context, user *identity.Entry, groups []identity.Group, status identity.Status) (identity.Profile, error) {
	p, err := m.call(ctx, appendRaw(make([]byte, 0, 4096), user, groups, status, m.o.Units))
	if err != nil {
		var f *failure
		if errors.As(err, &f) {
			err = f.hide(user, groups)
		}
		return identity.Profile{}, fmt.Errorf("run %s: %w", m.o.Name, err)
	}
	return p, nil
}

// call runs raw through a process. When that ends without a word it is not the
// script's fault, and another gets the call.
func (m *Mapper) call(ctx context.Context, raw []byte) (identity.Profile, error) {
	if len(raw) > maxCall {
		return identity.Profile{}, errors.New("the entry is larger than 64 MiB")
	}
	if err := m.enter(ctx); err != nil {
		return identity.Profile{}, err
	}
	defer func() { <-m.slots }()
	for try := 1; ; try++ {
		p, err := m.take()
		if err != nil {
			return identity.Profile{}, err
		}
		begun := time.Now()
		answer, err := m.ask(ctx, p, frame{frameCall, raw}, frameProfile)
		if err == nil {
			m.crowd.succeeded(time.Since(begun))
		}
		m.put(p)
		if errors.Is(err, errGone) && try < 3 {
			continue
		}
		if err != nil {
			return identity.Profile{}, err
		}
		return identity.ParseProfile(answer)
	}
}

// enter waits for a slot.
func (m *Mapper) enter(ctx context.Context) error {
	select {
	case m.slots <- struct{}{}:
		return nil
	default:
	}
	m.crowd.waiting.Add(1)
	defer m.crowd.waiting.Add(-1)
	select {
	case m.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-m.ctx.Done():
		return ErrClosed
	}
}

// ask has p answer one frame within the time limit. The body of the wanted
// frame is the answer, a failure an error.
func (m *Mapper) ask(ctx context.Context, p *process, f frame, want byte) ([]byte, error) {
	fair := m.o.Timeout
	if want == frameProfile { // loading takes what it takes
		fair = m.crowd.fair(m.o.Timeout)
	}
	limited, cancel := m.crowd.bound(ctx, m.o.Timeout, fair)
	defer cancel()
	answer, err := p.ask(limited, f)
	switch {
	case err == nil:
	case m.ctx.Err() != nil:
		return nil, ErrClosed
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case limited.Err() != nil:
		m.o.Event(TimedOut)
		return nil, context.Cause(limited)
	default:
		return nil, err
	}
	switch answer.kind {
	case want:
		return answer.body, nil
	case frameFailed:
		fault := new(failure)
		if err := json.Unmarshal(answer.body, fault); err != nil {
			return nil, fmt.Errorf("read the mapper process's error: %w", err)
		}
		return nil, fault
	}
	p.kill() // it does not speak our language
	return nil, fmt.Errorf("the mapper process answered with a frame %q", answer.kind)
}

// Close ends all processes and the calls that they are answering.
func (m *Mapper) Close() error {
	m.cancel()
	m.kept.Wait()
	m.mu.Lock()
	all := make([]*process, 0, len(m.all))
	for p := range m.all {
		all = append(all, p)
	}
	m.idle = nil
	m.mu.Unlock()
	for _, p := range all {
		p.kill()
		<-p.gone
	}
	return nil
}
