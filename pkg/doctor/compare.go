package doctor

import (
	"cmp"
	"slices"
	"time"
)

// Changes is what is otherwise than in an earlier report.
type Changes struct {
	Since  time.Time `json:"since"` // when the earlier one was made
	Checks []Change  `json:"checks"`
}

// What has become of a check.
const (
	NewlyFailed = "failed"  // it had not failed before
	NowMended   = "mended"  // it had failed, or was waived, and passes
	IsNew       = "new"     // the earlier report knows no such check
	IsGone      = "gone"    // this report knows no such check
	IsOther     = "changed" // any other: it is skipped now, or waived
)

// A Change is one check that came out otherwise.
type Change struct {
	ID     ID     `json:"id"`
	What   string `json:"what"`
	Before Status `json:"before"` // "" when the check is new
	After  Status `json:"after"`  // "" when it is gone
}

// Compare says what has changed from one report to the next, failures first.
func Compare(before, after Document) Changes {
	changes := Changes{Since: before.Started, Checks: []Change{}}
	was := map[ID]Status{}
	for _, e := range before.Checks {
		was[e.ID] = e.Status
	}
	for _, e := range after.Checks {
		old, known := was[e.ID]
		delete(was, e.ID)
		if c := (Change{e.ID, what(old, e.Status, known), old, e.Status}); c.What != "" {
			changes.Checks = append(changes.Checks, c)
		}
	}
	for _, e := range before.Checks {
		if old, left := was[e.ID]; left {
			delete(was, e.ID) // a file may name one twice
			changes.Checks = append(changes.Checks, Change{e.ID, IsGone, old, ""})
		}
	}
	order := []string{NewlyFailed, NowMended, IsOther, IsNew, IsGone}
	slices.SortStableFunc(changes.Checks, func(a, b Change) int {
		return cmp.Compare(slices.Index(order, a.What), slices.Index(order, b.What))
	})
	return changes
}

func what(old, now Status, known bool) string {
	switch {
	case !known:
		return IsNew
	case old == now:
		return ""
	case now == Failed:
		return NewlyFailed
	case now == Passed && (old == Failed || old == Waived):
		return NowMended
	}
	return IsOther
}
