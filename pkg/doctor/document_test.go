package doctor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// strictly returns a validator of documents that allows nothing the schema
// does not describe: what the connector prints must all be published.
func strictly(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema()))
	if err != nil {
		t.Fatal(err)
	}
	var forbid func(any)
	forbid = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			for key, below := range v {
				if key != "allOf" {
					forbid(below)
				}
			}
			if v["type"] == "object" {
				v["additionalProperties"] = false
			}
		case []any:
			for _, below := range v {
				forbid(below)
			}
		}
	}
	forbid(doc)
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("report.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("report.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// published checks a document against the schema.
func published(t *testing.T, d Document) error {
	t.Helper()
	data, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return strictly(t).Validate(v)
}

// everyWay is a report in which checks came out in every way.
func everyWay(t *testing.T) Document {
	t.Helper()
	checks := []Check{
		{ID: "host.one", Title: "One", Severity: Blocks, Probe: answer(Pass("seen")), Remedy: "Mend."},
		{ID: "host.two", Title: "Two", Severity: Blocks, Probe: answer(Fail("a\nb")), Remedy: "Mend.", Command: "mend"},
		{ID: "host.three", Title: "Three", Severity: Warns, Needs: []ID{"host.two"}, Probe: answer(Pass(""))},
		{ID: "host.four", Title: "Four", Severity: Warns, Probe: answer(Fail("")), Remedy: "Mend."},
		{ID: "host.five", Title: "Five", Severity: Warns, Probe: func(context.Context, *Env) Outcome { panic("x") }, Remedy: "Mend."},
	}
	day := time.Now().AddDate(0, 1, 0).Truncate(24 * time.Hour)
	waivers := []Waiver{{"host.four", "known", day}, {"host.two", "forgotten", day.AddDate(-1, 0, 0)}}
	return Run(t.Context(), &Env{}, checks, waivers, nil).Document(Connector{"1.2.3", "linux", "amd64"})
}

func TestDocumentKeepsToTheSchema(t *testing.T) {
	d := everyWay(t)
	if err := published(t, d); err != nil {
		t.Error(err)
	}
	d.Fixes = []Mended{{ID: "host.one", Says: "Mend it", Error: "no"}}
	changes := Compare(Document{Started: time.Now(), Checks: []Entry{{ID: "host.one", Status: Failed}, {ID: "host.gone", Status: Passed}}}, d)
	d.Changes = &changes
	if err := published(t, d); err != nil {
		t.Error(err)
	}
	// The schema says something: what breaks the promise is refused.
	for name, spoil := range map[string]func(*Document){
		"no version":                  func(d *Document) { d.Connector.Version = "" },
		"another result":              func(d *Document) { d.Result = "fine" },
		"null for a list":             func(d *Document) { d.Checks = nil },
		"another status":              func(d *Document) { d.Checks[0].Status = "ok" },
		"waived without why":          func(d *Document) { d.Checks[3].Waiver = nil },
		"failed without a remedy":     func(d *Document) { d.Checks[1].Remedy = "" },
		"passed with a remedy":        func(d *Document) { d.Checks[0].Remedy = "Mend." },
		"skipped without why":         func(d *Document) { d.Checks[2].Detail = "" },
		"a waiver that never expires": func(d *Document) { d.Checks[3].Waiver.Until = "never" },
	} {
		d := everyWay(t)
		if spoil(&d); published(t, d) == nil {
			t.Errorf("%s: it is allowed", name)
		}
	}
}

func TestDocumentIsReadAgain(t *testing.T) {
	d := everyWay(t)
	data, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	got, err := ParseDocument(append([]byte("\xef\xbb\xbf"), data...))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(d, got); diff != "" {
		t.Error(diff)
	}
	if c := Compare(d, got); len(c.Checks) != 0 {
		t.Errorf("changes %+v", c)
	}
	for _, text := range []string{
		"", "x", "[]", "{}", `{"schemaVersion":2}`, `{"schemaVersion":1}`, `{"schemaVersion":1,"checks":3}`, string(data[:len(data)/2]),
		`{"schemaVersion":1,"started":"2026-01-01T00:00:00Z","checks":[{"id":"a.b","status":"fine"}]}`,
		`{"schemaVersion":1,"started":"2026-01-01T00:00:00Z","checks":[{"status":"passed"}]}`,
		`{"schemaVersion":1,"started":"2026-01-01T00:00:00Z"}`,
	} {
		if _, err := ParseDocument([]byte(text)); err == nil || !strings.Contains(err.Error(), "it is no report of doctor") {
			t.Errorf("%.60q: %v", text, err)
		}
	}
}

func TestCompare(t *testing.T) {
	doc := func(statuses string) (d Document) {
		for _, s := range strings.Fields(statuses) {
			id, status, _ := strings.Cut(s, "=")
			d.Checks = append(d.Checks, Entry{ID: ID(id), Status: Status(status)})
		}
		return d
	}
	got := Compare(
		doc("a=passed b=failed c=waived d=skipped e=passed f=failed g=passed h=passed same=failed gone=failed gone=passed"),
		doc("new=passed a=failed b=passed c=passed d=failed e=skipped f=waived g=waived h=passed same=failed"))
	var lines []string
	for _, c := range got.Checks {
		lines = append(lines, string(c.ID)+" "+c.What+" "+string(c.Before)+">"+string(c.After))
	}
	want := []string{
		"a failed passed>failed", "d failed skipped>failed", "b mended failed>passed", "c mended waived>passed",
		"e changed passed>skipped", "f changed failed>waived", "g changed passed>waived", "new new >passed", "gone gone passed>",
	}
	if !slices.Equal(lines, want) {
		t.Errorf("%q, want %q", lines, want)
	}
}

func TestMend(t *testing.T) {
	var done []ID
	fix := func(id ID, err error) *Fix {
		return &Fix{Says: "Mend " + string(id), Do: func(context.Context, *Env) error { done = append(done, id); return err }}
	}
	checks := []Check{
		{ID: "a.well", Probe: answer(Pass("")), Fix: fix("a.well", nil)},
		{ID: "a.none", Probe: answer(Fail(""))},
		{ID: "a.agreed", Probe: answer(Fail("")), Fix: fix("a.agreed", nil)},
		{ID: "a.declined", Probe: answer(Fail("")), Fix: fix("a.declined", nil)},
		{ID: "a.stuck", Probe: answer(Fail("")), Fix: fix("a.stuck", errors.New("hunter2 is no owner"))},
		{ID: "a.broken", Probe: answer(Fail("")), Fix: &Fix{Says: "Break", Do: func(context.Context, *Env) error { panic("x") }}},
	}
	env := &Env{Hide: func(s string) string { return strings.ReplaceAll(s, "hunter2", "[hidden]") }}
	r := Run(t.Context(), env, checks, nil, nil)
	got, err := Mend(t.Context(), env, r, func(c Check, _ Planned) (bool, error) { return c.ID != "a.declined", nil })
	want := []Mended{
		{"a.agreed", "Mend a.agreed", true, ""}, {"a.declined", "Mend a.declined", false, ""},
		{"a.stuck", "Mend a.stuck", false, "[hidden] is no owner"}, {"a.broken", "Break", false, "the fix itself is broken: x"},
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	if !slices.Equal(done, []ID{"a.agreed", "a.stuck"}) {
		t.Errorf("done %v", done)
	}
	stop := errors.New("interrupted")
	if got, err := Mend(t.Context(), env, r, func(Check, Planned) (bool, error) { return false, stop }); !errors.Is(err, stop) || len(got) != 0 {
		t.Errorf("%v, %v", got, err)
	}
}

func FuzzParseDocument(f *testing.F) {
	f.Add([]byte(`{"schemaVersion":1,"started":"2026-01-01T00:00:00Z","checks":[{"id":"a.b","status":"passed"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := ParseDocument(data)
		if err != nil {
			return
		}
		if c := Compare(d, d); len(c.Checks) > len(d.Checks) {
			t.Errorf("more changes than checks: %+v", c)
		}
	})
}
