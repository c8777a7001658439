package main

import (
	"encoding/json"
	"maps"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ad-ldap-connector/pkg/doctor"
	"ad-ldap-connector/testdata/lab"
)

// theDirectory are the checks of the directory.
const theDirectory = "tls.directory,tls.directory-expiry,directory,account"

// settings are a home's, for a directory.
type settings map[string]any

// but are the same settings with some changed.
func (s settings) but(key string, value any) settings {
	c := maps.Clone(s)
	c[key] = value
	return c
}

// askDirectory examines the directory of a home with these settings.
func askDirectory(t *testing.T, s settings, args ...string) (map[doctor.ID]doctor.Entry, int) {
	t.Helper()
	data, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	h := t.TempDir()
	if err := os.WriteFile(filepath.Join(h, "config.json"), data, 0o600); err != nil {
		t.Fatal(err)
	}
	d, status := askDoctor(t, append([]string{"--home", h, "--only", theDirectory}, args...)...)
	all := map[doctor.ID]doctor.Entry{}
	for _, e := range d.Checks {
		all[e.ID] = e
	}
	return all, status
}

// trusting returns a folder for SSL_CA_PATH with one authority.
func trusting(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "ca.pem"), data, 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func ofSlapd(t *testing.T, s *lab.SlapdServer) settings {
	return settings{
		"LDAP_URL": s.TLSURL, "LDAP_BASE": s.BaseDN, "LDAP_BIND_USER": s.BindUser, "LDAP_BIND_PASSWORD": s.BindPassword,
		"LDAP_USER_BY_NAME": "(&(objectClass=inetOrgPerson)(uid={0}))", "LDAP_SEARCH_ALL_QUERY": "(&(objectClass=inetOrgPerson)(mail=*))",
		"LDAP_SEARCH_GROUPS": "(member={0})", "SSL_CA_PATH": trusting(t, s.CAFile),
	}
}

// judged fails the test unless the checks came out as wanted, each "status
// text"; all others must have passed or been skipped.
func judged(t *testing.T, name string, all map[doctor.ID]doctor.Entry, want map[doctor.ID]string) {
	t.Helper()
	for id, e := range all {
		status, text, _ := strings.Cut(want[id], " ")
		switch {
		case want[id] == "" && e.Status == doctor.Failed:
			t.Errorf("%s: %s %s", name, id, says(e))
		case want[id] != "" && (string(e.Status) != status || !strings.Contains(says(e), text)):
			t.Errorf("%s: %s %s; want %s", name, id, says(e), want[id])
		}
	}
	for id := range want {
		if _, ok := all[id]; !ok {
			t.Errorf("%s: nothing of %s", name, id)
		}
	}
}

func TestDoctorAsksOpenLDAP(t *testing.T) {
	t.Parallel()
	server := lab.Slapd(t, lab.SlapdOptions{Users: 5})
	well := ofSlapd(t, server)
	held := "skipped it needs directory.bind"
	for name, tt := range map[string]struct {
		settings settings
		want     map[doctor.ID]string
		status   int
	}{
		"well": {well, map[doctor.ID]string{
			"directory.reach": "passed " + server.TLSURL, "tls.directory": "passed TLS 1.3", "tls.directory-expiry": "passed until",
			"directory.bind": "passed as cn=svc", "directory.search": "passed dc=lab", "directory.users": "passed user0000",
			"directory.groups": "passed in 3 groups", "directory.paging": "passed 2 pages", "directory.anonymous": "passed refused",
			"directory.signing": "skipped Active Directory", "directory.servers": "skipped one server", "account.rights": "passed",
		}, exitOK},
		"wrong password": {well.but("LDAP_BIND_PASSWORD", "planted-Secret"), map[doctor.ID]string{
			"directory.bind": "failed invalid credentials (49)", "directory.search": held, "directory.users": "skipped directory.bind failed",
			"account.rights": held, "tls.directory": "passed",
		}, exitBlocked},
		"not trusted": {well.but("SSL_CA_PATH", trusting(t, lab.NewCA(t, t.TempDir()).File)), map[doctor.ID]string{
			"tls.directory": "failed lab test CA", "directory.reach": "passed", "directory.bind": "skipped it needs tls.directory",
			"tls.directory-expiry": "skipped it needs tls.directory", "directory.anonymous": "skipped", "directory.clock": "skipped",
		}, exitBlocked},
		"nobody there": {well.but("LDAP_URL", "ldaps://127.0.0.1:1"), map[doctor.ID]string{
			"directory.reach": "failed connection refused", "tls.directory": "skipped directory.reach", "directory.bind": "skipped it needs directory.reach",
		}, exitBlocked},
		"one of two": {well.but("LDAP_URL", server.TLSURL+" ldaps://127.0.0.1:1"), map[doctor.ID]string{
			"directory.reach": "passed", "directory.servers": "failed 1 of 2", "directory.users": "passed",
		}, exitOK},
		"another base": {well.but("LDAP_BASE", "dc=other,dc=test"), map[doctor.ID]string{
			"directory.search": "failed no such object", "directory.users": "skipped it needs directory.search", "directory.bind": "passed",
		}, exitBlocked},
		"nobody found": {well.but("LDAP_SEARCH_ALL_QUERY", "(objectClass=device)"), map[doctor.ID]string{
			"directory.users": "failed no entry below", "directory.groups": "skipped it needs directory.users",
		}, exitBlocked},
		"nobody found again": {well.but("LDAP_USER_BY_NAME", "(&(objectClass=device)(uid={0}))"), map[doctor.ID]string{
			"directory.users": "failed does not find",
		}, exitBlocked},
		"groups elsewhere": {well.but("LDAP_BASE_GROUPS", "ou=none,dc=lab,dc=test"), map[doctor.ID]string{
			"directory.groups": "failed no such object",
		}, exitOK},
	} {
		all, status := askDirectory(t, tt.settings)
		if status != tt.status {
			t.Errorf("%s: status %d, want %d", name, status, tt.status)
		}
		judged(t, name, all, tt.want)
		for id, e := range all {
			if strings.Contains(says(e), "planted-Secret") || strings.Contains(says(e), server.BindPassword) {
				t.Errorf("%s: %s shows a password: %s", name, id, says(e))
			}
		}
	}
}

func TestDoctorFindsAnOpenDirectory(t *testing.T) {
	t.Parallel()
	server := lab.Slapd(t, lab.SlapdOptions{Users: 5, Anonymous: true})
	all, status := askDirectory(t, ofSlapd(t, server), "--fail-on-warnings")
	judged(t, "open", all, map[doctor.ID]string{"directory.anonymous": "failed lets anybody search"})
	if status != exitWarned {
		t.Errorf("status %d", status)
	}
	all, _ = askDirectory(t, ofSlapd(t, server).but("LDAP_BASE", "dc=other,dc=test"))
	judged(t, "another base", all, map[doctor.ID]string{
		"directory.rootdse": "failed does not say that it holds dc=other", "directory.search": "failed", "directory.anonymous": "passed",
	})
}

func TestDoctorAsksSamba(t *testing.T) {
	t.Parallel()
	dc := lab.Samba(t, lab.SambaOptions{})
	well := settings{
		"LDAP_URL": dc.TLSURL, "LDAP_BASE": dc.BaseDN, "LDAP_BIND_USER": dc.BindUser, "LDAP_BIND_PASSWORD": dc.BindPassword,
		"SSL_CA_PATH": trusting(t, dc.CAFile),
	}
	all, status := askDirectory(t, well)
	judged(t, "well", all, map[doctor.ID]string{
		"directory.signing": "passed already insists", "directory.referrals": "passed refers to no other place", "directory.clock": "passed apart",
		"account.rights": "passed", "directory.users": "passed", "directory.groups": "passed", "directory.rootdse": "passed samba",
	})
	if status != exitOK {
		t.Errorf("status %d", status)
	}
	all, _ = askDirectory(t, well.but("LDAP_BIND_USER", dc.AdminUser).but("LDAP_BIND_PASSWORD", dc.AdminPassword))
	judged(t, "administrator", all, map[doctor.ID]string{"account.rights": "failed Domain Admins"})
	all, _ = askDirectory(t, well.but("LDAP_URL", dc.URL))
	judged(t, "in clear", all, map[doctor.ID]string{
		"directory.signing": "failed passwords go in the clear", "directory.bind": "failed The directory takes no passwords in clear", "directory.search": "skipped it needs directory.bind",
		"directory.users": "skipped", "account.rights": "skipped", "account.password": "skipped", "directory.paging": "skipped",
		"directory.groups": "skipped", "directory.referrals": "skipped",
	})
}

// TestDoctorAsksLaxSamba has a domain controller that takes passwords in clear,
// and is on another machine, as far as anybody can tell.
func TestDoctorAsksLaxSamba(t *testing.T) {
	t.Parallel()
	dc := lab.Samba(t, lab.SambaOptions{PlainBinds: true})
	over := settings{
		"LDAP_URL": dc.TLSURL, "LDAP_BASE": dc.BaseDN, "LDAP_BIND_USER": dc.BindUser, "LDAP_BIND_PASSWORD": dc.BindPassword,
		"SSL_CA_PATH": trusting(t, dc.CAFile),
	}
	all, status := askDirectory(t, over)
	judged(t, "over TLS", all, map[doctor.ID]string{
		"directory.signing": "passed does not yet insist", "directory.bind": "passed", "directory.cleartext": "passed", "tls.directory": "passed",
	})
	if status != exitOK {
		t.Errorf("status %d", status)
	}
	all, status = askDirectory(t, over.but("LDAP_URL", dc.URL))
	judged(t, "in clear", all, map[doctor.ID]string{
		"directory.signing": "failed a hardened domain controller refuses; this one does not yet insist", "directory.bind": "passed", "directory.search": "passed",
		"directory.users": "passed", "tls.directory": "skipped", "tls.directory-expiry": "skipped", "directory.anonymous": "passed",
	})
	if status != exitOK { // a warning alone
		t.Errorf("in clear: status %d", status)
	}
	all, _ = askDirectory(t, over.but("LDAP_URL", dc.URL).but("LDAP_STARTTLS", "true"))
	judged(t, "StartTLS", all, map[doctor.ID]string{
		"directory.signing": "passed does not yet insist", "tls.directory": "passed", "directory.cleartext": "passed", "directory.bind": "passed",
	})
}

// A server that takes connections and never answers holds doctor up no longer
// than it was told, and is named.
func TestDoctorEndsBeforeASilentDirectory(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	const limit = 3 * time.Second
	began := time.Now()
	all, status := askDirectory(t, settings{
		"LDAP_URL": "ldaps://" + l.Addr().String(), "LDAP_BASE": "dc=lab,dc=test", "LDAP_BIND_USER": "cn=svc", "LDAP_BIND_PASSWORD": "x-Passw0rd",
	}, "--timeout", limit.String())
	if took := time.Since(began); took > limit+5*time.Second {
		t.Errorf("it took %s", took)
	}
	if e := all["tls.directory"]; status != exitBlocked || e.Status != doctor.Failed || !strings.Contains(says(e), "TLS handshake with ldaps://"+l.Addr().String()) {
		t.Errorf("status %d: %s", status, says(e))
	}
}
