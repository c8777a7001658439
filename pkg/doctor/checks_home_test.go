package doctor

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"

	"ad-ldap-connector/pkg/config"
)

// A trial is one way for one check to come out.
type trial struct {
	name   string
	check  ID
	env    Env
	status Status
	says   string // in one of the texts
}

// try asks each trial's check alone.
func try(t *testing.T, trials []trial) {
	t.Helper()
	for _, tt := range trials {
		t.Run(string(tt.check)+": "+tt.name, func(t *testing.T) {
			c, err := Lookup(string(tt.check))
			if err != nil {
				t.Fatal(err)
			}
			f := Run(t.Context(), &tt.env, []Check{*c}, nil, nil).Findings[0]
			outcomes.note(tt.check, f.Status)
			text := fmt.Sprintf("%s | %s | %s | %s | %s", f.Observed, f.Required, f.Detail, f.Remedy, f.Command)
			if f.Status != tt.status || !strings.Contains(text, tt.says) {
				t.Errorf("%s: %s; want %s and %q", f.Status, text, tt.status, tt.says)
			}
			if (f.Status == Failed) != (f.Remedy != "") {
				t.Errorf("%s with the remedy %q", f.Status, f.Remedy)
			}
		})
	}
}

// thatLoads returns what Load of a Home does with a file.
func thatLoads(file string) func() (config.Config, error) {
	return func() (config.Config, error) { return config.Parse([]byte(file)) }
}

const goodFile = `{"PROVISIONING_TICKET": "https://tenant.example/p/ad/abcdefgh", "LDAP_URL": "ldaps://dc1.corp.example",
	"LDAP_BASE": "DC=corp,DC=example", "LDAP_BIND_USER": "svc@corp.example", "LDAP_BIND_PASSWORD": "hunter2"}`

func TestConfigChecks(t *testing.T) {
	broken := errors.New("broken")
	fails := func() error { return broken }
	try(t, []trial{
		{"good", "config.valid", Env{Home: Home{Load: thatLoads(goodFile)}}, Passed, "no faults"},
		{"a fault", "config.valid", Env{Home: Home{Load: thatLoads(`{"LDAP_URL": "htp://x"}`)}}, Failed, "LDAP_URL: "},
		{"no JSON", "config.valid", Env{Home: Home{Load: thatLoads(`{`)}}, Failed, "config.json, line 1"},
		{"closed", "config.valid", Env{Home: Home{Load: func() (config.Config, error) { return config.Config{}, fs.ErrPermission }}}, Failed, "as root or administrator"},
		{"no home", "config.valid", Env{}, Skipped, "nothing is installed"},

		{"none", "config.warnings", Env{Home: Home{Load: thatLoads(goodFile)}}, Passed, "no warnings"},
		{"one", "config.warnings", Env{Home: Home{Load: thatLoads(`{"LDAP_URL": "ldap://dc1.corp.example"}`)}}, Failed, "passwords cross the network in the clear"},
		{"no home", "config.warnings", Env{}, Skipped, "nothing is installed"},

		{"closed", "config.permissions", Env{Home: Home{Dir: "/h", Exposed: func() ([]string, error) { return nil, nil }}}, Passed, "/h"},
		{"open", "config.permissions", Env{Home: Home{Exposed: func() ([]string, error) { return []string{"cert.key: mode 0644"}, nil }}}, Failed, "cert.key: mode 0644"},
		{"cannot look", "config.permissions", Env{Home: Home{Exposed: func() ([]string, error) { return nil, broken }}}, Failed, "broken"},
		{"closed to us too", "config.permissions", Env{Home: Home{Exposed: func() ([]string, error) { return nil, fs.ErrPermission }}}, Skipped, "no access itself"},
		{"no home", "config.permissions", Env{}, Skipped, "nothing is installed"},

		{"good", "config.waivers", Env{Home: Home{Waivers: func() error { return nil }}}, Passed, ""},
		{"bad", "config.waivers", Env{Home: Home{Waivers: fails}}, Failed, "broken"},
		{"none", "config.waivers", Env{}, Skipped, "no waivers.json"},

		{"native", "config.mapper", Env{Home: Home{Mapper: func(context.Context) (string, error) { return "native", nil }}}, Passed, "native"},
		{"broken", "config.mapper", Env{Home: Home{Mapper: func(context.Context) (string, error) { return "", broken }}}, Failed, "broken"},
		{"missing", "config.mapper", Env{Home: Home{Mapper: func(context.Context) (string, error) { return "", fs.ErrNotExist }}}, Failed, "PROFILE_MAPPER_FILE"},
		{"no home", "config.mapper", Env{}, Skipped, "nothing is installed"},
	})
}

func TestAgentChecks(t *testing.T) {
	begins := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	at := func(days int) Env {
		return Env{
			Now: func() time.Time { return begins.AddDate(0, 0, days) },
			Home: Home{Certificate: func() (*x509.Certificate, error) {
				return &x509.Certificate{Raw: []byte("der"), NotBefore: begins, NotAfter: begins.AddDate(0, 0, 100)}, nil
			}},
		}
	}
	none := Env{Home: Home{Certificate: func() (*x509.Certificate, error) { return nil, fmt.Errorf("read: %w", fs.ErrNotExist) }}}
	broken := Env{Home: Home{Certificate: func() (*x509.Certificate, error) { return nil, errors.New("the key does not belong to it") }}}
	sealed := func(is bool, err error) Env {
		return Env{Home: Home{Sealed: is, Unseal: func() error { return err }}}
	}
	serving := func(other bool, connection string, near ...Neighbour) Env {
		e := Env{Home: Home{
			Dir: "/h", Load: thatLoads(goodFile), OtherTicket: other,
			Neighbours: func(context.Context) ([]Neighbour, error) { return near, nil },
		}}
		e.Config.Tenant.Connection, e.Config.Tenant.Realm = connection, "urn:auth0:acme"
		return e
	}
	unread := serving(false, "corp")
	unread.Home.Neighbours = func(context.Context) ([]Neighbour, error) { return nil, errors.New("not readable") }
	try(t, []trial{
		{"a pair", "agent.keys", at(1), Passed, "thumbprint 7d44c33cf9a82ab9bd5300d266784504e9772177"},
		{"not a pair", "agent.keys", broken, Failed, "does not belong"},
		{"closed", "agent.keys", Env{Home: Home{Certificate: func() (*x509.Certificate, error) { return nil, fs.ErrPermission }}}, Failed, "as root or administrator"},
		{"none yet", "agent.keys", none, Skipped, "no key pair yet"},
		{"no home", "agent.keys", Env{}, Skipped, "nothing is installed"},

		{"in its time", "agent.certificate", at(69), Passed, "valid from 2026-01-01 to 2026-04-11"},
		{"near its end", "agent.certificate", at(71), Failed, "it ends in 29 days"},
		{"tomorrow", "agent.certificate", at(99), Failed, "it ends in 1 day"},
		{"ended", "agent.certificate", at(100), Failed, "it ended on 2026-04-11"},
		{"early", "agent.certificate", at(-1), Failed, "this machine's clock says 2025-12-31"},
		{"unreadable", "agent.certificate", broken, Failed, "does not belong"},
		{"none yet", "agent.certificate", none, Skipped, "no key pair yet"},
		{"no home", "agent.certificate", Env{}, Skipped, "nothing is installed"},

		{"opens", "agent.credentials", sealed(true, nil), Passed, "it opens"},
		{"does not", "agent.credentials", sealed(true, errors.New("sealed with another key, or damaged")), Failed, "sealed with another key"},
		{"in the clear", "agent.credentials", sealed(false, nil), Skipped, "no sealed password"},
		{"no home", "agent.credentials", Env{}, Skipped, "nothing is installed"},

		{"the same", "agent.connection", serving(false, "corp"), Passed, "corp"},
		{"another", "agent.connection", serving(true, "corp"), Failed, "/h serves the connection corp"},
		{"none yet", "agent.connection", serving(true, ""), Skipped, "no connection yet"},
		{"no home", "agent.connection", Env{}, Skipped, "nothing is installed"},

		{"alone", "agent.duplicate", serving(false, "corp"), Passed, "none of 0 other installations"},
		{"others differ", "agent.duplicate", serving(false, "corp", Neighbour{"/o", "hr", "urn:auth0:acme"}, Neighbour{"/p", "corp", "urn:auth0:other"}), Passed, "none of 2 other"},
		{"another", "agent.duplicate", serving(false, "corp", Neighbour{"/o", "corp", "urn:auth0:acme"}), Failed, "/o serves corp too"},
		{"cannot look", "agent.duplicate", unread, Failed, "not readable"},
		{"none yet", "agent.duplicate", serving(false, ""), Skipped, "no connection yet"},
		{"no home", "agent.duplicate", Env{}, Skipped, "nothing is installed"},
	})
}

func TestTightenIsTheFix(t *testing.T) {
	c, err := Lookup("config.permissions")
	if err != nil {
		t.Fatal(err)
	}
	done := false
	if err := c.Fix.Do(t.Context(), &Env{Home: Home{Tighten: func() error { done = true; return nil }}}); err != nil || !done {
		t.Errorf("%v, %v", done, err)
	}
}
