package install

import (
	"context"
	"errors"
	"fmt"
	"os"

	"ad-ldap-connector/pkg/home"
	"ad-ldap-connector/pkg/service"
)

// A Removal is what an uninstall needs to know.
type Removal struct {
	Home *home.Home
	// Service is the one that runs the home; nil: none does.
	Service *Service
	// Shared: another service runs under the same account, which stays.
	Shared bool
	Purge  bool // the home goes too
}

// Remove returns the plan that takes the connector off the machine. It can be
// undone, and leaves the home, which nobody but the administrator can read
// afterwards.
func Remove(o Removal) Plan {
	s := o.Service
	if s == nil {
		return nil
	}
	m, name := s.Manager, s.Unit.Name
	c, err := o.Home.Config() // one that cannot be read does not keep the service here
	ruled := err != nil || c.Tenant.FirewallRuleCreated
	var back service.Change
	linked := false
	plan := Plan{}
	if service.HasTimer(name) {
		plan = append(plan, dropTimer(name))
	}
	plan = append(plan, Plan{
		{Name: "stop-service", Says: "Stop the service " + name,
			Done: func(ctx context.Context) (bool, error) {
				st, err := m.Status(ctx, name)
				return st.State == service.Stopped || st.State == service.None, err
			},
			Do:   func(ctx context.Context) error { return m.Stop(ctx, name) },
			Undo: func(ctx context.Context) error { return m.Start(ctx, name) }},
		{Name: "remove-service", Says: "Remove the service " + name,
			Done: func(ctx context.Context) (bool, error) {
				st, err := m.Status(ctx, name)
				return st.State == service.None, err
			},
			Do: func(ctx context.Context) error { return m.Remove(ctx, name) },
			Undo: func(ctx context.Context) error {
				u, err := unitOf(s.Unit, o.Home)
				if err == nil {
					_, err = m.Register(ctx, u)
				}
				return err
			}},
		withdrawFirewall(name, o.Home.Program(), ruled, SystemFirewall),
		{Name: "remove-program", Says: "Remove the program " + o.Home.Program(),
			Done: func(context.Context) (bool, error) {
				_, err := os.Lstat(o.Home.Program())
				return err != nil, nil
			},
			Do: func(context.Context) error {
				to, err := os.Readlink(s.Link)
				linked = err == nil && to == o.Home.Program()
				return errors.Join(o.Home.PutProgramAside(), removeLink(s.Link, o.Home.Program()))
			},
			Undo: func(context.Context) error {
				err := o.Home.RestoreProgram(true)
				if linked && err == nil {
					err = os.Symlink(o.Home.Program(), s.Link)
				}
				return err
			},
			Tidy: func() { _ = o.Home.RemoveProgram() }}, // one that still runs stays until the system starts anew
	}...)
	if s.Unit.User == "" {
		return plan
	}
	return append(plan, Step{Name: "reclaim-home", Says: "Take the home back from the account " + s.Unit.User,
		Do: func(ctx context.Context) error {
			u, err := unitOf(s.Unit, o.Home)
			if err != nil || !o.Home.Exists() {
				return err
			}
			back, err = service.Reclaim(ctx, u)
			return err
		},
		Undo: func(ctx context.Context) error { return back.Undo(ctx) }, //nolint:gocritic // what it is comes with Do
	}, Step{Name: "remove-user", Says: "Remove the account " + s.Unit.User,
		Done: func(ctx context.Context) (bool, error) {
			has, err := service.HasUser(ctx, s.Unit.User)
			return !has || o.Shared, err
		},
		Do: func(ctx context.Context) error { return service.RemoveUser(ctx, s.Unit.User) }})
}

// Purge returns the plan that takes a home away, for good.
func Purge(h *home.Home) Plan {
	return Plan{{Name: "purge-home", Says: "Remove the home " + h.Dir(),
		Done: func(context.Context) (bool, error) { return !h.Exists(), nil },
		Do: func(context.Context) error {
			left, err := h.Purge()
			if err == nil && left != "" {
				err = fmt.Errorf("%s has files that are not the connector's, and stays", left)
			}
			return err
		},
		Undo: func(context.Context) error { return errors.New("what has been removed stays so") }}}
}
