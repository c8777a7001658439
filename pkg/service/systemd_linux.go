package service

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
)

// unitDir is where an administrator's units are; packages have another place.
const unitDir = "/etc/systemd/system"

// showProperties is what is asked of systemd about a unit.
const showProperties = "LoadState,ActiveState,SubState,UnitFileState,FragmentPath,NeedDaemonReload," +
	"MainPID,NRestarts,Result,StatusText,ExecMainStatus,ActiveEnterTimestamp"

// A linuxManager asks systemd for everything by systemctl, which is there
// wherever systemd is, and waits for jobs to end.
type linuxManager struct{ systemd systemd }

func system() (Manager, error) {
	if i, err := os.Stat("/run/systemd/system"); err != nil || !i.IsDir() { // as sd_booted(3) asks
		return nil, whatElse(os.DirFS("/"), os.LookupEnv)
	}
	out, err := tool(context.Background(), "systemctl", "--version")
	if err != nil {
		return nil, fmt.Errorf("ask systemd for its version: %w", err)
	}
	return linuxManager{systemd{version: parseVersion(out), narrowed: runtime.GOARCH == "386"}}, nil
}

func (m linuxManager) ctl(ctx context.Context, args ...string) ([]byte, error) {
	return tool(ctx, "systemctl", append([]string{"--no-ask-password", "--no-pager"}, args...)...)
}

func (m linuxManager) show(ctx context.Context, name string) (shown, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	args := []string{"show", "--property=" + showProperties}
	if m.systemd.version >= 248 { // before, times come as texts that depend on the place
		args = append(args, "--timestamp=unix")
	}
	out, err := m.ctl(ctx, append(args, name+".service")...)
	return parseShow(out), err
}

func unitFile(name string) string { return filepath.Join(unitDir, name+".service") }

// wanted is the link that starts the unit with the system.
func wanted(name string) string {
	return filepath.Join(unitDir, "multi-user.target.wants", name+".service")
}

// foreign is a *ForeignError when systemd has the unit from another place than
// ours is in.
func (s shown) foreign(name string) error {
	if file := s["FragmentPath"]; file != "" && file != unitFile(name) {
		return &ForeignError{Name: name, Where: file}
	}
	return nil
}

// readUnit returns a unit's file, nil if there is none. One that somebody else
// wrote, or a link, as a masked unit is, is a *ForeignError.
func readUnit(name string) ([]byte, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	file := unitFile(name)
	info, err := os.Lstat(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &ForeignError{Name: name, Where: file}
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	if !bytes.HasPrefix(data, []byte("# "+ours)) {
		return nil, &ForeignError{Name: name, Where: file}
	}
	return data, nil
}

func (m linuxManager) Registered(ctx context.Context, u Unit) (bool, error) {
	if err := u.check(); err != nil {
		return false, err
	}
	data, err := readUnit(u.Name)
	if err != nil || string(data) != m.systemd.text(u) {
		return false, err
	}
	s, err := m.show(ctx, u.Name)
	if err != nil {
		return false, failed("ask for", u.Name, err)
	}
	return s["UnitFileState"] == "enabled" && s["NeedDaemonReload"] != "yes", nil
}

func (m linuxManager) Register(ctx context.Context, u Unit) (Change, error) {
	if same, err := m.Registered(ctx, u); same || err != nil {
		return Change{}, err
	}
	s, err := m.show(ctx, u.Name)
	if err != nil {
		return Change{}, failed("ask for", u.Name, err)
	}
	before, err := readUnit(u.Name)
	if err != nil {
		return Change{}, err
	}
	// A package's own unit would be hidden by ours, and come back after it.
	if err := s.foreign(u.Name); err != nil {
		return Change{}, err
	}
	if err := ctx.Err(); err != nil {
		return Change{}, failed("register", u.Name, err)
	}
	enabled := s["UnitFileState"] == "enabled"
	c := Change{undo: func(ctx context.Context) error {
		if before == nil {
			return m.Remove(ctx, u.Name)
		}
		return m.put(ctx, u.Name, before, enabled)
	}}
	return c, m.put(ctx, u.Name, []byte(m.systemd.text(u)), true)
}

// put writes a unit's file and lets systemd know.
func (m linuxManager) put(ctx context.Context, name string, text []byte, enabled bool) error {
	if err := replaceFile(unitFile(name), text); err != nil {
		return failed("register", name, err)
	}
	how := "enable"
	if !enabled {
		how = "disable"
	}
	for _, args := range [][]string{{"daemon-reload"}, {how, "--quiet", name + ".service"}} {
		if _, err := m.ctl(ctx, args...); err != nil {
			return failed("register", name, err)
		}
	}
	return nil
}

// Remove leaves what an administrator put beside the unit: a folder of drop-ins.
func (m linuxManager) Remove(ctx context.Context, name string) error {
	data, err := readUnit(name)
	if err != nil {
		return err
	}
	s, err := m.show(ctx, name)
	if err != nil {
		return failed("remove", name, err)
	}
	if err := s.foreign(name); err != nil {
		return err
	}
	loaded := s["LoadState"] != "not-found"
	if _, err := os.Lstat(wanted(name)); !loaded && data == nil && errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if data != nil && !loaded { // systemd has not been told of it yet
		if _, err := m.ctl(ctx, "daemon-reload"); err != nil {
			return failed("remove", name, err)
		}
	}
	if loaded || data != nil {
		if _, err := m.ctl(ctx, "stop", name+".service"); err != nil {
			return failed("remove", name, err)
		}
	}
	// In this order: what is left when it breaks off is found and removed by the
	// next attempt. Not by "disable", which wants the file to be there.
	for _, file := range []string{wanted(name), unitFile(name)} {
		if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return failed("remove", name, err)
		}
	}
	if _, err := m.ctl(ctx, "daemon-reload"); err != nil {
		return failed("remove", name, err)
	}
	_, _ = m.ctl(ctx, "reset-failed", name+".service") // an error says that nothing had failed
	return nil
}

func (m linuxManager) Start(ctx context.Context, name string) error {
	if err := m.known(ctx, name); err != nil {
		return failed("start", name, err)
	}
	if _, err := m.ctl(ctx, "start", name+".service"); err != nil {
		var e *toolError
		if errors.As(err, &e) && e.hint == "" {
			e.hint = fmt.Sprintf(`"journalctl -u %s" says why.`, name)
		}
		return failed("start", name, err)
	}
	return nil
}

func (m linuxManager) Stop(ctx context.Context, name string) error {
	err := m.known(ctx, name)
	if errors.Is(err, ErrNotRegistered) {
		return nil
	}
	if err == nil {
		_, err = m.ctl(ctx, "stop", name+".service")
	}
	if err != nil {
		return failed("stop", name, err)
	}
	return nil
}

// known is ErrNotRegistered for what systemd has no unit of.
func (m linuxManager) known(ctx context.Context, name string) error {
	s, err := m.show(ctx, name)
	if err == nil && slices.Contains([]string{"", "not-found"}, s["LoadState"]) {
		return ErrNotRegistered
	}
	return err
}

func (m linuxManager) Status(ctx context.Context, name string) (Status, error) {
	s, err := m.show(ctx, name)
	if err != nil {
		return Status{}, failed("ask for", name, err)
	}
	return s.status(), nil
}

func (m linuxManager) List(ctx context.Context) ([]Registration, error) {
	return registrations(ctx, unitDir, ".service", func(name string) (Registration, error) {
		data, err := readUnit(name)
		return parseUnit(name, data), err
	})
}

func homeOf(name string) string {
	data, err := readUnit(name)
	if err != nil || data == nil {
		return ""
	}
	return parseUnit(name, data).Home
}
