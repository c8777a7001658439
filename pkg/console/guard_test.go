package console

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"ad-ldap-connector/pkg/agent"
)

// TestNothingWithoutASession: whatever is under a page's address takes a login,
// and says so to people and programs.
func TestNothingWithoutASession(t *testing.T) {
	t.Parallel()
	v := startConsole(t, Options{})
	c := &console{options: v.options, layout: newLayout()}
	seen := 0
	for _, p := range pages {
		for _, r := range p.of(c) {
			method, path, _ := strings.Cut(r.pattern, " ")
			seen++
			req := v.request(method, path, nil)
			req.Header.Set("Accept", "*/*")
			if code, body := v.do(req); code != http.StatusUnauthorized || !strings.Contains(body, "connector console") {
				t.Errorf("%s by a program: %d %s", r.pattern, code, body)
			}
			want := http.StatusSeeOther
			if method != "GET" {
				want = http.StatusForbidden
			}
			if r.script {
				want = http.StatusUnauthorized
			}
			if code, _ := v.do(v.request(method, path, nil)); code != want || code == http.StatusSeeOther && v.location != "/login?to="+url.QueryEscape(p.path) {
				t.Errorf("%s by a browser: %d, to %q", r.pattern, code, v.location)
			}
		}
	}
	for from := range former {
		if code, _ := v.get(from); code != http.StatusSeeOther || !strings.HasPrefix(v.location, "/login?") {
			t.Errorf("%s: %d, to %q", from, code, v.location)
		}
	}
	if seen < 10 {
		t.Errorf("only %d routes were found", seen)
	}
}

// TestTokens: no change without the session's token, whatever else is right.
func TestTokens(t *testing.T) {
	t.Parallel()
	v := newVisitor(t, Options{})
	for name, form := range map[string]url.Values{
		"none": {}, "an empty one": {"_csrf": {""}}, "another": {"_csrf": {secret()}}, "the cookie's": {"_csrf": {v.client.Jar.Cookies(must(url.Parse(v.server.URL)))[0].Value}},
	} {
		if code, body := v.postRaw("/update/check", form); code != http.StatusForbidden || !strings.Contains(body, "nothing was changed") {
			t.Errorf("%s: %d", name, code)
		}
	}
	// In the URL it would get into histories and logs.
	if code, _ := v.postRaw("/update/check?_csrf="+url.QueryEscape(v.token), url.Values{}); code != http.StatusForbidden {
		t.Errorf("in the URL: %d", code)
	}
	if code, _ := v.post("/update/check", nil); code != http.StatusOK {
		t.Errorf("the right one: %d", code)
	}
	r := v.request("POST", "/update/check", strings.NewReader(""))
	r.Header.Set("X-CSRF-Token", v.token)
	if code, _ := v.do(r); code != http.StatusOK {
		t.Errorf("in the header: %d", code)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// TestOtherSites: what a page elsewhere has a browser send is refused, token or
// not.
func TestOtherSites(t *testing.T) {
	t.Parallel()
	v := newVisitor(t, Options{})
	for name, header := range map[string][2]string{
		"cross-site": {"Sec-Fetch-Site", "cross-site"}, "another port of this host": {"Sec-Fetch-Site", "same-site"},
		"an old browser": {"Origin", "https://evil.example"}, "another port, old browser": {"Origin", "http://127.0.0.1:1"}, "a sandboxed frame": {"Origin", "null"},
	} {
		r := v.request("POST", "/update/check", strings.NewReader(url.Values{"_csrf": {v.token}}.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set(header[0], header[1])
		if code, _ := v.do(r); code != http.StatusForbidden {
			t.Errorf("%s: %d", name, code)
		}
	}
}

// TestRebinding: a session's cookie is of no use under another name, nor is
// anything else to be had there.
func TestRebinding(t *testing.T) {
	t.Parallel()
	v := newVisitor(t, Options{})
	for _, path := range []string{"/", "/login", "/healthz", "/asset/style.css", "/login?once=" + testLink} {
		r := v.request("GET", path, nil)
		r.Host = "evil.example:8357"
		if code, body := v.do(r); code != http.StatusForbidden || strings.Contains(body, "<html") {
			t.Errorf("%s: %d %.100s", path, code, body)
		}
	}
}

// TestNamesOfTheCertificate: by TLS the console answers to the names of its
// certificate besides.
func TestNamesOfTheCertificate(t *testing.T) {
	t.Parallel()
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"console.corp.example"}, IPAddresses: []net.IP{net.IPv4(192, 0, 2, 7)}, NotAfter: time.Now().Add(time.Hour)}
	leaf := must(x509.ParseCertificate(must(x509.CreateCertificate(rand.Reader, template, template, key.Public(), key))))
	h := Handler(Options{
		Health:      func() []agent.Health { return []agent.Health{{Part: "hub", State: agent.OK, Detail: "corp.example"}} },
		Status:      func() any { return "status" },
		Certificate: func() *x509.Certificate { return leaf },
	})
	for host, want := range map[string]int{
		"console.corp.example:8357": 200, "192.0.2.7:8357": 200, "localhost:8357": 200, "other.corp.example": 403, "192.0.2.8": 403, "": 403,
	} {
		r := httptest.NewRequest("GET", "/healthz", nil)
		r.Host = host
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("%q: %d, want %d", host, w.Code, want)
		}
		if want == 200 && w.Body.String() != "hub ok\n" {
			t.Errorf("%q: from elsewhere it says %q", host, w.Body)
		}
	}
	// What programs of this machine ask is for them alone.
	for remote, want := range map[string]int{"127.0.0.1:1": 200, "192.0.2.7:1": 200, "192.0.2.9:1": 403, "nonsense": 403} {
		r := httptest.NewRequest("GET", "/status", nil)
		r.Host, r.RemoteAddr = "localhost", remote
		r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, &net.TCPAddr{IP: net.IPv4(192, 0, 2, 7), Port: 8357}))
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("/status from %s: %d, want %d", remote, w.Code, want)
		}
	}
}

// TestHeaders: every answer keeps a browser from what a page here needs not.
func TestHeaders(t *testing.T) {
	t.Parallel()
	v := newVisitor(t, Options{})
	for _, path := range []string{"/", "/login", "/nowhere", "/asset/style.css", "/asset/nothing", "/healthz"} {
		if path == "/healthz" {
			continue // there is no health in this test
		}
		v.get(path)
		csp := v.header.Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"} {
			if !strings.Contains(csp, want) {
				t.Errorf("%s: the policy is %q, without %s", path, csp, want)
			}
		}
		if strings.Contains(csp, "unsafe") || strings.Contains(csp, "http") {
			t.Errorf("%s: the policy is %q", path, csp)
		}
		for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY"} {
			if got := v.header.Get(name); got != want {
				t.Errorf("%s: %s is %q", path, name, got)
			}
		}
		if got := v.header.Get("Cache-Control"); got != "no-store" {
			t.Errorf("%s: Cache-Control is %q", path, got)
		}
	}
}

// TestPathTricks: a path that means another one comes to nothing.
func TestPathTricks(t *testing.T) {
	t.Parallel()
	v := newVisitor(t, Options{})
	address := strings.TrimPrefix(v.server.URL, "http://")
	for _, path := range []string{
		"/asset/../console.go", "/asset/..%2fconsole.go", "/asset/%2e%2e/%2e%2e/etc/passwd", "/asset/..\\..\\config.json", "/asset/layout.html",
		"/asset/style.css%00.js", "/../../etc/passwd", "/%2e%2e%2f%2e%2e%2fetc/passwd", "//evil.example/", "///etc/passwd", "/configuration/../../x", "/asset/",
	} {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = conn.Write([]byte("GET " + path + " HTTP/1.0\r\nHost: " + address + "\r\nAccept: text/html\r\n\r\n"))
		answer := make([]byte, 64<<10)
		_ = conn.SetReadDeadline(time.Now().Add(time.Minute))
		n, _ := conn.Read(answer)
		_ = conn.Close()
		text := string(answer[:n])
		if strings.HasPrefix(text, "HTTP/1.0 200") || strings.Contains(text, "root:") || strings.Contains(text, "package console") || strings.Contains(text, "{{define") {
			t.Errorf("%s: %.200s", path, text)
		}
		if strings.Contains(text, "\nLocation: //") || strings.Contains(text, "\nLocation: http") {
			t.Errorf("%s leads elsewhere: %.300s", path, text)
		}
	}
}

// TestOversized: what is too large is refused before it is read.
func TestOversized(t *testing.T) {
	t.Parallel()
	v := newVisitor(t, Options{})
	if code, body := v.post("/update/check", url.Values{"x": {strings.Repeat("x", usualBody)}}); code != http.StatusRequestEntityTooLarge || !strings.Contains(body, "64 KiB") {
		t.Errorf("a form: %d", code)
	}
	if code, _ := v.upload("/update/check", "x", "x.zip", make([]byte, 2*usualBody)); code != http.StatusRequestEntityTooLarge {
		t.Errorf("an upload: %d", code)
	}
	r := v.request("POST", "/update/check", strings.NewReader(`{"_csrf":"x"}`))
	r.Header.Set("Content-Type", "application/json")
	if code, _ := v.do(r); code != http.StatusUnsupportedMediaType {
		t.Errorf("no form: %d", code)
	}
	if code, _ := v.postRaw("/login", url.Values{"password": {strings.Repeat("x", loginBody)}}); code != http.StatusBadRequest {
		t.Errorf("a login: %d", code)
	}
}
