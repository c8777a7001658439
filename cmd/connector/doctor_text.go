package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/fatih/color"

	"ad-ldap-connector/pkg/doctor"
)

// A pen writes with colours, or without any.
type pen map[doctor.Status]*color.Color

func newPen(colourful bool) pen {
	b := func(colour ...color.Attribute) *color.Color { return brush(colourful, colour...) }
	return pen{
		doctor.Passed: b(color.FgGreen), doctor.Failed: b(color.FgRed, color.Bold),
		doctor.Waived: b(color.FgCyan), doctor.Skipped: b(color.Faint), "warning": b(color.FgYellow, color.Bold),
	}
}

// mark is the word for how a check came out; colour only repeats it.
func (p pen) mark(e doctor.Entry) string {
	word := e.Status
	if word == doctor.Failed && e.Severity == doctor.Warns {
		word = "warning"
	}
	return p[word].Sprintf("%-7s", word)
}

// doctorText is a report for people: what is to be done first, then all checks
// by groups.
func doctorText(d doctor.Document, colourful bool) string {
	p := newPen(colourful)
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", summary(d))
	again := []string{}
	for _, severity := range []doctor.Severity{doctor.Blocks, doctor.Warns} {
		for _, e := range d.Checks {
			if e.Status == doctor.Failed && e.Severity == severity {
				p.finding(&b, e)
				again = append(again, string(e.ID))
			}
		}
	}
	for _, g := range doctor.Groups {
		heading := fmt.Sprintf("\n%s\n", g.Title)
		for _, e := range d.Checks {
			if e.Group == g.Name {
				fmt.Fprintf(&b, "%s  %s  %-22s %s\n", heading, p.mark(e), e.ID, inShort(e))
				heading = ""
			}
		}
	}
	p.rest(&b, d)
	if len(again) > 0 {
		fmt.Fprintf(&b, "\nonce mended: connector doctor --only %s\nmore on one: connector doctor --explain %s\n", strings.Join(again, ","), again[0])
	}
	return b.String()
}

// finding writes what is wrong and what to do about it.
func (p pen) finding(b *strings.Builder, e doctor.Entry) {
	fmt.Fprintf(b, "\n%s  %s  not so: %s\n", p.mark(e), e.ID, e.Title)
	for _, line := range findingLines(e) {
		fmt.Fprintf(b, "         %s\n", line)
	}
	fmt.Fprintf(b, "         to do:    %s\n", e.Remedy)
	if e.Command != "" {
		fmt.Fprintf(b, "           %s\n", e.Command)
	}
}

// findingLines are the texts of a finding, each with its name. No line begins
// with what a peer said: a CI's log takes some beginnings for commands.
func findingLines(e doctor.Entry) (lines []string) {
	if e.Observed != "" {
		lines = append(lines, "observed: "+oneLine(e.Observed))
	}
	if e.Required != "" {
		lines = append(lines, "required: "+oneLine(e.Required))
	}
	name := "detail:   "
	for line := range strings.Lines(e.Detail) {
		lines = append(lines, name+strings.TrimSpace(line))
		name = "and:      "
	}
	return lines
}

// inShort is what a line has room for.
func inShort(e doctor.Entry) string {
	switch {
	case e.Status == doctor.Waived:
		return fmt.Sprintf("until %s: %s", e.Waiver.Until, e.Waiver.Reason)
	case e.Status == doctor.Skipped:
		return oneLine(e.Detail)
	case e.Status == doctor.Failed:
		return "not so: " + e.Title // more of it stands above
	case e.Observed != "":
		return e.Title + ": " + oneLine(e.Observed)
	}
	return e.Title
}

// rest writes what there is to say besides the checks.
func (p pen) rest(b *strings.Builder, d doctor.Document) {
	if len(d.Notes) > 0 {
		b.WriteString("\n")
	}
	for _, n := range d.Notes {
		fmt.Fprintf(b, "%s  %s\n", p["warning"].Sprint("note   "), n)
	}
	if len(d.Fixes) > 0 {
		b.WriteString("\nmended before this report\n")
	}
	for _, m := range d.Fixes {
		fmt.Fprintf(b, "  %-22s %s: %s\n", m.ID, m.Says, cameOf(m))
	}
	if d.Changes != nil {
		fmt.Fprintf(b, "\nchanged since %s\n", d.Changes.Since.Local().Format(time.DateTime))
		for _, c := range d.Changes.Checks {
			fmt.Fprintf(b, "  %-7s  %-22s %s\n", c.What, c.ID, becameOf(c))
		}
		if len(d.Changes.Checks) == 0 {
			b.WriteString("  nothing\n")
		}
	}
}

func cameOf(m doctor.Mended) string {
	switch {
	case m.Done:
		return "done"
	case m.Error != "":
		return "not done: " + oneLine(m.Error)
	}
	return "not agreed to"
}

func becameOf(c doctor.Change) string {
	switch c.What {
	case doctor.IsNew:
		return string(c.After)
	case doctor.IsGone:
		return "it was " + string(c.Before)
	}
	return fmt.Sprintf("was %s, is %s", c.Before, c.After)
}

// tally counts how the checks came out.
type tally struct{ failed, warnings, waived, passed, skipped int }

func tallyOf(checks []doctor.Entry) (n tally) {
	for _, e := range checks {
		switch {
		case e.Status == doctor.Failed && e.Severity == doctor.Blocks:
			n.failed++
		case e.Status == doctor.Failed:
			n.warnings++
		case e.Status == doctor.Waived:
			n.waived++
		case e.Status == doctor.Passed:
			n.passed++
		default:
			n.skipped++
		}
	}
	return n
}

// summary is the whole report in one line.
func summary(d doctor.Document) string {
	n := tallyOf(d.Checks)
	verdict := map[doctor.Verdict]string{
		doctor.AllPassed: "nothing stands in the way", doctor.Warned: "nothing blocks, and something is better mended", doctor.Blocked: "the connector cannot work like this",
	}[d.Result]
	if n == (tally{skipped: n.skipped}) {
		verdict = "nothing applies here yet"
	}
	return fmt.Sprintf("%s: %d failed, %d warned, %d waived, %d passed, %d skipped, in %.1f s",
		verdict, n.failed, n.warnings, n.waived, n.passed, n.skipped, float64(d.TookMs)/1000)
}
