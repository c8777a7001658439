package main

import (
	"context"
	"crypto/x509"
	"errors"
	"io/fs"
	"runtime"
	"time"

	"ad-ldap-connector/pkg/doctor"
)

// doctorEnv fills in what the probes may touch. Each group of checks has a
// func of its own.
func (a *app) doctorEnv(t *target) *doctor.Env {
	env := &doctor.Env{OS: runtime.GOOS, Now: time.Now, Config: t.config, Hide: t.secrets.hide, Network: a.networkEnv(t)}
	env.Host, env.Clocks = a.hostEnv(t), t.clocksEnv()
	if t.configured {
		env.Home = a.homeEnv(t)
	}
	env.Directory, env.SignIn = a.directoryEnv(t), a.signInEnv(t)
	if !errors.Is(t.waiverErr, fs.ErrNotExist) {
		env.Home.Waivers = func() error { return t.waiverErr }
	}
	return env
}

// homeEnv is what there is to ask of a home with settings.
func (a *app) homeEnv(t *target) doctor.Home {
	env := doctor.Home{Load: t.load, OtherTicket: t.other}
	if t.home == nil {
		return env // it could not even be opened, and Load says why
	}
	h := t.home
	env.Dir = h.Dir()
	if h.Exists() {
		env.Exposed, env.Tighten = h.Exposed, h.Tighten
	}
	env.Certificate = func() (*x509.Certificate, error) {
		pair, err := h.Keys(t.config)
		if err != nil {
			return nil, err
		}
		return pair.Certificate, nil
	}
	d := t.config.Directory
	env.Sealed = d.BindPassword == "" && d.BindCredentials != "" || t.config.Stored()
	env.Unseal = func() error {
		password, err := bindPassword(h, t.config)
		t.secrets.add(password)
		return err
	}
	env.Mapper = func(context.Context) (string, error) {
		m, err := openMapper(h, t.config, a.log())
		if err != nil {
			return "", err
		}
		return m.detail, m.Close()
	}
	env.Neighbours = func(context.Context) ([]doctor.Neighbour, error) {
		var all []doctor.Neighbour
		for _, n := range h.Neighbours() {
			all = append(all, doctor.Neighbour{Dir: n.Dir, Connection: n.Config.Tenant.Connection, Realm: n.Config.Tenant.Realm})
		}
		return all, nil
	}
	return env
}
