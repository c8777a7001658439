package lab

import (
	"os/exec"
	"runtime"
	"testing"
)

// A process is a server under way.
type process struct {
	cmd  *exec.Cmd
	said *output
	done chan struct{} // closed when it has ended
}

// start runs a server in the foreground. Its parent thread waits for it and
// does nothing else, because its end would be the server's.
func start(t testing.TB, name string, args ...string) *process {
	t.Helper()
	return startCommand(t, exec.Command(name, args...))
}

// startCommand is start, for a command that has more to it.
func startCommand(t testing.TB, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{cmd: cmd, said: &output{}, done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = p.said, p.said
	tie(p.cmd)
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		started <- err
		if err == nil {
			_ = p.cmd.Wait() // it is killed in the end, and that is no failure
		}
		close(p.done)
	}()
	if err := <-started; err != nil {
		t.Fatalf("start %s: %v", cmd.Path, err)
	}
	return p
}

// kill ends the server at once, even one that hangs, and waits for its end.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may have ended already
	<-p.done
}

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}
