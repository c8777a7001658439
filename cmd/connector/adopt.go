package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"ad-ldap-connector/pkg/config"
	"ad-ldap-connector/pkg/home"
	"ad-ldap-connector/pkg/install"
	"ad-ldap-connector/pkg/service"
)

// An adoption is the Node connector that an install takes over from: what is
// told of it, and what the plan needs to know.
type adoption struct {
	Version  string           `json:"version"`
	Layout   string           `json:"layout"` // plain, or data
	Services []adoptedService `json:"services"`
	Notes    []string         `json:"notes"`

	former install.Former
}

// An adoptedService is what is told of a service that ran the Node connector.
type adoptedService struct {
	Name    string `json:"name"`
	Where   string `json:"where"`
	Enabled bool   `json:"enabled"`
	Running bool   `json:"running"`
}

// findFormer looks for the Node connector in h, or, where nothing says which
// home is meant and the usual places hold none, by the services of this machine.
// The home is the one that it is in; without one both are as they were.
func (a *app) findFormer(ctx context.Context, h *home.Home, o *installAnswers) (*home.Home, *adoption, error) {
	node, is := h.Node()
	if !is && !h.Configured() && a.home == "" && a.name == "" && !o.noService {
		dirs, err := nodeServices(ctx)
		if err != nil || len(dirs) == 0 {
			return h, nil, err
		}
		if len(dirs) > 1 {
			return nil, nil, &hinted{usagef("services of this machine run the Node connector in %s", strings.Join(dirs, " and in ")),
				"say which one is to be taken over: --home " + dirs[0]}
		}
		if h, err = home.Open(dirs[0], a.environ); err != nil {
			return nil, nil, err
		}
		node, is = h.Node()
	}
	took, err := install.TookOver(h)
	if err != nil || !is && !took {
		return h, nil, err
	}
	f := &adoption{Version: node.Version, Layout: "plain", Services: []adoptedService{}, Notes: []string{}, former: install.Former{System: service.FormerServices{}}}
	if node.Data {
		f.Layout = "data"
	}
	if node.Data && !took {
		if f.former.Data, err = h.ReadData(); err != nil {
			return nil, nil, &hinted{err, "repair it, or give the former connector's export to \"connector import\""}
		}
		f.Notes = append(f.Notes, f.former.Data.Notes...)
	}
	if err := f.findServices(ctx, h, o); err != nil {
		return nil, nil, err
	}
	return h, f, nil
}

// nodeServices are the folders in which services of this machine run the Node
// connector.
func nodeServices(ctx context.Context) ([]string, error) {
	found, err := service.Formers(ctx, func(path string) bool { return nodeAbove(path) != "" })
	var dirs []string
	for _, f := range found {
		if dir := nodeAbove(f.Dir); !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
	}
	return dirs, err
}

// nodeAbove returns the folder of the Node connector that a path is, or is in
// directly: its console is in a folder of its own. "" if there is none.
func nodeAbove(path string) string {
	for range 3 {
		if _, ok := home.FindNode(path); ok {
			return unlinked(path)
		}
		path = filepath.Dir(path)
	}
	return ""
}

// findServices fills in what runs the Node connector in h.
func (f *adoption) findServices(ctx context.Context, h *home.Home, o *installAnswers) (err error) {
	dir := unlinked(h.Dir())
	within := func(path string) bool {
		rest, err := filepath.Rel(dir, unlinked(path))
		return err == nil && filepath.IsLocal(rest)
	}
	services, err := service.Formers(ctx, within)
	if o.noService { // which changes no service, and may not even be allowed to look
		for _, s := range services {
			f.Notes = append(f.Notes, fmt.Sprintf("The service %s runs the Node connector here, and is left as it is: stop it before you start this one.", s.Name))
		}
		return nil
	}
	if err != nil {
		return err
	}
	if o.noStart && len(services) > 0 {
		return &hinted{usagef("--no-start would leave nothing running: the service %s is stopped only when its successor starts", services[0].Name), "leave --no-start out"}
	}
	f.former.Services = services
	for _, s := range services {
		f.Services = append(f.Services, adoptedService{s.Name, s.Where, s.Enabled, s.Running})
	}
	f.Notes = append(f.Notes, service.Strays(dir, services)...)
	return nil
}

func unlinked(path string) string {
	if there, err := filepath.EvalSymlinks(path); err == nil {
		return there
	}
	return filepath.Clean(path)
}

// configure returns the configuration to begin with: that of the home, or what
// is to be copied there.
func (f *adoption) configure(h *home.Home) (config.Config, error) {
	if f == nil || f.former.Data == nil {
		return h.Config()
	}
	c := f.former.Data.Config
	password, err := f.former.Data.Password()
	if err == nil && password != "" {
		c.Directory.BindPassword = config.Secret(password) // the key that opens it is not in its place yet
	}
	return c, err
}

// options are for the plan; nil: there is no Node connector.
func (f *adoption) options() *install.Former {
	if f == nil {
		return nil
	}
	return &f.former
}

// sayFound tells people what was found, before anything is asked or changed.
func (a *app) sayFound(h *home.Home, f *adoption) {
	if f == nil || a.json() && len(f.Notes) == 0 {
		return
	}
	about := "found: the Node connector"
	if f.Version != "" {
		about += " " + f.Version
	}
	a.say("%s in %s; its configuration, keys and mapper are used as they are", about, h.Dir())
	for _, s := range f.Services {
		state := []string{"stopped", "running"}
		a.say("found: its service %s (%s, %s), registered by %s", s.Name, state[number(s.Running)], []string{"disabled", "enabled"}[number(s.Enabled)], s.Where)
	}
	for _, n := range f.Notes {
		a.say("note: %s", n)
	}
}

func number(b bool) int {
	if b {
		return 1
	}
	return 0
}

// tell adds to the lines of JSON of the steps that take over.
func (f *adoption) tell(line map[string]any) {
	if f != nil && (line["step"] == "adopt-home" || line["step"] == "stop-former") {
		line["former"] = f
	}
}

// sayTaken tells people what has become of the Node connector, and how to go
// back.
func (a *app) sayTaken(f *adoption) {
	if f == nil {
		return
	}
	for _, s := range f.Services {
		a.say("stopped and disabled: the service %s of the Node connector", s.Name)
	}
	a.say("go back with: connector%s uninstall --rollback", instanceFlag(a.name))
}

// rollback is the plan that gives h back to the Node connector, once ours is
// gone.
func (a *app) rollback(h *home.Home) (install.Plan, error) {
	plan, err := install.Rollback(h, service.FormerServices{}, func(text string) { a.say("note: %s", text) })
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &hinted{fmt.Errorf("%s was not taken over from a Node connector", h.Dir()), "name the home that was: --home DIR; or leave --rollback out"}
	}
	return plan, err
}
