package main

import (
	"context"
	"errors"

	"ad-ldap-connector/pkg/agent"
	"ad-ldap-connector/pkg/home"
	"ad-ldap-connector/pkg/service"
)

// An installed is one of the connectors that are services on this host.
type installed struct {
	Name   string `json:"name"` // the service's
	Home   string `json:"home"`
	Status status `json:"status"`
	Error  string `json:"error"` // why there is no status, or ""
}

// statusOfAll says how every connector fares that is a service here.
func (a *app) statusOfAll(ctx context.Context) error {
	m, err := service.System()
	if err != nil {
		return err
	}
	list, err := m.List(ctx)
	if err != nil {
		return err
	}
	found := []installed{}
	well := len(list) > 0
	for _, r := range list {
		i := installed{Name: r.Name, Home: r.Home}
		h, err := home.Open(r.Home, a.environ)
		if err == nil {
			i.Status, err = a.statusOf(ctx, h)
		}
		if err != nil {
			i.Error = err.Error()
		}
		well = well && err == nil && i.Status.Health == agent.OK
		found = append(found, i)
	}
	if a.json() {
		err = a.print(map[string]any{"instances": found})
	} else {
		err = a.printAll(found)
	}
	if err == nil && !well {
		return exitError(exitFault)
	}
	return err
}

func (a *app) printAll(found []installed) error {
	if len(found) == 0 {
		return a.text("no connector is a service on this host; run: connector install\n")
	}
	var errs []error
	for _, i := range found {
		errs = append(errs, a.text("%s, in %s\n", i.Name, i.Home))
		if i.Error != "" {
			errs = append(errs, a.text("  %s\n", visible(oneLine(i.Error))))
			continue
		}
		errs = append(errs, a.printStatus(i.Status))
	}
	return errors.Join(errs...)
}
