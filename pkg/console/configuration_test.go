package console

import (
	"context"
	"errors"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"ad-ldap-connector/pkg/agent"
	"ad-ldap-connector/pkg/config"
	"ad-ldap-connector/pkg/doctor"
)

// A fakeHome is a home whose file is in memory.
type fakeHome struct {
	mu     sync.Mutex
	text   []byte
	failed []doctor.Entry // what the doctor finds besides what passes
	asked  [][]string
	saved  int
	refuse string
}

const plantedPassword = "planted-bind-password"

func newFakeHome() *fakeHome {
	return &fakeHome{text: []byte(`{
  "PROVISIONING_TICKET": "https://tenant.example/p/ad/planted-ticket",
  "AD_HUB": "https://tenant.example/lo/hub",
  "CONNECTION": "corp",
  "REALM": "urn:auth0:tenant",
  "LDAP_URL": "ldaps://dc1.corp.example",
  "LDAP_BASE": "DC=corp,DC=example",
  "LDAP_BIND_USER": "CN=svc,DC=corp,DC=example",
  "LDAP_BIND_PASSWORD": "` + plantedPassword + `",
  "SESSION_SECRET": "planted-session-secret",
  "SOMETHING_ELSE": "kept"
}
`)}
}

func (h *fakeHome) read() (Reading, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	c, err := config.Parse(h.text)
	return Reading{Config: c, Text: slices.Clone(h.text)}, err
}

func (h *fakeHome) set(t *testing.T, key, text string) {
	t.Helper()
	r, err := h.read()
	if err == nil {
		err = r.Config.Set(key, text)
	}
	if err != nil {
		t.Fatal(err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.text, err = r.Config.Encode(); err != nil {
		t.Fatal(err)
	}
}

func (h *fakeHome) get(t *testing.T, key string) any {
	t.Helper()
	r, err := h.read()
	if err != nil {
		t.Fatal(err)
	}
	v, _ := r.Config.Get(key)
	if s, ok := v.(config.Secret); ok {
		return string(s)
	}
	return v
}

func (h *fakeHome) options() Options {
	return Options{
		Health: func() []agent.Health { return nil },
		Configuration: &Configuration{
			Read: h.read, Presets: config.Presets(),
			Check: func(_ context.Context, _ config.Config, only []string, seen func(doctor.Entry)) (blocked bool, err error) {
				h.mu.Lock()
				defer h.mu.Unlock()
				h.asked = append(h.asked, only)
				for _, id := range classic {
					seen(doctor.Entry{ID: doctor.ID(id), Title: id, Severity: doctor.Blocks, Status: doctor.Passed})
				}
				for _, e := range h.failed {
					seen(e)
					blocked = blocked || e.Severity == doctor.Blocks
				}
				return blocked, nil
			},
			Save: func(_ context.Context, c config.Config, from Reading) (string, error) {
				h.mu.Lock()
				defer h.mu.Unlock()
				if string(from.Text) != string(h.text) {
					return "", ErrChanged
				}
				var err error
				if h.text, err = c.Encode(); err == nil {
					h.saved++
				}
				return h.refuse, err
			},
			Discover: func(context.Context, config.Config) (Discovery, error) {
				return Discovery{Servers: []string{"ldaps://dc2.corp.example"}, BaseDN: "DC=found", Preset: "openldap"}, nil
			},
		},
	}
}

var draftInPage = regexp.MustCompile(`name="draft" value="([^"]+)"`)

// form reads the page's form, as a browser would send it, and changes it.
func (v *visitor) form(path string, change ...string) url.Values {
	v.t.Helper()
	code, body := v.get(path)
	if code != 200 {
		v.t.Fatalf("%s: %d", path, code)
	}
	return formOf(v.t, body, change...)
}

var inputInPage = regexp.MustCompile(`<input type="(?:text|url|number)"[^>]* name="([^"]+)"[^>]* value="([^"]*)"`)

func formOf(t *testing.T, body string, change ...string) url.Values {
	t.Helper()
	m := draftInPage.FindStringSubmatch(body)
	if m == nil {
		t.Fatalf("no form in %s", body)
	}
	form := url.Values{"draft": {m[1]}}
	for _, m := range inputInPage.FindAllStringSubmatch(body, -1) {
		form.Set(m[1], strings.NewReplacer("&#34;", `"`, "&amp;", "&", "&#39;", "'", "&lt;", "<", "&gt;", ">", "&#43;", "+").Replace(m[2]))
	}
	for i := 0; i+1 < len(change); i += 2 {
		form.Set(change[i], change[i+1])
	}
	return form
}

// TestSaving goes from the form over the review to the file.
func TestSaving(t *testing.T) {
	t.Parallel()
	h := newFakeHome()
	v := newVisitor(t, h.options())
	form := v.form("/configuration", "LDAP_BASE", "DC=other", "LDAP_BIND_PASSWORD", "typed-password", "preset", "openldap")
	code, body := v.post("/configuration", form)
	if code != 303 {
		t.Fatalf("the form: %d %s", code, body)
	}
	code, body = v.get(v.location)
	for _, want := range []string{"LDAP_BASE", "DC=corp,DC=example", "DC=other", "LDAP_USER_BY_NAME", "inetOrgPerson", "changed", "Testing LDAP bind", ">Save<"} {
		if code != 200 || !strings.Contains(body, want) {
			t.Errorf("the review: %d, without %q", code, want)
		}
	}
	noSecrets(t, body, "typed-password")
	if h.saved != 0 {
		t.Fatal("it was saved before anybody agreed")
	}
	code, _ = v.post("/configuration/save", url.Values{"draft": {draftInPage.FindStringSubmatch(body)[1]}})
	if code != 303 || h.saved != 1 {
		t.Fatalf("saving: %d, saved %d", code, h.saved)
	}
	if got := h.get(t, "LDAP_BASE"); got != "DC=other" {
		t.Errorf("LDAP_BASE is %v", got)
	}
	if got := h.get(t, "LDAP_BIND_PASSWORD"); got != "typed-password" {
		t.Errorf("the password is not the typed one")
	}
	if got := h.get(t, "SOMETHING_ELSE"); got != "kept" {
		t.Errorf("SOMETHING_ELSE is %v", got)
	}
	if code, body = v.get("/configuration"); code != 200 || !strings.Contains(body, "no login was dropped") {
		t.Errorf("afterwards: %d", code)
	}
	noSecrets(t, body, "typed-password")
	saves := v.audited()
	last := saves[len(saves)-1]
	if last.What != "configuration.save" || last.Outcome != "accepted" || !slices.Contains(last.Keys, "LDAP_BASE") || strings.Contains(strings.Join(last.Keys, " "), "DC=") {
		t.Errorf("audited %+v", last)
	}
}

func noSecrets(t *testing.T, body string, more ...string) {
	t.Helper()
	for _, secret := range append(more, plantedPassword, "planted-ticket", "planted-session-secret") {
		if strings.Contains(body, secret) {
			t.Errorf("the page shows the secret %s", secret)
		}
	}
}

// TestFaultsAreAtTheirFields: and what was typed is still there, but for secrets.
func TestFaultsAreAtTheirFields(t *testing.T) {
	t.Parallel()
	h := newFakeHome()
	v := newVisitor(t, h.options())
	form := v.form("/configuration", "LDAP_URL", "htp://x", "GROUPS_CACHE_SECONDS", "soon", "LDAP_BASE", "DC=typed", "LDAP_BIND_PASSWORD", "typed-password")
	code, body := v.post("/configuration", form)
	if code != 422 || h.saved != 0 {
		t.Fatalf("%d", code)
	}
	for _, key := range []string{"LDAP_URL", "GROUPS_CACHE_SECONDS"} {
		at := strings.Index(body, `id="e-`+key+`"`)
		if at < 0 || !strings.Contains(body, `href="#f-`+key+`"`) {
			t.Errorf("no fault at %s", key)
		}
	}
	if !strings.Contains(body, `value="DC=typed"`) {
		t.Error("what was typed is lost")
	}
	noSecrets(t, body, "typed-password")
	// The password need not be typed again.
	code, _ = v.post("/configuration", formOf(t, body, "LDAP_URL", "ldaps://dc1.corp.example", "GROUPS_CACHE_SECONDS", ""))
	if code != 303 {
		t.Fatalf("mended: %d", code)
	}
	_, body = v.get(v.location)
	v.post("/configuration/save", url.Values{"draft": {draftInPage.FindStringSubmatch(body)[1]}})
	if got := h.get(t, "LDAP_BIND_PASSWORD"); got != "typed-password" {
		t.Error("the password that was typed first is lost")
	}
	// Another account does not go with the former one's password.
	code, body = v.post("/configuration", v.form("/configuration", "LDAP_BIND_USER", "CN=other"))
	if code != 422 || !strings.Contains(body, "type its password") {
		t.Errorf("another account: %d", code)
	}
}

// TestBlockedIsNotSaved, unless somebody insists.
func TestBlockedIsNotSaved(t *testing.T) {
	t.Parallel()
	h := newFakeHome()
	h.failed = []doctor.Entry{{ID: "tls.directory", Title: "<b>title</b>", Severity: doctor.Blocks, Status: doctor.Failed, Detail: xssCorpus[0], Remedy: "trust its CA"}}
	v := newVisitor(t, h.options())
	v.post("/configuration", v.form("/configuration", "LDAP_BASE", "DC=other"))
	_, body := v.get(v.location)
	if !strings.Contains(body, "trust its CA") || !strings.Contains(body, "although checks have failed") {
		t.Errorf("the review says nothing: %s", body)
	}
	checkEscaped(t, body)
	draft := draftInPage.FindStringSubmatch(body)[1]
	if v.post("/configuration/save", url.Values{"draft": {draft}}); h.saved != 0 {
		t.Fatal("it was saved")
	}
	if v.post("/configuration/save", url.Values{"draft": {draft}, "anyway": {"yes"}}); h.saved != 1 {
		t.Fatal("it was not saved")
	}
}

// TestTwoAdministrators: what the first saves stays, unless the second says
// otherwise, seeing it.
func TestTwoAdministrators(t *testing.T) {
	t.Parallel()
	h := newFakeHome()
	v := newVisitor(t, h.options())
	form := v.form("/configuration", "LDAP_BASE", "DC=mine", "SITE_NAME", "mine")
	h.set(t, "LDAP_BASE", "DC=theirs")
	h.set(t, "LOG_LEVEL", "debug")
	code, body := v.post("/configuration", form)
	if code != 422 || !strings.Contains(body, `id="conflicts"`) || !strings.Contains(body, "DC=theirs") || !strings.Contains(body, "DC=corp,DC=example") || !strings.Contains(body, `value="DC=mine"`) {
		t.Fatalf("the conflict: %d %s", code, body)
	}
	// Between the review and saving there is another change, to another key.
	v.post("/configuration", formOf(t, body))
	_, body = v.get(v.location)
	h.set(t, "GROUPS", "false")
	draft := url.Values{"draft": {draftInPage.FindStringSubmatch(body)[1]}}
	if code, _ = v.post("/configuration/save", draft); code != 303 || h.saved != 0 || !strings.Contains(v.location, "review") {
		t.Fatalf("saving over another change: %d to %s, saved %d", code, v.location, h.saved)
	}
	v.get(v.location)
	v.post("/configuration/save", draft)
	for key, want := range map[string]any{"LDAP_BASE": "DC=mine", "SITE_NAME": "mine", "LOG_LEVEL": "debug", "GROUPS": false} {
		if got := h.get(t, key); got != want {
			t.Errorf("%s is %v, want %v", key, got, want)
		}
	}
	// The same key, between review and saving.
	v.post("/configuration", v.form("/configuration", "LDAP_BASE", "DC=mine2"))
	_, body = v.get(v.location)
	h.set(t, "LDAP_BASE", "DC=theirs2")
	code, body = v.post("/configuration/save", url.Values{"draft": {draftInPage.FindStringSubmatch(body)[1]}})
	if code != 422 || !strings.Contains(body, "DC=theirs2") || h.get(t, "LDAP_BASE") != "DC=theirs2" {
		t.Errorf("the conflict at saving: %d", code)
	}
}

// TestDiscovery fills in what is empty, and nothing else.
func TestDiscovery(t *testing.T) {
	t.Parallel()
	h := newFakeHome()
	v := newVisitor(t, h.options())
	form := v.form("/configuration", "LDAP_BASE", "")
	code, body := v.post("/configuration/discover", form)
	if code != 200 || !strings.Contains(body, "dc2.corp.example") || !strings.Contains(body, `value="ldaps://dc1.corp.example"`) {
		t.Errorf("%d %s", code, body)
	}
	if h.saved != 0 {
		t.Error("it was saved")
	}
}

// TestForms that are no forms change nothing.
func TestForms(t *testing.T) {
	t.Parallel()
	h := newFakeHome()
	v := newVisitor(t, h.options())
	for _, form := range []url.Values{{}, {"draft": {"no such"}}, {"CONNECTION": {"other"}}, {"AD_HUB": {"https://evil.example"}}, {"SOMETHING": {"x"}}} {
		if code, _ := v.post("/configuration", form); code != 303 || v.location != "/configuration" {
			t.Errorf("%v: %d to %s", form, code, v.location)
		}
	}
	if code, _ := v.post("/configuration/save", url.Values{"draft": {"no such"}}); code != 303 || h.saved != 0 {
		t.Errorf("saving nothing: %d", code)
	}
	if code, _ := v.post("/configuration", url.Values{"LDAP_BASE": {strings.Repeat("x", formBody)}}); code != 413 {
		t.Errorf("a large form: %d", code)
	}
	if code, _ := v.upload("/configuration", "SSL_PFX", "x.pfx", make([]byte, 2*formBody)); code != 413 {
		t.Errorf("a large file: %d", code)
	}
	// A file that is uploaded is a change.
	if code, _ := v.upload("/configuration", "SSL_PFX", "x.pfx", []byte("octets")); code != 303 || !strings.Contains(v.location, "review") {
		t.Errorf("a file: %d to %s", code, v.location)
	}
}

// TestTextsMeanTheSame: a form that nobody has touched changes nothing, whatever
// the values are.
func TestTextsMeanTheSame(t *testing.T) {
	t.Parallel()
	c, err := config.Parse([]byte(`{"LDAP_URL": ["ldaps://a.example", "ldaps://b.example"], "GROUP_PROPERTIES": ["cn", "a,b"], "WSFED_ISSUER": ["x", "y"],
"GROUPS": false, "GROUPS_CACHE_SECONDS": 1.5, "PORT": 4001, "TRUSTED_PROXIES": ["10.0.0.0/8", "192.0.2.1"], "CA_CERT": ["x"]}`))
	if err != nil {
		t.Fatal(err)
	}
	r := Reading{Config: c}
	for _, k := range editable(r) {
		text := fieldText(c, k)
		if text == "" || k.Secret {
			continue
		}
		again := c
		if err := again.Set(k.Name, text); err != nil && k.Name != "CA_CERT" {
			t.Errorf("%s: %v", k.Name, err)
		}
		if got := fieldText(again, k); got != text {
			t.Errorf("%s: %q becomes %q", k.Name, text, got)
		}
	}
	if err := errors.Join(c.Unset("GROUPS")); err != nil {
		t.Fatal(err)
	}
}
