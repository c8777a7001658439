package main

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"ad-ldap-connector/pkg/console"
	"ad-ldap-connector/pkg/identity"
)

// search is what the page Search does: with the rooms that answer the tenant.
func (p *consolePages) search() *console.Search {
	n := p.node
	return &console.Search{
		Users: func(ctx context.Context, text string, limit int) (found []string, stages []console.StageReport, err error) {
			stages, err = traced(ctx, func(ctx context.Context) error {
				profiles, err := n.users.Search(ctx, identity.Query{Text: text, Limit: limit})
				for _, p := range profiles {
					found = append(found, p.String())
				}
				return err
			})
			return found, stages, err
		},
		Groups: func(ctx context.Context, text string, limit int) (found []console.Group, stages []console.StageReport, err error) {
			stages, err = traced(ctx, func(ctx context.Context) error {
				groups, err := n.users.Groups(ctx, 0)
				for _, g := range matching(groups, text, limit) {
					found = append(found, console.Group{Name: visible(labelText(g.Label)), DN: visible(g.DN)})
				}
				return err
			})
			return found, stages, err
		},
		Entry: func(ctx context.Context, login string) (*console.Entry, []console.StageReport, error) {
			began := time.Now()
			e, err := p.entry(ctx, login)
			stage := console.StageReport{Name: "find", Took: time.Since(began), Detail: n.config.Directory.UserFilter, Failed: err != nil}
			return e, []console.StageReport{stage}, err
		},
		Login: p.tryLogin,
		Filters: func() (byLogin, users, groups string) {
			d := n.config.Directory
			return d.UserFilter, d.SearchFilter, d.ListGroupsFilter
		},
	}
}

// labelText is a group's name: a text, or the JSON of its properties.
func labelText(label json.RawMessage) string {
	var text string
	if json.Unmarshal(label, &text) == nil {
		return text
	}
	return string(label)
}

// entry finds a user by login; nil is none.
func (p *consolePages) entry(ctx context.Context, login string) (*console.Entry, error) {
	e, err := p.node.directory.Find(ctx, login)
	var refusal *identity.Refusal
	if errors.As(err, &refusal) && refusal.Reason == identity.WrongUsername {
		return nil, nil //nolint:nilnil // see above
	}
	if err != nil {
		return nil, err
	}
	return entryOf(e), nil
}

// tryLogin does as "connector login".
func (p *consolePages) tryLogin(ctx context.Context, user, password string) console.LoginReport {
	var r loginReport
	stages, _ := traced(ctx, func(ctx context.Context) error { // what came of it is in the report
		profile, err := p.node.users.Authenticate(ctx, identity.Credentials{Username: user, Password: identity.Password(password)})
		r.conclude(profile, err)
		return err
	})
	return console.LoginReport{
		Outcome: r.Outcome, Reason: string(r.Reason), Meaning: meanings[r.Reason], Err: faultText(r), Stages: stages, Profile: r.Profile.String(),
	}
}

// faultText is why a login could not be tried.
func faultText(r loginReport) string {
	if r.Outcome != "fault" {
		return ""
	}
	return visible(r.Error)
}
