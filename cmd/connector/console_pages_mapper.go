package main

import (
	"context"
	"errors"
	"strings"
	"time"

	"ad-ldap-connector/pkg/console"
	"ad-ldap-connector/pkg/identity"
)

// mapper is what the page Profile mapper does.
func (p *consolePages) mapper() *console.Mapper {
	return &console.Mapper{
		Read: func() (console.Script, error) {
			c, err := p.home.Config()
			if err != nil {
				return console.Script{}, err
			}
			text, name, fixed, err := mapperInUse(p.home, c)
			return console.Script{Text: text, Name: name, Fixed: fixed, Timeout: c.Mapper.Timeout, Memory: c.Mapper.MemoryMB}, err
		},
		Try: p.tryMapper,
		Save: func(ctx context.Context, text, over string) (string, error) {
			p.saving.Lock()
			defer p.saving.Unlock()
			c, err := p.home.Config()
			if err != nil {
				return "", err
			}
			err = p.keepMapper(p.home, c, text, &over, "the console")
			if errors.Is(err, errOtherMapper) {
				return "", console.ErrChanged
			}
			if err != nil {
				return "", err
			}
			return p.takeUp(ctx), nil
		},
		History: func() ([]console.Former, error) {
			all, err := mapperHistory(p.home)
			list := []console.Former{}
			for _, f := range all {
				list = append(list, console.Former{ID: f.ID, Until: f.Until, Size: f.Size, Note: f.Note})
			}
			return list, err
		},
		Former: func(id string) (string, error) { return formerScript(p.home, id) },
		Entry:  p.entry,
	}
}

// A timedMapper tells how long a script took.
type timedMapper struct {
	identity.Mapper
	took time.Duration
}

// Map maps, and takes the time.
func (m *timedMapper) Map(ctx context.Context, user *identity.Entry, groups []identity.Group, status identity.Status) (identity.Profile, error) {
	began := time.Now()
	defer func() { m.took = time.Since(began) }()
	return m.Mapper.Map(ctx, user, groups, status)
}

// tryMapper does as "connector profile USER --mapper FILE --diff".
func (p *consolePages) tryMapper(ctx context.Context, text, user string) (console.Trial, error) {
	var t console.Trial
	if strings.TrimSpace(text) == "" {
		return t, errors.New("the script is empty")
	}
	n := p.node
	other, err := newMapper(text, "this script", n.config, p.log())
	if err != nil {
		return t, err
	}
	defer func() { _ = other.Close() }() // its processes end with it
	if user == "" {
		return t, nil
	}
	run := func(m identity.Mapper) (profile identity.Profile, took time.Duration, fault string, err error) {
		timed := &timedMapper{Mapper: m}
		profile, err = (&identity.Authenticator{Directory: &n.directory, Mapper: timed, Policy: n.users.Policy}).Resolve(ctx, identity.Principal{Name: user})
		var refusal *identity.Refusal
		switch {
		case errors.As(err, &refusal):
			return profile, 0, "", &hinted{errors.New("the user was not found"), meanings[refusal.Reason]}
		case err != nil && timed.took > 0:
			return profile, timed.took, visible(oneLine(err.Error())), nil
		}
		return profile, timed.took, "", err
	}
	now, took, fault, err := run(&n.mapper)
	if err != nil {
		return t, err
	}
	t.Now, t.NowTook, t.NowErr = now.String(), took, fault
	then, took, fault, err := run(other)
	if err != nil {
		return t, err
	}
	t.Then, t.ThenTook, t.ThenErr = then.String(), took, fault
	if t.NowErr != "" || t.ThenErr != "" {
		return t, nil
	}
	diffs, err := differences(now, then)
	for _, d := range diffs {
		t.Diff = append(t.Diff, console.MemberDiff{Member: d.Member, Now: string(d.Now), Then: string(d.Then)})
	}
	return t, err
}
