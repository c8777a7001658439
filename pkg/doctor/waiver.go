package doctor

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// A Waiver says that a check's failure is known, why, and until which day it
// may be. The last day is included, in UTC.
type Waiver struct {
	ID     ID
	Reason string
	Until  time.Time // the day at 00:00 UTC
}

// ParseWaiver reads "ID=reason@YYYY-MM-DD". The ID must be a check's of the
// catalogue.
func ParseWaiver(text string) (Waiver, error) {
	id, rest, ok := strings.Cut(text, "=")
	at := strings.LastIndexByte(rest, '@')
	if !ok || at < 0 {
		return Waiver{}, fmt.Errorf("waive %q: write it as ID=reason@YYYY-MM-DD", text)
	}
	return newWaiver(id, rest[:at], rest[at+1:])
}

// ParseWaivers reads waivers.json: a list of objects with id, reason and until.
// Waivers that are good are returned beside the error that names all others.
func ParseWaivers(data []byte) ([]Waiver, error) {
	d := json.NewDecoder(bytes.NewReader(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))))
	d.DisallowUnknownFields()
	var entries []struct{ ID, Reason, Until string }
	if err := d.Decode(&entries); err != nil {
		return nil, fmt.Errorf(`write it as [{"id":"host.memory","reason":"why","until":"2026-12-31"}]: %w`, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is more than one list in it")
	}
	var waivers []Waiver
	var faults []error
	for i, e := range entries {
		w, err := newWaiver(e.ID, e.Reason, e.Until)
		if err != nil {
			faults = append(faults, fmt.Errorf("entry %d: %w", i+1, err))
			continue
		}
		waivers = append(waivers, w)
	}
	return waivers, errors.Join(faults...)
}

func newWaiver(id, reason, until string) (Waiver, error) {
	w := Waiver{ID: ID(strings.TrimSpace(id)), Reason: plain(strings.ReplaceAll(reason, "\n", " "))}
	if find(Checks, w.ID) == nil {
		return w, fmt.Errorf("waive %w", unknown(string(w.ID), Checks))
	}
	if w.Reason == "" {
		return w, fmt.Errorf("waive %s: say why, as in %s=reason@%s", w.ID, w.ID, until)
	}
	day, err := time.Parse(time.DateOnly, strings.TrimSpace(until))
	if err != nil {
		return w, fmt.Errorf("waive %s: %q is no day; write it as YYYY-MM-DD", w.ID, until)
	}
	w.Until = day
	return w, nil
}

// Holds reports whether the waiver has not expired.
func (w Waiver) Holds(now time.Time) bool { return now.Before(w.Until.AddDate(0, 0, 1)) }

// sortWaivers returns the waivers that hold, by check, and a note for each that
// has expired. Of several for one check the one that holds longest counts.
func sortWaivers(waivers []Waiver, now time.Time) (live map[ID]Waiver, notes []string) {
	live = map[ID]Waiver{}
	for _, w := range waivers {
		if !w.Holds(now) {
			notes = append(notes, fmt.Sprintf("the waiver of %s expired on %s and is ignored: %s", w.ID, w.Until.Format(time.DateOnly), w.Reason))
		} else if w.Until.After(live[w.ID].Until) {
			live[w.ID] = w
		}
	}
	return live, notes
}

// waive excuses a failure that there is a waiver for. What needs the check is
// held back all the same: it would fail for the same cause.
func (f *Finding) waive(live map[ID]Waiver) {
	if w, ok := live[f.Check.ID]; ok && f.Status == Failed {
		f.Status, f.Waiver = Waived, &w
	}
}
