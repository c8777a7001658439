package main

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"ad-ldap-connector/pkg/sandbox"
	"ad-ldap-connector/testdata/lab"
	"ad-ldap-connector/testdata/lab/browser"
)

// startedConsole has a node run on a home whose console can be looked at, and
// returns what prints links.
func startedConsole(t *testing.T) *renewing {
	t.Helper()
	r := newRenewing(t, sandbox.CloudOptions{}, "")
	r.must("config", "set", "AUDIT_FILE", "logs/audit.jsonl")
	r.start("run", "--home", r.home)
	awaitAgents(t, r.cloud, "the node", func(a []sandbox.Agent) bool { return len(a) == 1 })
	lab.Eventually(t, "the console", func() bool { return r.run("console").status() == exitOK })
	return r
}

// link is what "connector console" prints.
func (r *renewing) link(t *testing.T) string {
	t.Helper()
	link := strings.TrimSpace(r.must("console").stdout.String())
	if u, err := url.Parse(link); err != nil || u.Scheme != "http" || u.Hostname() != "127.0.0.1" || len(u.Query().Get("once")) < 40 {
		t.Fatalf("the link is %q", link)
	}
	return link
}

// TestAcceptConsole logs a browser in by the printed link, sees that the node is
// well, has it examined, and is logged out from the command line; then it gets
// in by the password.
func TestAcceptConsole(t *testing.T) {
	t.Parallel()
	ctx, axe := browser.Start(t), browser.Axe(t)
	r := startedConsole(t)
	const password = "a password of the console's"
	r.stdin = password
	r.must("console", "password", "--password-stdin")
	r.stdin = ""
	link := r.link(t)
	base, _, _ := strings.Cut(link, "/login")
	hub, address, verdict := "", "", ""
	if err := chromedp.Run(ctx,
		chromedp.Navigate(link), chromedp.WaitVisible(`nav a[aria-current]`), chromedp.Location(&address),
		chromedp.Poll(`[...document.querySelectorAll("tbody th")].some(e => e.textContent === "hub" && e.parentNode.textContent.includes("ok"))`, nil),
		chromedp.Text(`section[aria-labelledby="h-parts"]`, &hub),
	); err != nil {
		t.Fatalf("%v, at %s: %s", err, address, hub)
	}
	if address != base+"/" {
		t.Errorf("the link leads to %s", address)
	}
	browser.Look(t, ctx, axe, "accept-overview")
	if err := chromedp.Run(ctx,
		chromedp.Navigate(base+"/#troubleshooting"), chromedp.WaitVisible(`form[data-live="#found"] button`), chromedp.Click(`form[data-live="#found"] button`),
		chromedp.WaitVisible("#checkup .note"), chromedp.Text("#checkup", &verdict),
	); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(verdict, "The directory") {
		t.Errorf("the checks: %s", verdict)
	}
	r.must("console", "--revoke")
	if err := chromedp.Run(ctx,
		chromedp.Navigate(base+"/update"), chromedp.WaitVisible("#f-password"), chromedp.SendKeys("#f-password", password+"\r"),
		chromedp.WaitVisible("#h-version"), chromedp.Location(&address),
	); err != nil {
		t.Fatal(err)
	}
	if address != base+"/update" {
		t.Errorf("the login leads to %s", address)
	}

	if res := fetchOnce(t, link); res.StatusCode != http.StatusForbidden {
		t.Errorf("the link, again: %d", res.StatusCode)
	}
	if res := fetchOnce(t, base+"/export"); res.StatusCode != http.StatusUnauthorized {
		t.Errorf("/export without a session: %d", res.StatusCode)
	}
	r.keptNothing(t, password, strings.TrimPrefix(link, base+"/login?once="))
}

func fetchOnce(t *testing.T, address string) *http.Response {
	t.Helper()
	res, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close() // it is not read
	return res
}

// keptNothing looks for secrets of the console in all files of the home, and for
// its lines in the audit file.
func (r *renewing) keptNothing(t *testing.T, secrets ...string) {
	t.Helper()
	outcomes := map[string]bool{}
	lab.Eventually(t, "the lines of the logins", func() bool {
		data, err := os.ReadFile(filepath.Join(r.home, "logs", "audit.jsonl"))
		if err != nil {
			return false
		}
		for line := range strings.Lines(string(data)) {
			var a auditRecord
			if err := json.Unmarshal([]byte(line), &a); err != nil {
				continue // half of one, as yet
			}
			if a.From == "console" && a.Remote == "127.0.0.1" {
				outcomes[a.Command+" "+a.Outcome+" "+a.Method] = true
			}
		}
		return outcomes["login accepted link"] && outcomes["login accepted password"] && outcomes["login refused link"]
	})
	if err := filepath.WalkDir(r.home, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		for _, s := range secrets {
			if strings.Contains(string(data), s) {
				t.Errorf("%s has %.8s...", path, s)
			}
		}
		return err
	}); err != nil {
		t.Error(err)
	}
}
