package console

import (
	"bytes"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// xssCorpus is what a user may write into an attribute of his own entry, and a
// page must show as the text it is.
var xssCorpus = []string{
	`<script>alert(1)</script>`,
	`<img src=x onerror=alert(1)>`,
	`"><svg onload=alert(1)>`,
	`' onmouseover='alert(1)`,
	`javascript:alert(1)`,
	`</title></textarea></style></script><script>alert(1)</script>`,
	`{{.Data}}`, `${alert(1)}`, "`-alert(1)-`",
	`<!--<img src="--><img src=x onerror=alert(1)//">`,
	`<a href="javascript:alert(1)">x</a>`,
	"\u202e<b>txt", "\x00<i>", `&lt;script&gt;`, `<math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>`,
}

// checkEscaped fails when one of the corpus is markup in a page.
func checkEscaped(t *testing.T, body string) {
	t.Helper()
	for _, x := range xssCorpus {
		if strings.ContainsAny(x, `<"'`) && strings.Contains(body, x) {
			t.Errorf("%q is in the page as it is", x)
		}
	}
	for _, tag := range []string{"<script>alert", "onerror=alert(1)>", "<svg onload", "<math>", "<mglyph"} {
		if strings.Contains(body, tag) {
			t.Errorf("%s is in the page", tag)
		}
	}
}

// A visitor is a browser, with the cookies of one, at a console.
type visitor struct {
	t       *testing.T
	server  *httptest.Server
	client  *http.Client
	options Options
	token   string // of the last page that had one

	location string // where the last answer led
	header   http.Header

	mu      sync.Mutex
	changes []Change
}

const (
	testLink     = "a-link-that-is-valid-once"
	testPassword = "correct horse battery"
)

// startConsole runs a console, in which nobody is logged in.
func startConsole(t *testing.T, o Options) *visitor {
	t.Helper()
	v := &visitor{t: t}
	if o.Sessions == nil {
		o.Sessions = NewSessions(time.Now)
	}
	links := map[string]bool{testLink: true}
	if o.Redeem == nil {
		o.Redeem = func(secret string) error {
			v.mu.Lock()
			defer v.mu.Unlock()
			if !links[secret] {
				return errors.New("it was used already, or is too old")
			}
			delete(links, secret)
			return nil
		}
	}
	if o.Audit == nil {
		o.Audit = func(c Change) {
			v.mu.Lock()
			defer v.mu.Unlock()
			v.changes = append(v.changes, c)
		}
	}
	if o.Overview == nil {
		o.Overview = func() Overview { return Overview{} }
	}
	v.options = o
	v.server = httptest.NewServer(Handler(o))
	t.Cleanup(v.server.Close)
	v.client = v.browser()
	return v
}

// browser returns a new one at the same console.
func (v *visitor) browser() *http.Client {
	jar, err := cookiejar.New(nil)
	if err != nil {
		v.t.Fatal(err)
	}
	return &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// newVisitor runs a console, and logs in.
func newVisitor(t *testing.T, o Options) *visitor {
	t.Helper()
	v := startConsole(t, o)
	if code, body := v.get("/login?once=" + testLink); code != http.StatusOK || !strings.Contains(body, `content="0; url=/"`) {
		t.Fatalf("the link: %d %s", code, body)
	}
	if code, _ := v.get("/update"); code != http.StatusOK || v.token == "" {
		t.Fatalf("a page: %d, token %q", code, v.token)
	}
	return v
}

var tokenInPage = regexp.MustCompile(`<meta name="csrf" content="([^"]+)">`)

func (v *visitor) do(r *http.Request) (int, string) {
	v.t.Helper()
	if r.Header.Get("Accept") == "" {
		r.Header.Set("Accept", "text/html,*/*")
	}
	res, err := v.client.Do(r)
	if err != nil {
		v.t.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	res.Body.Close()
	if err != nil {
		v.t.Fatal(err)
	}
	v.location, v.header = res.Header.Get("Location"), res.Header
	if m := tokenInPage.FindSubmatch(body); m != nil {
		v.token = string(m[1])
	}
	return res.StatusCode, string(body)
}

func (v *visitor) request(method, path string, body io.Reader) *http.Request {
	v.t.Helper()
	r, err := http.NewRequest(method, v.server.URL+path, body)
	if err != nil {
		v.t.Fatal(err)
	}
	return r
}

func (v *visitor) get(path string) (int, string) { return v.do(v.request("GET", path, nil)) }

// post sends a form, with the token of the page before.
func (v *visitor) post(path string, form url.Values) (int, string) {
	if form == nil {
		form = url.Values{}
	}
	form.Set("_csrf", v.token)
	return v.postRaw(path, form)
}

func (v *visitor) postRaw(path string, form url.Values) (int, string) {
	r := v.request("POST", path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return v.do(r)
}

// upload sends a file, with the token and further fields.
func (v *visitor) upload(path, field, name string, data []byte, more ...string) (int, string) {
	v.t.Helper()
	var b bytes.Buffer
	m := multipart.NewWriter(&b)
	_ = m.WriteField("_csrf", v.token)
	for i := 0; i+1 < len(more); i += 2 {
		_ = m.WriteField(more[i], more[i+1])
	}
	f, err := m.CreateFormFile(field, name)
	if err != nil {
		v.t.Fatal(err)
	}
	_, _ = f.Write(data)
	_ = m.Close()
	r := v.request("POST", path, &b)
	r.Header.Set("Content-Type", m.FormDataContentType())
	return v.do(r)
}

// audited returns what was kept of changes.
func (v *visitor) audited() []Change {
	v.mu.Lock()
	defer v.mu.Unlock()
	return append([]Change(nil), v.changes...)
}
