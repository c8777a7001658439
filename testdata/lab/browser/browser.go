// Package browser drives a real one in tests: it starts it, shows it pages in
// both themes and in a narrow window, and has axe-core look for what keeps
// people from using them.
package browser

import (
	"context"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"ad-ldap-connector/testdata/lab"
)

// Patience is how long a browser may take for all of a test, on a machine that
// does much else.
const Patience = 3 * time.Minute

// need returns the path of a program. Without it the test is skipped, or fails
// where CONNECTOR_TEST_REQUIRE=1 promises it.
func need(t testing.TB, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	switch {
	case err == nil:
		return path
	case os.Getenv("CONNECTOR_TEST_REQUIRE") == "1":
		t.Fatalf("%s is not installed, and CONNECTOR_TEST_REQUIRE is 1", program)
	default:
		t.Skipf("%s is not installed", program)
	}
	return ""
}

// Start starts a browser, with which chromedp.Run works, and which ends with
// the test.
func Start(t testing.TB) context.Context {
	t.Helper()
	program := need(t, "chromium")
	folder, err := os.MkdirTemp("", "console-browser-")
	if err != nil {
		t.Fatal(err)
	}
	// Its processes write there until the last of them is gone.
	t.Cleanup(func() {
		lab.Eventually(t, "the browser's folder to be free", func() bool { return os.RemoveAll(folder) == nil })
	})
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx,
		chromedp.ExecPath(program), chromedp.UserDataDir(folder), chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck, chromedp.WindowSize(wide, 800),
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true), chromedp.Flag("disable-quic", true), chromedp.Flag("hide-scrollbars", true),
		chromedp.Flag("lang", "en"), chromedp.WSURLReadTimeout(time.Minute), chromedp.Env("TZ=Europe/Berlin"),
	)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	if err := chromedp.Run(ctx); err != nil { // starts it
		t.Fatal(err)
	}
	chromedp.ListenTarget(ctx, func(event any) { fault(t, event) })
	t.Cleanup(func() {
		if err := chromedp.Cancel(ctx); err != nil { // waits for the browser to end
			t.Log(err)
		}
	})
	return ctx
}

// fault fails the test for what no page may do: throw, break its policy, or put
// up a dialog, which is what those do who try whether a page runs their script.
func fault(t testing.TB, event any) {
	switch e := event.(type) {
	case *page.EventJavascriptDialogOpening:
		t.Errorf("%s opens a dialog: %s", e.URL, e.Message)
	case *runtime.EventExceptionThrown:
		t.Errorf("a script throws: %s", e.ExceptionDetails.Error())
	case *log.EventEntryAdded:
		// That an answer had the status 404 is the test's own business.
		if e.Entry.Level == log.LevelError && e.Entry.Source != log.SourceNetwork {
			t.Errorf("the browser says: %s %s", e.Entry.Text, e.Entry.URL)
		}
	}
}
