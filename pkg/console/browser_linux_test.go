package console

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"ad-ldap-connector/pkg/agent"
	"ad-ldap-connector/pkg/doctor"
	"ad-ldap-connector/testdata/lab/browser"
)

// enter logs a browser in by the link.
func (v *visitor) enter(t *testing.T, ctx context.Context) {
	t.Helper()
	if err := chromedp.Run(ctx, chromedp.Navigate(v.server.URL+"/login?once="+testLink), chromedp.WaitVisible(`nav a[aria-current]`)); err != nil {
		t.Fatal(err)
	}
}

// visit has a browser go to a page, and looks at it.
func (v *visitor) visit(t *testing.T, ctx context.Context, axe, path, name string, then ...chromedp.Action) {
	t.Helper()
	if err := chromedp.Run(ctx, append([]chromedp.Action{chromedp.Navigate(v.server.URL + path), chromedp.WaitVisible("main h1")}, then...)...); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	browser.Look(t, ctx, axe, name)
}

// sample are options with something on each page of the frame.
func sample() Options {
	w := newWristwatch()
	w.ns.Store(time.Now().UnixNano())
	s := busy(w)
	for _, x := range xssCorpus {
		s.Answered(Login{At: w.now(), User: x, Outcome: "refused", Reason: "wrong_username", Server: "ldaps://dc1.corp.example", Took: 3 * time.Millisecond})
	}
	s.Answered(Login{At: w.now(), User: "mary.smith", Outcome: "fault", Reason: "bind as CN=svc,OU=Service,DC=corp,DC=example at ldaps://dc1.corp.example: connection refused", Server: "ldaps://dc1.corp.example", Took: 2031 * time.Millisecond})
	s.Answered(Login{At: w.now(), User: "alice", Outcome: "refused", Reason: "wrong_password", Server: "ldaps://dc1.corp.example", Took: 9 * time.Millisecond})
	offset := 139 * time.Millisecond
	part := func(name string, state agent.State, detail string) agent.Health {
		return agent.Health{Part: name, State: state, Detail: detail, Since: time.Now().Add(-3 * time.Hour)}
	}
	all := []doctor.Finding{
		finding("host.memory", "There is enough memory", doctor.Warns, doctor.Outcome{Status: doctor.Failed, Observed: "1.0 GiB", Required: "2 GiB", Remedy: "Give the machine more memory."}),
		finding("account.bind", "The service account can bind", doctor.Blocks, doctor.Outcome{Status: doctor.Failed, Observed: "data 775: the account is locked", Detail: "bind as CN=svc,OU=Service,DC=corp,DC=example: Invalid Credentials", Remedy: "Unlock the account, and find out who locks it.", Command: "connector config set LDAP_BIND_PASSWORD --password-file pw.txt"}),
		finding("config.valid", "The configuration is valid", doctor.Blocks, doctor.Pass("config.json, 12 keys")),
		finding("network.hub", "The hub can be reached", doctor.Blocks, doctor.Pass("wss://acme.auth0.example, 31 ms")),
		finding("directory.tls", "The directory's certificate is trusted", doctor.Blocks, doctor.Skip("there is no TLS")),
	}
	return Options{
		Version: "1.4.0", Logs: func(ctx context.Context, q LogQuery, show func(LogLine) error) error {
			for i, m := range []string{"connector starts", "command answered", "login went on without groups", "the directory cannot be asked", xssCorpus[1]} {
				at := time.Now().Add(time.Duration(i-9) * time.Second)
				if err := show(LogLine{Time: &at, Level: []string{"info", "info", "warn", "error", "info"}[i], Message: m, Attributes: map[string]string{"part": "hub", "user": xssCorpus[i]}}); err != nil {
					return err
				}
			}
			if q.Follow {
				<-ctx.Done()
			}
			return nil
		},
		Doctor: func(_ context.Context, _ DoctorQuery, seen func(doctor.Finding)) (doctor.Document, error) {
			for _, f := range all {
				seen(f)
			}
			return doctor.Report{Findings: all, Took: 812 * time.Millisecond}.Document(doctor.Connector{}), nil
		},
		Support: func(context.Context) (string, []byte, error) {
			return "", nil, errors.New("make the support archive: the disk is full")
		},
		Update: &Update{State: func(context.Context, bool) (UpdateState, error) {
			return UpdateState{Version: "1.4.0", Latest: "1.5.0", Newer: true, Checked: time.Now(), Command: "sudo connector update", Notes: "### Added\n- The console.\n"}, nil
		}},
		Overview: func() Overview {
			return Overview{
				Connection: "corp-ad", Tenant: "acme.eu.auth0.example", Instance: "srv-1-0a1b2c3d", Points: s.Points(), Unwell: s.Unwell(), Clock: &offset,
				Accepted: 18231, Refused: 412, Faulted: 3, P50: 12400 * time.Microsecond, P99: 48 * time.Millisecond, Certificate: time.Now().AddDate(0, 0, 12),
				Health: []agent.Health{
					part("hub", agent.OK, "accepted by acme.eu.auth0.example"), part("directory", agent.Degraded, "groups could not be read: search below OU=Groups,DC=corp,DC=example: time limit exceeded"),
					part("clock", agent.OK, "139ms apart"), part("mapper", agent.OK, "the default mapping"), part("certificate", agent.Degraded, "the agent's certificate ends on 2026-05-16; renew it: connector keys renew"),
					part("console", agent.OK, "http://127.0.0.1:8357"), part("signin", agent.Down, "listen on PORT: address already in use"),
				},
				Peers: []Peer{{Name: "srv-1", Version: "1.4.0", Health: agent.OK, Self: true}, {Name: "srv-2", Version: "1.3.9", Health: agent.OK, Drift: []string{"LDAP_URL: ldaps://dc1 here, ldaps://dc2 there"}}, {Address: "10.0.0.3:8358", Health: agent.Down, Fault: "connect: connection refused"}},
			}
		},
	}
}

// TestInABrowser looks at the frame's pages as people see them, and uses what
// takes a script.
func TestInABrowser(t *testing.T) {
	t.Parallel()
	ctx, axe := browser.Start(t), browser.Axe(t)
	v := startConsole(t, withPassword(sample()))
	v.visit(t, ctx, axe, "/login", "login")
	v.visit(t, ctx, axe, "/login?once=used", "login-refused", chromedp.WaitVisible("[role=alert]"))
	v.enter(t, ctx)
	v.visit(t, ctx, axe, "/", "overview", chromedp.WaitVisible(".plot svg"))
	load := browser.Measure(t, ctx)
	t.Logf("the overview: %d octets in %d requests, painted after %.0f ms", load.Octets, load.Requests, load.Paint)
	if load.Octets > 150<<10 || load.Requests > 6 || load.Paint > 3000 || len(load.Elsewhere) > 0 {
		t.Errorf("too much: %+v", load)
	}
	said, path, zone := "", "", ""
	v.visit(t, ctx, axe, "/troubleshooting", "troubleshooting",
		chromedp.Click(`form[data-live="#found"] button`), chromedp.WaitVisible("#checkup .note"), chromedp.Text("#said", &said, chromedp.AtLeast(0)),
		chromedp.Click(`button[formaction="/troubleshooting/logs"]`), chromedp.WaitVisible("#log li:nth-child(5)"))
	if !strings.Contains(said, "cannot work like this") {
		t.Errorf("what is read out: %q", said)
	}
	v.visit(t, ctx, axe, "/update", "update")
	v.visit(t, ctx, axe, "/nowhere", "not-found")
	if err := chromedp.Run(ctx,
		chromedp.Navigate(v.server.URL+"/#troubleshoot"), chromedp.WaitVisible("#h-log"), chromedp.Location(&path),
		chromedp.Navigate(v.server.URL+"/"), chromedp.WaitVisible("time[data-done]"), chromedp.Text("time[data-done]", &zone),
	); err != nil {
		t.Fatal(err)
	}
	if path != v.server.URL+"/troubleshooting" {
		t.Errorf("the old address leads to %s", path)
	}
	if !strings.HasSuffix(zone, "UTC") || strings.HasPrefix(zone, "20") {
		t.Errorf("a time is shown as %q", zone)
	}
}

// TestEmptyInABrowser looks at a console with nothing to show.
func TestEmptyInABrowser(t *testing.T) {
	t.Parallel()
	ctx, axe := browser.Start(t), browser.Axe(t)
	v := startConsole(t, Options{Overview: func() Overview { return Overview{Points: NewSeries(time.Now).Points(), NoPassword: true} }, Logs: logsFor()})
	v.enter(t, ctx)
	v.visit(t, ctx, axe, "/", "empty-overview")
	v.visit(t, ctx, axe, "/troubleshooting", "empty-troubleshooting")
}
