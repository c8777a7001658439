package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"ad-ldap-connector/pkg/sandbox"
)

// drillUsers is how many users the directory of a drill has.
const drillUsers = 1000

// A drillGround is where one drill takes place: a pretend tenant, a pretend
// directory, ways to both that can be blocked, and a connector of its own
// process between them.
type drillGround struct {
	dir, home string
	environ   []string
	program   string
	args      []string // of the connector, beside the usual ones
	bare      string   // this program, where the connector runs another file
	console   string

	cloud     *sandbox.Cloud
	directory *sandbox.Directory
	toTenant  *sandbox.Passage

	settings map[string]any // of the connector, beside the usual ones
	cmd      *exec.Cmd
	stdin    io.Closer
	stderr   *drillLog
	ended    chan struct{} // closed when the connector has ended
	endedBy  error
	closers  []func() error
	inside   func(path string) string // where the connector's files are for us
}

// A drillLog reads what the connector says, and keeps the end of it.
type drillLog struct {
	r    *os.File
	mu   sync.Mutex
	tail []byte
}

func (l *drillLog) run() {
	buf := make([]byte, 64<<10)
	for {
		n, err := l.r.Read(buf)
		l.mu.Lock()
		l.tail = append(l.tail, buf[:n]...)
		if len(l.tail) > 16<<10 {
			l.tail = l.tail[len(l.tail)-16<<10:]
		}
		l.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// lastLine is the last that was said.
func (l *drillLog) lastLine() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	lines := strings.Split(strings.TrimSpace(string(l.tail)), "\n")
	return lines[len(lines)-1]
}

func (a *app) newGround(d drill) (g *drillGround, err error) {
	dir, err := os.MkdirTemp("", "connector-drill-")
	if err != nil {
		return nil, err
	}
	g = &drillGround{
		dir: dir, home: filepath.Join(dir, "home"), ended: make(chan struct{}),
		settings: map[string]any{"HUB_LINKS": max(d.links, 1)}, inside: func(path string) string { return path },
	}
	g.closers = append(g.closers, func() error { return os.RemoveAll(dir) })
	defer func() {
		if err != nil {
			err = errors.Join(err, g.close())
		}
	}()
	if g.program, err = os.Executable(); err != nil {
		return nil, err
	}
	for _, kv := range bareEnviron(a.environ) {
		if !strings.HasPrefix(kv, "CONSOLE_ADDR=") {
			g.environ = append(g.environ, kv)
		}
	}
	if g.console, err = freeAddress(); err != nil {
		return nil, err
	}
	if g.cloud, err = sandbox.StartCloud(sandbox.CloudOptions{State: filepath.Join(dir, "tenant"), Timeout: drillPatience, Kerberos: d.signIn}); err != nil {
		return nil, err
	}
	g.closers = append(g.closers, g.cloud.Close)
	if g.toTenant, err = sandbox.StartPassage(strings.TrimPrefix(g.cloud.URL(), "https://")); err != nil {
		return nil, err
	}
	g.closers = append(g.closers, g.toTenant.Close)
	if err := g.startDirectory("127.0.0.1:0", ""); err != nil {
		return nil, err
	}
	g.closers = append(g.closers, func() error { return g.directory.Close() })
	return g, nil
}

// freeAddress is one on which nobody listens just now.
func freeAddress() (string, error) {
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

func (g *drillGround) startDirectory(listen, password string) (err error) {
	g.directory, err = sandbox.StartDirectory(sandbox.DirectoryOptions{
		Listen: listen, Password: password, Users: drillUsers, Traits: sandbox.Traits{ActiveDirectory: true},
	})
	return err
}

// prepare writes the connector's home, from which it provisions itself.
func (g *drillGround) prepare() error {
	settings := map[string]any{
		"PROVISIONING_TICKET": strings.Replace(g.cloud.Ticket(), strings.TrimPrefix(g.cloud.URL(), "https://"), g.toTenant.Addr(), 1),
		"SSL_CA_PATH":         g.cloud.CAFile(), "CONSOLE_ADDR": g.console,
		"LDAP_URL": g.directory.URL(), "LDAP_BASE": g.directory.BaseDN(),
		"LDAP_BIND_USER": g.directory.BindUser(), "LDAP_BIND_PASSWORD": g.directory.BindPassword(),
	}
	for k, v := range g.settings {
		settings[k] = v
	}
	text, err := json.MarshalIndent(settings, "", "  ")
	if err != nil {
		return err
	}
	return errors.Join(os.MkdirAll(g.home, 0o700), os.WriteFile(filepath.Join(g.home, "config.json"), text, 0o600))
}

// start starts the connector. Its home is there.
func (g *drillGround) start() error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	g.stderr = &drillLog{r: r}
	g.cmd = exec.CommandContext(context.Background(), g.program, append([]string{"run", "--until-stdin-closes", "--home", g.home}, g.args...)...)
	g.cmd.Env, g.cmd.Dir, g.cmd.Stderr = g.environ, g.dir, w
	// Not StdinPipe, which is closed with the first process, and a successor has it
	// too.
	in, stdin, err := os.Pipe()
	if err == nil {
		g.cmd.Stdin = in
		if err = g.cmd.Start(); err != nil {
			_ = stdin.Close() // nobody reads it
		}
		_ = in.Close() // the connector has its own, if it is there
	}
	_ = w.Close() // the same
	if err != nil {
		_ = r.Close() // nothing will come
		return fmt.Errorf("start the connector: %w", err)
	}
	g.stdin = stdin
	go g.stderr.run()
	go func() {
		g.endedBy = g.cmd.Wait()
		close(g.ended)
	}()
	return nil
}

// alive returns an error when the connector has ended.
func (g *drillGround) alive() error {
	select {
	case <-g.ended:
		how := "exit status 0"
		if g.endedBy != nil {
			how = g.endedBy.Error()
		}
		return fmt.Errorf("the connector ended: %s: %s", how, g.stderr.lastLine())
	default:
		return nil
	}
}

// stop ends the connector in good order.
func (g *drillGround) stop() error {
	if g.cmd == nil || g.cmd.Process == nil {
		return nil
	}
	_ = g.stdin.Close() // it ends with that
	var err error
	select {
	case <-g.ended:
		if g.endedBy != nil {
			err = fmt.Errorf("the connector was told to end, and did so with %w", g.endedBy)
		}
	case <-time.After(20 * time.Second):
		err = errors.New("the connector was told to end, and had not after 20 s")
		_ = g.cmd.Process.Kill() // it has just ended otherwise
		<-g.ended
	}
	_ = g.stderr.r.Close() // nobody writes any more, or the drill has closed it
	return err
}

// close takes everything away.
func (g *drillGround) close() error {
	var errs []error
	for i := len(g.closers) - 1; i >= 0; i-- {
		errs = append(errs, g.closers[i]())
	}
	return errors.Join(errs...)
}
