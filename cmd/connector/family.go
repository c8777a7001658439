package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// A family is the child processes of a demonstration. When one that should
// live ends, the family's context ends with that as the cause, so that nothing
// waits for an answer that cannot come.
type family struct {
	environ []string
	dir     string
	program string
	ctx     context.Context
	fail    context.CancelCauseFunc

	mu       sync.Mutex
	children map[string]*child
}

type child struct {
	name  string
	cmd   *exec.Cmd
	stdin io.Closer // the child ends when this closes, also when this process dies
	done  chan struct{}

	mu    sync.Mutex
	leave bool // its end is wanted
}

func (c *child) pid() int { return c.cmd.Process.Pid }

func newFamily(ctx context.Context, a *app, dir string) (*family, context.Context) {
	ctx, fail := context.WithCancelCause(ctx)
	program, err := os.Executable()
	if err != nil {
		program = os.Args[0] // as good a name as there is
	}
	return &family{environ: bareEnviron(a.environ), dir: dir, program: program, ctx: ctx, fail: fail, children: map[string]*child{}}, ctx
}

// bareEnviron keeps what programs need and drops what would configure a
// connector. The console takes any free port, as two nodes share this host.
func bareEnviron(environ []string) []string {
	kept := []string{"CONSOLE_ADDR=127.0.0.1:0"}
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "TEMP", "TMP", "SystemRoot", "USERPROFILE", "NO_COLOR", "GOCOVERDIR"} {
		if v := lookup(environ, name); v != "" {
			kept = append(kept, name+"="+v)
		}
	}
	return kept
}

// start runs this program with args. With ready not nil it waits for the JSON
// object that the child prints once it is ready.
func (f *family) start(name string, ready any, args ...string) (*child, error) {
	log, err := os.Create(filepath.Join(f.dir, name+".log"))
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }() // the child has its own handle
	c := &child{name: name, cmd: exec.CommandContext(context.WithoutCancel(f.ctx), f.program, args...), done: make(chan struct{})}
	c.cmd.Env, c.cmd.Dir, c.cmd.Stderr = f.environ, f.dir, log
	stdin, err := c.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	c.stdin = stdin
	f.mu.Lock()
	f.children[name] = c
	f.mu.Unlock()
	line := make(chan []byte, 1)
	go f.watch(c, stdout, line)
	if ready == nil {
		return c, nil
	}
	select {
	case text := <-line:
		if err := json.Unmarshal(text, ready); err != nil {
			return nil, fmt.Errorf("start %s: it printed %q", name, text)
		}
		return c, nil
	case <-time.After(waitTime):
		return nil, fmt.Errorf("start %s: not ready after %s", name, waitTime)
	case <-f.ctx.Done():
		return nil, context.Cause(f.ctx)
	}
}

// watch hands over the first line of the child's output and waits for its end.
func (f *family) watch(c *child, stdout io.Reader, line chan<- []byte) {
	r := bufio.NewReader(stdout)
	if text, err := r.ReadBytes('\n'); err == nil {
		line <- text
	}
	_, _ = io.Copy(io.Discard, r) // what comes after is for nobody
	err := c.cmd.Wait()
	c.mu.Lock()
	wanted := c.leave
	c.mu.Unlock()
	close(c.done)
	if !wanted {
		f.fail(f.obituary(c, err))
	}
}

// obituary says how a child ended, with the last it said.
func (f *family) obituary(c *child, err error) error {
	how := "exit status 0"
	if err != nil {
		how = err.Error()
	}
	text := fmt.Sprintf("%s (process %d) ended: %s", c.name, c.pid(), how)
	if log, err := os.ReadFile(filepath.Join(f.dir, c.name+".log")); err == nil {
		if last := bytes.TrimSpace(log); len(last) > 0 {
			lines := strings.Split(string(last), "\n")
			text += ": " + lines[len(lines)-1]
		}
	}
	return errors.New(text)
}

// blame returns what broke a step: a child's death if there was one, rather
// than how the step noticed. A socket ends before its process is known to have
// ended, so word of a death is waited for a moment.
func (f *family) blame(ctx context.Context, err error) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(wordTime):
		return err
	}
}

// wordTime is ample for a process that has died to be known as dead.
const wordTime = 2 * time.Second

// kill ends a child the hard way and waits until it is gone.
func (f *family) kill(name string) (pid int, err error) {
	f.mu.Lock()
	c := f.children[name]
	f.mu.Unlock()
	if c == nil {
		return 0, fmt.Errorf("kill %s: it was never started", name)
	}
	c.mu.Lock()
	c.leave = true
	c.mu.Unlock()
	if err := c.cmd.Process.Kill(); err != nil {
		return c.pid(), fmt.Errorf("kill %s: %w", name, err)
	}
	<-c.done
	return c.pid(), nil
}

// end closes every child's standard input, which ends it, and kills those that
// have not gone after a while.
func (f *family) end() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.children {
		c.mu.Lock()
		c.leave = true
		c.mu.Unlock()
		_ = c.stdin.Close() // closed already when the child has gone
	}
	late := time.After(10 * time.Second)
	for _, c := range f.children {
		select {
		case <-c.done:
		case <-late:
			_ = c.cmd.Process.Kill() // it has just gone otherwise
			<-c.done
		}
	}
	f.fail(nil)
}

// A cloudAPI talks to the sandbox's API.
type cloudAPI struct {
	http *http.Client
	api  string
}

func newCloudAPI(info sandboxInfo) (*cloudAPI, error) {
	t, err := trust(info.CA)
	if err != nil {
		return nil, err
	}
	return &cloudAPI{http: &http.Client{Transport: &http.Transport{TLSClientConfig: t}}, api: info.API}, nil
}

func (c *cloudAPI) do(ctx context.Context, method, path string, body any) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, waitTime)
	defer cancel()
	data, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, method, c.api+path, bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }() // it is read whole
	answer, err := io.ReadAll(io.LimitReader(res.Body, 16<<20))
	if err == nil && res.StatusCode >= 300 {
		err = fmt.Errorf("the tenant answered %s: %s", res.Status, bytes.TrimSpace(answer))
	}
	return answer, err
}

func (c *cloudAPI) login(ctx context.Context, user, password string) (r cloudReply, err error) {
	data, err := c.do(ctx, http.MethodPost, "/requests/authenticate_user", map[string]string{"username": user, "password": password})
	if err != nil {
		return r, err
	}
	return r, r.decode(data)
}

// waitAgents waits until the tenant has at least n agents.
func (c *cloudAPI) waitAgents(ctx context.Context, n int) error {
	ctx, cancel := context.WithTimeoutCause(ctx, waitTime, fmt.Errorf("the hub has not accepted node %d after %s", n, waitTime))
	defer cancel()
	tick := time.NewTicker(25 * time.Millisecond)
	defer tick.Stop()
	for {
		data, err := c.do(ctx, http.MethodGet, "/agents", nil)
		if err != nil && ctx.Err() == nil {
			return err
		}
		var agents struct{ Agents []json.RawMessage }
		if err == nil && json.Unmarshal(data, &agents) == nil && len(agents.Agents) >= n {
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}
