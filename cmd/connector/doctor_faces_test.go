package main

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"ad-ldap-connector/pkg/doctor"
)

// nasty is in every text of the reports that are shown here: what each of the
// forms must not take for its own.
const nasty = "50% <b>&\"'|`*_[x](y): a,b @all ]]>\n::error::forged\n## forged\x1b"

// shownReport is a report in which checks came out in every way.
func shownReport() doctor.Document {
	entry := func(id doctor.ID, s doctor.Severity, status doctor.Status) doctor.Entry {
		e := doctor.Entry{
			ID: id, Group: id.Group(), Title: "Title of " + string(id), Severity: s, Status: status, Needs: []doctor.ID{}, TookMs: 1234,
			Observed: "observed " + nasty, Required: "required " + nasty, Detail: "detail " + nasty,
		}
		if status == doctor.Failed || status == doctor.Waived {
			e.Remedy, e.Command = "Remedy "+nasty, "command ``` "+nasty
		}
		if status == doctor.Waived {
			e.Waiver = &doctor.Excuse{Reason: "reason " + nasty, Until: "2026-12-31"}
		}
		return e
	}
	return doctor.Document{
		SchemaVersion: 1, Connector: doctor.Connector{Version: "1", OS: "linux", Arch: "amd64"},
		Started: time.Date(2026, 11, 22, 3, 4, 5, 0, time.UTC), TookMs: 2500, Result: doctor.Blocked,
		Checks: []doctor.Entry{
			entry("host.memory", doctor.Warns, doctor.Failed), entry("host.disk", doctor.Blocks, doctor.Passed),
			entry("config.valid", doctor.Blocks, doctor.Failed), entry("agent.keys", doctor.Blocks, doctor.Skipped),
			entry("agent.duplicate", doctor.Warns, doctor.Waived),
		},
		Notes: []string{"note " + nasty},
		Fixes: []doctor.Mended{
			{ID: "config.permissions", Says: "Mend", Done: true}, {ID: "host.disk", Says: "Mend", Error: "error " + nasty}, {ID: "host.cores", Says: "Mend"},
		},
		Changes: &doctor.Changes{Since: time.Unix(1e9, 0), Checks: []doctor.Change{
			{ID: "config.valid", What: doctor.NewlyFailed, Before: doctor.Passed, After: doctor.Failed}, {ID: "host.gone", What: doctor.IsGone, Before: doctor.Passed},
			{ID: "host.memory", What: doctor.IsNew, After: doctor.Failed},
		}},
	}
}

// junitAllows is what the XML schema of Jenkins' xUnit reader allows: the
// attributes and the children of each element. GitLab and GitHub's reporters
// read a part of it.
var junitAllows = map[string]struct{ attributes, children string }{
	"testsuites": {"name time tests failures disabled errors", "testsuite"},
	"testsuite":  {"name tests failures errors group time skipped timestamp hostname id package file log url version", "properties testcase system-out system-err"},
	"testcase":   {"name assertions time classname status class file line log group url", "skipped error failure system-out system-err"},
	"failure":    {"type message", ""},
	"skipped":    {"type message", ""},
	"system-out": {"", ""},
}

// readJUnit reads JUnit's XML as strictly as its schema has it, and returns for
// each case what it came to, and all text.
func readJUnit(t *testing.T, text string) (cases map[string]string, all string) {
	t.Helper()
	cases = map[string]string{}
	counted, said := map[string]int{}, map[string]int{}
	var above []string
	var name string
	d := xml.NewDecoder(strings.NewReader(text))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("%v in %s", err, text)
		}
		switch e := token.(type) {
		case xml.StartElement:
			rule, known := junitAllows[e.Name.Local]
			if len(above) > 0 && !slices.Contains(strings.Fields(junitAllows[above[len(above)-1]].children), e.Name.Local) || !known {
				t.Errorf("%s below %v", e.Name.Local, above)
			}
			attributes := map[string]string{}
			for _, a := range e.Attr {
				if attributes[a.Name.Local] = a.Value; !slices.Contains(strings.Fields(rule.attributes), a.Name.Local) {
					t.Errorf("%s has no attribute %s", e.Name.Local, a.Name.Local)
				}
				all += a.Value + "\n"
			}
			if took, ok := attributes["time"]; ok {
				if _, err := strconv.ParseFloat(took, 64); err != nil {
					t.Errorf("time %q", took)
				}
			}
			switch e.Name.Local {
			case "testsuite":
				for _, what := range []string{"tests", "failures", "skipped"} {
					n, err := strconv.Atoi(attributes[what])
					if err != nil {
						t.Error(err)
					}
					said[what] += n
				}
			case "testcase":
				name = attributes["name"]
				cases[name] = "passed"
				counted["tests"]++
			case "failure", "skipped":
				cases[name] = e.Name.Local + " " + attributes["message"]
				counted[map[string]string{"failure": "failures", "skipped": "skipped"}[e.Name.Local]]++
			}
			above = append(above, e.Name.Local)
		case xml.EndElement:
			above = above[:len(above)-1]
		case xml.CharData:
			all += string(e)
		}
	}
	if !maps.Equal(counted, said) {
		t.Errorf("it counts %v, and says %v", counted, said)
	}
	return cases, all
}

func TestDoctorJUnit(t *testing.T) {
	for _, warningsFail := range []bool{false, true} {
		var b bytes.Buffer
		if err := writeJUnit(&b, shownReport(), warningsFail); err != nil {
			t.Fatal(err)
		}
		cases, all := readJUnit(t, b.String())
		memory := "skipped warning, not so: Title of host.memory"
		if warningsFail {
			memory = "failure not so: Title of host.memory"
		}
		for name, want := range map[string]string{
			"host.memory": memory, "host.disk": "passed", "config.valid": "failure not so: Title of config.valid",
			"agent.keys": "skipped detail 50% <b>", "agent.duplicate": "skipped waived until 2026-12-31: reason 50%",
		} {
			if !strings.HasPrefix(cases[name], want) {
				t.Errorf("%s: %q, want %q", name, cases[name], want)
			}
		}
		if len(cases) != 5 || !strings.Contains(all, "detail:   detail 50% <b>&\"'|") || !strings.Contains(all, "to do:    Remedy 50%") {
			t.Errorf("%d cases in %s", len(cases), b.String())
		}
	}
}

func TestDoctorAnnotations(t *testing.T) {
	text := doctorAnnotations(shownReport())
	kinds := map[string]int{}
	for line := range strings.Lines(text) {
		command, rest, ok := strings.Cut(strings.TrimPrefix(line, "::"), " title=")
		if !ok {
			command = "plain"
		} else if title, message, ok := strings.Cut(rest, "::"); !ok || strings.ContainsAny(title, ":,") || strings.ContainsAny(message[:len(message)-1], "\r\n") {
			t.Errorf("badly escaped: %q", line)
		}
		kinds[command]++
	}
	if want := map[string]int{"error": 1, "warning": 2, "notice": 4, "plain": 1}; !maps.Equal(kinds, want) {
		t.Errorf("%v, want %v in\n%s", kinds, want, text)
	}
	for _, want := range []string{
		"::error title=config.valid%3A not so%3A Title of config.valid::",
		"50%25 <b>&\"'|`*_[x](y): a,b @all ]]>%0Aand:      ::error::forged%0A",
		"::notice title=agent.duplicate is waived::until 2026-12-31: reason 50%25 ",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
}

func TestDoctorMarkdown(t *testing.T) {
	text := doctorMarkdown(shownReport())
	rows, headings, fenced := 0, []string{}, ""
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case fenced != "":
			if line == fenced {
				fenced = ""
			}
			continue
		case strings.HasPrefix(line, "```"):
			fenced = line
			continue
		case strings.HasPrefix(line, "| `"):
			rows++
			if bare := strings.ReplaceAll(line, `\|`, ""); strings.Count(bare, "|") != 4 {
				t.Errorf("a row of other columns: %s", line)
			}
		case strings.HasPrefix(line, "#"):
			headings = append(headings, line)
		}
		if strings.Contains(line, "<b>") || strings.Contains(line, "@all") {
			t.Errorf("not escaped: %s", line)
		}
	}
	want := []string{"## connector doctor", "### config.valid: not so: Title of config.valid", "### host.memory: not so: Title of host.memory"}
	if rows != 5 || !slices.Equal(headings, want) || fenced != "" {
		t.Errorf("%d rows, headings %q in\n%s", rows, headings, text)
	}
	if !strings.Contains(text, "\n````\ncommand ``` ") {
		t.Errorf("the command ends its own fence:\n%s", text)
	}
}

func TestDoctorText(t *testing.T) {
	text := doctorText(shownReport(), false)
	if strings.Contains(text, "\x1b[") {
		t.Error("colours")
	}
	previous := 0
	for _, want := range []string{ // in this order
		"the connector cannot work like this: 1 failed, 1 warned, 1 waived, 1 passed, 1 skipped, in 2.5 s\n",
		"\nfailed   config.valid  not so: ", "\n         to do:    Remedy", "\n           command", "\nwarning  host.memory  not so: ",
		"\nThis machine\n  warning  host.memory            not so: Title of host.memory\n", "  passed   host.disk", "\nThe configuration\n  failed   config.valid",
		"  skipped  agent.keys             detail ", "  waived   agent.duplicate        until 2026-12-31: reason",
		"\nnote     note 50%", "config.permissions     Mend: done\n", "host.disk              Mend: not done: error 50%", "host.cores             Mend: not agreed to\n",
		"\nchanged since ", "  failed   config.valid           was passed, is failed\n", "  gone     host.gone              it was passed\n",
		"  new      host.memory            failed\n", "connector doctor --only config.valid,host.memory\n",
	} {
		at := strings.Index(text[previous:], want)
		if at < 0 {
			t.Fatalf("%q does not follow in\n%s", want, text)
		}
		previous += at
	}
	if colourful := doctorText(shownReport(), true); !strings.Contains(colourful, "\x1b[31") {
		t.Error("no colours")
	}
}

// askDoctor runs doctor in this process and returns its JSON, which must keep
// to the schema, and its status.
func askDoctor(t *testing.T, args ...string) (doctor.Document, int) {
	t.Helper()
	return askDoctorIn(t, nil, args...)
}

// askDoctorIn is askDoctor, in another environment.
func askDoctorIn(t *testing.T, environ []string, args ...string) (doctor.Document, int) {
	t.Helper()
	var out, complaints bytes.Buffer
	a := &app{stdin: strings.NewReader(""), stdout: &out, stderr: &complaints, environ: environ}
	cmd := newCommand(a)
	cmd.SetArgs(append([]string{"doctor", "-o", "json"}, args...))
	err := cmd.ExecuteContext(t.Context())
	d, bad := doctor.ParseDocument(out.Bytes())
	if bad != nil {
		t.Fatalf("doctor %v: %v, %v, %s", args, err, bad, &complaints)
	}
	v, bad := jsonschema.UnmarshalJSON(&out)
	if bad == nil {
		bad = doctorSchema(t).Validate(v)
	}
	if bad != nil {
		t.Errorf("doctor %v: %v", args, bad)
	}
	return d, exitCode(err, false)
}

func doctorSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(printed(t, "doctor", "--schema")))
	if err != nil {
		t.Fatal(err)
	}
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

// found returns what a report says of a check.
func found(t *testing.T, d doctor.Document, id doctor.ID) doctor.Entry {
	t.Helper()
	i := slices.IndexFunc(d.Checks, func(e doctor.Entry) bool { return e.ID == id })
	if i < 0 {
		t.Fatalf("nothing of %s", id)
	}
	return d.Checks[i]
}

// says is all that a report says of a check.
func says(e doctor.Entry) string {
	return fmt.Sprintf("%s: %s | %s | %s | %s", e.Status, e.Observed, e.Required, e.Detail, e.Remedy)
}

// jsonOf is any value as JSON.
func jsonOf(t *testing.T, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
