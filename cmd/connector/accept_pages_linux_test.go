package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"ad-ldap-connector/testdata/lab"
	"ad-ldap-connector/testdata/lab/browser"
)

// hostile is what a user has written into each attribute of his own entry that
// he may.
const hostile = `"><img src=x onerror=alert(1)></textarea></script><script>alert(2)</script>{{.}}`

// hostileUser is an entry in which they are.
func hostileUser() string {
	var b strings.Builder
	fmt.Fprintf(&b, "dn: uid=hostile,ou=people,dc=lab,dc=test\nobjectClass: inetOrgPerson\nuid: hostile\nuserPassword: Passw0rd-hostile\n")
	for _, name := range []string{"cn", "sn", "givenName", "displayName", "description", "title", "street", "l", "roomNumber", "labeledURI", "employeeType", "carLicense"} {
		fmt.Fprintf(&b, "%s:: %s\n", name, base64.StdEncoding.EncodeToString([]byte(hostile)))
	}
	return b.String()
}

// click submits a form, wherever the page shows it.
func click(selector string) chromedp.Action {
	return chromedp.Evaluate("document.querySelector(`"+selector+"`).click()", nil)
}

// TestAcceptConsoleSetup goes by the browser from the printed link to a
// connector that the hub has accepted and a login that is explained, with no
// command in between; and then changes it.
func TestAcceptConsoleSetup(t *testing.T) {
	t.Parallel()
	ctx, axe := browser.Start(t), browser.Axe(t)
	slapd := lab.Slapd(t, lab.SlapdOptions{Users: 3, Anonymous: true, LDIF: hostileUser()})
	cloud := startCloud(t)
	c := newCLI(t)
	node := c.start("run", "--setup", "--home", c.home)
	node.says("not set up yet")
	lab.Eventually(t, "the console", func() bool { return c.run("console").status() == exitOK })
	var link struct{ URL string }
	if err := json.Unmarshal([]byte(c.must("console", "-o", "json").stdout.String()), &link); err != nil {
		t.Fatal(err)
	}
	base, _, _ := strings.Cut(link.URL, "/login")
	var ca strings.Builder
	for _, file := range []string{cloud.CAFile(), slapd.CAFile} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		ca.Write(text)
	}
	look := map[string]bool{"first-2-ticket": true, "first-4-directory": true, "first-7-accepted": true, "first-8-login": true, "hostile-entry": true}
	step := func(t *testing.T, name string, actions ...chromedp.Action) {
		t.Helper()
		if err := chromedp.Run(ctx, actions...); err != nil {
			page := ""
			shown, cancel := context.WithTimeout(ctx, patience)
			defer cancel()
			_ = chromedp.Run(shown, chromedp.Text("main", &page)) // as far as it can be told
			t.Fatalf("%s: %v; the page says %s\nthe connector says %s", name, err, page, node.stderr)
		}
		if look[name] { // the others are looked at where they are made
			browser.Look(t, ctx, axe, name)
		}
	}
	step(t, "first-1-link", chromedp.Navigate(link.URL), chromedp.WaitVisible("nav a[aria-current]"))
	step(t, "first-2-ticket", chromedp.Navigate(base+"/configuration"), chromedp.WaitVisible("#f-ticket"))
	step(t, "first-3-untrusted", chromedp.SendKeys("#f-ticket", cloud.Ticket()+"\r"), chromedp.WaitVisible("#faults"), chromedp.WaitVisible("#f-ca"))
	step(t, "first-4-directory", chromedp.SetValue("#f-ca", ca.String()), chromedp.SendKeys("#f-ticket", cloud.Ticket()+"\r"), chromedp.WaitVisible("#f-url"))
	step(t, "first-5-wrong", chromedp.SetValue("#f-url", slapd.TLSURL), chromedp.SetValue("#f-user", slapd.BindUser), chromedp.SendKeys("#f-password", "wrong\r"),
		chromedp.WaitVisible("#check-directory\\.bind .fault, #check-directory\\.bind .more"))
	again := ""
	step(t, "first-6-agree", chromedp.WaitVisible("#f-anyway"), chromedp.Evaluate(`document.querySelector('a.button[href^="/configuration/directory"]').click()`, nil), chromedp.WaitVisible("#f-url"),
		chromedp.SendKeys("#f-password", slapd.BindPassword+"\r"), chromedp.WaitVisible(`form[action="/configuration/install"]`))
	// A machine of the tests may be smaller than what is asked for.
	step(t, "first-7-accepted", chromedp.Evaluate(`(() => { const box = document.getElementById("f-anyway"); if (box) box.click(); })()`, nil),
		click(`form[action="/configuration/install"] button`), chromedp.WaitVisible(`form[action="/search-users/login"]`))
	step(t, "first-8-login", chromedp.SendKeys("#f-user", lab.User(1)), chromedp.SendKeys("#f-password", lab.Password(1)+"\r"), chromedp.WaitVisible("#login .state.ok"),
		chromedp.Text("#login", &again))
	if !strings.Contains(again, "accepted") {
		t.Errorf("the first login: %s", again)
	}
	awaitAgent(t, cloud)
	login(t, cloud, lab.User(2), lab.Password(2), "")
	if got := strings.TrimSpace(c.must("config", "get", "LDAP_BASE").stdout.String()); got != slapd.BaseDN {
		t.Errorf("LDAP_BASE is %q", got)
	}
	if text, err := os.ReadFile(c.home + "/config.json"); err != nil || strings.Contains(string(text), slapd.BindPassword) {
		t.Errorf("the password lies in the file, %v", err)
	}

	t.Run("hostile", func(t *testing.T) { // a dialog, or a breach of the policy, fails the test
		for name, path := range map[string]string{"users": "q=hostile", "entry": "q=hostile&what=login"} {
			step(t, "hostile-"+name, chromedp.Navigate(base+"/search-users?"+path), chromedp.WaitVisible("#results"))
		}
		step(t, "hostile-mapper", chromedp.Navigate(base+"/profile-mapper"), chromedp.SetValue("#f-user", "hostile"), click(`button[value="try"]`), chromedp.WaitVisible("#trial"))
	})
	t.Run("mapper", func(t *testing.T) {
		step(t, "real-mapper", chromedp.Navigate(base+"/profile-mapper"), chromedp.WaitReady(".paint"),
			chromedp.SetValue("#f-script", "module.exports = function (raw) { return { nickname: 'by the console' }; };"), chromedp.SetValue("#f-user", lab.User(1)),
			click(`button[value="save"]`), chromedp.WaitVisible("#history table"))
		if r := login(t, cloud, lab.User(1), lab.Password(1), ""); r.Profile["nickname"] != "by the console" {
			t.Errorf("the profile is %v", r.Profile)
		}
		if out := c.must("profile", "--history"); !strings.Contains(out.stdout.String(), "the console") {
			t.Errorf("the history is %s", out.stdout)
		}
	})
	t.Run("two administrators", func(t *testing.T) {
		mine := strings.ToUpper(slapd.BaseDN)
		step(t, "real-configuration", chromedp.Navigate(base+"/configuration"), chromedp.WaitVisible("#f-LDAP_URL"))
		c.must("config", "set", "LDAP_BASE", "ou=people,"+slapd.BaseDN)
		c.must("config", "set", "LDAP_BASE_GROUPS", slapd.BaseDN)
		step(t, "real-conflict", chromedp.SetValue("#f-LDAP_BASE", mine), chromedp.Evaluate(`document.getElementById("f-SITE_NAME").value = "by the console"`, nil),
			click("main form button.primary"), chromedp.WaitVisible("#conflicts"))
		step(t, "real-review", click("main form button.primary"), chromedp.WaitVisible(`form[action="/configuration/save"]`))
		step(t, "real-saved", chromedp.Evaluate(`(() => { const box = document.getElementById("f-anyway"); if (box) box.click(); })()`, nil),
			click(`form[action="/configuration/save"] button`), chromedp.WaitVisible(".flash.ok"))
		for key, want := range map[string]string{"LDAP_BASE": mine, "LDAP_BASE_GROUPS": slapd.BaseDN, "SITE_NAME": "by the console"} {
			if got := strings.TrimSpace(c.must("config", "get", key).stdout.String()); got != want {
				t.Errorf("%s is %q, want %q", key, got, want)
			}
		}
		login(t, cloud, lab.User(3), lab.Password(3), "")
	})
	if node.ended() {
		t.Errorf("the connector has ended: %s", node.stderr)
	}
}
