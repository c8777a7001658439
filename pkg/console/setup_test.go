package console

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ad-ldap-connector/pkg/agent"
	"ad-ldap-connector/pkg/config"
	"ad-ldap-connector/pkg/doctor"
)

const plantedTicket = "https://tenant.example/p/ad/planted-ticket"

// setUpOptions is a console of a home that nobody has set up.
func setUpOptions(installed *atomic.Pointer[Answers], fails *atomic.Bool) Options {
	h := &fakeHome{text: []byte("{}")}
	o := h.options()
	o.Health = func() []agent.Health {
		if installed.Load() == nil {
			return []agent.Health{{Part: "setup", State: agent.Down}}
		}
		return []agent.Health{{Part: "hub", State: agent.OK, Detail: xssCorpus[0]}, {Part: "directory", State: agent.OK}, {Part: "mapper", State: agent.OK}}
	}
	o.Configuration.Setup = &Setup{
		Redeem: func(_ context.Context, a Answers) (Connection, error) {
			if a.Ticket != plantedTicket {
				return Connection{}, &WrongAnswer{Field: "ticket", Err: errors.New("the tenant does not know this ticket")}
			}
			return Connection{Name: "corp" + xssCorpus[0], Tenant: "tenant.example"}, nil
		},
		Complete: func(_ context.Context, a *Answers) (Discovery, error) {
			if a.URL == "" {
				a.URL = "srvs://corp.example"
			}
			if a.User != "" && a.BaseDN == "" {
				a.BaseDN = "DC=corp,DC=example"
			}
			return Discovery{Servers: []string{"ldaps://dc1.corp.example"}}, nil
		},
		Check: func(_ context.Context, a Answers, seen func(doctor.Entry)) (bool, error) {
			seen(doctor.Entry{ID: "network.hub", Title: "hub", Status: doctor.Passed})
			if a.Password == "wrong-password" {
				seen(doctor.Entry{ID: "directory.bind", Title: "bind", Severity: doctor.Blocks, Status: doctor.Failed, Detail: "name or password is wrong"})
				return true, nil
			}
			return false, nil
		},
		Install: func(_ context.Context, a Answers, say func(SetupStep)) error {
			say(SetupStep{Name: "redeem-ticket", Says: "Redeem the ticket", Event: "doing"})
			if fails.Load() {
				say(SetupStep{Name: "redeem-ticket", Says: "Redeem the ticket", Event: "undone", Err: "no"})
				return errors.New("redeem-ticket: no")
			}
			say(SetupStep{Name: "redeem-ticket", Says: "Redeem the ticket", Event: "done"})
			installed.Store(&a)
			return nil
		},
	}
	o.Configuration.Presets = config.Presets()
	return o
}

func (v *visitor) until(path, text string) string {
	v.t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		_, body := v.get(path)
		if strings.Contains(body, text) {
			return body
		}
		if time.Now().After(end) {
			v.t.Fatalf("%s does not say %q: %s", path, text, body)
		}
	}
}

// TestFirstSetup goes from the ticket to what the hub has accepted.
func TestFirstSetup(t *testing.T) {
	t.Parallel()
	installed, fails := new(atomic.Pointer[Answers]), new(atomic.Bool)
	v := newVisitor(t, setUpOptions(installed, fails))
	if code, _ := v.get("/"); code != 303 || v.location != "/configuration" {
		t.Errorf("the overview: %d to %s", code, v.location)
	}
	if code, body := v.get("/configuration"); code != 200 || !strings.Contains(body, "Ticket URL") {
		t.Fatalf("the first page: %d", code)
	}
	code, body := v.post("/configuration/ticket", url.Values{"ticket": {"https://tenant.example/p/ad/typo"}, "ca": {"pem text"}})
	if code != 422 || !strings.Contains(body, "does not know this ticket") || !strings.Contains(body, "pem text") || strings.Contains(body, "typo") {
		t.Errorf("a wrong ticket: %d %s", code, body)
	}
	if code, _ = v.post("/configuration/ticket", url.Values{"ticket": {" " + plantedTicket + "\n"}}); code != 303 {
		t.Fatalf("the ticket: %d", code)
	}
	at := v.location
	body = v.until(at, "Outbound connection to the hub")
	if !strings.Contains(body, "srvs://corp.example") || !strings.Contains(body, "tenant.example") {
		t.Errorf("the directory's page: %s", body)
	}
	noSecrets(t, body)
	checkEscaped(t, body)
	draft := url.Values{"draft": {draftInPage.FindStringSubmatch(body)[1]}, "url": {"ldaps://dc1.corp.example"}}
	if code, body = v.post("/configuration/directory", draft); code != 422 || !strings.Contains(body, "name the service account") {
		t.Errorf("no account: %d", code)
	}
	draft.Set("user", "CN=svc")
	draft.Set("password", "wrong-password")
	v.post("/configuration/directory", draft)
	agree := v.location
	body = v.until(agree, "name or password is wrong")
	noSecrets(t, body, "wrong-password")
	if v.post("/configuration/install", draft); v.location != agree || installed.Load() != nil {
		t.Error("it was set up though a check blocks")
	}
	draft.Set("password", "right-password")
	v.post("/configuration/directory", draft)
	v.until(v.location, ">Set up<")
	fails.Store(true)
	v.post("/configuration/install", draft)
	v.until(v.location, "what was begun has been undone")
	fails.Store(false)
	v.post("/configuration/install", draft)
	body = v.until(v.location, "The hub has accepted this connector")
	checkEscaped(t, body)
	noSecrets(t, body, "right-password")
	a := installed.Load()
	if a.Ticket != plantedTicket || a.URL != "ldaps://dc1.corp.example" || a.BaseDN != "DC=corp,DC=example" || a.User != "CN=svc" || a.Password != "right-password" || a.DespiteChecks {
		t.Errorf("set up with other answers than were given, for %s at %s", a.User, a.URL)
	}
	for _, path := range []string{"/configuration/directory?draft=x", "/configuration/agree", "/configuration/progress?draft=x"} {
		if code, _ := v.get(path); code != 303 || v.location != "/configuration" {
			t.Errorf("%s: %d to %s", path, code, v.location)
		}
	}
}
