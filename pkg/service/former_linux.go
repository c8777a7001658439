package service

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// manager is this system's, or ok is false where systemd does not run.
func manager() (m linuxManager, ok bool, err error) {
	all, err := system()
	if none := (*NoManagerError)(nil); errors.As(err, &none) {
		return m, false, nil
	}
	m, ok = all.(linuxManager)
	return m, ok, err
}

func formers(ctx context.Context, wanted func(string) bool) ([]Former, error) {
	m, ok, err := manager()
	if !ok || err != nil {
		return nil, err
	}
	all, err := m.showAll(ctx)
	if err != nil {
		return nil, fmt.Errorf("look for services that run a connector: %w", err)
	}
	var found []Former
	for _, s := range all {
		if s["LoadState"] != "loaded" || s.isOurs() {
			continue
		}
		dir := s.runsIn(script(s), workingFolder(s["MainPID"]), wanted)
		if dir == "" {
			continue
		}
		f, err := m.former(ctx, s, dir)
		if err != nil {
			return nil, fmt.Errorf("look at the service %s: %w", s["Id"], err)
		}
		found = append(found, f)
	}
	return withoutAliases(found), nil
}

// withoutAliases leaves out services that are a link to another one's file, and
// that systemd takes for services of their own.
func withoutAliases(found []Former) []Former {
	return slices.DeleteFunc(slices.Clone(found), func(f Former) bool {
		return slices.ContainsFunc(found, func(other Former) bool {
			return other.Name != f.Name && slices.ContainsFunc(other.Files, func(k Kept) bool { return k.Path == f.Where })
		})
	})
}

// showAll asks systemd for all its services, also those that it has not loaded.
func (m linuxManager) showAll(ctx context.Context) ([]shown, error) {
	seen := map[string]bool{}
	ask := []string{"show", "--property=" + formerProperties, "--"}
	for _, list := range [][]string{{"list-unit-files"}, {"list-units", "--all"}} {
		out, err := m.ctl(ctx, append(list, "--type=service", "--no-legend", "--plain", "--full")...)
		if err != nil {
			return nil, err
		}
		for _, name := range unitNames(out) {
			if !seen[name] {
				seen[name] = true
				ask = append(ask, name)
			}
		}
	}
	if len(seen) == 0 {
		return nil, nil
	}
	out, err := m.ctl(ctx, ask...)
	if err != nil {
		return nil, err
	}
	units := map[string]bool{}
	var all []shown
	for _, s := range parseShows(out) {
		if !units[s["Id"]] { // several names may be one unit's
			units[s["Id"]] = true
			all = append(all, s)
		}
	}
	return all, nil
}

// showOne asks systemd for one service by its full name.
func (m linuxManager) showOne(ctx context.Context, unit string) (shown, error) {
	out, err := m.ctl(ctx, "show", "--property="+formerProperties, "--", unit)
	if err != nil {
		return nil, err
	}
	for _, s := range parseShows(out) {
		return s, nil
	}
	return shown{}, nil
}

// isOurs reports whether the connector wrote the unit.
func (s shown) isOurs() bool {
	data, err := os.ReadFile(s["FragmentPath"])
	return err == nil && bytes.HasPrefix(data, []byte("# "+ours))
}

// script is the text of the script that systemd made the unit of, or "".
func script(s shown) string {
	if !s.isScript() {
		return ""
	}
	data, err := os.ReadFile(s["SourcePath"])
	if err != nil || len(data) > 1<<20 {
		return ""
	}
	return string(data)
}

// isScript reports whether the unit stands for a script of the manager that was
// there before systemd.
func (s shown) isScript() bool {
	return s["UnitFileState"] == "generated" && filepath.Dir(s["SourcePath"]) == "/etc/init.d"
}

// workingFolder is where a process works, or "".
func workingFolder(pid string) string {
	if pid == "" || pid == "0" {
		return ""
	}
	dir, err := os.Readlink(filepath.Join("/proc", pid, "cwd"))
	if err != nil {
		return ""
	}
	return dir
}

// former keeps a unit as it is.
func (m linuxManager) former(ctx context.Context, s shown, dir string) (Former, error) {
	f := Former{
		Name: strings.TrimSuffix(s["Id"], ".service"), Program: s["ExecStart"], Dir: dir,
		Where: s["FragmentPath"], Enabled: s.startsWithSystem(), Running: s.runs(),
	}
	if s.isScript() {
		f.Where = s["SourcePath"]
		_, err := m.ctl(ctx, "is-enabled", "--quiet", "--", s["Id"])
		f.Enabled = err == nil
		return f, nil // its files are left where they are
	}
	paths := []string{s["FragmentPath"]}
	for _, p := range strings.Fields(s["DropInPaths"]) {
		if filepath.Base(filepath.Dir(p)) == s["Id"]+".d" { // others are for more than this unit
			paths = append(paths, p)
		}
	}
	paths = append(paths, linksTo(s["Id"])...)
	for _, p := range paths {
		k, err := keep(p)
		if err != nil {
			return f, err
		}
		f.Files = append(f.Files, k)
	}
	return f, nil
}

func retired(ctx context.Context, f Former, ours string) (bool, error) {
	m, ok, err := manager()
	if !ok || err != nil {
		return true, err
	}
	s, err := m.showOne(ctx, f.Name+".service")
	if err != nil {
		return false, failed("ask for", f.Name, err)
	}
	if s["LoadState"] != "loaded" || s.isOurs() {
		return true, nil
	}
	return f.Name != ours && !s.runs() && !m.enabled(ctx, s), nil
}

func (m linuxManager) enabled(ctx context.Context, s shown) bool {
	if s.isScript() {
		_, err := m.ctl(ctx, "is-enabled", "--quiet", "--", s["Id"])
		return err == nil
	}
	return s.startsWithSystem()
}

// retire stops the service first: if it breaks off there, the machine's next
// start brings the service back.
func retire(ctx context.Context, f Former, ours string) error {
	m, _, err := manager()
	if err != nil {
		return err
	}
	unit := f.Name + ".service"
	s, err := m.showOne(ctx, unit)
	if err == nil {
		_, err = m.ctl(ctx, "stop", "--", unit)
	}
	if err == nil && s.isScript() {
		_, err = m.ctl(ctx, "disable", "--quiet", "--", unit)
	}
	// Not by "disable": a unit can name others that it disables as well.
	for _, link := range linksTo(unit) {
		err = errors.Join(err, ctx.Err())
		if err == nil {
			err = os.Remove(link)
		}
	}
	if f.Name == ours {
		for _, k := range f.Files {
			if err == nil {
				err = takeAway(k)
			}
		}
	}
	if err == nil {
		_, err = m.ctl(ctx, "daemon-reload")
	}
	if err != nil {
		return failed("retire", f.Name, err)
	}
	_, _ = m.ctl(ctx, "reset-failed", "--", unit) // an error says that nothing had failed
	return nil
}

func restore(ctx context.Context, f Former) error {
	m, ok, err := manager()
	if !ok || err != nil {
		return errors.Join(err, failedUnless(ok, f))
	}
	unit := f.Name + ".service"
	s, err := m.showOne(ctx, unit)
	if err != nil {
		return failed("ask for", f.Name, err)
	}
	if s.isOurs() {
		return failed("bring back", f.Name, &TakenError{Name: f.Name})
	}
	for _, k := range f.Files {
		if err := k.putBack(); err != nil {
			return failed("bring back", f.Name, err)
		}
	}
	if _, err := m.ctl(ctx, "daemon-reload"); err != nil {
		return failed("bring back", f.Name, err)
	}
	if s, err = m.showOne(ctx, unit); err == nil && s["LoadState"] != "loaded" {
		err = ErrNotRegistered
	}
	if err == nil && s.isScript() && f.Enabled {
		_, err = m.ctl(ctx, "enable", "--quiet", "--", unit)
	}
	if err == nil && f.Running && !s.runs() {
		_, err = m.ctl(ctx, "start", "--", unit)
	}
	if err != nil {
		return failed("bring back", f.Name, err)
	}
	return nil
}

// failedUnless is an error when what systemd ran before cannot come back,
// because systemd is not there.
func failedUnless(there bool, f Former) error {
	if there {
		return nil
	}
	return failed("bring back", f.Name, errors.New("systemd does not run here"))
}
