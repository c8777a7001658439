package doctor

import (
	"fmt"
	"slices"
	"strings"
)

// Select returns the checks that only names, with all that these need, or all
// checks when only is empty; less those that skip names. A group's name stands
// for its checks. What a skipped check was needed for is asked all the same.
// The error names the id that is not known, and the one that was probably
// meant.
func Select(checks []Check, only, skip []string) ([]Check, error) {
	wanted, err := named(checks, only)
	if err != nil {
		return nil, err
	}
	unwanted, err := named(checks, skip)
	if err != nil {
		return nil, err
	}
	for _, c := range slices.Backward(checks) { // needs stand above their users
		if wanted[c.ID] {
			for _, need := range c.Needs {
				wanted[need] = true
			}
		}
	}
	return slices.DeleteFunc(slices.Clone(checks), func(c Check) bool {
		return unwanted[c.ID] || len(only) > 0 && !wanted[c.ID]
	}), nil
}

func named(checks []Check, names []string) (map[ID]bool, error) {
	set := map[ID]bool{}
	for _, name := range names {
		known := false
		for _, c := range checks {
			if string(c.ID) == name || c.ID.Group() == name {
				known, set[c.ID] = true, true
			}
		}
		if !known {
			return nil, unknown(name, checks)
		}
	}
	return set, nil
}

// Lookup returns the check of an id, or an error that names the nearest one.
func Lookup(id string) (*Check, error) {
	if c := find(Checks, ID(id)); c != nil {
		return c, nil
	}
	return nil, unknown(id, Checks)
}

func find(checks []Check, id ID) *Check {
	if i := slices.IndexFunc(checks, func(c Check) bool { return c.ID == id }); i >= 0 {
		return &checks[i]
	}
	return nil
}

// An UnknownError says that there is no check of that name.
type UnknownError struct {
	Name    string
	Nearest ID // "" when none is near
}

func (e *UnknownError) Error() string {
	return fmt.Sprintf("%q: there is no such check", e.Name)
}

// Hint names the check that was probably meant.
func (e *UnknownError) Hint() string {
	if e.Nearest == "" {
		return "see the catalogue: connector doctor --list"
	}
	return fmt.Sprintf("did you mean %s? the catalogue: connector doctor --list", e.Nearest)
}

func unknown(name string, checks []Check) error {
	e := &UnknownError{Name: name}
	best := max(3, len(name)/2) // farther off it was no slip of the finger
	for _, c := range checks {
		id := string(c.ID)
		d := distance(strings.ToLower(name), id)
		if _, bare, _ := strings.Cut(id, "."); bare == name {
			d = 0 // the group was left out
		}
		if d < best {
			best, e.Nearest = d, c.ID
		}
	}
	return e
}

// distance is how many characters must be put in, taken out or replaced to
// make one text of the other. An endless text is far from everything.
func distance(a, b string) int {
	if len(a) > 100 {
		return len(a)
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		corner := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			corner, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, corner+cost)
		}
	}
	return row[len(b)]
}
