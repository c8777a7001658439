package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"ad-ldap-connector/pkg/config"
	"ad-ldap-connector/pkg/directory"
)

// look reads what the directory says of itself, to anybody or to the service
// account. A directory that says nothing gives no defaults; whether it works is
// checked by the plan.
func (w *wizard) look(ctx context.Context) directory.Server {
	if len(w.config.Directory.URLs) == 0 {
		return directory.Server{}
	}
	o, err := w.options()
	if err != nil {
		return directory.Server{} // a filter that does not parse is named when the plan validates
	}
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	s, err := directory.Look(ctx, o)
	if err != nil {
		w.log().Debug("look at the directory", "err", err)
	}
	return s
}

// preset sets the filters that suit the kind of directory, where the operator
// has none of their own.
func (w *wizard) preset(ctx context.Context) error {
	name := w.answers.preset
	if name == "" && w.answers.found != nil {
		return nil // what is taken over stays as it is
	}
	if name == "" {
		name = w.look(ctx).Preset
	}
	if name == "" && w.guided && ctx.Err() == nil {
		return w.askPreset()
	}
	if name == "" {
		w.say("directory: its kind was not recognised; what you have not set is as for Active Directory (--preset says otherwise)")
		return nil
	}
	return w.takePreset(name)
}

func (w *wizard) askPreset() error {
	for {
		name, err := w.input("Kind of directory ("+strings.Join(config.Presets(), ", ")+")", config.Presets()[0], "it says of itself nothing that is known; the searches depend on its kind")
		if err != nil {
			return err
		}
		if err = w.takePreset(name); err == nil {
			return nil
		}
		w.wrong(err)
	}
}

func (w *wizard) takePreset(name string) error {
	if err := w.config.ApplyPreset(name); err != nil {
		return &usageError{err}
	}
	w.kind = name
	w.say("directory: settings for %s", name)
	return nil
}

// base finds the base DN, and tries it at once where somebody can answer again.
func (w *wizard) base(ctx context.Context) error {
	d := &w.config.Directory
	if d.BaseDN != "" && !w.guided {
		return nil
	}
	found := d.BaseDN
	if found == "" {
		found = w.look(ctx).BaseDN
	}
	if !w.guided {
		if d.BaseDN = found; found == "" {
			w.missing = append(w.missing, "--ldap-base (the directory did not say)")
		}
		return nil
	}
	for try := 1; ; try++ {
		if try > 1 || d.BaseDN == "" {
			answer, err := w.input("Base DN of the users", found, "DC=corp,DC=example")
			if err != nil {
				return err
			}
			d.BaseDN = answer
		}
		users, err := w.tryBase(ctx)
		if err == nil && !users {
			// It may be a slip, or they may come later: somebody has to say.
			yes, err := w.confirm(fmt.Sprintf("Go on with the base DN %s?", visible(d.BaseDN)), false)
			if err != nil || yes {
				return err
			}
		}
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err == nil && users:
			return nil
		case err != nil && try == maxTries:
			return gaveUp("check-directory", err)
		}
		if err != nil {
			w.wrong(err)
		}
		found = d.BaseDN
	}
}

// tryBase searches for users below the base DN, and reports whether there are
// any.
func (w *wizard) tryBase(ctx context.Context) (users bool, err error) {
	d := w.config.Directory
	if d.BaseDN == "" {
		return false, errors.New("the base DN is empty")
	}
	if err := w.faultOf("LDAP_BASE"); err != nil || w.untried {
		return err == nil, err
	}
	var sample directory.Sample
	err = w.inspect(ctx, func(ctx context.Context, i *directory.Inspector) error {
		if _, err := i.Base(ctx); err != nil {
			return err
		}
		sample, err = i.Sample(ctx)
		return err
	})
	if err != nil {
		return false, err
	}
	if sample.Found > 0 {
		w.tell("users: there are some, such as %s", visible(sample.User.DN))
		return true, nil
	}
	w.tell("no users below %s match LDAP_SEARCH_ALL_QUERY %s", visible(d.BaseDN), visible(d.SearchAllFilter))
	return false, nil
}
