package profile

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// eventually waits for something that happens on its own.
func eventually(t *testing.T, what string, happened func() bool) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for !happened() {
		select {
		case <-deadline:
			t.Fatal(what + " has not happened")
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func (m *Mapper) ready() []*process {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]*process(nil), m.idle...)
}

const simple = `(raw) => ({ ok: 1 })`

func TestProcessesAreReplaced(t *testing.T) {
	o := options(t, simple)
	o.Children = 2
	m := start(t, o)
	eventually(t, "a second process", func() bool { return len(m.ready()) == 2 })
	dead := m.ready()
	for _, p := range dead {
		if err := p.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
	}
	good(t, m, `{"ok":1}`) // whether their ends are known yet or not
	eventually(t, "their replacement", func() bool {
		ready := m.ready()
		return len(ready) == 2 && ready[0] != dead[0] && ready[1] != dead[1] && ready[0] != dead[1] && ready[1] != dead[0]
	})
}

func TestProcessesServeTheirTime(t *testing.T) {
	m := start(t, options(t, `var n = 0; module.exports = function (raw) { return { n: ++n } }`))
	good(t, m, `{"n":1}`)
	old := m.ready()[0]
	old.calls = maxCalls
	good(t, m, `{"n":2}`)
	<-old.gone
	good(t, m, `{"n":1}`)
}

func TestSpareProcessesEnd(t *testing.T) {
	m := start(t, options(t, simple))
	var busy []*process
	for range 3 {
		p, err := m.take()
		if err != nil {
			t.Fatal(err)
		}
		busy = append(busy, p)
	}
	for _, p := range busy {
		m.put(p)
	}
	if n := len(m.ready()); n != 3 {
		t.Fatalf("%d processes", n)
	}
	busy[0].since = time.Now().Add(-2 * spare)
	good(t, m, `{"ok":1}`)
	<-busy[0].gone
}

// While processes do not start, logins learn it at once and the machine is
// spared; when they start again, so do logins.
func TestStartsThatFail(t *testing.T) {
	var mu sync.Mutex
	broken, tries := false, 0
	o := options(t, simple)
	command := o.Command
	o.Command = func() *exec.Cmd {
		mu.Lock()
		defer mu.Unlock()
		tries++
		if broken {
			return exec.Command(os.DevNull + "/nowhere")
		}
		return command()
	}
	m := start(t, o)
	set := func(b bool) {
		mu.Lock()
		defer mu.Unlock()
		broken, tries = b, 0
	}
	set(true)
	for _, p := range m.ready() {
		p.kill()
		<-p.gone
	}
	for range 100 {
		if _, err := m.Map(t.Context(), entry(""), nil, ""); err == nil || !strings.Contains(err.Error(), "start a mapper process: ") {
			t.Fatalf("err = %v", err)
		}
	}
	mu.Lock()
	if tries > 50 {
		t.Errorf("%d starts for 100 logins", tries)
	}
	mu.Unlock()
	set(false)
	eventually(t, "a start", func() bool { return len(m.ready()) == 1 })
	good(t, m, `{"ok":1}`)
}

func TestNewNeedsAProgram(t *testing.T) {
	if _, err := New(Options{Script: simple}); err == nil {
		t.Error("no command was taken")
	}
	_, err := New(Options{Script: simple, Command: func() *exec.Cmd { return exec.Command("/nowhere/connector") }})
	if err == nil || !strings.HasPrefix(err.Error(), "start a mapper process: ") {
		t.Errorf("err = %v", err)
	}
	o := options(t, strings.Repeat(" ", maxScript+1))
	if _, err := New(o); err == nil || !strings.Contains(err.Error(), "longer than 4 MiB") {
		t.Errorf("err = %v", err)
	}
}

func TestCloseEndsEverything(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	m, err := New(options(t, `(raw) => { if (raw.cn !== 'good') for (;;); return { ok: 1 } }`))
	if err != nil {
		t.Fatal(err)
	}
	good(t, m, `{"ok":1}`)
	ended := make(chan error)
	for range 3 {
		go func() {
			_, err := m.Map(context.Background(), entry("", "cn", "bad"), nil, "")
			ended <- err
		}()
	}
	eventually(t, "three calls", func() bool { return len(m.slots) == 3 })
	if err := m.Close(); err != nil {
		t.Error(err)
	}
	for range 3 {
		if err := <-ended; err == nil {
			t.Error("a call went on")
		}
	}
	if _, err := m.Map(t.Context(), entry(""), nil, ""); !errors.Is(err, ErrClosed) {
		t.Errorf("err = %v", err)
	}
	if err := m.Close(); err != nil {
		t.Error("twice:", err)
	}
}

// A script that loops for ever must not outlive a connector that was killed.
func TestProcessEndsWithTheConnector(t *testing.T) {
	m := start(t, options(t, `(raw) => { for (;;); }`))
	p := m.ready()[0]
	if err := writeFrame(p.in, frameCall, []byte(`{}`)); err != nil {
		t.Fatal(err)
	}
	if err := p.in.Close(); err != nil { // as the system does for the dead
		t.Fatal(err)
	}
	<-p.gone
	if p.err != nil {
		t.Errorf("it ended with %v", p.err)
	}
}

func TestManyCallsAtOnce(t *testing.T) {
	m := start(t, options(t, `module.exports = (raw, done) => { setTimeout(done, 1, null, { cn: raw.cn }) }`))
	var all sync.WaitGroup
	for i := range 100 {
		all.Go(func() {
			name := strings.Repeat("x", i)
			p, err := m.Map(t.Context(), entry("", "cn", name), nil, "")
			if err != nil || p.Value("cn") != name {
				t.Errorf("%d: %v, %v", i, p, err)
			}
		})
	}
	all.Wait()
	if n := len(m.ready()); n > warmest {
		t.Errorf("%d processes", n)
	}
}
