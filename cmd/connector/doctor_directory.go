package main

import (
	"context"
	"log/slog"
	"sync"

	"ad-ldap-connector/pkg/directory"
	"ad-ldap-connector/pkg/doctor"
)

// directoryEnv is what there is to ask of a directory, with the runtime's own
// dialer, trust and credentials.
func (a *app) directoryEnv(t *target) doctor.Directory {
	if len(t.config.Directory.URLs) == 0 {
		return doctor.Directory{}
	}
	i, err := t.inspector()
	if err != nil { // the checks that need it all say why
		return doctor.Directory{
			Servers: func(context.Context) ([]doctor.Server, error) { return nil, err },
			Reach:   func(context.Context, doctor.Server) (string, error) { return "", err },
		}
	}
	t.later(func() { _ = i.Close() }) // nothing was left to send
	env := doctor.Directory{
		GSSAPI:  t.config.Directory.BindMethod == "gssapi",
		Records: i.Records,
		Servers: func(ctx context.Context) ([]doctor.Server, error) {
			sites, err := i.Servers(ctx)
			servers := make([]doctor.Server, len(sites))
			for n, s := range sites {
				servers[n] = doctor.Server(s)
			}
			return servers, err
		},
		Reach: func(ctx context.Context, s doctor.Server) (string, error) { return i.Reach(ctx, s.URL) },
		Peer: func(ctx context.Context, s doctor.Server) (doctor.Peer, error) {
			p, err := i.Peer(ctx, s.URL)
			return doctor.Peer(p), err
		},
		About: func(ctx context.Context, s doctor.Server) (doctor.About, error) {
			about, err := i.About(ctx, s.URL)
			return doctor.About{
				Kind: about.Preset, Vendor: about.Vendor, Bases: about.Bases, Holds: about.Holds(t.config.Directory.BaseDN),
				StartTLS: about.StartTLS, Time: about.Time, Read: about.Read,
			}, err
		},
		InClear: func(ctx context.Context, s doctor.Server) (bool, error) { return i.InClear(ctx, s.URL) },
	}
	if t.config.Directory.BaseDN == "" {
		return env
	}
	env.Anonymous = func(ctx context.Context, s doctor.Server) (bool, error) { return i.Anonymous(ctx, s.URL) }
	env.Bind = func(ctx context.Context, s doctor.Server) error { return i.Bind(ctx, s.URL) }
	env.Base, env.Pages = i.Base, i.Pages
	env.Account = func(ctx context.Context) (doctor.Account, error) {
		account, err := i.Account(ctx)
		return doctor.Account(account), err
	}
	env.Users, env.Groups = sampled(i)
	return env
}

// sampled returns what asks for a user, and what reads the groups of the user
// that was found.
func sampled(i *directory.Inspector) (func(context.Context) (doctor.Users, error), func(context.Context, string) (int, error)) {
	var mu sync.Mutex
	var sample directory.Sample
	users := func(ctx context.Context) (doctor.Users, error) {
		found, err := i.Sample(ctx)
		if err != nil || found.User == nil {
			return doctor.Users{Found: found.Found}, err
		}
		mu.Lock()
		defer mu.Unlock()
		sample = found
		return doctor.Users{Found: found.Found, DN: found.User.DN, Name: found.Name, Same: found.Same}, nil
	}
	groups := func(ctx context.Context, _ string) (int, error) {
		mu.Lock()
		user := sample.User
		mu.Unlock()
		all, err := i.Groups(ctx, user)
		return len(all), err
	}
	return users, groups
}

// inspector opens what asks the configured directory. It does no I/O beyond
// reading the key.
func (t *target) inspector() (*directory.Inspector, error) {
	if t.transportErr != nil {
		return nil, t.transportErr
	}
	var password string
	if t.home != nil {
		var err error
		if password, err = bindPassword(t.home, t.config); err != nil {
			return nil, err
		}
	}
	t.secrets.add(password)
	o, err := directoryOptions(t.config, password, t.transport, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		return nil, err
	}
	return directory.Inspect(o), nil
}
