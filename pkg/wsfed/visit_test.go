package wsfed

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestAccessLog has each request leave one line, that holds none of what it
// brought but its path.
func TestAccessLog(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(o *Options) {
		o.Source = func(*http.Request) string { return "[2001:db8::7]:4711" }
	})
	const secret = "tell-nobody"
	for _, tt := range []struct {
		method, path, body string
		header             []string
		want               string
	}{
		{"GET", tenants + "&wctx2=" + secret, "", nil, "method=GET path=/wsfed status=200"},
		{"GET", "/wsfed?wtrealm=" + secret + "&username=" + secret + "&password=" + secret, "", nil, "method=GET path=/wsfed status=400"},
		{"GET", metadataPath + "?" + secret, "", []string{"Authorization", "Negotiate " + secret, "Cookie", "connector-session=" + secret}, "method=GET path=" + metadataPath + " status=200"},
		{"POST", tenants, "username=ada&password=" + secret + "&token=" + secret, nil, "method=POST path=/wsfed status=403"},
		{"POST", "/wsfed/direct", "username=ada&password=" + secret, []string{"Proxy-Authorization", secret, "X-Forwarded-For", secret}, "method=POST path=/wsfed/direct status=401"},
		{"POST", "/wsfed/direct", "username=ada&password=right&state=" + secret, nil, "method=POST path=/wsfed/direct status=200"},
		{"GET", "/no\nwhere" + strings.Repeat("x", 300), "", nil, `method=GET path="/no\nwhere` + strings.Repeat("x", 119) + `" status=404`},
		{"PURGEALLTHATTHEREIS", "/", "", nil, `method=PURGEALLTHATTHER path=/ status=404`},
	} {
		before := len(s.log.String())
		s.do(t, tt.method, strings.ReplaceAll(tt.path, "\n", "%0a"), tt.body, tt.header...)
		said := s.log.String()[before:]
		line := regexp.MustCompile(`level=INFO msg=request ` + regexp.QuoteMeta(tt.want) + ` from=2001:db8::7 took=\S+ request=[0-9a-f]{12}\n`)
		if n := len(line.FindAllString(said, -1)); n != 1 || strings.Count(said, "msg=request ") != 1 {
			t.Errorf("%s %s: %d lines: %s", tt.method, tt.path, n, said)
		}
	}
	for _, no := range []string{secret, "wresult", "right", "Negotiate"} {
		if strings.Contains(s.log.String(), no) {
			t.Errorf("%q is in the log: %s", no, s.log)
		}
	}
	// An error page's reference is the request's.
	a := s.do(t, http.MethodGet, "/wsfed?wtrealm=x", "")
	ref := regexp.MustCompile(`Reference: <code>([0-9a-f]{12})</code>`).FindStringSubmatch(a.body)
	if ref == nil || !strings.Contains(s.log.String(), "request="+ref[1]) || !strings.Contains(s.log.String(), "ref="+ref[1]) {
		t.Errorf("%s, the log: %s", a.body, s.log)
	}
}

// TestLinesAreBounded: whoever asks without end does not push all else out of the
// log.
func TestLinesAreBounded(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	h := s.handler(t).(*handler)
	for range linesPerMinute + 3 {
		h.access(&answering{status: 200}, request1(t), noon)
	}
	if n := strings.Count(s.log.String(), "msg=request"); n != linesPerMinute {
		t.Errorf("%d lines", n)
	}
	h.access(&answering{status: 200}, request1(t), noon.Add(time.Minute))
	if !strings.Contains(s.log.String(), "unwritten=3") {
		t.Error("nobody says that lines are missing")
	}
}

func request1(t *testing.T) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "/wsfed", nil)
	if err != nil {
		t.Fatal(err)
	}
	return withVisit(r)
}

// TestAFullGate: beyond those who ask and those who wait, nobody is kept.
func TestAFullGate(t *testing.T) {
	t.Parallel()
	g := newGate(1)
	if !g.enter(t.Context()) {
		t.Fatal("there was room")
	}
	waited := make(chan bool, gateRoom)
	for range gateRoom {
		go func() { waited <- g.enter(t.Context()) }()
	}
	for len(g.room) < gateRoom {
		time.Sleep(time.Millisecond)
	}
	began := time.Now()
	if g.enter(t.Context()) || time.Since(began) > gateWait/2 {
		t.Errorf("one too many was let in, or kept for %s", time.Since(began))
	}
	g.leave()
	in := 0
	for range gateRoom {
		if <-waited {
			in++
			g.leave()
		}
	}
	if in == 0 || len(g.places) != 0 || len(g.room) != 0 {
		t.Errorf("%d got in, %d and %d are held", in, len(g.places), len(g.room))
	}
}

// TestTooManyProofs: users whom something proves are turned away too, when the
// directory is asked for as many as may be.
func TestTooManyProofs(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(o *Options) { o.AtOnce = 1 })
	s.login(t, "ada", "right")
	h := s.handler(t).(*handler)
	current := http.Handler(h)
	s.current.Store(&current)
	if !h.admits.enter(t.Context()) {
		t.Fatal("there was room")
	}
	a := s.do(t, http.MethodGet, tenants, "")
	if a.StatusCode != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" || !strings.Contains(a.body, "Too many people") || s.last() != (ended{"session", Busy}) {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
	h.admits.leave()
	if a := s.do(t, http.MethodGet, tenants, ""); !a.signedIn() {
		t.Errorf("then: %d %s", a.StatusCode, a.body)
	}
	if got := fmt.Sprint(len(h.admits.places), len(h.gate.places)); got != "0 0" {
		t.Errorf("held are %s", got)
	}
}
