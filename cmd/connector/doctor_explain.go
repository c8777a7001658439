package main

import (
	"embed"
	"fmt"
	"slices"
	"strings"

	"ad-ldap-connector/pkg/doctor"
)

// The manual has a page for each check, named after it.
//
//go:embed guide/doctor/*.md
var doctorPages embed.FS

// explainCheck prints the page of a check, below what the catalogue says.
func (a *app) explainCheck(id string) error {
	c, err := doctor.Lookup(id)
	if err != nil {
		return &usageError{err}
	}
	page, err := doctorPages.ReadFile("guide/doctor/" + id + ".md")
	if err != nil {
		return fmt.Errorf("explain %s: %w", id, err)
	}
	if a.json() {
		return a.print(map[string]any{"id": c.ID, "title": c.Title, "severity": c.Severity, "needs": append([]doctor.ID{}, c.Needs...), "text": string(page)})
	}
	needs := "nothing"
	if len(c.Needs) > 0 {
		needs = joinIDs(c.Needs)
	}
	return a.text("%s: %s\nseverity: %s   needs: %s\n\n%s", c.ID, c.Title, c.Severity, needs, page)
}

func joinIDs(ids []doctor.ID) string {
	var names []string
	for _, id := range ids {
		names = append(names, string(id))
	}
	return strings.Join(names, ", ")
}

// A listed check is one of the catalogue as --list has it.
type listedCheck struct {
	ID       doctor.ID       `json:"id"`
	Group    string          `json:"group"`
	Title    string          `json:"title"`
	Severity doctor.Severity `json:"severity"`
	Needs    []doctor.ID     `json:"needs"`
	OS       []string        `json:"os"` // empty: everywhere
	Remedy   string          `json:"remedy"`
	Command  string          `json:"command"`
	Fix      string          `json:"fix"` // what --fix does; "" when nothing
}

func (a *app) listChecks() error {
	if !a.json() {
		return a.text("%s", doctorTable())
	}
	list := []listedCheck{}
	for _, c := range doctor.Checks {
		l := listedCheck{
			ID: c.ID, Group: c.ID.Group(), Title: c.Title, Severity: c.Severity, Needs: append([]doctor.ID{}, c.Needs...),
			OS: append([]string{}, c.OS...), Remedy: c.Remedy, Command: c.Command,
		}
		if c.Fix != nil {
			l.Fix = c.Fix.Says
		}
		list = append(list, l)
	}
	return a.print(map[string]any{"checks": list})
}

// doctorTable is the catalogue by groups, for --list and the help.
func doctorTable() string {
	var b strings.Builder
	for _, g := range doctor.Groups {
		checks := slices.DeleteFunc(slices.Clone(doctor.Checks), func(c doctor.Check) bool { return c.ID.Group() != g.Name })
		if len(checks) > 0 {
			fmt.Fprintf(&b, "%s:\n", g.Title)
		}
		for _, c := range checks {
			fmt.Fprintf(&b, "  %-22s %-6s  %s\n", c.ID, c.Severity, c.Title)
		}
	}
	return b.String()
}
