package sandbox

import (
	"context"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

func TestThePageWorksWithoutAScript(t *testing.T) {
	c := startCloud(t, CloudOptions{})
	client := httpClient(t, c)
	response, err := client.Get(c.URL() + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	policy := response.Header.Get("Content-Security-Policy")
	if !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") {
		t.Errorf("policy %q", policy)
	}
	if status, body := callCloud(t, client, "GET", c.URL()+"/", ""); status != 200 || !strings.Contains(body, "not a production tenant") ||
		!strings.Contains(body, "No agent is connected") || strings.Contains(body, "/p/ad/") {
		t.Errorf("page %d %s", status, body)
	}

	login := func(username, password string) (int, string) {
		t.Helper()
		form := url.Values{"connection": {"sandbox"}, "username": {username}, "password": {password}}
		return callCloud(t, client, "POST", c.URL()+"/login", form.Encode(), "Content-Type", "application/x-www-form-urlencoded")
	}
	if status, body := login("ada", "x"); status != http.StatusServiceUnavailable || !strings.Contains(body, "no agent is connected") {
		t.Errorf("without agents: %d %s", status, body)
	}
	joinAgent(t, c, firstKey(), c.Ticket(), "sandbox", func(_ *fakeAgent, q question) string {
		switch q.claims["password"] {
		case "right":
			return `{"profile":{"displayName":"<script>alert(1)</script>"}}`
		case "odd":
			return `{"err":"text"}`
		case "fault":
			return `{"err":{"message":"Unexpected Error"}}`
		}
		return `{"err":{"name":"WrongPassword","message":"Wrong password"},"profile":{}}`
	})
	for password, want := range map[string]string{
		"right": "Accepted by a1", "wrong-and-secret": "Refused by a1", "odd": "with neither", "fault": "A fault, told by a1",
	} {
		status, body := login("\"><b>ada", password)
		if status != 200 || !strings.Contains(body, want) {
			t.Errorf("%s: %d %s", password, status, body)
		}
		if strings.Contains(body, "<b>") || strings.Contains(body, "<script>alert") || strings.Contains(body, "wrong-and-secret") {
			t.Errorf("%s: the page shows what it must not: %s", password, body)
		}
	}
	if status, body := login(strings.Repeat("a", maxCall), "hunter2"); status != 400 || strings.Contains(body, "hunter2") {
		t.Errorf("a form that is too long: %d", status)
	}
}

func TestThePageInABrowser(t *testing.T) {
	browser, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("CONNECTOR_TEST_REQUIRE") == "1" {
			t.Fatal("chromium is not installed")
		}
		t.Skip("chromium is not installed")
	}
	c := startCloud(t, CloudOptions{})
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	ctx, cancel = chromedp.NewExecAllocator(ctx,
		chromedp.ExecPath(browser), chromedp.UserDataDir(profileFolder(t)), chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck, chromedp.WindowSize(1100, 900),
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true), chromedp.Flag("disable-quic", true), chromedp.Flag("ignore-certificate-errors", true),
		chromedp.WSURLReadTimeout(patience),
	)
	defer cancel()
	ctx, cancel = chromedp.NewContext(ctx)
	defer cancel()
	defer func() {
		if err := chromedp.Cancel(ctx); err != nil { // waits for the browser to end
			t.Log(err)
		}
	}()

	var banner, table, says, detail string
	if err := chromedp.Run(ctx,
		chromedp.Navigate(c.URL()+"/"),
		chromedp.WaitVisible("#none"),
		chromedp.WaitVisible("#live.up"),
		chromedp.Text(".banner", &banner),
	); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(banner, "SANDBOX") || !strings.Contains(banner, "not a production tenant") {
		t.Errorf("the banner says %q", banner)
	}
	joinAgent(t, c, firstKey(), c.Ticket(), "sandbox", func(_ *fakeAgent, q question) string {
		if q.claims["password"] == "right" {
			return `{"profile":{"displayName":"<img src=x onerror=document.title=1>"}}`
		}
		return `{"err":{"name":"WrongPassword","message":"Wrong password"},"profile":{}}`
	})
	if err := chromedp.Run(ctx,
		chromedp.WaitVisible("#table"),
		chromedp.Text("#agents", &table),
		chromedp.SendKeys("#username", "ada"),
		chromedp.SendKeys("#password", "right\r"), // by keyboard alone
		chromedp.WaitVisible("#outcome.accepted"),
		chromedp.Text("#says", &says),
		chromedp.Text("#detail", &detail),
	); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(table, "a1") || !strings.Contains(table, firstKey().thumbprint[:8]) {
		t.Errorf("the table says %q", table)
	}
	if !strings.Contains(says, "Accepted by a1") || !strings.Contains(detail, "<img src=x") {
		t.Errorf("the outcome says %q, %q", says, detail)
	}
	shoot(ctx, t, "accepted")
	if err := chromedp.Run(ctx,
		chromedp.SetValue("#password", "wrong"),
		chromedp.Click("#send"),
		chromedp.WaitVisible("#outcome.refused"),
		chromedp.Text("#says", &says),
	); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(says, "Refused by a1") || !strings.Contains(says, "Wrong password") {
		t.Errorf("the outcome says %q", says)
	}
	c.DropAgents()
	if err := chromedp.Run(ctx, chromedp.WaitVisible("#none"), chromedp.WaitNotVisible("#table")); err != nil {
		t.Fatal(err)
	}
}

// profileFolder is a new folder for a browser. Its processes write there until
// the last of them is gone, which nothing tells: hence the patience.
func profileFolder(t *testing.T) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "sandbox-browser-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ticker := time.NewTicker(50 * time.Millisecond)
		defer ticker.Stop()
		for deadline := time.After(patience); ; {
			err := os.RemoveAll(folder)
			if err == nil {
				return
			}
			select {
			case <-ticker.C:
			case <-deadline:
				t.Error(err)
				return
			}
		}
	})
	return folder
}

// shoot keeps a picture of the page where CONNECTOR_TEST_PICTURES says.
func shoot(ctx context.Context, t *testing.T, name string) {
	folder := os.Getenv("CONNECTOR_TEST_PICTURES")
	if folder == "" {
		return
	}
	var picture []byte
	if err := chromedp.Run(ctx, chromedp.FullScreenshot(&picture, 100)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(folder+"/"+name+".png", picture, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestEventsTellOfAgents(t *testing.T) {
	c := startCloud(t, CloudOptions{})
	response, err := httpClient(t, c).Get(c.URL() + "/api/events")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	events := make(chan string)
	read := make(chan struct{})
	go func() {
		defer close(read)
		buffer := make([]byte, 64<<10)
		for {
			n, err := response.Body.Read(buffer)
			if err != nil {
				return
			}
			events <- string(buffer[:n])
		}
	}()
	seen := func(text string) {
		t.Helper()
		for deadline := time.After(patience); ; {
			select {
			case event := <-events:
				if strings.Contains(event, text) {
					return
				}
			case <-deadline:
				t.Fatalf("no event with %s", text)
			}
		}
	}
	seen(`{"agents":[],"unanswered":0}`)
	joinAgent(t, c, firstKey(), c.Ticket(), "sandbox", saysYes)
	seen(`"id":"a1"`)
	c.DropAgents()
	seen(`{"agents":[],"unanswered":0}`)
	if err := response.Body.Close(); err != nil {
		t.Log(err) // it is cut off in the middle
	}
	<-read
}
