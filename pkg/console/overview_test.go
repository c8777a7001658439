package console

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"ad-ldap-connector/pkg/agent"
	"ad-ldap-connector/pkg/doctor"
)

// logsFor shows lines, and then waits if it is to follow.
func logsFor(messages ...string) func(context.Context, LogQuery, func(LogLine) error) error {
	return func(ctx context.Context, q LogQuery, show func(LogLine) error) error {
		at := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
		for _, m := range messages {
			if err := show(LogLine{Time: &at, Level: "warn", Message: m, Attributes: map[string]string{"user": m}}); err != nil {
				return err
			}
		}
		if q.Follow {
			<-ctx.Done()
		}
		return nil
	}
}

// busy is an hour with logins in it.
func busy(w *wristwatch) *Series {
	s := NewSeries(w.now)
	w.pass(-time.Hour)
	for i := range spans {
		w.pass(spanOf)
		if i%17 == 3 {
			continue
		}
		for k := range 3 + i%5 {
			outcome := "accepted"
			if k == 4 && i%2 == 0 {
				outcome = "refused"
			}
			ms := time.Duration(4+(i*7+k*13)%23) * time.Millisecond
			s.Answered(Login{At: w.now(), User: "alice", Outcome: outcome, Took: 2 * ms, Reason: "wrong_password", Stages: []Stage{{"find", ms / 2}, {"bind", ms}, {"groups", ms / 3}, {"map", ms / 10}}})
		}
		s.Clock(time.Duration(i-100) * time.Millisecond)
	}
	return s
}

// TestSeries: an hour is kept, and not more.
func TestSeries(t *testing.T) {
	t.Parallel()
	w := newWristwatch()
	s := busy(w)
	sum := func() (n int) {
		for _, p := range s.Points() {
			n += p.Accepted + p.Refused + p.Faulted
		}
		return n
	}
	all := sum()
	points := s.Points()
	last := points[len(points)-1]
	if len(points) != spans || all < 400 || !last.Measured || last.Clock != 19*time.Millisecond {
		t.Errorf("%d points, %d logins, the last %+v", len(points), all, last)
	}
	if p := last; p.P50[0] < p.P50[2] || p.P99[0] < p.P50[0] || p.P50[2] < 2*time.Millisecond || p.P99[0] > 100*time.Millisecond {
		t.Errorf("the last span: %v, %v", p.P50, p.P99)
	}
	for range refused {
		s.Answered(Login{Outcome: "fault"})
	}
	if n := len(s.Unwell()); n != refused || s.Unwell()[0].Outcome != "fault" {
		t.Errorf("%d refusals and faults are kept", n)
	}
	w.pass(30 * time.Minute)
	if half := sum(); half < all/3 || half > all*3/4 {
		t.Errorf("half an hour later: %d of %d", half, all)
	}
	w.pass(31 * time.Minute)
	if n := sum(); n != 0 {
		t.Errorf("an hour later: %d", n)
	}
}

func TestTally(t *testing.T) {
	t.Parallel()
	var c tally
	if c.quantile(0.5) != 0 {
		t.Error("half of nothing")
	}
	for i := range 1000 {
		c.add(time.Duration(i) * time.Millisecond)
	}
	for q, want := range map[float64]time.Duration{0.5: 500 * time.Millisecond, 0.99: 990 * time.Millisecond} {
		if got := c.quantile(q); got < want || float64(got) > float64(want)*tallyStep {
			t.Errorf("%g: %s, want %s or up to a third more", q, got, want)
		}
	}
	c.add(-time.Second)
	c.add(24 * time.Hour)
}

// TestOverview shows an hour, and what it says is text.
func TestOverview(t *testing.T) {
	t.Parallel()
	w := newWristwatch()
	s := busy(w)
	for _, x := range xssCorpus {
		s.Answered(Login{At: w.now(), User: x, Outcome: "refused", Reason: x, Server: x, Took: time.Millisecond})
	}
	offset := 12 * time.Millisecond
	v := newVisitor(t, Options{Overview: func() Overview {
		return Overview{
			Connection: xssCorpus[0], Tenant: xssCorpus[1], Instance: xssCorpus[2], Points: s.Points(), Unwell: s.Unwell(), Clock: &offset,
			Health: []agent.Health{{Part: "hub", State: agent.OK, Since: w.now()}, {Part: "directory", State: agent.Down, Detail: xssCorpus[3], Since: w.now()}},
			Peers:  []Peer{{Name: xssCorpus[4], Health: agent.OK, Self: true}, {Address: xssCorpus[5], Health: agent.Down, Fault: xssCorpus[1]}}, Warned: []string{xssCorpus[0]},
		}
	}})
	code, body := v.get("/")
	if code != http.StatusOK {
		t.Fatalf("%d %s", code, body)
	}
	checkEscaped(t, body)
	for _, want := range []string{`class="p50"`, `class="p99"`, `class="accepted"`, `class="refused"`, "Whole login", "Try the password", "&#43;12 ms", "Find out why the directory is down", `<time datetime="2026-`, "&lt;script&gt;alert(1)"} {
		if !strings.Contains(body, want) {
			t.Errorf("%s is not in the page", want)
		}
	}
	if strings.Contains(body, "NaN") || strings.Contains(body, "Inf") || strings.Contains(body, "ZgotmplZ") || strings.Contains(body, "e+") {
		t.Error("a number is none")
	}
	if _, live := v.get("/live"); strings.Contains(live, "<html") || !strings.Contains(live, "Recent refusals") {
		t.Error("the part that is loaded again is not a part")
	}
}

// TestEmptyOverview says what to do first.
func TestEmptyOverview(t *testing.T) {
	t.Parallel()
	v := newVisitor(t, Options{Overview: func() Overview {
		return Overview{Points: NewSeries(time.Now).Points(), NoPassword: true}
	}})
	_, body := v.get("/")
	for _, want := range []string{"Enter the ticket", "No logins in this hour.", "Nobody was refused", "No other nodes are known", "Not compared in this hour", "connector console password"} {
		if !strings.Contains(body, want) {
			t.Errorf("%s is not in the page", want)
		}
	}
}

func finding(id, title string, severity doctor.Severity, o doctor.Outcome) doctor.Finding {
	return doctor.Finding{Check: &doctor.Check{ID: doctor.ID(id), Title: title, Severity: severity}, Outcome: o}
}

// TestDoctorPage: with scripts the findings come one by one, without all at
// once; both as text.
func TestDoctorPage(t *testing.T) {
	t.Parallel()
	all := []doctor.Finding{
		finding("host.memory", "There is enough memory", doctor.Warns, doctor.Outcome{Status: doctor.Failed, Observed: "1 GiB", Required: "2 GiB", Remedy: "Give it more"}),
		finding("account.bind", "The service account binds", doctor.Blocks, doctor.Outcome{Status: doctor.Failed, Detail: strings.Join(xssCorpus, "\n"), Remedy: xssCorpus[0], Command: xssCorpus[1]}),
		finding("config.valid", "The configuration is valid", doctor.Blocks, doctor.Pass("yes")),
		finding("tls.expiry", "It lasts", doctor.Blocks, doctor.Skip("no TLS")),
	}
	v := newVisitor(t, Options{Logs: logsFor(xssCorpus...), Doctor: func(_ context.Context, q DoctorQuery, seen func(doctor.Finding)) (doctor.Document, error) {
		for _, f := range all {
			if seen != nil {
				seen(f)
			}
		}
		return doctor.Report{Findings: all}.Document(doctor.Connector{}), nil
	}})
	code, body := v.post("/troubleshooting/doctor", nil)
	if code != http.StatusOK || !strings.Contains(body, "The connector cannot work like this: 1 check that blocks") {
		t.Errorf("%d %s", code, body)
	}
	checkEscaped(t, body)
	if i, j := strings.Index(body, "The service account binds"), strings.Index(body, "There is enough memory"); i < 0 || j < i {
		t.Error("what blocks does not come first")
	}
	r := v.request("POST", "/troubleshooting/doctor", strings.NewReader(""))
	r.Header.Set("X-CSRF-Token", v.token)
	r.Header.Set("X-Console-Live", "1")
	code, body = v.do(r)
	if lines := strings.Count(body, "\n"); code != http.StatusOK || lines != len(all)+2 || v.header.Get("Content-Type") != "application/x-ndjson" {
		t.Errorf("live: %d, %d lines: %s", code, lines, body)
	}
	checkEscaped(t, body)
}

// TestLogsPage: the filter is asked for, and kept in the form.
func TestLogsPage(t *testing.T) {
	t.Parallel()
	var asked LogQuery
	v := newVisitor(t, Options{Logs: func(ctx context.Context, q LogQuery, show func(LogLine) error) error {
		asked = q
		return logsFor(xssCorpus...)(ctx, q, show)
	}})
	code, body := v.get("/troubleshooting?level=error&contains=%22%3E%3Cb%3E&since=1h&request=r1&lines=999999")
	if code != http.StatusOK || asked != (LogQuery{Level: "error", Contains: `"><b>`, Since: "1h", Request: "r1", Lines: usualLines}) {
		t.Errorf("%d, asked %+v", code, asked)
	}
	checkEscaped(t, body)
	if strings.Contains(body, `"><b>`) {
		t.Error("the filter is markup")
	}
	v = newVisitor(t, Options{Logs: func(context.Context, LogQuery, func(LogLine) error) error {
		return fmt.Errorf("show the log: %w", http.ErrNoLocation)
	}})
	if code, body := v.get("/troubleshooting"); code != http.StatusOK || !strings.Contains(body, "show the log:") {
		t.Errorf("a fault: %d", code)
	}
}

// TestSupport hands out a file, and keeps that it did.
func TestSupport(t *testing.T) {
	t.Parallel()
	v := newVisitor(t, Options{Support: func(context.Context) (string, []byte, error) { return "connector-support.zip", []byte("PK"), nil }})
	code, body := v.post("/troubleshooting/support", nil)
	if code != http.StatusOK || body != "PK" || v.header.Get("Content-Disposition") != "attachment; filename=connector-support.zip" {
		t.Errorf("%d %q %v", code, body, v.header)
	}
	all := v.audited()
	if last := all[len(all)-1]; last.What != "support.download" || last.Outcome != "accepted" || last.By != byLink || last.Remote != "127.0.0.1" {
		t.Errorf("kept: %+v", last)
	}
}

// TestUpdatePage: the command, unless the account may do it itself.
func TestUpdatePage(t *testing.T) {
	t.Parallel()
	v := newVisitor(t, Options{Name: " --name second"})
	if _, body := v.get("/update"); !strings.Contains(body, "connector --name second update") || strings.Contains(body, "/update/apply") {
		t.Error("the command is not there, or a button is")
	}
	if code, _ := v.post("/update/apply", nil); code != http.StatusConflict {
		t.Errorf("apply: %d", code)
	}
	applied := 0
	v = newVisitor(t, Options{Update: &Update{
		State: func(_ context.Context, check bool) (UpdateState, error) {
			s := UpdateState{Version: "1.0.0", Command: "connector update"}
			if check {
				s.Latest, s.Newer, s.Notes = "1.1.0", true, xssCorpus[0]
			}
			return s, nil
		},
		Apply: func(context.Context) error { applied++; return nil },
	}})
	_, body := v.post("/update/check", nil)
	checkEscaped(t, body)
	if !strings.Contains(body, "1.1.0") || !strings.Contains(body, "Update now") {
		t.Errorf("after the check: %s", body)
	}
	if code, _ := v.post("/update/apply", nil); code != http.StatusSeeOther || applied != 1 {
		t.Errorf("apply: %d, %d times", code, applied)
	}
	if _, body := v.get("/update"); !strings.Contains(body, "The new version runs.") {
		t.Error("nothing is said of it")
	}
}
