package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/spf13/cobra"

	"ad-ldap-connector/pkg/home"
	"ad-ldap-connector/pkg/service"
)

func newRestartCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "restart",
		Short: "Restart the connector's service without losing a login",
		Long: `The service starts the program that is now in the home, bin/connector, beside
itself. Once the hub has accepted the new process and the directory answers it,
the former one finishes what it has in hand and ends; until then it goes on,
whatever becomes of the new one. So a program that was replaced, by a rename, is
an update that nobody notices. It returns when the new process serves.

A service that does not run is started. On Windows and macOS a service manager
ends the one process before it starts the other: there a moment passes in which
other connectors of the connection must answer.`,
		Example: "  sudo connector restart\n  sudo connector --name second restart -o json",
		Args:    noArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.restart(cmd.Context()) },
	}
}

// A restartResult is what "connector restart" prints as JSON.
type restartResult struct {
	Result  string `json:"result"` // restarted, started or failed
	Version string `json:"version"`
	PID     int    `json:"pid"`
	TookMs  int64  `json:"tookMs"`
}

func (a *app) restart(ctx context.Context) error {
	h, err := a.openHome()
	if err != nil {
		return err
	}
	begun := time.Now()
	r, err := a.restartHome(ctx, h)
	r.TookMs = time.Since(begun).Milliseconds()
	if err != nil {
		r.Result = "failed"
	}
	if a.json() {
		return errors.Join(err, a.line(r))
	}
	if err == nil {
		a.say("%s: version %s, process %d, after %d ms", r.Result, r.Version, r.PID, r.TookMs)
	}
	return err
}

func (a *app) restartHome(ctx context.Context, h *home.Home) (restartResult, error) {
	if !h.Exists() {
		return restartResult{}, fmt.Errorf("restart the connector in %s: %w", h.Dir(), fs.ErrNotExist)
	}
	if !h.Locked() {
		return a.restartService(ctx, h, "started")
	}
	w, err := askToSucceed(ctx, h, word{})
	if err == nil {
		return restartResult{Result: "restarted", Version: w.Version, PID: w.PID}, nil
	}
	if refused := (*refusedError)(nil); errors.Is(err, errNoPorter) || errors.As(err, &refused) && refused.Unmanaged {
		// The one manager that cannot be told of another process may be there all
		// the same.
		if r, found := registration(ctx, h); found == nil && r != nil {
			return a.restartService(ctx, h, "restarted")
		}
	}
	if errors.Is(err, fs.ErrPermission) {
		err = &hinted{err, "run it as root, or as the account that the connector runs under"}
	}
	return restartResult{}, fmt.Errorf("restart the connector in %s: %w", h.Dir(), err)
}

// askToSucceed has the running connector start its successor, as how says, and
// returns when that has taken over.
func askToSucceed(ctx context.Context, h *home.Home, how word) (word, error) {
	how.Say = saySucceed
	return askPorter(ctx, h, how, succeedWithin+time.Duration(how.Watch)*time.Millisecond+lockPatience)
}

// askPorter asks the running connector for something that it does, or refuses.
func askPorter(ctx context.Context, h *home.Home, ask word, within time.Duration) (word, error) {
	conn, err := dialPorter(h.Path(porterFile))
	if err != nil {
		return word{}, silentRestart(err)
	}
	defer func() { _ = conn.Close() }() // all is said
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	wire := newPorterWire(conn, maxAsking)
	ask.Version, ask.PID = thisBuild().Version, pid()
	if err := wire.say(ask, porterPatience); err != nil {
		return word{}, silentRestart(err)
	}
	w, err := wire.hear(within, sayDone)
	if ctx.Err() != nil {
		return w, ctx.Err()
	}
	if err != nil {
		return w, silentRestart(err)
	}
	return w, nil
}

func silentRestart(err error) error {
	if refused := (*refusedError)(nil); errors.As(err, &refused) || errors.Is(err, errNoPorter) || errors.Is(err, fs.ErrPermission) {
		return err
	}
	return &hinted{fmt.Errorf("it does not answer: %w", err), "it is of an earlier version, or hangs; its service manager restarts it: systemctl restart auth0-adldap"}
}

// registration finds the service that runs h, nil if there is none.
func registration(ctx context.Context, h *home.Home) (*service.Registration, error) {
	m, err := service.System()
	if err != nil {
		return nil, err
	}
	list, err := m.List(ctx) // as much of it as could be read
	for _, r := range list {
		if sameFolder(r.Home, h.Dir()) {
			return &r, nil
		}
	}
	return nil, err
}

// restartService starts the service that runs h, and stops it before if it runs.
func (a *app) restartService(ctx context.Context, h *home.Home, result string) (restartResult, error) {
	r, err := registration(ctx, h)
	if none := (*service.NoManagerError)(nil); r == nil && (err == nil || errors.As(err, &none)) {
		return restartResult{}, &hinted{fmt.Errorf("no connector runs in %s, and no service is registered for it", h.Dir()), "connector install makes one; connector run needs none"}
	}
	if err != nil {
		return restartResult{}, err
	}
	m, err := a.manager("restart the service " + r.Name)
	if err != nil {
		return restartResult{}, err
	}
	if err := errors.Join(m.Stop(ctx, r.Name), m.Start(ctx, r.Name)); err != nil {
		return restartResult{}, err
	}
	st, err := m.Status(ctx, r.Name)
	if err != nil {
		return restartResult{}, err
	}
	out := restartResult{Result: result, PID: st.PID, Version: thisBuild().Version}
	if live, err := a.askRunning(ctx, h); err == nil {
		out.Version = live.Version
	}
	return out, nil
}
