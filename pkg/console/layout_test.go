package console

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// budget is what the console's files may weigh together: all that a browser
// loads besides the pages.
const budget = 120 << 10

// TestBudget: what all pages load, and that none of it comes from elsewhere.
func TestBudget(t *testing.T) {
	t.Parallel()
	total := 0
	for name, a := range newLayout().assets {
		total += len(a.data)
		if m := regexp.MustCompile(`(?i)(url\(|@import|https?://|//[a-z0-9-]+\.[a-z])`).FindString(strings.ReplaceAll(string(a.data), `xmlns="http://www.w3.org/2000/svg"`, "")); m != "" {
			t.Errorf("%s loads something: %s", name, m)
		}
	}
	if total > budget {
		t.Errorf("the files have %d octets, more than %d", total, budget)
	}
	t.Logf("%d octets", total)
}

// TestTemplates: nothing in them stands in the way of the policy.
func TestTemplates(t *testing.T) {
	t.Parallel()
	list, err := files.ReadDir("page")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		if !strings.HasSuffix(e.Name(), ".html") {
			continue
		}
		data, err := files.ReadFile("page/" + e.Name())
		if err != nil {
			t.Fatal(err)
		}
		text := string(data)
		for what, found := range map[string]*regexp.Regexp{
			"a style":                  regexp.MustCompile(`(?i)\sstyle=|<style`),
			"a script":                 regexp.MustCompile(`(?i)<script>|<script [^>]*>[^<]|\son[a-z]+=`),
			"a form without its token": regexp.MustCompile(`(?is)<form[^>]*method="post"[^>]*>\s*(<[^>]*>\s*)?(<button|<p|<div|<label|<fieldset)`),
			"something from elsewhere": regexp.MustCompile(`(?i)(src|href|action)="(https?:)?//`),
		} {
			if m := found.FindString(text); m != "" {
				t.Errorf("%s: %s: %s", e.Name(), what, m)
			}
		}
	}
}

// TestAssets: what a page links to can be kept for ever, and is found.
func TestAssets(t *testing.T) {
	t.Parallel()
	v := startConsole(t, Options{})
	_, body := v.get("/login")
	links := regexp.MustCompile(`(?:href|src)="(/asset/[^"]+)"`).FindAllStringSubmatch(body, -1)
	if len(links) < 3 {
		t.Fatalf("the page links to %v", links)
	}
	for _, l := range links {
		if code, data := v.get(l[1]); code != http.StatusOK || data == "" || !strings.Contains(v.header.Get("Cache-Control"), "immutable") {
			t.Errorf("%s: %d, %s", l[1], code, v.header.Get("Cache-Control"))
		}
	}
	if code, _ := v.get("/asset/style.css?other"); code != http.StatusOK || v.header.Get("Cache-Control") != "no-store" {
		t.Errorf("of another release: %d, %s", code, v.header.Get("Cache-Control"))
	}
}

// TestOldAddresses: what a browser may still ask for leads to where it is done
// now.
func TestOldAddresses(t *testing.T) {
	t.Parallel()
	v := newVisitor(t, Options{})
	for from, to := range former {
		if code, _ := v.get(from + "?query=a%26b"); code != http.StatusSeeOther || v.location != to+"?query=a%26b" {
			t.Errorf("%s: %d, to %q", from, code, v.location)
		}
	}
	_, body := v.get("/")
	for _, hash := range []string{"configuration", "profile-mapper", "export", "troubleshooting", "troubleshoot", "search-users", "update"} {
		if !regexp.MustCompile(`data-hash="([a-z-]+ )*` + hash + ` `).MatchString(body) {
			t.Errorf("#%s leads nowhere", hash)
		}
	}
}

// TestNotFound is a page, and says no more than that.
func TestNotFound(t *testing.T) {
	t.Parallel()
	v := startConsole(t, Options{})
	code, body := v.get(`/<script>alert(1)</script>`)
	if code != http.StatusNotFound || !strings.Contains(body, "There is no such page.") {
		t.Errorf("%d %s", code, body)
	}
	checkEscaped(t, body)
}
