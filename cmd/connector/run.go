package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"ad-ldap-connector/pkg/config"
	"ad-ldap-connector/pkg/home"
	"ad-ldap-connector/pkg/profile"
	"ad-ldap-connector/pkg/service"
)

func newRunCommand(a *app) *cobra.Command {
	untilStdin, o := false, runFlags{}
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Run the connector in the foreground: what the service runs",
		Long: `It serves the hub until it is stopped. SIGTERM and Ctrl-C let logins in hand
finish and end with 0; SIGHUP reads the configuration and the mapper again: no
login is lost, for what is new serves before what was there ends. A home that
holds only a ticket and the directory's settings is provisioned first. Logs go
to stderr, with -o json one object a line, and as lines of text to
logs/connector.log in the home, unless OVERRIDE_CONFIG=false leaves no file to
be written there. A service logs to systemd's journal or the Event Log of
Windows in the place of stderr: connector help logging.

With --setup a home that holds no settings at all is no fault: the console waits
there for its first set-up, in the browser ("connector console" prints the link),
and then the connector goes on without being started again.

--takeover starts it beside the connector that runs in the home. Once the hub
has accepted it and the directory answers, the former one finishes what it has
in hand, and ends with 0; until then it goes on whatever becomes of this one.
Where none runs it is a plain run. A service is restarted so by "connector
restart": its manager must learn of the new process from the former one.`,
		Example: "  connector run --home /opt/auth0/ad-ldap\n  connector run --home /opt/auth0/ad-ldap --takeover",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			if untilStdin {
				ctx = untilClosed(ctx, a.stdin)
			}
			return a.run(ctx, o)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&o.takeover, strings.TrimPrefix(takeoverFlag, "--"), false, "take the place of the connector that runs in the home, once this one serves; not on Windows")
	f.DurationVar(&o.within, "takeover-timeout", takeoverWithin, "how long that may take; then the former one goes on")
	f.BoolVar(&o.setup, "setup", false, "where nothing is set up yet, wait for that in the console")
	f.BoolVar(&untilStdin, "until-stdin-closes", false, "end when standard input does")
	// On Windows a program cannot be sure to find out by itself that it was
	// started as a service. Elsewhere the manager says so in the environment.
	f.StringVar(&o.service, "service", "", "run as the service of this `name`, started by the system's service manager")
	for _, hidden := range []string{"until-stdin-closes", "service"} {
		if err := f.MarkHidden(hidden); err != nil {
			panic(err) // the flags are defined in the lines above
		}
	}
	return cmd
}

type runFlags struct {
	service  string // its name; "" is the foreground on Windows, and makes no difference elsewhere
	takeover bool
	within   time.Duration
	setup    bool
}

// attribution is what the journal may take to look at who speaks to it.
const attribution = 250 * time.Millisecond

// run serves the home.
func (a *app) run(ctx context.Context, o runFlags) error {
	settleMemory()
	// Whoever reads the log may go; a write to nobody must not end the connector.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	l := a.openRunLog(o.service)
	defer l.close()
	err := service.Run(ctx, o.service, func(ctx context.Context, n *service.Notifier) error { return a.runHome(ctx, o, n, l) })
	if err == nil {
		return nil
	}
	why := []any{"err", oneLine(err.Error())}
	if hint := hintOf(err); hint != "" {
		why = append(why, "hint", hint)
	}
	l.apart.Error("the connector cannot run", why...)
	if l.system != nil && systemIsStderr {
		// The journal finds out whose word it was, and so of which unit, only while
		// the process is there: journalctl --unit would not show the reason.
		time.Sleep(attribution)
		return exitError(exitCode(err, ctx.Err() != nil)) // it has been said
	}
	return err
}

// runHome serves the home, until ctx ends.
func (a *app) runHome(ctx context.Context, o runFlags, manager *service.Notifier, l *runLog) error {
	h, err := a.openHome()
	if err != nil {
		return err
	}
	if err := h.Create(); err != nil { // env-only mode may start with no folder at all
		return err
	}
	s := newSuccession(h, a.environ, manager) // whoever sees the lock may send a signal
	c := &claim{home: h}
	over, err := a.enter(c, o, manager)
	if err != nil {
		return err
	}
	l.openFile(h)
	go l.follow(ctx, h)
	s.setup = o.setup
	s.log, s.counts.logs = l.log, l
	defer s.counts.close()
	return errors.Join(s.run(ctx, c, over), c.release())
}

// enter locks the home, or asks who has locked it to give way.
func (a *app) enter(c *claim, o runFlags, manager *service.Notifier) (*takeover, error) {
	if !o.takeover {
		return nil, c.take(0)
	}
	manager.Mute() // the one that runs is the service
	over, err := knock(c.home, c, o.within)
	if over != nil {
		over.watch = watchOf(a.environ)
	}
	if err != nil || over != nil {
		return over, err
	}
	manager.Speak()
	return nil, c.take(0)
}

// An instance names one running connector among those of its connection.
type instance struct {
	ID string `json:"id"`
}

// loadInstance reads the home's instance id, or makes one. It is state, and no
// part of an export: a copy of a home is another instance.
func loadInstance(h *home.Home) (instance, error) {
	var i instance
	err := h.LoadState("instance", &i)
	if err == nil && i.ID != "" {
		return i, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return i, err
	}
	id := make([]byte, 4)
	_, _ = rand.Read(id) // crypto/rand.Read never fails
	hostname, err := os.Hostname()
	if err != nil {
		hostname = "node"
	}
	i.ID = hostname + "-" + hex.EncodeToString(id)
	return i, h.SaveState("instance", i)
}

// Running is what a connector that runs leaves for "connector status".
type running struct {
	Console string `json:"console"` // as consoleAt has it
	// ConsoleName is what browsers call it by TLS; "" without.
	ConsoleName string `json:"consoleName,omitempty"`

	PID     int       `json:"pid"`
	Started time.Time `json:"started"`
}

func pid() int { return os.Getpid() }

// mapperChildName is the hidden command that runs operators' mappers.
const mapperChildName = "mapper-child"

func newMapperChildCommand(a *app) *cobra.Command {
	memory := 0
	cmd := &cobra.Command{
		Use:     mapperChildName,
		Short:   "Run profile mappers for the connector that started this process",
		Example: "  connector " + mapperChildName,
		Hidden:  true,
		Args:    noArgs,
		RunE:    func(*cobra.Command, []string) error { return profile.Child(a.stdin, a.stdout, memory) },
	}
	cmd.Flags().IntVar(&memory, "memory", config.Default().Mapper.MemoryMB, "how many `MiB` a script may use")
	return cmd
}
