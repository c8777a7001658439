package main

import (
	"fmt"
	"strings"

	"ad-ldap-connector/pkg/doctor"
)

// doctorMarkdown is a report for a CI's step summary or a ticket.
func doctorMarkdown(d doctor.Document) string {
	var b strings.Builder
	fmt.Fprintf(&b, "## connector doctor\n\n**%s**: %s\n", d.Result, summary(d))
	for _, severity := range []doctor.Severity{doctor.Blocks, doctor.Warns} {
		for _, e := range d.Checks {
			if e.Status == doctor.Failed && e.Severity == severity {
				markdownFinding(&b, e)
			}
		}
	}
	b.WriteString("\n| check | status | what |\n|---|---|---|\n")
	for _, g := range doctor.Groups {
		for _, e := range d.Checks {
			if e.Group == g.Name {
				fmt.Fprintf(&b, "| `%s` | %s | %s |\n", e.ID, markdownStatus(e), markdown(inShort(e)))
			}
		}
	}
	var rest []string
	for _, n := range d.Notes {
		rest = append(rest, "note: "+markdown(n))
	}
	for _, m := range d.Fixes {
		rest = append(rest, fmt.Sprintf("`%s`: %s: %s", m.ID, markdown(m.Says), markdown(cameOf(m))))
	}
	if d.Changes != nil {
		for _, c := range d.Changes.Checks {
			rest = append(rest, fmt.Sprintf("%s since the earlier report: %s, %s", c.What, markdown(string(c.ID)), becameOf(c)))
		}
		if len(d.Changes.Checks) == 0 {
			rest = append(rest, "nothing has changed since the earlier report")
		}
	}
	for i, line := range rest {
		if i == 0 {
			b.WriteString("\n")
		}
		fmt.Fprintf(&b, "- %s\n", line)
	}
	return b.String()
}

func markdownStatus(e doctor.Entry) string {
	switch {
	case e.Status == doctor.Failed && e.Severity == doctor.Warns:
		return "warning"
	case e.Status == doctor.Failed:
		return "**failed**"
	}
	return string(e.Status)
}

func markdownFinding(b *strings.Builder, e doctor.Entry) {
	fmt.Fprintf(b, "\n### %s: not so: %s\n\n", e.ID, markdown(e.Title))
	for _, line := range []struct{ name, text string }{{"observed", e.Observed}, {"required", e.Required}} {
		if line.text != "" {
			fmt.Fprintf(b, "- %s: %s\n", line.name, markdown(line.text))
		}
	}
	for line := range strings.Lines(e.Detail) {
		fmt.Fprintf(b, "- %s\n", markdown(line))
	}
	fmt.Fprintf(b, "- to do: %s\n", markdown(e.Remedy))
	if e.Command != "" {
		fmt.Fprintf(b, "\n%s\n%s\n%s\n", fence(e.Command), e.Command, fence(e.Command))
	}
}

// markdown makes a text one line that is nothing but text.
func markdown(s string) string {
	var b strings.Builder
	for _, r := range oneLine(s) {
		switch {
		case r == '<':
			b.WriteString("&lt;")
		case r == '>':
			b.WriteString("&gt;")
		case r == '&':
			b.WriteString("&amp;")
		case r == '@':
			b.WriteString("&#64;") // would call somebody
		case strings.ContainsRune("\\`*_{}[]()#!|~", r):
			b.WriteRune('\\')
			b.WriteRune(r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// fence is longer than any run of backquotes in the text it goes around.
func fence(text string) string {
	f := "```"
	for strings.Contains(text, f) {
		f += "`"
	}
	return f
}
