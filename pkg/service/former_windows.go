package service

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"
	"golang.org/x/sys/windows/svc/mgr"
)

// The former connector runs under nssm, whose service has the command in a key
// of its own.
const (
	servicesKey = `SYSTEM\CurrentControlSet\Services`
	nssmKey     = "Parameters"
)

func formers(ctx context.Context, wanted func(string) bool) ([]Former, error) {
	key, err := registry.OpenKey(registry.LOCAL_MACHINE, servicesKey, registry.ENUMERATE_SUB_KEYS)
	if err != nil {
		return nil, fmt.Errorf("look for services that run a connector: %w", denied(err))
	}
	names, err := key.ReadSubKeyNames(-1)
	_ = key.Close() // it was only read
	if err != nil {
		return nil, fmt.Errorf("look for services that run a connector: %w", denied(err))
	}
	var found []Former
	for _, name := range names {
		program, dir := nssm(name)
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if dir == "" || !wanted(dir) || checkName(name) != nil {
			continue
		}
		f := Former{Name: name, Program: program, Dir: dir, Where: "the Service Control Manager"}
		if f.Values, err = keepValues(name); err != nil {
			return nil, fmt.Errorf("look at the service %s: %w", name, denied(err))
		}
		if strings.HasSuffix(f.text("Description"), registered) && !strings.Contains(strings.ToLower(f.text("ImagePath")), "nssm") {
			continue
		}
		st, err := scm{}.Status(ctx, name)
		if err != nil {
			return nil, err
		}
		if st.State == None { // drivers are in that key as well
			continue
		}
		f.Enabled, f.Running = st.Enabled, st.State == Running || st.State == Starting
		found = append(found, f)
	}
	return found, nil
}

// nssm returns the command that nssm runs as a service, and where; "" when it
// does not.
func nssm(name string) (program, dir string) {
	key, err := registry.OpenKey(registry.LOCAL_MACHINE, servicesKey+`\`+name+`\`+nssmKey, registry.QUERY_VALUE)
	if err != nil {
		return "", ""
	}
	defer func() { _ = key.Close() }() // it was only read
	program, _, err = key.GetStringValue("Application")
	if err != nil {
		return "", ""
	}
	if dir, _, err = key.GetStringValue("AppDirectory"); err != nil || dir == "" {
		dir = filepath.Dir(program)
	}
	if args, _, err := key.GetStringValue("AppParameters"); err == nil && args != "" {
		program += " " + args
	}
	return program, filepath.Clean(dir)
}

func retired(ctx context.Context, f Former, ours string) (bool, error) {
	c, err := config2(f.Name)
	if errors.Is(err, ErrNotRegistered) || err == nil && f.isTaken(c) {
		return true, nil
	}
	if err != nil || f.Name == ours {
		return false, err
	}
	st, err := scm{}.Status(ctx, f.Name)
	return st.State == Stopped && !st.Enabled, err
}

// config2 is what the Service Control Manager has of a service, whoever
// registered it.
func config2(name string) (c mgr.Config, err error) {
	err = with(name, windows.SERVICE_QUERY_CONFIG, func(s *mgr.Service) error {
		r, err := readRecord(s)
		if err == nil {
			c = r.Config
		}
		return err
	})
	return c, err
}

// isTaken reports whether the connector's own service has the name now.
func (f Former) isTaken(c mgr.Config) bool {
	return strings.HasSuffix(c.Description, registered) && !strings.EqualFold(c.BinaryPathName, f.text("ImagePath"))
}

// retire leaves a service of our name in its place, marked as one that may be
// replaced: a service that is removed while anybody looks at it cannot be made
// anew.
func retire(ctx context.Context, f Former, ours string) error {
	if err := (scm{}).Stop(ctx, f.Name); err != nil {
		return err
	}
	err := with(f.Name, windows.SERVICE_CHANGE_CONFIG|windows.SERVICE_QUERY_CONFIG, func(s *mgr.Service) error {
		r, err := readRecord(s)
		if err != nil {
			return err
		}
		c := r.Config
		if f.Name == ours {
			c.Description = strings.TrimSpace(c.Description + " " + registered)
		} else {
			c.StartType = mgr.StartDisabled
		}
		return configure(s, c)
	})
	if err != nil && !errors.Is(err, ErrNotRegistered) {
		return failed("retire", f.Name, err)
	}
	return nil
}

func restore(ctx context.Context, f Former) error {
	c, err := config2(f.Name)
	missing := errors.Is(err, ErrNotRegistered)
	switch {
	case err == nil && f.isTaken(c):
		return failed("bring back", f.Name, &TakenError{Name: f.Name})
	case err != nil && !missing:
		return failed("bring back", f.Name, err)
	case missing:
		err = f.create()
	default:
		err = with(f.Name, changing, func(s *mgr.Service) error {
			return errors.Join(configure(s, f.config()), kept(s.ResetRecoveryActions()))
		})
	}
	if err == nil {
		err = f.putValues()
	}
	if err != nil {
		return failed("bring back", f.Name, err)
	}
	if f.Running {
		return scm{}.Start(ctx, f.Name)
	}
	return nil
}

func (f Former) create() error {
	manager, err := mgr.Connect()
	if err != nil {
		return fmt.Errorf("open the Service Control Manager: %w", err)
	}
	defer func() { _ = manager.Disconnect() }() // nothing is kept back until then
	c := f.config()
	c.SidType, c.DelayedAutoStart = windows.SERVICE_SID_TYPE_NONE, false // configure sees to them
	s, err := manager.CreateService(f.Name, f.text("ImagePath"), c)
	if err != nil {
		return err
	}
	// CreateService quotes the path, which is a command line here.
	return errors.Join(configure(s, f.config()), s.Close())
}

// config is the service as it was kept. The password of its account is not
// known to anybody.
func (f Former) config() mgr.Config {
	return mgr.Config{
		ServiceType: f.number("Type", windows.SERVICE_WIN32_OWN_PROCESS), StartType: f.number("Start", mgr.StartAutomatic),
		ErrorControl: f.number("ErrorControl", mgr.ErrorNormal), BinaryPathName: f.text("ImagePath"),
		ServiceStartName: f.text("ObjectName"), DisplayName: f.text("DisplayName"), Description: f.text("Description"),
		DelayedAutoStart: f.number("DelayedAutostart", 0) == 1, SidType: f.number("ServiceSidType", windows.SERVICE_SID_TYPE_NONE),
	}
}

func (f Former) value(name string) KeptData {
	i := slices.IndexFunc(f.Values, func(v KeptData) bool { return v.Key == "" && strings.EqualFold(v.Name, name) })
	if i < 0 {
		return KeptData{}
	}
	return f.Values[i]
}

func (f Former) text(name string) string { return utf16Text(f.value(name).Data) }

func (f Former) number(name string, without uint32) uint32 {
	if data := f.value(name).Data; len(data) == 4 {
		return uint32(data[0]) | uint32(data[1])<<8 | uint32(data[2])<<16 | uint32(data[3])<<24
	}
	return without
}

func strays(_, _ string, _ []Former) []string { return nil }
