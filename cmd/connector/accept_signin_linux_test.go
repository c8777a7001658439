package main

import (
	"context"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"ad-ldap-connector/pkg/sandbox"
	"ad-ldap-connector/testdata/lab"
)

// newChromium starts a browser, with which chromedp.Run works.
func newChromium(t *testing.T, more ...chromedp.ExecAllocatorOption) context.Context {
	t.Helper()
	program, folder := requireProgram(t, "chromium"), browserFolder(t)
	ctx, cancel := context.WithTimeout(t.Context(), 3*patience)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, append([]chromedp.ExecAllocatorOption{
		chromedp.ExecPath(program), chromedp.UserDataDir(folder), chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck, chromedp.WindowSize(900, 700),
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true), chromedp.Flag("disable-quic", true), chromedp.Flag("ignore-certificate-errors", true),
		chromedp.Flag("lang", "en"), chromedp.WSURLReadTimeout(patience),
	}, more...)...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	if err := chromedp.Run(ctx); err != nil { // starts it
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := chromedp.Cancel(ctx); err != nil { // waits for the browser to end
			t.Log(err)
		}
	})
	return ctx
}

// browserFolder is a folder for a browser, whose processes write there until the
// last of them is gone.
func browserFolder(t *testing.T) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "signin-browser-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		lab.Eventually(t, "the browser's folder to be free", func() bool { return os.RemoveAll(folder) == nil })
	})
	return folder
}

// serveAt has the node of a home serve browsers on a port of its own.
func (c *cli) serveAt(t *testing.T, cloud *sandbox.Cloud, agents int) (base string) {
	t.Helper()
	port := lab.FreePort(t)
	base = "http://127.0.0.1:" + strconv.Itoa(port)
	c.must("config", "set", "PORT", strconv.Itoa(port))
	c.must("config", "set", "SERVER_URL", base)
	c.start("run", "--home", c.home)
	awaitAgents(t, cloud, "the node", func(a []sandbox.Agent) bool { return len(a) == agents })
	lab.Eventually(t, "sign-in to listen", func() bool {
		res, err := http.Get(base + metadataPath)
		if err != nil {
			return false
		}
		_ = res.Body.Close() // it is not read
		return res.StatusCode == http.StatusOK
	})
	return base
}

// TestAcceptSignIn signs somebody in as people do: from the tenant's page to
// the connector's form, and back with an assertion that the tenant verifies.
// Then on another node, and without scripts.
func TestAcceptSignIn(t *testing.T) {
	t.Parallel()
	browser := newChromium(t)
	r := newRenewing(t, sandbox.CloudOptions{Kerberos: true}, "")
	second := newCLI(t)
	first := r.serveAt(t, r.cloud, 1)

	var refused, says, detail, address string
	form := func(username, password string) chromedp.Tasks {
		return chromedp.Tasks{
			chromedp.WaitVisible("#password"), chromedp.SendKeys("#username", username),
			chromedp.SendKeys("#password", password), chromedp.Click("button[type=submit]"),
		}
	}
	if err := chromedp.Run(browser,
		chromedp.Navigate(r.cloud.URL()+"/"), chromedp.Click("a.signin"),
		form("alice", "not-"+sandbox.DemoPassword), chromedp.WaitVisible("#message"), chromedp.Text("#message", &refused), chromedp.Location(&address),
		form("", sandbox.DemoPassword), // the name is still there
		chromedp.WaitVisible("#outcome.accepted"), chromedp.Text("#says", &says), chromedp.Text("#detail", &detail),
	); err != nil {
		t.Fatalf("%v, at %s", err, address)
	}
	if refused != "The username or password you entered is incorrect." || !strings.HasPrefix(address, first+"/wsfed?") || strings.Contains(address, "password") {
		t.Errorf("a wrong password: %q at %s", refused, address)
	}
	if !strings.HasPrefix(says, "Signed in: Alice") || !strings.HasSuffix(says, "(password)") || !strings.Contains(detail, "groups") {
		t.Errorf("the tenant says %q of %s", says, detail)
	}

	// Once more: the session spares the form.
	again := ""
	if err := chromedp.Run(browser, chromedp.Navigate(r.cloud.URL()+"/login/browser?connection=sandbox"), chromedp.WaitVisible("#outcome.accepted"), chromedp.Text("#says", &again)); err != nil || again != says {
		t.Errorf("by session: %q, %v", again, err)
	}

	// A node that was made by export and import opens the first one's session.
	r.must("export", "--plain", "--file", r.dir+"/node.zip")
	second.must("import", "--offline", r.dir+"/node.zip")
	second.serveAt(t, r.cloud, 2)
	if err := chromedp.Run(browser, chromedp.Navigate(r.cloud.URL()+"/login/browser?connection=sandbox"), chromedp.WaitVisible("#outcome.accepted"), chromedp.Text("#says", &again)); err != nil || again != says {
		t.Errorf("by session, on another node: %q, %v", again, err)
	}

	// What a filter would take for more than a name is one all the same.
	for username, want := range map[string]int{"alice": http.StatusOK, "al*": http.StatusUnauthorized, "alice)(cn=*": http.StatusUnauthorized, `al\69ce`: http.StatusUnauthorized} {
		res, err := http.PostForm(first+"/wsfed/direct", url.Values{"username": {username}, "password": {sandbox.DemoPassword}})
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close() // it is not read
		if res.StatusCode != want {
			t.Errorf("%s: %d, want %d", username, res.StatusCode, want)
		}
	}

	// Without scripts the form works, and the assertion is sent by a button.
	if err := chromedp.Run(browser,
		emulation.SetScriptExecutionDisabled(true),
		chromedp.Navigate(first+"/logout"), chromedp.Navigate(r.cloud.URL()+"/login/browser?connection=sandbox"),
		form("alice", sandbox.DemoPassword), chromedp.Click("noscript input[type=submit]"), chromedp.WaitVisible("#outcome.accepted"), chromedp.Text("#says", &again),
	); err != nil || again != says {
		t.Errorf("without scripts: %q, %v", again, err)
	}
}
