package main

import (
	"encoding/json"
	"strings"
	"testing"

	"ad-ldap-connector/testdata/lab"
)

// TestAcceptTwoDirectories is a connector with two directory servers, of which
// the first one freezes: a login goes on, and status, the log and an explained
// login say which server answers and why.
func TestAcceptTwoDirectories(t *testing.T) {
	t.Parallel()
	first, second := lab.Slapd(t, lab.SlapdOptions{Users: 9, Anonymous: true}), lab.Slapd(t, lab.SlapdOptions{Users: 9, Anonymous: true})
	cloud := startCloud(t)
	c := newCLI(t)
	c.must("install", "--no-service", "--non-interactive", "--ticket-file", c.file("ticket", cloud.Ticket()+"\n"),
		"--ca-file", cloud.CAFile(), "--ldap-url", first.URL, "--ldap-bind-user", first.BindUser,
		"--ldap-bind-password-file", c.file("password", first.BindPassword+"\n"))
	c.must("config", "set", "LDAP_URL", first.URL+","+second.URL)
	node := c.start("run", "--home", c.home)
	awaitAgent(t, cloud)
	detail := func() string {
		var s status
		out := c.must("status", "-o", "json").stdout.String()
		if err := json.Unmarshal([]byte(out), &s); err != nil {
			t.Fatalf("%v in %s", err, out)
		}
		for _, p := range s.Parts {
			if p.Name == "directory" {
				return p.Detail
			}
		}
		return ""
	}
	loginWorks(t, cloud)
	if got := detail(); got != first.URL {
		t.Errorf("status: the directory is %q, want %q", got, first.URL)
	}
	first.Pause()
	t.Cleanup(first.Resume)
	login(t, cloud, lab.User(5), lab.Password(5), "")
	if got, want := detail(), second.URL+" instead of "+first.URL+": "; !strings.HasPrefix(got, want) {
		t.Errorf("status: the directory is %q, want %q", got, want)
	}
	if said := node.stderr.String(); !strings.Contains(said, "directory server changed") || !strings.Contains(said, "sign of life") {
		t.Errorf("the log does not say that the server changed, and why:\n%s", said)
	}
	out := c.must("login", lab.User(5), "--password-file", c.file("pw", lab.Password(5)+"\n"), "--trace").stdout.String()
	for _, stage := range []string{"find", "bind", "groups"} {
		for line := range strings.Lines(out) {
			if strings.HasPrefix(line, stage+" ") && !strings.Contains(line, second.URL) {
				t.Errorf("%q does not name %s", line, second.URL)
			}
		}
	}
	node.interrupt()
	node.wait(patience)
	if node.status() != exitOK {
		t.Errorf("run ended with %d:\n%s", node.status(), node.stderr)
	}
}
