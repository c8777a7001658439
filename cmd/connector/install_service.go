package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"ad-ldap-connector/pkg/agent"
	"ad-ldap-connector/pkg/config"
	"ad-ldap-connector/pkg/doctor"
	"ad-ldap-connector/pkg/home"
	"ad-ldap-connector/pkg/install"
	"ad-ldap-connector/pkg/service"
)

// watchdog is how long the service may keep silent before it is taken for hung.
const watchdog = 30 * time.Second

// manager returns the system's service manager to somebody who may use it.
func (a *app) manager(doing string) (service.Manager, error) {
	m, err := service.System()
	if err != nil {
		return nil, err
	}
	if !privileged() {
		return nil, &hinted{fmt.Errorf("%s: only an administrator may", doing), "run it as root or as an administrator; install --no-service needs neither"}
	}
	return m, nil
}

// newService is the service that is to run the connector in h.
func (a *app) newService(ctx context.Context, o *installAnswers, h *home.Home, c config.Config, g *gate) (*install.Service, error) {
	m, err := a.manager("install a service")
	if err != nil {
		return nil, err
	}
	program, err := os.Executable()
	if err == nil {
		program, err = filepath.EvalSymlinks(program)
	}
	if err != nil {
		return nil, fmt.Errorf("find the program that is to be installed: %w", err)
	}
	name := service.Name(a.name)
	if err := checkPlace(ctx, m, name, h.Dir()); err != nil {
		return nil, err
	}
	account, err := accountOf(ctx, m, name, o.account)
	if err != nil {
		return nil, err
	}
	parts := []string{"hub"}
	if !g.skipped[steppers["check-directory"]] { // else nobody wants to know
		parts = append(parts, "directory")
	}
	s := &install.Service{
		Manager: m, From: program, Start: !o.noStart,
		Unit:      a.unit(name, account, h, c),
		Connected: func(ctx context.Context) error { return a.awaitConnected(ctx, m, name, h, parts) },
		Explain:   a.explainStart,
	}
	if a.name == "" {
		s.Link = shortName
	}
	return s, nil
}

// unit is the service that runs the connector in h.
func (a *app) unit(name, account string, h *home.Home, c config.Config) service.Unit {
	return service.Unit{
		Name: name, Description: strings.TrimSpace("AD LDAP Connector " + a.name), Home: h.Dir(), User: account,
		Args: serviceArgs(name, h.Dir()), Ports: []int{c.SignIn.Port}, Watchdog: watchdog, Credentials: credentials(h, c),
	}
}

// checkPlace refuses to make a service that is there the one of another home,
// which nothing would run then, and a home that a service has another one's.
func checkPlace(ctx context.Context, m service.Manager, name, dir string) error {
	list, err := m.List(ctx)
	if err != nil {
		return err
	}
	for _, r := range list {
		switch here := sameFolder(r.Home, dir); {
		case here && r.Name != name:
			return &hinted{fmt.Errorf("%s is the home of the service %s", dir, r.Name), "choose another folder with --home, or the name of that service with --name"}
		case !here && r.Name == name && isFolder(r.Home):
			return &hinted{fmt.Errorf("the service %s runs the connector in %s", name, r.Home), "for another one in " + dir + " choose a name: --name NAME"}
		}
	}
	return nil
}

func isFolder(dir string) bool {
	info, err := os.Stat(dir)
	return err == nil && info.IsDir()
}

// sameFolder reports whether two paths are one folder's, also by way of a link.
func sameFolder(a, b string) bool {
	if a == b {
		return true
	}
	one, err := os.Stat(a)
	two, missing := os.Stat(b)
	return err == nil && missing == nil && os.SameFile(one, two)
}

// accountOf is the account that the service runs under: the one asked for, the
// one it has, or one of its own.
func accountOf(ctx context.Context, m service.Manager, name, wanted string) (string, error) {
	if wanted != "" || !ownAccount {
		return wanted, nil
	}
	list, err := m.List(ctx)
	if err != nil {
		return "", err
	}
	for _, r := range list {
		if r.Name == name && r.User != "" {
			return r.User, nil
		}
	}
	return name, nil
}

// awaitConnected returns once those parts of the connector that runs in h are
// well. It says what is missing when ctx ends before.
func (a *app) awaitConnected(ctx context.Context, m service.Manager, name string, h *home.Home, parts []string) error {
	missing := errors.New("the service has not answered yet")
	for {
		live, err := a.askRunning(ctx, h)
		if err == nil {
			if missing = unfit(live, parts); missing == nil {
				return nil
			}
		} else if st, err := m.Status(ctx, name); err == nil && st.State != service.Running && st.Detail != "" {
			missing = fmt.Errorf("the service is %s: %s", st.State, st.Detail)
		}
		select {
		case <-ctx.Done():
			if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
				return fmt.Errorf("%w: %w", cause, missing)
			}
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// unfit says which of the parts are not well, or nil.
func unfit(s status, needed []string) error {
	var faults []error
	for _, name := range needed {
		i := slices.IndexFunc(s.Parts, func(p statusPart) bool { return p.Name == name })
		switch {
		case i < 0:
			faults = append(faults, fmt.Errorf("%s: not begun", name))
		case s.Parts[i].Health != agent.OK:
			faults = append(faults, fmt.Errorf("%s: %s", name, s.Parts[i].Detail))
		}
	}
	return errors.Join(faults...)
}

// explainTime bounds how long the cause of a failed start is looked for.
const explainTime = 20 * time.Second

// explainStart asks doctor why the connector does not come up, and adds its
// first finding.
func (a *app) explainStart(ctx context.Context, _ config.Config, err error) error {
	if ctx.Err() != nil || errors.Is(err, context.Canceled) {
		return err
	}
	t, broken := a.openTarget(targetFlags{})
	if broken != nil {
		return err
	}
	defer t.Close()
	ctx, cancel := context.WithTimeout(ctx, explainTime)
	defer cancel()
	r := doctor.Run(ctx, a.doctorEnv(t), doctor.Checks, t.waivers, nil)
	d := r.Document(doctor.Connector{})
	for _, severity := range []doctor.Severity{doctor.Blocks, doctor.Warns} {
		for _, f := range d.Checks {
			// A warning about the directory keeps no service from starting.
			if f.Status == doctor.Failed && f.Severity == severity && (severity == doctor.Blocks || f.Group == "host") {
				return &hinted{fmt.Errorf("%w; doctor finds %s: %s", err, f.ID, f.Detail), f.Remedy}
			}
		}
	}
	return err
}
