package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/fatih/color"
	"github.com/spf13/cobra"

	"ad-ldap-connector/pkg/sandbox"
)

// demoTime bounds the whole demonstration with --once, and each wait in it.
const (
	demoTime = 55 * time.Second
	waitTime = 20 * time.Second
)

func newDemoCommand(a *app) *cobra.Command {
	once := false
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Show the whole thing at work: everything embedded, on loopback, in a temporary folder",
		Long: `It starts a pretend tenant and a pretend directory, installs a connector, logs a
user in through the tenant's hub, has a wrong password refused, makes a second
node by export and import, kills the first one, and logs in through the second.`,
		Example: "  connector demo\n  connector demo --once -o json",
		Args:    noArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.demo(cmd.Context(), once) },
	}
	cmd.Flags().BoolVar(&once, "once", false, "end after the demonstration; 0 only if all of it held")
	return cmd
}

// A demoStep is one step of the demonstration as it came out.
type demoStep struct {
	Name   string  `json:"name"`
	OK     bool    `json:"ok"`
	Took   float64 `json:"tookMs"`
	Detail string  `json:"detail"`
}

// A demo is the demonstration under way.
type demo struct {
	*app
	ctx    context.Context
	dir    string
	family *family
	info   sandboxInfo // tenant and directory together
	cloud  *cloudAPI
	steps  []demoStep
}

func (a *app) demo(ctx context.Context, once bool) (err error) {
	dir, err := os.MkdirTemp("", "connector-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	family, ctx := newFamily(ctx, a, dir)
	defer family.end()
	d := &demo{app: a, ctx: ctx, dir: dir, family: family}
	bounded, cancel := context.WithTimeoutCause(ctx, demoTime, fmt.Errorf("the demonstration took more than %s", demoTime))
	d.ctx = bounded
	failed := d.play()
	cancel()
	if once || failed != nil {
		if a.json() {
			if err := a.print(map[string]any{"steps": d.steps, "ok": failed == nil}); err != nil {
				return err
			}
			if failed != nil {
				a.say("connector: %s", oneLine(failed.Error()))
				return exitError(exitFault)
			}
		}
		return failed
	}
	return d.stay(ctx)
}

// play does the steps in order and ends with the first that does not hold.
func (d *demo) play() error {
	for _, s := range []struct {
		name string
		do   func() (string, error)
	}{
		{"sandbox", d.startTenant},
		{"directory", d.startDirectory},
		{"install", d.install},
		{"run", d.runFirst},
		{"login", d.loginAccepted},
		{"refusal", d.loginRefused},
		{"second-node", d.secondNode},
		{"kill-first", d.killFirst},
		{"failover", d.failover},
	} {
		start := time.Now()
		detail, err := s.do()
		if err != nil {
			err = d.family.blame(d.ctx, err)
			err = fmt.Errorf("%s: %w", s.name, err)
			detail = err.Error()
		}
		step := demoStep{Name: s.name, OK: err == nil, Took: ms(time.Since(start)), Detail: oneLine(detail)}
		d.steps = append(d.steps, step)
		d.report(step)
		if err != nil {
			return err
		}
	}
	return nil
}

func (d *demo) report(s demoStep) {
	mark := d.paint(d.stderr, color.FgGreen).Sprint("ok    ")
	if !s.OK {
		mark = d.paint(d.stderr, color.FgRed).Sprint("failed")
	}
	d.say("%s %-12s %6.0f ms  %s", mark, s.Name, s.Took, s.Detail)
}

func (d *demo) startTenant() (string, error) {
	var info sandboxInfo
	child, err := d.family.start("sandbox", &info, "sandbox", "--no-directory", "--until-stdin-closes", "--state", filepath.Join(d.dir, "tenant"))
	if err != nil {
		return "", err
	}
	d.info = info
	if d.cloud, err = newCloudAPI(info); err != nil {
		return "", err
	}
	return fmt.Sprintf("a pretend tenant at %s (process %d)", info.URL, child.pid()), nil
}

func (d *demo) startDirectory() (string, error) {
	var info sandboxInfo
	child, err := d.family.start("directory", &info, "sandbox", "--no-tenant", "--until-stdin-closes", "--state", filepath.Join(d.dir, "directory"))
	if err != nil {
		return "", err
	}
	d.info.LDAPURL, d.info.LDAPBase, d.info.BindUser, d.info.BindPasswordFile = info.LDAPURL, info.LDAPBase, info.BindUser, info.BindPasswordFile
	return fmt.Sprintf("a pretend Active Directory at %s, users below %s (process %d)", info.LDAPURL, info.LDAPBase, child.pid()), nil
}

// connector runs a command of this program on a node's home, in this process.
func (d *demo) connector(node string, args ...string) error {
	var out, complaints bytes.Buffer
	sub := &app{stdin: strings.NewReader(""), stdout: &out, stderr: &complaints, environ: d.family.environ}
	cmd := newCommand(sub)
	cmd.SetArgs(append(args, "--home", d.home(node)))
	return cmd.ExecuteContext(d.ctx)
}

func (d *demo) home(node string) string { return filepath.Join(d.dir, node) }

func (d *demo) install() (string, error) {
	ticket := filepath.Join(d.dir, "ticket")
	if err := os.WriteFile(ticket, []byte(d.info.Ticket+"\n"), 0o600); err != nil {
		return "", err
	}
	err := d.connector("node-1", "install", "--no-service", "--non-interactive", "--ticket-file", ticket,
		"--ca-file", d.info.CA, "--ldap-url", d.info.LDAPURL, "--ldap-base", d.info.LDAPBase,
		"--ldap-bind-user", d.info.BindUser, "--ldap-bind-password-file", d.info.BindPasswordFile,
		// A trial with a handful of users says nothing of a machine that is
		// to serve thousands, and runs in the smallest of containers.
		"--skip", "host")
	return "redeemed the ticket, registered a key pair, wrote " + d.home("node-1"), err
}

func (d *demo) runFirst() (string, error) { return d.runNode("node-1", 1) }

// runNode starts a node as its own process and waits until the tenant has n
// agents.
func (d *demo) runNode(name string, n int) (string, error) {
	child, err := d.family.start(name, nil, "run", "--until-stdin-closes", "--home", d.home(name))
	if err != nil {
		return "", err
	}
	if err := d.cloud.waitAgents(d.ctx, n); err != nil {
		return "", err
	}
	return fmt.Sprintf("%s is accepted by the hub (process %d)", name, child.pid()), nil
}

// What the embedded directory's people are called.
const (
	demoUser     = "alice"
	demoPassword = sandbox.DemoPassword
)

func (d *demo) loginAccepted() (string, error) {
	r, err := d.cloud.login(d.ctx, demoUser, demoPassword)
	if err != nil {
		return "", err
	}
	if r.Reply.Err != nil {
		return "", fmt.Errorf("the login of %s was refused: %s", demoUser, r.Reply.Err.Message)
	}
	return fmt.Sprintf("%s logged in through the hub, answered by %s, groups %s", demoUser, r.Agent, strings.Join(r.Reply.Profile.Groups, ", ")), nil
}

func (d *demo) loginRefused() (string, error) {
	r, err := d.cloud.login(d.ctx, demoUser, "not-the-password")
	if err != nil {
		return "", err
	}
	if r.Reply.Err == nil || r.Reply.Err.Name != "WrongPassword" {
		return "", errors.New("a wrong password was not refused as WrongPassword")
	}
	return fmt.Sprintf("a wrong password for %s: %s (%s)", demoUser, r.Reply.Err.Name, r.Reply.Err.Message), nil
}

func (d *demo) secondNode() (string, error) {
	archive := filepath.Join(d.dir, "node.zip")
	if err := d.connector("node-1", "export", "--plain", "--file", archive); err != nil {
		return "", err
	}
	if err := d.connector("node-2", "import", archive); err != nil {
		return "", err
	}
	detail, err := d.runNode("node-2", 2)
	return "export and import; " + detail, err
}

func (d *demo) killFirst() (string, error) {
	pid, err := d.family.kill("node-1")
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("node-1 (process %d) was killed without a word", pid), nil
}

func (d *demo) failover() (string, error) {
	r, err := d.cloud.login(d.ctx, demoUser, demoPassword)
	if err != nil {
		return "", err
	}
	if r.Reply.Err != nil {
		return "", fmt.Errorf("the login of %s was refused: %s", demoUser, r.Reply.Err.Message)
	}
	return fmt.Sprintf("%s logged in again, answered by %s: node-2", demoUser, r.Agent), nil
}

// stay keeps the demonstration up for people to look at.
func (d *demo) stay(ctx context.Context) error {
	d.say("")
	d.say("It stays up until Ctrl-C. Open %s (its certificate is the sandbox's own) and log in as %s / %s.", d.info.URL, demoUser, demoPassword)
	if err := d.text("%s\n", d.info.URL); err != nil {
		return err
	}
	<-ctx.Done()
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		return cause
	}
	return nil
}

// A cloudReply is as much of an agent's reply as the demonstration looks at.
type cloudReply struct {
	Agent string  `json:"agent"`
	Took  float64 `json:"tookMs"`
	Reply struct {
		Err *struct {
			Name    string `json:"name"`
			Message string `json:"message"`
		} `json:"err"`
		Profile struct {
			Groups []string `json:"groups"`
		} `json:"profile"`
	} `json:"reply"`
}

func (r *cloudReply) decode(data []byte) error {
	if err := json.Unmarshal(data, r); err != nil {
		return fmt.Errorf("read the tenant's answer: %w", err)
	}
	return nil
}
