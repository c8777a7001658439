package console

import (
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/chromedp/chromedp"

	"ad-ldap-connector/pkg/doctor"
	"ad-ldap-connector/testdata/lab/browser"
)

// TestPagesInABrowser walks through each page that changes something, with what
// users have written as hostile as it can be, and uses the editor.
func TestPagesInABrowser(t *testing.T) {
	t.Parallel()
	ctx, axe := browser.Start(t), browser.Axe(t)
	h := newFakeHome()
	h.failed = []doctor.Entry{
		{ID: "tls.directory", Title: "The directory's certificates are trusted", Severity: doctor.Blocks, Status: doctor.Failed, Detail: "x509: " + xssCorpus[0], Remedy: "Trust its CA."},
		{ID: "directory.cleartext", Title: "No password crosses the network in the clear", Severity: doctor.Warns, Status: doctor.Failed, Detail: "it does"},
		{ID: "config.valid", Title: "The configuration is valid", Status: doctor.Passed},
	}
	o := h.options()
	o.Overview = func() Overview { return Overview{} }
	o.Search, o.Transfer = searchOptions(t).Search, (&fakeTransfer{foreign: "it is of another connection"}).options().Transfer
	m := &fakeMapper{text: "// Adds the department.\nmodule.exports = function (raw, cb) {\n  var profile = { name: raw.displayName, size: 42 };\n  cb(null, profile);\n};\n", profile: hostileProfile(t)}
	o.Mapper = m.options().Mapper
	v := startConsole(t, o)
	v.enter(t, ctx)

	v.visit(t, ctx, axe, "/configuration", "configuration")
	load := browser.Measure(t, ctx)
	if load.Octets > 150<<10 || load.Requests > 6 || len(load.Elsewhere) > 0 {
		t.Errorf("too much: %+v", load)
	}
	submit := func(selector string) chromedp.Action {
		return chromedp.Evaluate(`document.querySelector(`+"`"+selector+"`"+`).click()`, nil)
	}
	act := func(name string, actions ...chromedp.Action) {
		t.Helper()
		if err := chromedp.Run(ctx, actions...); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	see := func(name string, actions ...chromedp.Action) {
		t.Helper()
		act(name, actions...)
		browser.Look(t, ctx, axe, name)
	}
	act("configuration-faults", chromedp.SetValue("#f-LDAP_URL", "htp://x"), submit("main form button.primary"), chromedp.WaitVisible("#faults"))
	h.set(t, "LDAP_BASE", "DC=theirs")
	see("configuration-conflict", chromedp.SetValue("#f-LDAP_URL", "ldaps://dc2.corp.example"), chromedp.SetValue("#f-LDAP_BASE", "DC=mine"),
		submit("main form button.primary"), chromedp.WaitVisible("#conflicts"))
	see("configuration-review", submit("main form button.primary"), chromedp.WaitVisible("#f-anyway"))
	act("configuration-saved", chromedp.Click("#f-anyway"), submit("main form button.primary"), chromedp.WaitVisible(".flash"))
	if got := h.get(t, "LDAP_BASE"); got != "DC=mine" {
		t.Errorf("LDAP_BASE is %v", got)
	}

	see("search", chromedp.Navigate(v.server.URL+"/search-users?q=mary"), chromedp.Click("details.hit summary"))
	v.visit(t, ctx, axe, "/search-users?q=mary&what=login", "search-entry")
	see("search-login", chromedp.SendKeys("#f-user", "mary"), chromedp.SendKeys("#f-password", "wrong\r"), chromedp.WaitVisible("#login"))

	act("mapper", chromedp.Navigate(v.server.URL+"/profile-mapper"), chromedp.WaitReady(".paint .syn-key"))
	painted := ""
	if err := chromedp.Run(ctx, chromedp.TextContent(".paint", &painted)); err != nil || painted != m.text+"\n" {
		t.Errorf("the colours lie under %q, %v", painted, err)
	}
	act("mapper-complete", chromedp.SetValue("#f-user", "mary"), chromedp.Evaluate(`(() => { const a = document.getElementById("f-script"), at = a.value.indexOf("displayName"); a.focus();
		a.setSelectionRange(at, at + 11); a.setRangeText("giv", at, at + 11, "end"); a.dispatchEvent(new KeyboardEvent("keydown", {key: " ", ctrlKey: true, cancelable: true})); })()`, nil),
		chromedp.WaitVisible("#complete li"))
	edited := ""
	see("mapper-trial", chromedp.Evaluate(`document.getElementById("f-script").dispatchEvent(new KeyboardEvent("keydown", {key: "Enter", cancelable: true}))`, nil),
		chromedp.Value("#f-script", &edited), submit(`button[value="try"]`), chromedp.WaitVisible("#trial"))
	if !strings.Contains(edited, "raw.givenName,") {
		t.Errorf("completed to %s", edited)
	}
	act("mapper-saved", submit(`button[value="save"]`), chromedp.WaitVisible("#history table"))
	v.visit(t, ctx, axe, "/profile-mapper/former?id=a", "mapper-former")

	v.visit(t, ctx, axe, "/export", "transfer")
	act("transfer-faults", submit(`form[action="/export"] button.primary`), chromedp.WaitVisible("#faults"))
	file := t.TempDir() + "/node.zip"
	writeFile(t, file, "zip")
	see("transfer-review", chromedp.SetUploadFiles("#f-archive", []string{file}), submit(`form[action="/export/upload"] button`), chromedp.WaitVisible("#f-foreign"))
	act("transfer-imported", chromedp.Click("#f-foreign"), submit(`form[action="/export/import"] button`), chromedp.WaitVisible("#f-undo-sure"))
}

// TestSetupInABrowser walks through a first set-up.
func TestSetupInABrowser(t *testing.T) {
	t.Parallel()
	ctx, axe := browser.Start(t), browser.Axe(t)
	installed, fails := new(atomic.Pointer[Answers]), new(atomic.Bool)
	o := setUpOptions(installed, fails)
	o.Overview = func() Overview { return Overview{} }
	v := startConsole(t, o)
	v.enter(t, ctx)
	v.visit(t, ctx, axe, "/configuration", "setup-ticket")
	for _, step := range []struct {
		name    string
		actions []chromedp.Action
	}{
		{"setup-wrong-ticket", []chromedp.Action{chromedp.SendKeys("#f-ticket", "https://tenant.example/p/ad/typo\r"), chromedp.WaitVisible("#faults")}},
		{"setup-directory", []chromedp.Action{chromedp.SendKeys("#f-ticket", plantedTicket+"\r"), chromedp.WaitVisible("#f-url")}},
		{"setup-agree", []chromedp.Action{chromedp.SendKeys("#f-user", "CN=svc"), chromedp.SendKeys("#f-password", "right-password\r"), chromedp.WaitVisible(`form[action="/configuration/install"]`)}},
		{"setup-progress", []chromedp.Action{chromedp.Click(`form[action="/configuration/install"] button`), chromedp.WaitVisible("#f-password")}},
	} {
		if err := chromedp.Run(ctx, step.actions...); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		browser.Look(t, ctx, axe, step.name)
	}
	at := ""
	if err := chromedp.Run(ctx, chromedp.Location(&at)); err != nil {
		t.Fatal(err)
	}
	if u, err := url.Parse(at); err != nil || u.Path != "/configuration/progress" {
		t.Errorf("it ends at %s", at)
	}
}
