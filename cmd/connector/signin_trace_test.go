package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"ad-ldap-connector/pkg/config"
	"ad-ldap-connector/pkg/identity"
	"ad-ldap-connector/pkg/wsfed"
)

// TestBrowsersAreTraced signs somebody in, whose stages and request are handed to
// traces and the log.
func TestBrowsersAreTraced(t *testing.T) {
	t.Parallel()
	n, said, log := signInNode(t, nil)
	n.tracer = &tracer{settings: &traceSettings{ratio: 1}, answers: make(chan spanned, 4)}
	n.setSignIn(signInTenant(true), newPair(t))
	base, browser := awaitSignIn(t, said), newBrowser(t)
	formLogin(t, browser, base, "ada", "wrong")
	formLogin(t, browser, base, "ada", "right")
	for i, want := range []string{"refused wrong_password find bind", "accepted  find bind map"} {
		a := <-n.tracer.answers
		got := a.Outcome + " " + a.Reason
		for _, s := range a.Stages {
			got += " " + s.Name
		}
		if !strings.HasPrefix(got, want) || strings.Join(a.more, "=") != "connector.sign_in.method=password" || a.Command != "sign_in" || a.User != "ada" {
			t.Errorf("try %d: %s, %+v", i, got, a)
		}
		line := regexp.MustCompile(`msg=request part=signin method=POST path=/wsfed status=\d+ from=127\.0\.0\.1 took=\S+ request=` + a.Request + "\n")
		if len(a.Request) != 12 || !line.MatchString(log.String()) {
			t.Errorf("the log does not know %q: %s", a.Request, log)
		}
	}
}

// TestSpansOfBrowsers sends what came of browsers to a collector, and nothing of
// who they were.
func TestSpansOfBrowsers(t *testing.T) {
	t.Parallel()
	c := startCollector(t)
	n, _, stop := tracingNode(t, func(to *config.Config) { to.Signals.TraceEndpoint = c.URL }, "OTEL_BSP_SCHEDULE_DELAY=50")
	at := time.Now().Add(-time.Second)
	find := identity.Stage{Name: "find", Server: "ldaps://dc1.corp.example:636", Detail: "(cn=jane)", Began: at, Took: time.Millisecond}
	late := find
	late.Err = fmt.Errorf("find jane: %w", context.DeadlineExceeded)
	for _, e := range []wsfed.Entry{
		{Method: "kerberos", Outcome: wsfed.Accepted, Stages: []identity.Stage{find}},
		{Method: "certificate", Outcome: wsfed.Refused, Reason: "jane: the client certificate has been revoked"},
		{Method: "password", Outcome: wsfed.Busy},
		{Method: "password", Outcome: wsfed.Fault, Reason: "bind CN=jane: boom", Stages: []identity.Stage{late}},
		{Method: "session", Outcome: wsfed.Fault, Reason: "find jane: boom", Stages: []identity.Stage{{Name: "find", Began: at, Err: errors.New("jane: boom")}}},
	} {
		e.User, e.Source, e.Request, e.Began, e.Took = "jane", "192.0.2.7", "0123456789ab", at, time.Second
		n.signedIn(e)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	text, all := "", []string{}
	for len(all) < 8 {
		select {
		case d := <-c.got:
			text += d.String()
			for _, s := range d.GetResourceSpans()[0].GetScopeSpans()[0].GetSpans() {
				all = append(all, s.GetName()+" "+s.GetStatus().GetMessage()+" "+textOfAttributes(s.GetAttributes()))
			}
		case <-time.After(patience):
			t.Fatalf("%q", all)
		}
	}
	const about = "connector.command=sign_in connector.connection=corp connector.outcome="
	const rest = "connector.request.id=0123456789ab connector.sign_in.method="
	const server = "network.protocol.name=ldaps server.address=dc1.corp.example server.port=636"
	for i, want := range []string{
		"sign_in  " + about + "accepted " + rest + "kerberos",
		"find  " + server,
		"sign_in  " + about + "refused connector.refusal=not_proved " + rest + "certificate",
		"sign_in  " + about + "refused connector.refusal=busy " + rest + "password",
		"sign_in late " + about + "fault " + rest + "password error.type=late",
		"find timeout error.type=timeout " + server,
		"sign_in unanswered " + about + "fault " + rest + "session error.type=unanswered",
		"find fault error.type=fault",
	} {
		if all[i] != want {
			t.Errorf("span %d:\n%s, want\n%s", i, all[i], want)
		}
	}
	for _, no := range []string{"jane", "boom", "192.0.2.7"} {
		if strings.Contains(text, no) {
			t.Errorf("%q is in the traces: %s", no, text)
		}
	}
}
