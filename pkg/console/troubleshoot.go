package console

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"ad-ldap-connector/pkg/doctor"
)

// A DoctorQuery is which checks are to run, and on what.
type DoctorQuery struct {
	Only []string // checks or groups; none: all
	// Candidate are settings that are tried in the place of the stored ones, by
	// their keys. There may be secrets among them.
	Candidate map[string]string
}

// Finding is a check and how it came out, for the template "finding".
type Finding struct {
	ID, Title, Word    string
	Observed, Required string
	Lines              []string
	Remedy, Command    string
	Group              string
	failed             bool
}

// More reports whether there is more to say than fits one line.
func (f Finding) More() bool { return f.failed || len(f.Lines) > 0 && f.Word == "waived" }

// findingOf puts a finding in the console's words: of two failures, one that
// only warns is a warning.
func findingOf(e doctor.Entry) Finding {
	f := Finding{
		ID: string(e.ID), Title: e.Title, Word: string(e.Status), Observed: e.Observed, Group: e.Group, failed: e.Status == doctor.Failed,
	}
	for line := range strings.Lines(e.Detail) {
		f.Lines = append(f.Lines, strings.TrimSpace(line))
	}
	switch {
	case f.failed:
		if e.Severity == doctor.Warns {
			f.Word = "warning"
		}
		f.Required, f.Remedy, f.Command = e.Required, e.Remedy, e.Command
	case e.Waiver != nil:
		f.Lines = append(f.Lines, "until "+e.Waiver.Until+": "+e.Waiver.Reason)
	case e.Status == doctor.Skipped && f.Observed == "":
		f.Observed = strings.Join(f.Lines, "; ")
	}
	return f
}

// entryOf is a finding as a report would have it.
func entryOf(f doctor.Finding) doctor.Entry {
	return doctor.Report{Findings: []doctor.Finding{f}}.Document(doctor.Connector{}).Checks[0]
}

// A Checkup is a whole report, for the template "checkup".
type Checkup struct {
	Word, Says string
	Took       time.Duration
	First      []Finding // what is to be mended, what blocks first
	Groups     []CheckGroup
	Notes      []string
}

// A CheckGroup is the checks of one group.
type CheckGroup struct {
	Title string
	All   []Finding
	Well  int
}

func checkupOf(d doctor.Document) Checkup {
	c := Checkup{Word: string(d.Result), Took: time.Duration(d.TookMs) * time.Millisecond, Notes: d.Notes}
	counts := map[string]int{}
	for _, g := range doctor.Groups {
		group := CheckGroup{Title: g.Title}
		for _, e := range d.Checks {
			if e.Group != g.Name {
				continue
			}
			f := findingOf(e)
			counts[f.Word]++
			group.All = append(group.All, f)
			if f.Word == "passed" {
				group.Well++
			}
			if f.failed {
				c.First = append(c.First, f)
			}
		}
		if len(group.All) > 0 {
			c.Groups = append(c.Groups, group)
		}
	}
	slices.SortStableFunc(c.First, func(a, b Finding) int { return strings.Compare(a.Word, b.Word) }) // failed, warning
	switch d.Result {
	case doctor.Blocked:
		c.Says = "The connector cannot work like this: " + several(counts["failed"], "check that blocks has failed.", "checks that block have failed.")
	case doctor.Warned:
		c.Says = "It works, and " + several(counts["warning"], "thing is better mended.", "things are better mended.")
	default:
		c.Says = "All is well."
	}
	return c
}

func several(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// A LogQuery is which lines of the log are to be shown.
type LogQuery struct {
	Level    string // the least: debug, info, warn or error
	Since    string // as --since has it
	Contains string // in any case
	Request  string
	Lines    int // the last of them
	Follow   bool
}

// A LogLine is one.
type LogLine struct {
	Time       *time.Time
	Level      string
	Message    string
	Attributes map[string]string
}

// Bounds of what is shown of a log.
const (
	usualLines = 200
	mostLines  = 2000
)

type troubleshooting struct {
	Checkup *Checkup
	Query   LogQuery
	Levels  []Choice
	Lines   []LogLine
	Fault   string // why there are no lines
	Support bool
	Doctor  bool
	Logs    bool
}

func (c *console) troubleshooting() []route {
	return []route{
		{pattern: "GET /troubleshooting", do: func(v *visit) error { return c.showTroubleshooting(v, nil) }},
		{pattern: "POST /troubleshooting/doctor", do: c.runDoctor, within: 2 * time.Minute},
		{pattern: "GET /troubleshooting/doctor", do: func(v *visit) error { return v.redirect("/troubleshooting") }},
		{pattern: "GET /troubleshooting/logs", do: c.followLogs, script: true},
		{pattern: "POST /troubleshooting/support", do: c.support, within: 2 * time.Minute},
	}
}

func (c *console) showTroubleshooting(v *visit, report *Checkup) error {
	q := logQuery(v.r)
	p := troubleshooting{Checkup: report, Query: q, Support: c.options.Support != nil, Doctor: c.options.Doctor != nil, Logs: c.options.Logs != nil}
	for _, l := range []string{"debug", "info", "warn", "error"} {
		p.Levels = append(p.Levels, Choice{l, l, l == q.Level})
	}
	if p.Logs {
		err := c.options.Logs(v.ctx(), q, func(l LogLine) error { p.Lines = append(p.Lines, l); return nil })
		if err != nil {
			p.Fault = faultText(err)
		}
	}
	return v.show("troubleshooting", p)
}

// faultText is an error and its advice.
func faultText(err error) string {
	text := err.Error()
	if h := interface{ Hint() string }(nil); errors.As(err, &h) && h.Hint() != "" {
		text += ". " + h.Hint()
	}
	return text
}

// logQuery reads which lines somebody wants to see. What is no number or level
// is as if it were not there.
func logQuery(r *http.Request) LogQuery {
	f := r.URL.Query()
	q := LogQuery{Level: f.Get("level"), Since: printable(f.Get("since"), 40), Contains: printable(f.Get("contains"), 200), Request: printable(f.Get("request"), 200)}
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, q.Level) {
		q.Level = "debug"
	}
	q.Lines, _ = strconv.Atoi(f.Get("lines")) // no number is 0
	if q.Lines <= 0 || q.Lines > mostLines {
		q.Lines = usualLines
	}
	return q
}

// runDoctor runs the checks: a script sees each finding as it comes, and others
// the whole page at the end.
func (c *console) runDoctor(v *visit) error {
	if c.options.Doctor == nil {
		return unavailable(v, "There are no checks here.")
	}
	if !v.live() {
		d, err := c.options.Doctor(v.ctx(), DoctorQuery{}, nil)
		if err != nil {
			return err
		}
		report := checkupOf(d)
		return c.showTroubleshooting(v, &report)
	}
	ctx, send, end, err := v.stream()
	if err != nil {
		return err
	}
	defer end()
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	seen := 0
	d, err := c.options.Doctor(ctx, DoctorQuery{}, func(f doctor.Finding) {
		html, err := v.html("troubleshooting", "finding", findingOf(entryOf(f)))
		if err == nil {
			seen++
			_ = send(map[string]any{"html": html}) // whoever has gone has ended ctx too
		}
	})
	if err != nil {
		return send(map[string]string{"error": faultText(err)})
	}
	report := checkupOf(d)
	html, err := v.html("troubleshooting", "checkup", &report)
	if err != nil {
		return send(map[string]string{"error": err.Error()})
	}
	_ = send(map[string]any{"html": html, "replace": true, "into": "#checkup", "say": report.Says}) // whoever has gone sees neither
	_ = send(map[string]any{"html": " ", "replace": true})
	return nil
}

// followLogs shows lines as they come.
func (c *console) followLogs(v *visit) error {
	if c.options.Logs == nil {
		return notFound()
	}
	q := logQuery(v.r)
	q.Follow = true
	ctx, send, end, err := v.stream()
	if err != nil {
		return err
	}
	defer end()
	err = c.options.Logs(ctx, q, func(l LogLine) error {
		html, err := v.html("troubleshooting", "log-line", l)
		if err != nil {
			return err
		}
		return send(map[string]string{"html": html})
	})
	if err != nil && ctx.Err() == nil {
		_ = send(map[string]string{"error": faultText(err)}) // it was the last
	}
	return nil
}

// support hands out the archive for a support case.
func (c *console) support(v *visit) error {
	if c.options.Support == nil {
		return notFound()
	}
	name, archive, err := c.options.Support(v.ctx())
	if err != nil {
		v.audit("support.download", "fault")
		return err
	}
	v.audit("support.download", "accepted", name)
	return v.download(name, "application/zip", archive)
}
