package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"ad-ldap-connector/pkg/sandbox"
)

var update = flag.Bool("update", false, "rewrite the scripts' expectations")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"connector": func() {
			a := systemApp()
			a.spoiled = spoilFrom(os.Getenv(spoilStep))
			a.hurried, _ = time.ParseDuration(os.Getenv(hurry)) // none: nothing is hurried
			os.Exit(a.main())
		},
		"helper":  helper,
		"request": request,
	})
}

// TestScript runs the command scripts: each is a promise to the people and
// programs that call the command, and says it in its first comment.
func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "../../testdata/script",
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(e *testscript.Env) error {
			// Two scripts run at once; the console takes any free port.
			e.Setenv("CONSOLE_ADDR", "127.0.0.1:0")
			e.Setenv("NO_COLOR", "1")
			e.Setenv("GOTRACEBACK", "all")
			e.Setenv("GORACE", os.Getenv("GORACE"))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"tenant":        startTenant,
			"directory":     startScriptDirectory,
			"newconnection": newConnection,
			"waitagents":    waitAgents,
			"ask":           askTenant,
			"clock":         setClock,
			"perm":          checkPerm,
			"waithealth":    waitHealth,
			"exits":         exits,
			"unpack":        unpackScript,
			"wrapped":       wrapText,
			"former":        keepSetting,
		},
	})
}

// clouds are the scripts' tenants, by working folder.
var clouds sync.Map

// tenant starts a pretend tenant and sets TICKET, CA and TENANT; ticket.txt
// holds the ticket.
// One that is told "several" takes several certificates.
func startTenant(ts *testscript.TestScript, _ bool, args []string) {
	cloud, err := sandbox.StartCloud(sandbox.CloudOptions{State: ts.MkAbs("tenant-state"), SeveralCertificates: len(args) > 0 && args[0] == "several"})
	ts.Check(err)
	ts.Defer(func() { _ = cloud.Close() })
	clouds.Store(ts.MkAbs("."), cloud)
	ts.Setenv("TICKET", cloud.Ticket())
	ts.Setenv("TENANT", cloud.URL())
	ts.Setenv("CA", cloud.CAFile())
	ts.Check(os.WriteFile(ts.MkAbs("ticket.txt"), []byte(cloud.Ticket()+"\n"), 0o600))
}

// directory [LDIF] starts an embedded directory and sets LDAPURL, BASE and
// BINDUSER; password.txt holds the service account's password.
func startScriptDirectory(ts *testscript.TestScript, _ bool, args []string) {
	o := sandbox.DirectoryOptions{Traits: sandbox.Traits{ActiveDirectory: true}}
	if len(args) > 0 {
		o.LDIF = strings.NewReader(ts.ReadFile(args[0]))
	}
	d, err := sandbox.StartDirectory(o)
	ts.Check(err)
	ts.Defer(func() { _ = d.Close() })
	ts.Setenv("LDAPURL", d.URL())
	ts.Setenv("BASE", d.BaseDN())
	ts.Setenv("BINDUSER", d.BindUser())
	ts.Setenv("BINDPASSWORD", d.BindPassword())
	ts.Check(os.WriteFile(ts.MkAbs("password.txt"), []byte(d.BindPassword()+"\n"), 0o600))
}

// newconnection NAME makes another connection; NEWTICKET and NAME.txt hold its
// ticket.
func newConnection(ts *testscript.TestScript, _ bool, args []string) {
	ticket, _, err := scriptCloud(ts).NewConnection(args[0], false, false)
	ts.Check(err)
	ts.Setenv("NEWTICKET", ticket)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]+".txt"), []byte(ticket+"\n"), 0o600))
}

func scriptCloud(ts *testscript.TestScript) *sandbox.Cloud {
	c, ok := clouds.Load(ts.MkAbs("."))
	if !ok {
		ts.Fatalf("there is no tenant; start one first")
	}
	return c.(*sandbox.Cloud)
}

// waitagents N waits until the tenant has exactly N agents.
func waitAgents(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	cloud, late := scriptCloud(ts), time.After(30*time.Second)
	for {
		changed := cloud.Changed()
		if len(cloud.Agents()) == want {
			return
		}
		select {
		case <-changed:
		case <-late:
			ts.Fatalf("%d agents after 30s, want %d", len(cloud.Agents()), want)
		}
	}
}

// ask COMMAND JSON sends a request to an agent, and leaves the reply in the
// file reply, with no agent in reply too ("error: ...").
func askTenant(ts *testscript.TestScript, _ bool, args []string) {
	var r sandbox.Request
	ts.Check(json.Unmarshal([]byte(args[1]), &r))
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	res, err := scriptCloud(ts).Request(ctx, args[0], r)
	reply := string(res.Reply)
	if err != nil {
		reply = "error: " + err.Error()
	}
	ts.Check(os.WriteFile(ts.MkAbs("reply"), []byte(reply+"\n"), 0o600))
}

// clock OFFSET moves the tenant's clock.
func setClock(ts *testscript.TestScript, _ bool, args []string) {
	offset, err := time.ParseDuration(args[0])
	ts.Check(err)
	scriptCloud(ts).SetClock(offset)
}

// perm MODE FILE... checks that only the owner may read files.
func checkPerm(ts *testscript.TestScript, neg bool, args []string) {
	for _, name := range args[1:] {
		info, err := os.Stat(ts.MkAbs(name))
		ts.Check(err)
		if got := "0" + strconv.FormatUint(uint64(info.Mode().Perm()), 8); filepath.Separator == '/' && (got == args[0]) == neg {
			ts.Fatalf("%s has mode %s, want %s", name, got, args[0])
		}
	}
}

// waithealth HOME PART STATE waits until the connector that runs on a home says
// so of its part.
func waitHealth(ts *testscript.TestScript, _ bool, args []string) {
	a := &app{home: ts.MkAbs(args[0]), output: "json"}
	late := time.Now().Add(30 * time.Second)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	var last string
	for time.Now().Before(late) {
		if s, err := a.askStatus(context.Background()); err == nil {
			for _, p := range s.Parts {
				if p.Name == args[1] {
					last = string(p.Health) + ": " + p.Detail
					if string(p.Health) == args[2] {
						return
					}
				}
			}
		}
		<-tick.C
	}
	ts.Fatalf("%s is %s after 30s, want %s", args[1], last, args[2])
}

// exits STATUS PROGRAM ARGS... runs a program that must end with that status.
func exits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	var exit *exec.ExitError
	switch err := ts.Exec(args[1], args[2:]...); {
	case errors.As(err, &exit):
		got = exit.ExitCode()
	case err != nil:
		ts.Fatalf("%v", err)
	}
	if got != want {
		ts.Fatalf("%s ended with %d, want %d", strings.Join(args[1:], " "), got, want)
	}
}

// former KEY CONFIG FILE writes what a configuration's file says of a key, a
// secret or not, to a file.
func keepSetting(ts *testscript.TestScript, _ bool, args []string) {
	var all map[string]json.RawMessage
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[1])), &all))
	if len(all[args[0]]) == 0 {
		ts.Fatalf("%s has no %s", args[1], args[0])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), all[args[0]], 0o600))
}

// wrapped HEX TEXT HEX FILE writes a text between octets that editors add.
func wrapText(ts *testscript.TestScript, _ bool, args []string) {
	before, err := hex.DecodeString(args[0])
	ts.Check(err)
	after, err := hex.DecodeString(args[2])
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[3]), slices.Concat(before, []byte(args[1]), after), 0o600))
}
