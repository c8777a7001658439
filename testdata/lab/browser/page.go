package browser

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// The widths of the windows in which pages are looked at.
const (
	wide   = 1280
	narrow = 360
)

// Screenshots names a folder for pictures of the pages; without it there are
// none.
const Screenshots = "CONNECTOR_TEST_SCREENSHOTS"

// Look looks at the page that the browser shows, in both themes and in a narrow
// window: axe-core finds nothing, nothing is wider than the window, and the page
// has no fault of a script or of its policy. Pictures are NAME-light, -dark and
// -narrow.
func Look(t testing.TB, browser context.Context, axe, name string) { //nolint:revive // it is the test that comes first
	t.Helper()
	look(t, browser, name+"-light", wide, "light")
	check(t, browser, axe, name+", light", "")
	look(t, browser, name+"-dark", wide, "dark")
	// The other theme is the same but for its colours.
	check(t, browser, axe, name+", dark", `, runOnly: ["color-contrast", "link-in-text-block"]`)
	look(t, browser, name+"-narrow", narrow, "light")
	var over []string
	if err := chromedp.Run(browser, chromedp.Evaluate(`(() => {
		const most = document.documentElement.clientWidth;
		if (document.documentElement.scrollWidth <= most) return [];
		return [...document.querySelectorAll("body *")].filter(e => e.getBoundingClientRect().right > most + 1 && !e.closest(".scroll, pre, .hidden-visually")).slice(0, 5).map(e => e.outerHTML.slice(0, 160));
	})()`, &over)); err != nil {
		t.Fatal(err)
	}
	if len(over) > 0 {
		t.Errorf("%s: wider than %d: %s", name, narrow, strings.Join(over, "\n"))
	}
	look(t, browser, "", wide, "light")
}

// look sets the window and the theme, and takes a picture.
func look(t testing.TB, browser context.Context, name string, width int64, theme string) { //nolint:revive // it is the test that comes first
	t.Helper()
	var picture []byte
	actions := []chromedp.Action{
		emulation.SetDeviceMetricsOverride(width, 800, 1, width == narrow),
		emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: theme}, {Name: "prefers-reduced-motion", Value: "reduce"}}),
	}
	folder := os.Getenv(Screenshots)
	if folder != "" && name != "" {
		actions = append(actions, chromedp.FullScreenshot(&picture, 100))
	}
	if err := chromedp.Run(browser, actions...); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if len(picture) > 0 {
		if err := os.WriteFile(filepath.Join(mkdir(t, folder), name+".png"), picture, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// A violation is what axe-core says of a rule that is broken.
type violation struct {
	ID, Help string
	Nodes    []struct{ HTML, FailureSummary string }
}

// check has axe-core look at the page, by all rules or by some.
func check(t testing.TB, browser context.Context, axe, what, rules string) { //nolint:revive // it is the test that comes first
	t.Helper()
	var found []violation
	there := false
	if err := chromedp.Run(browser, chromedp.Evaluate(`!!window.axe`, &there)); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	if !there {
		if err := chromedp.Run(browser, chromedp.Evaluate(axe+";0", nil)); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	err := chromedp.Run(browser,
		chromedp.Evaluate(`axe.run(document, {resultTypes: ["violations"]`+rules+`}).then(r => r.violations.map(v => ({ID: v.id, Help: v.help, Nodes: v.nodes.slice(0, 3).map(n => ({HTML: n.html, FailureSummary: n.failureSummary}))})))`,
			&found, func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }),
	)
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	for _, v := range found {
		text := fmt.Sprintf("%s: %s: %s", what, v.ID, v.Help)
		for _, n := range v.Nodes {
			text += fmt.Sprintf("\n  %.300s\n    %s", n.HTML, strings.ReplaceAll(n.FailureSummary, "\n", "\n    "))
		}
		t.Error(text)
	}
}

// A Load is what a page took to come.
type Load struct {
	Octets, Requests int
	Paint            float64 // the first, in ms
	Elsewhere        []string
}

// Measure says what the page took that the browser shows, loaded anew without
// anything of it kept.
func Measure(t testing.TB, browser context.Context) Load { //nolint:revive // it is the test that comes first
	t.Helper()
	var l Load
	if err := chromedp.Run(browser,
		network.SetCacheDisabled(true), chromedp.Reload(), chromedp.WaitReady("main"),
		chromedp.Poll(`performance.getEntriesByType("paint").length > 0 && document.readyState === "complete"`, nil),
		chromedp.Evaluate(`(() => {
			const all = [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")];
			return {
				Octets: all.reduce((n, e) => n + e.transferSize, 0), Requests: all.length,
				Paint: performance.getEntriesByType("paint")[0].startTime - performance.getEntriesByType("navigation")[0].requestStart,
				Elsewhere: all.map(e => e.name).filter(n => new URL(n).origin !== location.origin),
			};
		})()`, &l),
		network.SetCacheDisabled(false),
	); err != nil {
		t.Fatal(err)
	}
	return l
}
