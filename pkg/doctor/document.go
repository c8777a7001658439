package doctor

import (
	"bytes"
	_ "embed" // for the schema
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// SchemaVersion is what documents of this form say. They may grow without a
// new one.
const SchemaVersion = 1

//go:embed report.schema.json
var schema []byte

// Schema returns the JSON Schema (draft 2020-12) of a Document.
func Schema() []byte { return schema }

// A Document is a report as programs read it, and as it is kept.
type Document struct {
	SchemaVersion int       `json:"schemaVersion"`
	Connector     Connector `json:"connector"`
	Started       time.Time `json:"started"`
	TookMs        int64     `json:"tookMs"`
	Result        Verdict   `json:"result"`
	Checks        []Entry   `json:"checks"`
	Notes         []string  `json:"notes"`

	Fixes   []Mended `json:"fixes,omitempty"`   // when it was asked to mend
	Changes *Changes `json:"changes,omitempty"` // when it was held against another
}

// A Connector is the program that made a report.
type Connector struct {
	Version string `json:"version"`
	OS      string `json:"os"`
	Arch    string `json:"arch"`
}

// An Entry is one finding.
type Entry struct {
	ID       ID       `json:"id"`
	Group    string   `json:"group"`
	Title    string   `json:"title"`
	Severity Severity `json:"severity"`
	Status   Status   `json:"status"`
	Observed string   `json:"observed"`
	Required string   `json:"required"`
	Detail   string   `json:"detail"`
	Remedy   string   `json:"remedy"`
	Command  string   `json:"command"`
	Needs    []ID     `json:"needs"`
	TookMs   int64    `json:"tookMs"`

	Waiver *Excuse `json:"waiver,omitempty"`
}

// An Excuse is the waiver of one check.
type Excuse struct {
	Reason string `json:"reason"`
	Until  string `json:"until"` // the last day, YYYY-MM-DD
}

// A Mended says what came of the fix of one check.
type Mended struct {
	ID    ID     `json:"id"`
	Says  string `json:"says"`
	Done  bool   `json:"done"`
	Error string `json:"error"` // why not; "" too when nobody agreed to it
}

// Document returns the report in the form for programs.
func (r Report) Document(by Connector) Document {
	d := Document{
		SchemaVersion: SchemaVersion, Connector: by, Started: r.Started.UTC(), TookMs: r.Took.Milliseconds(),
		Result: r.Verdict(), Checks: []Entry{}, Notes: append([]string{}, r.Notes...),
	}
	for _, f := range r.Findings {
		e := Entry{
			ID: f.Check.ID, Group: f.Check.ID.Group(), Title: f.Check.Title, Severity: f.Check.Severity,
			Status: f.Status, Observed: f.Observed, Required: f.Required, Detail: f.Detail,
			Remedy: f.Remedy, Command: f.Command, Needs: append([]ID{}, f.Check.Needs...), TookMs: f.Took.Milliseconds(),
		}
		if f.Waiver != nil {
			e.Waiver = &Excuse{f.Waiver.Reason, f.Waiver.Until.Format(time.DateOnly)}
		}
		d.Checks = append(d.Checks, e)
	}
	return d
}

// ParseDocument reads a report that was kept. What another program made, or a
// newer connector in another form, is an error.
func ParseDocument(data []byte) (Document, error) {
	var d Document
	var form struct{ SchemaVersion int }
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if err := json.Unmarshal(data, &form); err != nil {
		return d, fmt.Errorf("it is no report of doctor: %w", err)
	}
	if form.SchemaVersion != SchemaVersion {
		return d, fmt.Errorf("it is no report of doctor in form %d: its schemaVersion is %d", SchemaVersion, form.SchemaVersion)
	}
	if err := json.Unmarshal(data, &d); err != nil {
		return d, fmt.Errorf("it is no report of doctor: %w", err)
	}
	if d.Checks == nil || d.Started.IsZero() {
		return d, errors.New("it is no report of doctor: there are no checks in it")
	}
	for _, e := range d.Checks {
		if e.ID == "" || !slices.Contains([]Status{Passed, Failed, Skipped, Waived}, e.Status) {
			return d, fmt.Errorf("it is no report of doctor: a check %q has the status %q", e.ID, e.Status)
		}
	}
	return d, nil
}
