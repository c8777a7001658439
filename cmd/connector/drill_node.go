package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"ad-ldap-connector/pkg/home"
	"ad-ldap-connector/pkg/sandbox"
)

// A drillNode is one node of a connector in a drill: a home, a process, and a
// way to the tenant of its own.
type drillNode struct {
	name    string
	h       *home.Home
	peer    string // PEER_ADDR
	signIn  string // PORT, as an address
	health  string // HEALTH_ADDR
	environ []string
	dir     string // where it runs
	hurried time.Duration
	way     *sandbox.Passage

	pid      int // of the process that serves
	child    *exec.Cmd
	stdin    io.Closer // the process ends with it, and so does its successor
	log      *drillLog
	ended    chan struct{}
	endedBy  error
	stopped  bool // by a signal, to be continued
	finished bool // none of it runs
}

// newDrillNode makes a node without a home's contents.
func newDrillNode(g *drillGround, name string) (*drillNode, error) {
	n := &drillNode{name: name, dir: g.dir, finished: true}
	var err error
	if n.h, err = home.Open(filepath.Join(g.dir, name), nil); err != nil {
		return nil, err
	}
	for _, addr := range []*string{&n.peer, &n.signIn, &n.health} {
		if *addr, err = freeAddress(); err != nil {
			return nil, err
		}
	}
	if n.way, err = sandbox.StartProxy(strings.TrimPrefix(g.cloud.URL(), "https://")); err != nil {
		return nil, err
	}
	g.closers = append(g.closers, n.way.Close)
	n.environ = append(n.environ, g.environ...)
	// Not in the file, which is to be the same on all nodes; they differ in that.
	n.environ = append(n.environ, "https_proxy=http://"+n.way.Addr(), "CONSOLE_ADDR=127.0.0.1:0")
	return n, nil
}

// do runs a command of this program on the node's home, in this process, and
// returns what it prints.
func (n *drillNode) do(ctx context.Context, args ...string) (stdout []byte, err error) {
	var out, complaints bytes.Buffer
	sub := &app{stdin: strings.NewReader(""), stdout: &out, stderr: &complaints, environ: n.environ, hurried: n.hurried}
	cmd := newCommand(sub)
	cmd.SetArgs(append(args, "--home", n.h.Dir()))
	if err = cmd.ExecuteContext(ctx); err != nil {
		said := strings.TrimSpace(complaints.String())
		err = fmt.Errorf("%s on %s: %w%s", args[0], n.name, err, strings.TrimSuffix("; "+oneLine(said), "; "))
	}
	return out.Bytes(), err
}

// start starts the node's process.
func (n *drillNode) start(notify string) error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	// A pipe of our own: that of a child is closed with it, and would end what
	// takes over from it.
	input, stdin, err := os.Pipe()
	if err != nil {
		return errors.Join(err, r.Close(), w.Close())
	}
	n.log, n.ended, n.endedBy = &drillLog{r: r}, make(chan struct{}), nil
	n.child = exec.CommandContext(context.Background(), n.h.Program(), "run", "--until-stdin-closes", "--home", n.h.Dir())
	n.child.Env, n.child.Dir, n.child.Stdin, n.child.Stderr = n.environ, n.dir, input, w
	if notify != "" {
		n.child.Env = append(n.child.Env[:len(n.child.Env):len(n.child.Env)], "NOTIFY_SOCKET="+notify)
	}
	err = n.child.Start()
	_, _ = input.Close(), w.Close() // the node has its own, if it is there
	if err != nil {
		_, _ = r.Close(), stdin.Close() // nothing will come
		return fmt.Errorf("start %s: %w", n.name, err)
	}
	n.stdin, n.pid, n.finished = stdin, n.child.Process.Pid, false
	go n.log.run()
	go func(child *exec.Cmd, ended chan struct{}) {
		n.endedBy = child.Wait()
		close(ended)
	}(n.child, n.ended)
	return nil
}

// own reports whether the process that serves is the one that was started here,
// and not one that took over from it.
func (n *drillNode) own() bool { return n.pid == n.child.Process.Pid }

// signal has the process that serves do what a signal says.
func (n *drillNode) signal(what func(pid int) error) error {
	if err := what(n.pid); err != nil {
		return fmt.Errorf("signal %s (process %d): %w", n.name, n.pid, err)
	}
	return nil
}

func killProcess(pid int) error {
	p, err := os.FindProcess(pid)
	if err != nil {
		return err
	}
	return p.Kill()
}

// gone waits until nothing of the node runs.
func (n *drillNode) gone() error {
	late := time.After(endWithin)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for n.h.Locked() || !n.over() {
		select {
		case <-tick.C:
		case <-late:
			return fmt.Errorf("%s (process %d) has not ended after %s", n.name, n.pid, endWithin)
		}
	}
	n.finished = true
	_ = n.stdin.Close() // nobody reads it any more
	_ = n.log.r.Close() // nobody writes any more
	return nil
}

// over reports whether the process that was started here has ended.
func (n *drillNode) over() bool {
	select {
	case <-n.ended:
		return true
	default:
		return false
	}
}

// endWithin is how long a node may take to end once it was told to: DRAIN_SECONDS
// and some more.
const endWithin = 40 * time.Second

// stop tells the node to stop, as a service manager does, and returns when it has.
func (n *drillNode) stop() error {
	if canSignal {
		if err := n.signal(endProcess); err != nil {
			return err
		}
	} else {
		_ = n.stdin.Close() // it ends with that
	}
	own := n.own()
	if err := n.gone(); err != nil {
		return err
	}
	if own && n.endedBy != nil {
		return fmt.Errorf("%s was told to stop, and ended with %w: %s", n.name, n.endedBy, n.log.lastLine())
	}
	return nil
}

// restart has the service be succeeded by the program in its home.
func (n *drillNode) restart(ctx context.Context) error {
	out, err := n.do(ctx, "restart", "-o", "json")
	if err != nil {
		return err
	}
	var r restartResult
	if err := json.Unmarshal(out, &r); err != nil {
		return fmt.Errorf("read what restart says of %s: %w", n.name, err)
	}
	if r.Result != "restarted" || r.PID == 0 || r.PID == n.pid {
		return fmt.Errorf("restart of %s: %+v", n.name, r)
	}
	n.pid = r.PID
	return nil
}

// update has another program take the place of the one that runs.
func (n *drillNode) update(ctx context.Context, program string) error {
	sum, err := sha256Of(program)
	if err != nil {
		return err
	}
	// This machine may be short of much that a node's should have.
	out, err := n.do(ctx, "update", "-o", "json", "--skip", "host,network", "--from", program, "--sha256", sum)
	if err != nil {
		return err
	}
	var said updateResult
	for line := range bytes.Lines(out) {
		if err := json.Unmarshal(line, &said); err != nil {
			return fmt.Errorf("read what update says of %s: %w", n.name, err)
		}
	}
	var r running
	if err := n.h.LoadState("run", &r); err != nil {
		return fmt.Errorf("find the updated process of %s: %w", n.name, err)
	}
	if said.Result != "updated" || r.PID == n.pid {
		return fmt.Errorf("update of %s: %+v, and process %d after %d", n.name, said, r.PID, n.pid)
	}
	n.pid = r.PID
	return nil
}

// end takes the node away at the end of a drill.
func (n *drillNode) end() error {
	if n.finished {
		return nil
	}
	if n.stopped {
		_ = n.signal(continueProcess) // else it cannot end
	}
	_ = n.stdin.Close() // it ends with that
	if err := n.gone(); err != nil {
		_ = killProcess(n.pid) // it has just ended otherwise
		return errors.Join(err, n.gone())
	}
	return nil
}
