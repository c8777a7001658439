package install

import (
	"ad-ldap-connector/pkg/config"
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ad-ldap-connector/pkg/tenant"
)

// write makes the home hold what an operator wrote before the first start.
func (w *world) write(t *testing.T, text string) {
	t.Helper()
	if err := os.MkdirAll(w.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	text = strings.ReplaceAll(text, "<ticket>", w.ticket)
	if err := os.WriteFile(filepath.Join(w.dir, "config.json"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

const handWritten = `{
  "PROVISIONING_TICKET": "<ticket>",
  "LDAP_URL": "ldaps://dc1.corp.example",
  "LDAP_BASE": "DC=corp,DC=example",
  "LDAP_BIND_USER": "svc@corp.example",
  "LDAP_BIND_PASSWORD": "` + bindPassword + `"
}
`

// refresh provisions the home, which must succeed.
func (w *world) refresh(t *testing.T, environ ...string) Result {
	t.Helper()
	r, err := w.provisioner(t, environ...).Refresh(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRefreshProvisionsAHomeWithATicketOnly(t *testing.T) {
	w := newWorld(t)
	w.write(t, handWritten)
	r := w.refresh(t)
	if len(r.Notes) > 0 || r.Keys == nil {
		t.Errorf("notes %v, keys %v", r.Notes, r.Keys)
	}
	c := w.check(t)
	if !c.Equal(r.Config) {
		t.Error("the result is not what the file says")
	}
	before := w.files(t)
	w.refresh(t)
	if diff := cmp.Diff(before, w.files(t)); diff != "" {
		t.Error(diff)
	}
}

// What somebody saves while the tenant is asked stays.
func TestRefreshWritesOverNobody(t *testing.T) {
	w := newWorld(t)
	w.write(t, handWritten)
	w.refresh(t)
	asked := 0
	w.wire.spoil = answering("/info", func(text string) string {
		if asked++; asked == 1 {
			h := w.home(t)
			c, err := h.Config()
			if err == nil {
				c.Tenant.SiteName = "of somebody else"
				err = h.SaveConfig(c)
			}
			if err != nil {
				t.Error(err)
			}
		}
		return strings.Replace(text, `"kerberos":false`, `"kerberos":true`, 1)
	})
	r := w.refresh(t)
	if c := w.check(t); c.Tenant.SiteName != "of somebody else" || !c.Tenant.Kerberos || !r.Config.Tenant.Kerberos {
		t.Errorf("the site is %q, Kerberos %t", c.Tenant.SiteName, c.Tenant.Kerberos)
	}
}

func TestRefreshTakesOverWhatTheTenantChanged(t *testing.T) {
	w := newWorld(t)
	w.write(t, handWritten)
	first := w.refresh(t)
	if err := w.cloud.SetSigning("sandbox", "RS256"); err != nil {
		t.Fatal(err)
	}
	w.wire.spoil = answering("/info", func(text string) string {
		return strings.NewReplacer(`"kerberos":false`, `"kerberos":true`, `"certAuth":false`, `"certAuth":true`,
			`"sandbox.test"`, `["a.example","b.example"]`, "/lo/hub", "/lo/hub2", "/login/callback", "/cb1, https://t/cb2").Replace(text)
	})
	w.refresh(t)
	c := w.check(t)
	if c.Tenant.SigningKey == first.Config.Tenant.SigningKey || !c.Tenant.Kerberos || !c.Tenant.ClientCertificates ||
		!strings.HasSuffix(c.Tenant.Hub, "/lo/hub2") {
		t.Errorf("config.json has %+v", c.Tenant)
	}
	if diff := cmp.Diff([]string{"a.example", "b.example"}, c.Tenant.Issuer); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{w.cloud.URL() + "/cb1", "https://t/cb2"}, c.Tenant.PostURLs); diff != "" {
		t.Error(diff)
	}
	w.wire.spoil = nil // and back
	w.refresh(t)
	if c := w.check(t); c.Tenant.Kerberos || c.Tenant.ClientCertificates {
		t.Errorf("config.json has %+v", c.Tenant)
	}
}

// answering lets a test change what the tenant answers to one address.
func answering(suffix string, change func(string) string) func(int, *http.Request, http.RoundTripper) (*http.Response, error) {
	return func(_ int, r *http.Request, next http.RoundTripper) (*http.Response, error) {
		answer, err := next.RoundTrip(r)
		if err != nil || !strings.HasSuffix(r.URL.Path, suffix) {
			return answer, err
		}
		body, err := io.ReadAll(answer.Body)
		if err := errors.Join(err, answer.Body.Close()); err != nil {
			return nil, err
		}
		answer.Body = io.NopCloser(bytes.NewReader([]byte(change(string(body)))))
		return answer, nil
	}
}

// TestAClearPasswordIsSealedWithoutTheTenant, as soon as there are keys.
func TestAClearPasswordIsSealedWithoutTheTenant(t *testing.T) {
	w := newWorld(t)
	w.write(t, handWritten)
	w.refresh(t)
	w.write(t, handWritten)
	down := errors.New("tenant down")
	w.wire.spoil = func(int, *http.Request, http.RoundTripper) (*http.Response, error) { return nil, down }
	r, err := w.provisioner(t).Refresh(t.Context())
	if !errors.Is(err, down) {
		t.Errorf("err = %v", err)
	}
	for name, content := range w.files(t) {
		if strings.Contains(content, bindPassword) {
			t.Errorf("%s holds the password", name)
		}
	}
	if got, err := r.Keys.Open(string(r.Config.Directory.BindCredentials)); got != bindPassword || err != nil {
		t.Errorf("the result's password: %q, %v", got, err)
	}
}

// TestAPasswordOfTheEnvironmentIsSealedOnce: sealing it anew would change the
// file at every start.
func TestAPasswordOfTheEnvironmentIsSealedOnce(t *testing.T) {
	w := newWorld(t)
	w.write(t, strings.Replace(handWritten, bindPassword, "former", 1))
	environ := "LDAP_BIND_PASSWORD=" + bindPassword
	w.refresh(t, environ)
	w.check(t)
	before := w.files(t)
	w.refresh(t, environ)
	if diff := cmp.Diff(before, w.files(t)); diff != "" {
		t.Error(diff)
	}
}

func TestNoSigningKeyIsNoted(t *testing.T) {
	w := newWorld(t)
	w.write(t, handWritten)
	silent := func(_ int, r *http.Request, next http.RoundTripper) (*http.Response, error) {
		if r.Method == http.MethodPost {
			return answering("", func(string) string { return "{}" })(0, r, next)
		}
		return next.RoundTrip(r)
	}
	w.wire.spoil = silent
	r := w.refresh(t)
	if len(r.Notes) != 1 || !strings.Contains(r.Notes[0], "no signing key") || r.Config.Tenant.SigningKey != "" {
		t.Errorf("notes %q", r.Notes)
	}
	if r = w.refresh(t); len(r.Notes) != 0 || r.Config.Tenant.SigningKey != "" {
		t.Errorf("at the next start: notes %q", r.Notes)
	}
	w.wire.spoil = nil
	if w.refresh(t).Config.Tenant.SigningKey == "" {
		t.Error("the tenant sent a key, and it was not kept")
	}
	w.wire.spoil = silent
	r = w.refresh(t)
	if len(r.Notes) != 1 || !strings.Contains(r.Notes[0], "by the keys that it publishes") || r.Config.Tenant.SigningKey != "" {
		t.Errorf("notes %q; a key that the tenant no longer sends must not be believed", r.Notes)
	}
}

// TestAnInstallNotesThatThereIsNoSigningKey: requests are verified in another
// way then, for which the tenant must be reached.
func TestAnInstallNotesThatThereIsNoSigningKey(t *testing.T) {
	w := newWorld(t)
	w.wire.spoil = func(_ int, r *http.Request, next http.RoundTripper) (*http.Response, error) {
		if r.Method == http.MethodPost {
			return answering("", func(string) string { return "{}" })(0, r, next)
		}
		return next.RoundTrip(r)
	}
	o := w.options(t)
	var notes []string
	o.Note = func(text string) { notes = append(notes, text) }
	w.install(t, o)
	if len(notes) != 1 || !strings.Contains(notes[0], "no signing key") {
		t.Errorf("notes %q", notes)
	}
}

// TestAnotherConnectionsSigningKeyIsNotBelieved: the ticket was exchanged by
// hand, and the new connection's tenant sends no key of its own.
func TestAnotherConnectionsSigningKeyIsNotBelieved(t *testing.T) {
	w := newWorld(t)
	w.write(t, handWritten)
	w.refresh(t)
	ticket, _, err := w.cloud.NewConnection("other", false, false)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(w.dir, "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	w.write(t, strings.Replace(string(text), w.ticket, ticket, 1))
	w.wire.spoil = func(_ int, r *http.Request, next http.RoundTripper) (*http.Response, error) {
		if r.Method == http.MethodPost {
			return nil, errors.New("cable cut")
		}
		return next.RoundTrip(r)
	}
	r, err := w.provisioner(t).Refresh(t.Context())
	if err == nil || r.Config.Tenant.Connection != "other" || r.Config.Tenant.SigningKey != "" {
		t.Errorf("%s with the signing key %q, %v", r.Config.Tenant.Connection, string(r.Config.Tenant.SigningKey), err)
	}
}

// TestNothingStaysOfAFormerRealm points a home at another tenant.
func TestNothingStaysOfAFormerRealm(t *testing.T) {
	c, err := config.Parse([]byte(`{"CONNECTION": "a", "REALM": "urn:auth0:a", "urn:auth0:a": "https://a.example/login/callback",
		"SITE_NAME": "a", "TENANT_SIGNING_KEY": "the former one's", "LAST_SENT_THUMBPRINT": "00", "OF_MINE": 1}`))
	if err != nil {
		t.Fatal(err)
	}
	apply(&c, tenant.Connection{Name: "b", Hub: "https://b.example/lo/hub", Realm: "urn:auth0:b", PostURL: "https://b.example/login/callback"}, "node1")
	text, err := c.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "urn:auth0:a") || strings.Contains(string(text), "a.example") || strings.Contains(string(text), "former") {
		t.Errorf("the former tenant is in it: %s", text)
	}
	if again, err := config.Parse(text); err != nil || !slices.Equal(again.Tenant.PostURLs, []string{"https://b.example/login/callback"}) || !strings.Contains(string(text), "OF_MINE") {
		t.Errorf("%s, %v", text, err)
	}
}

func TestServerURL(t *testing.T) {
	for _, test := range []struct{ name, line, environ, want, told string }{
		{"chosen by itself", "", "", "http://node1:4000", "http://node1:4000/wsfed"},
		{"with the port", `"PORT": 8443,`, "", "http://node1:8443", "http://node1:8443/wsfed"},
		{"kept", `"SERVER_URL": "https://login.example",`, "", "https://login.example", "https://login.example/wsfed"},
		{"of the environment", "", "SERVER_URL=https://login.example", "https://login.example", "https://login.example/wsfed"},
		{"with a slash", `"SERVER_URL": "https://login.example/",`, "", "https://login.example/", "https://login.example/wsfed"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			w.write(t, strings.Replace(handWritten, "{\n", "{\n"+test.line, 1))
			var told string
			w.wire.spoil = func(_ int, r *http.Request, next http.RoundTripper) (*http.Response, error) {
				if r.Method == http.MethodPost {
					body, err := io.ReadAll(r.Body)
					if err != nil {
						return nil, err
					}
					told = string(body)
					r.Body = io.NopCloser(bytes.NewReader(body))
				}
				return next.RoundTrip(r)
			}
			r := w.refresh(t, test.environ)
			if r.Config.Tenant.ServerURL != test.want || !strings.Contains(told, `"signInEndpoint":"`+test.told+`"`) {
				t.Errorf("SERVER_URL %s, and the tenant was told %s", r.Config.Tenant.ServerURL, told)
			}
			inFile := strings.Contains(w.files(t)["config.json"], "SERVER_URL")
			if want := test.environ == ""; inFile != want {
				t.Errorf("SERVER_URL in the file: %t, want %t", inFile, want)
			}
		})
	}
}

// TestRefreshKeepsThePairThatWasRegistered when the answer or the next write is
// lost: the next start registers the same one.
func TestRefreshKeepsThePairThatWasRegistered(t *testing.T) {
	w := newWorld(t)
	w.write(t, handWritten)
	w.wire.spoil = func(n int, r *http.Request, next http.RoundTripper) (*http.Response, error) {
		answer, err := next.RoundTrip(r)
		if n == 2 && err == nil {
			return nil, errors.Join(errors.New("cable cut"), answer.Body.Close())
		}
		return answer, err
	}
	r, err := w.provisioner(t).Refresh(t.Context())
	if err == nil || r.Keys == nil {
		t.Fatalf("keys %v, %v", r.Keys, err)
	}
	w.refresh(t)
	w.check(t)
}

// TestRefreshOfBadHomes: each is an error, and changes nothing.
func TestRefreshOfBadHomes(t *testing.T) {
	for name, text := range map[string]string{
		"not JSON":  `{"PROVISIONING_TICKET": `,
		"no ticket": `{"LDAP_BASE": "DC=x"}`,
		"no URL":    `{"PROVISIONING_TICKET": "xyzzy-secret"}`,
		"unknown":   `{"PROVISIONING_TICKET": "<ticket>xyzzy-secret"}`,
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.write(t, text)
			before := w.files(t)
			_, err := w.provisioner(t).Refresh(t.Context())
			if err == nil || strings.Contains(err.Error(), "xyzzy") {
				t.Errorf("err = %v", err)
			}
			if name == "unknown" && !errors.Is(err, tenant.ErrUnknownTicket) {
				t.Errorf("err = %v", err)
			}
			if diff := cmp.Diff(before, w.files(t)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestEnvironmentOnly: keys are made, and no config.json.
func TestEnvironmentOnly(t *testing.T) {
	w := newWorld(t)
	environ := []string{
		"OVERRIDE_CONFIG=false", "PROVISIONING_TICKET=" + w.ticket, "LDAP_URL=ldaps://dc1.corp.example",
		"LDAP_BASE=DC=corp,DC=example", "LDAP_BIND_USER=svc", "LDAP_BIND_PASSWORD=" + bindPassword,
	}
	r := w.refresh(t, environ...)
	if diff := cmp.Diff([]string{"certs/cert.key", "certs/cert.pem"}, names(w.files(t))); diff != "" {
		t.Error(diff)
	}
	if r.Config.Tenant.Connection != "sandbox" || r.Config.Tenant.SigningKey == "" || r.Config.Directory.BindCredentials == "" {
		t.Errorf("%+v", r.Config)
	}
	again := w.refresh(t, environ...)
	if again.Keys.Thumbprint() != r.Keys.Thumbprint() {
		t.Error("the second start made another pair")
	}
}
