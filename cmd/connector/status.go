package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/fatih/color"
	"github.com/spf13/cobra"

	"ad-ldap-connector/pkg/agent"
	"ad-ldap-connector/pkg/home"
)

// A Status document is what "connector status" prints and /status serves.
type status struct {
	Installed  bool         `json:"installed"`
	Service    string       `json:"service"` // running, stopped or none
	Version    string       `json:"version"`
	Instance   string       `json:"instance"`
	Connection string       `json:"connection"`
	Tenant     string       `json:"tenant"`
	Health     agent.State  `json:"health"`
	Parts      []statusPart `json:"parts"`
	Logins     logins       `json:"logins"`
	LogLevel   string       `json:"logLevel,omitempty"` // of a connector that runs
}

type statusPart struct {
	Name   string      `json:"name"`
	Health agent.State `json:"health"`
	Since  time.Time   `json:"since"`
	Detail string      `json:"detail"`
}

// status says how the running node fares.
func (n *node) status() status {
	t := n.config.Tenant
	if served := n.served.Load(); served != nil {
		t = *served
	}
	health := n.agent.Health()
	s := status{
		Installed: true, Service: "running", Version: thisBuild().Version, Instance: n.identity.ID,
		Connection: t.Connection, Tenant: hostOf(t.Hub), Health: agent.Worst(health), Logins: n.stats.logins(),
		Parts: []statusPart{},
	}
	if n.stats.logs != nil {
		s.LogLevel = strings.ToLower(n.stats.logs.level.Level().String())
	}
	for _, p := range health {
		s.Parts = append(s.Parts, statusPart{Name: p.Part, Health: p.State, Since: p.Since.UTC(), Detail: p.Detail})
	}
	return s
}

func newStatusCommand(a *app) *cobra.Command {
	all, cluster := false, false
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Say whether the connector runs, is accepted by the hub and reaches the directory",
		Long: `It ends with 0 when all parts are well, and with 1 when one is degraded or nothing
runs. --cluster asks the nodes of PEERS as well, each at its PEER_ADDR: versions,
settings that differ, certificate and clock (connector help nodes).`,
		Example: `  connector status
  connector status --all
  connector status --cluster
  connector status -o json | jq '.parts[] | select(.health != "ok")'`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := oneOf(cmd, "all", "cluster"); err != nil {
				return err
			}
			if cluster {
				return a.statusOfCluster(cmd.Context())
			}
			if all {
				return a.statusOfAll(cmd.Context())
			}
			s, err := a.askStatus(cmd.Context())
			if err != nil {
				return err
			}
			if a.json() {
				err = a.print(s)
			} else {
				err = a.printStatus(s)
			}
			if err == nil && s.Health != agent.OK {
				return exitError(exitFault)
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "every connector that is a service on this host")
	cmd.Flags().BoolVar(&cluster, "cluster", false, "all nodes of this connector, as far as PEERS names them")
	return cmd
}

// askStatus asks the connector that runs on this home, or says what the home
// knows when none does.
func (a *app) askStatus(ctx context.Context) (status, error) {
	h, err := a.openHome()
	if err != nil {
		return status{}, err
	}
	return a.statusOf(ctx, h)
}

func (a *app) statusOf(ctx context.Context, h *home.Home) (status, error) {
	c, err := h.Config()
	if err != nil {
		return status{}, err
	}
	s := status{
		Installed: c.Tenant.Connection != "", Service: "none", Version: thisBuild().Version,
		Connection: c.Tenant.Connection, Tenant: hostOf(c.Tenant.Hub), Health: agent.Down, Parts: []statusPart{},
	}
	if s.Installed {
		s.Service = "stopped"
	}
	var i instance
	if err := ignoreMissing(h.LoadState("instance", &i)); err != nil {
		return status{}, err
	}
	s.Instance = i.ID
	live, err := a.askRunning(ctx, h)
	if err == nil {
		return live, nil
	}
	if h.Locked() { // it runs, and cannot be asked
		s.Service, s.Health = "running", agent.Degraded
		s.Parts = []statusPart{{Name: "console", Health: agent.Down, Since: time.Now().UTC(), Detail: err.Error()}}
	}
	return s, nil
}

// askRunning asks the connector that runs in h. That none does is an error.
func (a *app) askRunning(ctx context.Context, h *home.Home) (status, error) {
	var i instance
	var r running
	if err := errors.Join(h.LoadState("instance", &i), h.LoadState("run", &r)); err != nil {
		return status{}, err
	}
	live, err := fetchStatus(ctx, r.Console)
	if err == nil && live.Instance != i.ID { // it has stopped, and another has its port
		err = fmt.Errorf("%s is another connector", consoleHost(r.Console))
	}
	return live, err
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func fetchStatus(ctx context.Context, addr string) (s status, err error) {
	body, err := fetchConsole(ctx, addr, "/status", 1<<20)
	if err != nil {
		return s, err
	}
	return s, json.Unmarshal(body, &s)
}

// fetchConsole asks a connector's console. More than most octets are an error.
func fetchConsole(ctx context.Context, addr, path string, most int64) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	client, base := consoleClient(addr)
	addr = consoleHost(addr)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+path, nil)
	if err != nil {
		return nil, err
	}
	req.Host = "localhost" // its certificate need not be for the address
	res, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }() // it was read, or is of no use
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("ask %s: status %d", addr, res.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, most+1))
	if err == nil && int64(len(body)) > most {
		err = fmt.Errorf("ask %s: its answer is longer than %d octets", addr, most)
	}
	return body, err
}

func (a *app) printStatus(s status) error {
	mark := map[agent.State]color.Attribute{agent.OK: color.FgGreen, agent.Degraded: color.FgYellow, agent.Down: color.FgRed}
	health := func(state agent.State, format string) string {
		if colour, ok := mark[state]; ok {
			return a.paint(a.stdout, colour).Sprintf(format, state)
		}
		return visible(string(state)) // of another version, or another program
	}
	if !s.Installed {
		return a.text("nothing is installed here; run: connector install\n")
	}
	// A running connector says it, and hands on what others told it.
	err := a.text("%s  connection %s of %s\nservice %s, version %s, instance %s\n",
		health(s.Health, "%s"), visible(s.Connection), visible(s.Tenant), visible(s.Service), visible(s.Version), visible(s.Instance))
	for _, p := range s.Parts {
		err = errors.Join(err, a.text("  %-11s %s  since %s  %s\n", visible(p.Name), health(p.Health, "%-8s"),
			p.Since.Local().Format("2006-01-02 15:04:05"), visible(p.Detail)))
	}
	if s.Service == "running" {
		l := s.Logins
		err = errors.Join(err, a.text("logins: %d accepted, %d refused, %d faulted; half within %.1f ms, 99 of 100 within %.1f ms\n",
			l.Accepted, l.Refused, l.Faulted, l.P50, l.P99))
	}
	return err
}

// hostOf returns the host of a URL for people, or "".
func hostOf(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	return u.Host
}
