package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// told returns a finding of a report by its check.
func told(t *testing.T, r Report, id ID) Finding {
	t.Helper()
	for _, f := range r.Findings {
		if f.Check.ID == id {
			return f
		}
	}
	t.Fatalf("no finding of %s", id)
	return Finding{}
}

func answer(o Outcome) func(context.Context, *Env) Outcome {
	return func(context.Context, *Env) Outcome { return o }
}

func TestRootCausesOnly(t *testing.T) {
	checks := []Check{
		{ID: "a.root", Severity: Blocks, Probe: answer(Fail("broken")), Remedy: "Mend it.", Command: "mend"},
		{ID: "a.child", Needs: []ID{"a.root"}, Probe: answer(Pass(""))},
		{ID: "a.grandchild", Needs: []ID{"a.child"}, Probe: answer(Pass(""))},
		{ID: "a.absent", Probe: answer(Skip("not here"))},
		{ID: "a.free", Needs: []ID{"a.absent", "a.unlisted"}, Probe: answer(Pass("seen"))},
		{ID: "a.elsewhere", OS: []string{"plan9"}, Probe: func(context.Context, *Env) Outcome { panic("asked") }},
	}
	var seen []ID
	r := Run(t.Context(), &Env{OS: "linux"}, checks, nil, func(f Finding) { seen = append(seen, f.Check.ID) })
	for id, want := range map[ID]Outcome{
		"a.root":       {Status: Failed, Detail: "broken", Remedy: "Mend it.", Command: "mend"},
		"a.child":      {Status: Skipped, Detail: "it needs a.root, which failed"},
		"a.grandchild": {Status: Skipped, Detail: "it needs a.child, which was held back because a.root failed"},
		"a.absent":     {Status: Skipped, Detail: "not here"},
		"a.free":       {Status: Passed, Observed: "seen"},
		"a.elsewhere":  {Status: Skipped, Detail: "it is a matter of plan9 alone"},
	} {
		if got := told(t, r, id).Outcome; got != want {
			t.Errorf("%s: %+v, want %+v", id, got, want)
		}
	}
	for i, f := range r.Findings {
		if f.Check.ID != checks[i].ID {
			t.Errorf("finding %d is of %s", i, f.Check.ID)
		}
	}
	if len(seen) != len(checks) {
		t.Errorf("seen %v", seen)
	}
	if !r.Blocked() || r.Verdict() != Blocked {
		t.Errorf("verdict %s", r.Verdict())
	}
}

func TestVerdict(t *testing.T) {
	blocks, warns := Check{ID: "a.b", Severity: Blocks}, Check{ID: "a.w", Severity: Warns}
	for _, tt := range []struct {
		blocks, warns Status
		want          Verdict
	}{
		{Passed, Passed, AllPassed}, {Skipped, Skipped, AllPassed}, {Waived, Waived, AllPassed},
		{Passed, Failed, Warned}, {Failed, Passed, Blocked}, {Failed, Failed, Blocked}, {Waived, Failed, Warned},
	} {
		r := Report{Findings: []Finding{{Check: &warns, Outcome: Outcome{Status: tt.warns}}, {Check: &blocks, Outcome: Outcome{Status: tt.blocks}}}}
		if got := r.Verdict(); got != tt.want {
			t.Errorf("blocks %s, warns %s: %s, want %s", tt.blocks, tt.warns, got, tt.want)
		}
	}
}

func TestWaivedCheckHoldsBack(t *testing.T) {
	day := time.Date(2026, 12, 31, 0, 0, 0, 0, time.UTC)
	checks := []Check{
		{ID: "a.root", Severity: Blocks, Probe: answer(Fail("broken")), Remedy: "Mend it."},
		{ID: "a.child", Needs: []ID{"a.root"}, Probe: answer(Fail("broken too"))},
		{ID: "a.well", Probe: answer(Pass(""))},
		{ID: "a.late", Severity: Warns, Probe: answer(Fail("broken"))},
	}
	waivers := []Waiver{
		{"a.root", "known", day}, {"a.root", "older", day.AddDate(0, -1, 0)}, {"a.well", "needless", day}, {"a.late", "forgotten", day.AddDate(0, 0, -2)},
	}
	now := day.Add(24*time.Hour - time.Second) // the last second of the last day
	r := Run(t.Context(), &Env{Now: func() time.Time { return now }}, checks, waivers, nil)
	if f := told(t, r, "a.root"); f.Status != Waived || f.Waiver == nil || f.Waiver.Reason != "known" || f.Remedy != "Mend it." {
		t.Errorf("%+v", f)
	}
	if f := told(t, r, "a.child"); f.Status != Skipped || f.Detail != "it needs a.root, which failed and is waived" {
		t.Errorf("%+v", f)
	}
	if f := told(t, r, "a.well"); f.Status != Passed || f.Waiver != nil {
		t.Errorf("%+v", f)
	}
	if f := told(t, r, "a.late"); f.Status != Failed || f.Waiver != nil {
		t.Errorf("%+v", f)
	}
	expired := func(notes []string, id string) bool {
		return slices.ContainsFunc(notes, func(n string) bool { return strings.Contains(n, "the waiver of "+id+" expired on ") })
	}
	if r.Verdict() != Warned || len(r.Notes) != 2 || !expired(r.Notes, "a.late") || !expired(r.Notes, "a.root") {
		t.Errorf("%s, notes %q", r.Verdict(), r.Notes)
	}
	now = day.AddDate(0, 0, 1)
	if r = Run(t.Context(), &Env{Now: func() time.Time { return now }}, checks, waivers, nil); !r.Blocked() || len(r.Notes) != 4 {
		t.Errorf("the day after: %s, notes %q", r.Verdict(), r.Notes)
	}
}

func TestIndependentChecksRunAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var now, most atomic.Int32
		var checks []Check
		for i := range 3 * atOnce {
			checks = append(checks, Check{ID: ID(fmt.Sprintf("a.%d", i)), Probe: func(context.Context, *Env) Outcome {
				most.Store(max(most.Load(), now.Add(1)))
				time.Sleep(time.Second)
				now.Add(-1)
				return Pass("")
			}})
		}
		r := Run(t.Context(), &Env{}, checks, nil, nil)
		if r.Verdict() != AllPassed || r.Took != 3*time.Second || most.Load() != atOnce {
			t.Errorf("%s in %s, %d at once", r.Verdict(), r.Took, most.Load())
		}
	})
}

func TestHangingCheckIsLeftBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		defer close(release)
		checks := []Check{
			{ID: "a.deaf", Probe: func(ctx context.Context, _ *Env) Outcome {
				At(ctx, "dial %s", "dc1:636")
				<-release // whatever the context says
				return Pass("")
			}},
			{ID: "a.obedient", Timeout: 2 * time.Second, Probe: func(ctx context.Context, _ *Env) Outcome {
				<-ctx.Done()
				return Fail(ctx.Err().Error())
			}},
			{ID: "a.child", Needs: []ID{"a.deaf"}, Probe: answer(Pass(""))},
		}
		r := Run(t.Context(), &Env{}, checks, nil, nil)
		for id, want := range map[ID]string{
			"a.deaf":     "did not end within 10s; it hung at dial dc1:636",
			"a.obedient": "did not end within 2s; it hung at its beginning",
			"a.child":    "it needs a.deaf, which failed",
		} {
			if got := told(t, r, id).Detail; got != want {
				t.Errorf("%s: %q, want %q", id, got, want)
			}
		}
		if r.Took != 10*time.Second {
			t.Errorf("took %s", r.Took)
		}
	})
}

func TestWholeRunIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		defer close(release)
		var checks []Check
		for i := range atOnce + 1 {
			checks = append(checks, Check{ID: ID(fmt.Sprintf("a.%d", i)), Timeout: time.Hour, Severity: Blocks,
				Probe: func(context.Context, *Env) Outcome { <-release; return Pass("") }})
		}
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		r := Run(ctx, &Env{}, checks, nil, nil)
		if r.Took != 3*time.Second || !r.Blocked() {
			t.Errorf("%s after %s", r.Verdict(), r.Took)
		}
		var queued int
		for _, f := range r.Findings {
			if f.Status != Failed || !strings.HasPrefix(f.Detail, "did not end within 3s; it hung at ") {
				t.Errorf("%s: %s %q", f.Check.ID, f.Status, f.Detail)
			}
			if strings.HasSuffix(f.Detail, "the queue, before it began") {
				queued++
			}
		}
		if queued != 1 {
			t.Errorf("%d were in the queue", queued)
		}
	})
}

func TestInterruptedRunEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		r := Run(ctx, &Env{}, []Check{{ID: "a.a", Probe: func(ctx context.Context, _ *Env) Outcome {
			At(ctx, "the door")
			<-ctx.Done()
			return Pass("")
		}}}, nil, nil)
		// Whether the probe was heard or not, it is over.
		if f := r.Findings[0]; r.Took != time.Second || f.Status == Failed && f.Detail != "it was interrupted at the door" {
			t.Errorf("%s: %+v", r.Took, f.Outcome)
		}
	})
}

func TestPanicIsAFinding(t *testing.T) {
	r := Run(t.Context(), &Env{}, []Check{
		{ID: "a.broken", Severity: Blocks, Probe: func(ctx context.Context, _ *Env) Outcome {
			At(ctx, "the edge")
			panic(errors.New("fell"))
		}, Remedy: "Something else."},
		{ID: "a.well", Probe: answer(Pass(""))},
		{ID: "a.silent", Probe: answer(Outcome{})},
	}, nil, nil)
	if f := told(t, r, "a.silent"); f.Status != Failed || !strings.Contains(f.Detail, "the check itself is broken") {
		t.Errorf("no answer at all: %+v", f.Outcome)
	}
	f := told(t, r, "a.broken")
	if f.Status != Failed || f.Detail != "the check itself is broken, at the edge: fell" || !strings.Contains(f.Remedy, "Report this") {
		t.Errorf("%+v", f.Outcome)
	}
	if told(t, r, "a.well").Status != Passed {
		t.Error("the other check suffered")
	}
}

func TestTextsAreFitToBeShown(t *testing.T) {
	env := &Env{Hide: func(s string) string { return strings.ReplaceAll(s, "hunter2", "[hidden]") }}
	r := Run(t.Context(), env, []Check{{ID: "a.a", Probe: answer(Outcome{
		Status: Failed, Observed: "hunter2", Required: "\x1b[2Jhunter2", Detail: " one\r\ntwo\rthree \u202ehunter2\xff ", Remedy: "Say hunter2.", Command: "say\x00\nsay",
	})}}, nil, nil)
	want := Outcome{
		Status: Failed, Observed: "[hidden]", Required: "\uFFFD[2J[hidden]", Detail: "one\ntwo\uFFFDthree \uFFFD[hidden]\uFFFD",
		Remedy: "Say [hidden].", Command: "say\uFFFD say",
	}
	if got := r.Findings[0].Outcome; got != want {
		t.Errorf("%+q, want %+q", got, want)
	}
}
