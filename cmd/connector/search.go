package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"ad-ldap-connector/pkg/identity"
)

func newSearchCommand(a *app) *cobra.Command {
	limit, trace := 20, false
	cmd := &cobra.Command{
		Use:   "search users|groups [TEXT]",
		Short: "List users or groups as the tenant would find them",
		Long:  "Users are found with LDAP_SEARCH_QUERY; groups are listed, and those kept that hold TEXT.",
		Example: `  connector search users smith --limit 5
  connector search groups -o json
  connector search users smith --trace`,
		ValidArgs: []string{"users", "groups"},
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) < 1 || len(args) > 2 || args[0] != "users" && args[0] != "groups" {
				return usagef("say what to search: connector search users TEXT, or: connector search groups")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			text := strings.Join(args[1:], "")
			w, err := a.openWorkbench()
			if err != nil {
				return err
			}
			defer w.Close()
			var stages []stageReport
			ctx := identity.WithTrace(cmd.Context(), func(s identity.Stage) { stages = append(stages, explain(s)) })
			if args[0] == "groups" {
				groups, err := w.users.Groups(ctx, 0)
				a.sayStages(stages, trace || err != nil)
				if err != nil {
					return err
				}
				return a.printGroups(matching(groups, text, limit), stages)
			}
			found, err := w.users.Search(ctx, identity.Query{Text: text, Limit: limit})
			a.sayStages(stages, trace || err != nil)
			if err != nil {
				return err
			}
			return a.printUsers(found, stages)
		},
	}
	cmd.Flags().IntVar(&limit, "limit", limit, "at most `N`; 0 means all")
	cmd.Flags().BoolVar(&trace, "trace", false, "show which server was asked what, and how long it took")
	return cmd
}

// matching keeps the groups whose label or DN holds text, without case.
func matching(groups []identity.Group, text string, limit int) []identity.Group {
	text = strings.ToLower(text)
	groups = slices.DeleteFunc(groups, func(g identity.Group) bool {
		return !strings.Contains(strings.ToLower(string(g.Label)), text) && !strings.Contains(strings.ToLower(g.DN), text)
	})
	if limit > 0 && len(groups) > limit {
		groups = groups[:limit]
	}
	return groups
}

func (a *app) printUsers(found []identity.Profile, stages []stageReport) error {
	if a.json() {
		if found == nil {
			found = []identity.Profile{}
		}
		return a.print(map[string]any{"users": found, "stages": stages})
	}
	for _, p := range found {
		if err := a.text("%-24s %-32s %s\n", visible(p.Value("nickname")), visible(p.Value("displayName")), visible(p.Value("dn"))); err != nil {
			return err
		}
	}
	a.say("%d found", len(found))
	return nil
}

func (a *app) printGroups(groups []identity.Group, stages []stageReport) error {
	if a.json() {
		labels := make([]json.RawMessage, len(groups))
		for i, g := range groups {
			labels[i] = g.Label
		}
		return a.print(map[string]any{"groups": labels, "stages": stages})
	}
	for _, g := range groups {
		if err := a.text("%-32s %s\n", visible(strings.Trim(string(g.Label), `"`)), visible(g.DN)); err != nil {
			return err
		}
	}
	a.say("%d found", len(groups))
	return nil
}

// A MemberDiff is one member of a profile that two mappers make differently.
type memberDiff struct {
	Member string          `json:"member"`
	Now    json.RawMessage `json:"now"`  // null: the present mapper leaves it out
	Then   json.RawMessage `json:"then"` // null: the other one leaves it out
}

func newProfileCommand(a *app) *cobra.Command {
	var file, restore string
	var diff, save, history bool
	cmd := &cobra.Command{
		Use:   "profile USER",
		Short: "Show what the mapper makes of a user, or what another script would",
		Long: `With --save the script of --mapper takes the place of the one in use, once it
compiles and, where a USER is named, works for them; a running connector takes
it up. The former one is kept: --history lists those, --restore puts one back.`,
		Example: `  connector profile mary.smith
  connector profile mary.smith --mapper new.js --diff
  connector profile mary.smith --mapper new.js --save
  connector profile --history`,
		Args: func(_ *cobra.Command, args []string) error {
			if (history || restore != "" || save && file != "") && len(args) == 0 {
				return nil
			}
			return exactArgs(1, "name one user: connector profile mary.smith")(nil, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := errors.Join(oneOf(cmd, "history", "restore", "mapper"), oneOf(cmd, "save", "diff"), oneOf(cmd, "history", "save"), oneOf(cmd, "restore", "save")); err != nil {
				return err
			}
			switch {
			case diff && file == "":
				return usagef("--diff compares with another script; name it with --mapper FILE")
			case save && file == "":
				return usagef("--save needs the script: name it with --mapper FILE")
			case history || restore != "":
				return a.formerMappers(cmd.Context(), restore)
			case len(args) == 0:
				return a.saveMapperFile(cmd.Context(), file)
			}
			w, err := a.openWorkbench()
			if err != nil {
				return err
			}
			defer w.Close()
			who := identity.Principal{Name: args[0]}
			if file == "" {
				p, err := w.users.Resolve(cmd.Context(), who)
				if err != nil {
					return err
				}
				return a.print(p)
			}
			script, err := os.ReadFile(file)
			if err != nil {
				return fmt.Errorf("read --mapper: %w", err)
			}
			other, err := newMapper(string(script), file, w.config, a.log())
			if err != nil {
				return err
			}
			defer func() { _ = other.Close() }() // its processes end with this one
			then, err := (&identity.Authenticator{Directory: w.directory, Mapper: other, Policy: w.users.Policy}).Resolve(cmd.Context(), who)
			if err != nil {
				return err
			}
			if save {
				return a.saveMapper(cmd.Context(), w.home, w.config, string(script), "connector profile --save")
			}
			if !diff {
				return a.print(then)
			}
			now, err := w.users.Resolve(cmd.Context(), who)
			if err != nil {
				return err
			}
			return a.printDiff(now, then)
		},
	}
	cmd.Flags().StringVar(&file, "mapper", "", "map with this `script` instead of the home's")
	cmd.Flags().BoolVar(&diff, "diff", false, "show only the members that would change")
	cmd.Flags().BoolVar(&save, "save", false, "put the script of --mapper in the place of the one in use, if it works")
	cmd.Flags().BoolVar(&history, "history", false, "list the scripts that were in use, of which the last 20 are kept")
	cmd.Flags().StringVar(&restore, "restore", "", "put the former script with this `ID` of --history back")
	return cmd
}

func (a *app) printDiff(now, then identity.Profile) error {
	diffs, err := differences(now, then)
	if err != nil {
		return err
	}
	if a.json() {
		return a.print(map[string]any{"diff": diffs})
	}
	for _, d := range diffs {
		if err := a.text("%s\n- %s\n+ %s\n", d.Member, d.Now, d.Then); err != nil {
			return err
		}
	}
	a.say("%d members differ", len(diffs))
	return nil
}

// differences are the members that two profiles have differently.
func differences(now, then identity.Profile) ([]memberDiff, error) {
	var was, would map[string]json.RawMessage
	if err := errors.Join(json.Unmarshal([]byte(now.String()), &was), json.Unmarshal([]byte(then.String()), &would)); err != nil {
		return nil, err
	}
	members := map[string]bool{}
	for m := range was {
		members[m] = true
	}
	for m := range would {
		members[m] = true
	}
	diffs := []memberDiff{}
	for m := range members {
		if string(was[m]) != string(would[m]) {
			diffs = append(diffs, memberDiff{m, was[m], would[m]})
		}
	}
	slices.SortFunc(diffs, func(x, y memberDiff) int { return strings.Compare(x.Member, y.Member) })
	return diffs, nil
}
