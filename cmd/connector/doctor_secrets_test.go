package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ad-ldap-connector/pkg/doctor"
)

// The secrets that are planted for doctor. None is part of another.
var doctorSecrets = map[string]string{
	"the ticket": "ticketSecretWk5", "the ticket given": "givenSecretPz8", "the password": "Bind-Vy9Passw0rd/account",
	"the proxy's password": "proxy-Jw5-credential", "the signing key": "signing-Hu2-key/text", "the session's": "session-Rt6-secret",
	"a password in a URL": "url-Mn4-password",
}

// doctorHomes are homes with a secret wherever one can be: one that is well,
// one with faults where the secrets are, and one that is no JSON from there on.
func doctorHomes(t *testing.T) map[string]string {
	t.Helper()
	s := doctorSecrets
	good := `{"PROVISIONING_TICKET": "https://127.0.0.1:1/p/ad/` + s["the ticket"] + `", "CONNECTION": "corp", "LDAP_URL": "ldap://127.0.0.1:1", "LDAP_BASE": "DC=corp,DC=test",
		"LDAP_BIND_USER": "svc", "LDAP_BIND_PASSWORD": "` + s["the password"] + `", "HTTP_PROXY": "http://user:` + s["the proxy's password"] + `@127.0.0.1:1",
		"TENANT_SIGNING_KEY": "` + s["the signing key"] + `", "SESSION_SECRET": "` + s["the session's"] + `"`
	homes := map[string]string{}
	for name, text := range map[string]string{
		"good":   good + "}",
		"faulty": good + `, "LDAP_URL": "ldap://svc:` + s["a password in a URL"] + `@127.0.0.1", "LDAP_BIND_CREDENTIALS": "` + s["the password"] + `", "AUTH_CERT_KEY": "` + s["the signing key"] + `", "PORT": "soon"}`,
		"torn":   good + `, "LDAP_BIND_PASSWORD": "` + s["the password"],
	} {
		homes[name] = filepath.Join(t.TempDir(), name)
		if err := errors.Join(os.Mkdir(homes[name], 0o700), os.WriteFile(filepath.Join(homes[name], "config.json"), []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	return homes
}

func TestDoctorShowsNoSecret(t *testing.T) {
	h := &hunter{t: t, secrets: doctorSecrets}
	for name, dir := range doctorHomes(t) {
		for _, format := range doctorFormats {
			kept := filepath.Join(t.TempDir(), "report.json")
			var out bytes.Buffer
			cmd := newCommand(&app{stdin: strings.NewReader(""), stdout: &out, stderr: &out})
			cmd.SetArgs([]string{
				"doctor", "--home", dir, "--verbose", "--format", format, "--save", kept, "--timeout", "20s", "--ntp-server", "127.0.0.1:1",
				"--ticket", "https://127.0.0.1:1/p/ad/" + doctorSecrets["the ticket given"],
			})
			err := cmd.ExecuteContext(t.Context())
			data, bad := os.ReadFile(kept)
			if bad != nil || out.Len() == 0 {
				t.Fatalf("%s: %v, %v: %s", name, err, bad, &out)
			}
			text := out.String() + string(data)
			if err != nil {
				text += err.Error()
			}
			if name != "good" && !strings.Contains(text, "config.valid") {
				t.Errorf("%s: it was not looked at: %s", name, text)
			}
			h.search("doctor on the "+name+" home as "+format, text)
		}
	}
	if want := 3 * len(doctorFormats); h.places != want {
		t.Errorf("%d places were searched, want %d", h.places, want)
	}
}

// TestDoctorHidesWhatPeersQuote checks the last line of defence: a probe that
// shows what a peer answered, secrets and all.
func TestDoctorHidesWhatPeersQuote(t *testing.T) {
	target, err := (&app{stderr: discard, home: doctorHomes(t)["good"]}).openTarget(targetFlags{ticketArg: "https://127.0.0.1:1/p/ad/" + doctorSecrets["the ticket given"]})
	if err != nil {
		t.Fatal(err)
	}
	h := &hunter{t: t, secrets: doctorSecrets}
	for name, secret := range doctorSecrets {
		if name == "a password in a URL" {
			continue // not in this home
		}
		if got := target.secrets.hide("they said " + secret + " to us"); got != "they said [hidden] to us" {
			t.Errorf("%s: %s", name, got)
		}
		for form, text := range map[string]string{"quoted": jsonOf(t, secret), "in a query": forms(secret)["in a query"], "in a path": forms(secret)["in a path"]} {
			h.search(name+" "+form, target.secrets.hide("they said "+text))
		}
	}
	if text := "an ordinary sentence of 127.0.0.1"; target.secrets.hide(text) != text {
		t.Error("what is no secret is hidden")
	}
}

func TestDoctorTarget(t *testing.T) {
	empty := t.TempDir()
	for _, tt := range []struct {
		name    string
		environ []string
		dir     string
		flags   targetFlags
		want    func(*target) bool
	}{
		{"nothing", nil, empty, targetFlags{}, func(t *target) bool { return !t.configured && t.tenant == "" && t.ticket.IsZero() }},
		{"a port alone", []string{"PORT=1", "CONSOLE_ADDR=127.0.0.1:0"}, empty, targetFlags{}, func(t *target) bool { return !t.configured }},
		{"an environment", []string{"LDAP_URL=ldaps://dc1"}, empty, targetFlags{}, func(t *target) bool { return t.configured }},
		{"a ticket in the environment", []string{"CONNECTOR_TICKET=https://a.example/p/ad/secretsecret"}, empty, targetFlags{},
			func(t *target) bool { return !t.configured && t.tenant == "a.example" && !t.other }},
		{"a tenant", nil, empty, targetFlags{tenant: "b.example:8443", ticketArg: "https://a.example/p/ad/secretsecret"}, func(t *target) bool { return t.tenant == "b.example:8443" }},
		{"directories", []string{"LDAP_URL=ldaps://dc1"}, empty, targetFlags{ldapURLs: []string{"ldap://dc2", "ldaps://dc3"}},
			func(t *target) bool {
				return len(t.config.Directory.URLs) == 2 && t.config.Directory.URLs[0] == "ldap://dc2"
			}},
		{"a home", nil, doctorHomes(t)["good"], targetFlags{}, func(t *target) bool { return t.configured && t.tenant == "127.0.0.1:1" && !t.other }},
		{"a home and another ticket", nil, doctorHomes(t)["good"], targetFlags{ticketArg: "https://a.example/p/ad/secretsecret"},
			func(t *target) bool { return t.other && t.tenant == "a.example" }},
		{"a home and its own ticket", nil, doctorHomes(t)["good"], targetFlags{ticketArg: "https://127.0.0.1:1/p/ad/" + doctorSecrets["the ticket"]},
			func(t *target) bool { return !t.other }},
		{"a torn home", nil, doctorHomes(t)["torn"], targetFlags{ldapURLs: []string{"ldap://dc2"}},
			func(t *target) bool { return t.configured && t.config.Directory.URLs[0] == "ldap://dc2" }},
	} {
		got, err := (&app{stderr: discard, home: tt.dir, environ: tt.environ}).openTarget(tt.flags)
		if err != nil || !tt.want(got) {
			t.Errorf("%s: %v, configured %t, tenant %q", tt.name, err, got.configured, got.tenant)
		}
	}
}

func TestCheckHost(t *testing.T) {
	for _, good := range []string{"acme.example", "acme.example:443", "127.0.0.1", "127.0.0.1:123", "::1", "[::1]:123", "[fe80::1]", "host_1"} {
		if err := checkHost(good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{"", ":", ":443", "a:", "a:0", "a:65536", "a:http", "a:1:2", "https://a", "a/b", "a b", "a@b", "[::1]:", "[", "a\n", strings.Repeat("a", 254)} {
		if err := checkHost(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

// TestDoctorReportsKeepToTheSchema holds the JSON of the command against what
// it publishes.
func TestDoctorReportsKeepToTheSchema(t *testing.T) {
	for name, dir := range doctorHomes(t) {
		d, status := askDoctor(t, "--home", dir, "--only", "config,agent", "--skip", "network,tls,agent.ticket", "--waive", "config.permissions=why@2020-01-01")
		want, result := exitBlocked, doctor.Blocked
		if name == "good" {
			want, result = exitOK, doctor.Warned
		}
		if status != want || d.Result != result || len(d.Notes) != 1 {
			t.Errorf("%s: status %d, %s, notes %q: %s", name, status, d.Result, d.Notes, says(found(t, d, "config.valid")))
		}
		if d.Connector.Version == "" || d.TookMs > 20000 {
			t.Errorf("%+v, %d ms", d.Connector, d.TookMs)
		}
	}
}
