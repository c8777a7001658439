//go:build unix

package main

import (
	"crypto/sha256"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-ldap/ldap/v3"

	"ad-ldap-connector/testdata/lab"
)

// asAdmin opens a connection that may do anything.
func asAdmin(t *testing.T, s *lab.SlapdServer) *ldap.Conn {
	t.Helper()
	c, err := ldap.DialURL(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() }) // the test has ended
	if err := c.Bind(s.AdminDN, s.AdminPassword); err != nil {
		t.Fatal(err)
	}
	return c
}

// remembering starts a server that remembers wrong passwords.
func remembering(t *testing.T) *lab.SlapdServer {
	t.Helper()
	s := lab.Slapd(t, lab.SlapdOptions{Users: 3})
	change := ldap.NewModifyRequest("cn=default,ou=policies,"+s.BaseDN, nil)
	change.Replace("pwdMaxFailure", []string{"9"})
	if err := asAdmin(t, s).Modify(change); err != nil {
		t.Fatal(err)
	}
	return s
}

// failures counts the wrong passwords that a server remembers of an entry.
func failures(t *testing.T, s *lab.SlapdServer, dn string) int {
	t.Helper()
	found, err := asAdmin(t, s).Search(ldap.NewSearchRequest(dn, ldap.ScopeBaseObject, ldap.NeverDerefAliases, 0, 0, false, "(objectClass=*)", []string{"pwdFailureTime"}, nil))
	if err != nil || len(found.Entries) != 1 {
		t.Fatal(found, err)
	}
	return len(found.Entries[0].GetAttributeValues("pwdFailureTime"))
}

// fingerprint is what the server's certificate is compared by.
func fingerprint(t *testing.T, s *lab.SlapdServer) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(filepath.Dir(s.CAFile), "*.pem"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if block, _ := pem.Decode(text); file != s.CAFile && block != nil && block.Type == "CERTIFICATE" {
			return fmt.Sprintf("%X", sha256.Sum256(block.Bytes))
		}
	}
	t.Fatal("the server has no certificate")
	return ""
}

// TestAcceptGuidedInstall goes wrong wherever one can, and comes to a connector
// that serves.
func TestAcceptGuidedInstall(t *testing.T) {
	t.Parallel()
	for _, terminal := range []string{"TERM=xterm", "TERM=dumb"} {
		t.Run(terminal, func(t *testing.T) {
			t.Parallel()
			slapd := remembering(t)
			cloud := startCloud(t)
			c := newCLI(t, terminal)
			empty := c.file("empty.pem", "")
			p := c.sit("install", "--no-service")
			p.asked("Ticket URL", "not-a-ticket")
			p.sees("it is not a URL")
			p.asked("Ticket URL", cloud.Ticket())
			p.asked("File of the authority's certificate", cloud.CAFile())
			p.sees("ticket: connection sandbox of urn:auth0:sandbox")

			p.asked("Directory URL", "ldaps://127.0.0.1:1")
			p.sees("connection refused")
			p.asked("Directory URL", slapd.TLSURL)
			p.sees("subject")
			p.sees(fingerprint(t, slapd))
			p.asked("File of the authority's certificate", filepath.Join(c.dir, "nothing.pem"))
			p.sees("no such file")
			p.asked("File of the authority's certificate", empty)
			p.sees("the file is empty")
			p.asked("File of the authority's certificate", slapd.CAFile)

			p.asked("Service account", slapd.BindUser)
			p.asked("Password of", "not-the-password")
			p.sees("name or password is wrong; 2 of 3 tries are left")
			p.asked("Service account", "")
			p.asked("Password of", "not-the-password")
			p.sees("is not tried again")
			if n := failures(t, slapd, slapd.BindUser); n != 1 {
				t.Errorf("the directory counts %d wrong passwords, and one was given", n)
			}
			p.asked("Password of", slapd.BindPassword)
			p.sees("is let in")

			p.sees("settings for openldap")
			p.asked("Base DN of the users", "ou=nowhere,"+slapd.BaseDN)
			p.sees("no such object")
			p.asked("Base DN of the users", "ou=policies,"+slapd.BaseDN)
			p.sees("no users below")
			p.asked("Go on with", "n")
			p.asked("Base DN of the users", slapd.BaseDN)
			p.sees("users: there are some")

			p.sees("account")
			p.sees(slapd.BindUser)
			p.asked("Install with these answers?", "y")
			p.sees("installed: connection sandbox")
			p.leaves(exitOK)
			if screen := plain(p.screen.String()); p.drawn && (strings.Contains(screen, slapd.BindPassword) || strings.Contains(screen, "not-the-password")) {
				t.Error("a password was shown on the screen")
			}
			if n := failures(t, slapd, slapd.BindUser); n != 0 {
				t.Errorf("the directory counts %d wrong passwords after the right one", n)
			}
			c.start("run", "--home", c.home)
			awaitAgent(t, cloud)
			login(t, cloud, lab.User(1), lab.Password(1), "")

			// Nothing is missing now, and so nothing is asked.
			p = c.sit("install", "--no-service")
			p.sees("unchanged: connection sandbox")
			p.leaves(exitOK)
			if strings.Contains(p.screen.String(), "Install with these answers?") {
				t.Error("it asked, with nothing to answer")
			}
		})
	}
}

// TestAcceptGuidedRefusals has the directory refuse each account for a reason of
// its own.
func TestAcceptGuidedRefusals(t *testing.T) {
	t.Parallel()
	slapd := lab.Slapd(t, lab.SlapdOptions{Users: 1})
	d := newDesk(t)
	p := d.sit("install", "--no-service", "--ca-file", d.cloud.CAFile(), "--ca-file", slapd.CAFile, "--ldap-url", slapd.TLSURL)
	p.asked("Ticket URL", d.cloud.Ticket())
	for _, tt := range []struct{ name, says string }{
		{"ppolicy-locked", "the account is locked; wait"},
		{"ppolicy-reset", "the password must be changed"},
		{"ppolicy-expired", "bind as"},
	} {
		dn := "uid=" + tt.name + ",ou=special," + slapd.BaseDN
		p.asked("Service account", dn)
		p.asked("Password of "+dn, lab.SpecialPassword)
		p.sees(tt.says)
	}
	p.sees("the password has expired")
	p.leaves(exitRefused)
	d.untouched()
}

// TestAcceptGuidedLocksNobodyOut gives one wrong password after the other.
func TestAcceptGuidedLocksNobodyOut(t *testing.T) {
	t.Parallel()
	slapd := remembering(t)
	d := newDesk(t)
	wrong := d.file("password", "wrong-1\n")
	p := d.sit("install", "--no-service", "--ca-file", d.cloud.CAFile(), "--ldap-url", slapd.URL,
		"--ldap-bind-user", slapd.BindUser, "--ldap-bind-password-file", wrong)
	p.asked("Ticket URL", d.cloud.Ticket())
	for i := 2; i <= maxTries; i++ {
		p.sees(fmt.Sprintf("%d of 3 tries are left", maxTries-i+1))
		p.asked("Service account", "")
		p.asked("Password of", fmt.Sprintf("wrong-%d", i))
	}
	p.leaves(exitRefused)
	if n := failures(t, slapd, slapd.BindUser); n != maxTries {
		t.Errorf("the directory counts %d wrong passwords, want %d", n, maxTries)
	}
	if err := os.Remove(wrong); err != nil {
		t.Fatal(err)
	}
	d.untouched()
}

// TestAcceptGuidedNo changes nothing when the summary is not agreed to.
func TestAcceptGuidedNo(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	p := d.install()
	p.asked("Ticket URL", d.cloud.Ticket())
	p.asked("Directory URL", d.directory.URL())
	p.asked("Service account", d.directory.BindUser())
	p.asked("Password of", d.directory.BindPassword())
	p.asked("Base DN of the users", "")
	p.asked("Install with these answers?", "n")
	p.sees("nothing was changed")
	p.leaves(exitFault)
	d.untouched()
}

// TestAcceptGuidedYes asks for what is missing, and for no consent.
func TestAcceptGuidedYes(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	p := d.sit("install", "--no-service", "--yes", "--ca-file", d.cloud.CAFile(), "--ldap-url", d.directory.URL(),
		"--ldap-bind-user", d.directory.BindUser(), "--ldap-bind-password-file", d.file("password", d.directory.BindPassword()))
	p.asked("Ticket URL", d.cloud.Ticket())
	p.asked("Base DN of the users", "")
	p.sees("installed: connection sandbox")
	p.leaves(exitOK)
}

// TestAcceptGuidedUntried leaves a directory alone that is not there yet.
func TestAcceptGuidedUntried(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	p := d.sit("install", "--no-service", "--ca-file", d.cloud.CAFile(), "--skip", "directory,account", "--preset", "openldap")
	p.asked("Ticket URL", d.cloud.Ticket())
	p.asked("Directory URL", "ldaps://127.0.0.1:1")
	p.asked("Service account", "cn=svc")
	p.asked("Password of cn=svc", "secret")
	p.asked("Base DN of the users", "dc=corp,dc=example")
	p.asked("Install with these answers?", "y")
	p.sees("installed: connection sandbox")
	p.leaves(exitOK)
}

// TestAcceptGuidedInterrupted presses Ctrl-C at the questions that only trouble
// leads to.
func TestAcceptGuidedInterrupted(t *testing.T) {
	t.Parallel()
	for _, terminal := range []string{"TERM=xterm", "TERM=dumb"} {
		for question, before := range map[string]func(*desk, *person){
			"File of the authority's certificate": func(d *desk, p *person) { p.asked("Ticket URL", d.cloud.Ticket()) },
			"HTTP proxy to the tenant":            func(_ *desk, p *person) { p.asked("Ticket URL", "https://127.0.0.1:1/p/ad/abcdefgh") },
			"Go on with": func(d *desk, p *person) {
				p.asked("Ticket URL", d.cloud.Ticket())
				p.asked("File of the authority's certificate", d.cloud.CAFile())
				p.asked("Directory URL", d.directory.URL())
				p.asked("Service account", d.directory.BindUser())
				p.asked("Password of", d.directory.BindPassword())
				p.asked("Base DN of the users", "OU=Groups,"+d.directory.BaseDN())
			},
		} {
			t.Run(terminal+" "+question, func(t *testing.T) {
				t.Parallel()
				d := newDesk(t, terminal)
				p := d.sit("install", "--no-service")
				before(d, p)
				p.sees(question)
				p.types("\x03")
				p.leaves(exitInterrupted)
				d.untouched()
			})
		}
	}
}
