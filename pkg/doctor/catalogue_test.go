package doctor

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

var goodID = regexp.MustCompile(`^[a-z]+\.[a-z]+(-[a-z]+)*$`)

// The catalogue is data: this is what keeps it honest.
func TestCatalogue(t *testing.T) {
	known := map[ID]bool{}
	for _, c := range Checks {
		if !goodID.MatchString(string(c.ID)) {
			t.Errorf("%s: write an id as group.some-thing", c.ID)
		}
		if known[c.ID] {
			t.Errorf("%s: twice", c.ID)
		}
		for _, need := range c.Needs {
			if !known[need] {
				t.Errorf("%s: needs %s, which does not stand above it", c.ID, need)
			}
		}
		known[c.ID] = true
		if !slices.ContainsFunc(Groups, func(g Group) bool { return g.Name == c.ID.Group() }) {
			t.Errorf("%s: its group has no heading", c.ID)
		}
		if c.Title == "" || strings.HasSuffix(c.Title, ".") || len(c.Title) > 65 || strings.ToUpper(c.Title[:1]) != c.Title[:1] {
			t.Errorf("%s: title %q: say what holds, in at most 65 letters, without a full stop", c.ID, c.Title)
		}
		if c.Severity != Blocks && c.Severity != Warns {
			t.Errorf("%s: severity %q", c.ID, c.Severity)
		}
		if c.Probe == nil {
			t.Errorf("%s: no probe", c.ID)
		}
		if !strings.HasSuffix(c.Remedy, ".") || strings.Contains(c.Remedy, "\n") {
			t.Errorf("%s: remedy %q: write one sentence", c.ID, c.Remedy)
		}
		if c.Fix != nil && (c.Fix.Says == "" || strings.HasSuffix(c.Fix.Says, ".") || (c.Fix.Do == nil) == (c.Fix.Plan == nil)) {
			t.Errorf("%s: a fix that does not say what it does, or does nothing", c.ID)
		}
		if c.Timeout < 0 || c.Timeout > 2*DefaultTimeout {
			t.Errorf("%s: timeout %s", c.ID, c.Timeout)
		}
	}
}

// TestNothingGiven runs the whole catalogue over an Env that has nothing: no
// probe may stumble over what is left out, nor find fault with it.
func TestNothingGiven(t *testing.T) {
	for _, os := range []string{"linux", "windows", "darwin"} {
		for _, f := range Run(t.Context(), &Env{OS: os}, Checks, nil, nil).Findings {
			outcomes.note(f.Check.ID, f.Status)
			if f.Status != Skipped || f.Detail == "" {
				t.Errorf("%s, %s: %s %q", os, f.Check.ID, f.Status, f.Detail)
			}
		}
	}
}

func ids(checks []Check) (all []string) {
	for _, c := range checks {
		all = append(all, string(c.ID))
	}
	return all
}

func TestSelect(t *testing.T) {
	checks := []Check{{ID: "a.one"}, {ID: "a.two", Needs: []ID{"a.one"}}, {ID: "b.three", Needs: []ID{"a.two"}}, {ID: "b.four"}}
	for _, tt := range []struct{ only, skip, want string }{
		{"", "", "a.one a.two b.three b.four"},
		{"b.four", "", "b.four"},
		{"b.three", "", "a.one a.two b.three"},
		{"b.three", "a.one", "a.two b.three"},
		{"b", "", "a.one a.two b.three b.four"},
		{"", "a", "b.three b.four"},
		{"a.one", "a.one", ""},
	} {
		got, err := Select(checks, strings.Fields(tt.only), strings.Fields(tt.skip))
		if err != nil || strings.Join(ids(got), " ") != tt.want {
			t.Errorf("only %q, skip %q: %v, %v; want %s", tt.only, tt.skip, ids(got), err, tt.want)
		}
	}
}

func TestUnknownCheckNamesTheNearest(t *testing.T) {
	for name, want := range map[string]ID{
		"agent.key": "agent.keys", "agent.kyes": "agent.keys", "AGENT.KEYS": "agent.keys", "keys": "agent.keys", "config.permission": "config.permissions",
		"": "", "printer": "", strings.Repeat("agent.keys", 1000): "",
	} {
		_, err := Lookup(name)
		unknown, ok := err.(*UnknownError)
		if !ok || unknown.Nearest != want || unknown.Hint() == "" {
			t.Errorf("%.40q: %v, nearest %q; want %q", name, err, unknown.Nearest, want)
		}
		if _, err := Select(Checks, nil, []string{name}); err == nil {
			t.Errorf("%.40q can be skipped", name)
		}
	}
	if c, err := Lookup("agent.keys"); err != nil || c.ID != "agent.keys" {
		t.Errorf("%v, %v", c, err)
	}
}
