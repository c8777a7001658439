package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"strings"

	"ad-ldap-connector/pkg/config"
	"ad-ldap-connector/pkg/doctor"
	"ad-ldap-connector/pkg/service"
)

// hostEnv is what there is to ask of this machine.
func (a *app) hostEnv(t *target) doctor.Host {
	dir := a.home
	if t.home != nil {
		dir = t.home.Dir()
	}
	env := doctor.ThisHost(dir)
	env.Ports = fixedPorts(t.config)
	t.wallEnv(&env, service.Name(a.name))
	env.Ours = func(ctx context.Context, address string) bool { return t.listensOn(ctx, address) }
	env.Execute = func(ctx context.Context, words []string) error {
		a.say("running: %s", strings.Join(words, " "))
		out, err := exec.CommandContext(ctx, words[0], words[1:]...).CombinedOutput()
		if err != nil && len(out) > 0 {
			return fmt.Errorf("%w: %s", err, strings.TrimSpace(string(out)))
		}
		return err
	}
	if dir == "" {
		env.Disk = nil // the home's place itself is not known; config.valid says why
	}
	return env
}

// fixedPorts are those that the settings name; signin.port looks at that of
// browsers. A port of 0 is any free one.
func fixedPorts(c config.Config) (ports []doctor.Port) {
	if _, port, err := net.SplitHostPort(c.Agent.ConsoleAddr); err == nil && port != "0" {
		ports = append(ports, doctor.Port{Name: "the console", Key: "CONSOLE_ADDR", Address: c.Agent.ConsoleAddr})
	}
	return ports
}

// listensOn reports whether the connector that runs on this home is the one
// that holds an address: it has left its own, and answers there.
func (t *target) listensOn(ctx context.Context, address string) bool {
	if t.home == nil {
		return false
	}
	var i instance
	var r running
	if err := errors.Join(t.home.LoadState("instance", &i), t.home.LoadState("run", &r)); err != nil {
		return false // none has ever run here
	}
	_, asked, _ := net.SplitHostPort(address)
	if _, port, err := net.SplitHostPort(consoleHost(r.Console)); err != nil || port != asked {
		return false
	}
	live, err := fetchStatus(ctx, r.Console)
	return err == nil && i.ID != "" && live.Instance == i.ID
}
