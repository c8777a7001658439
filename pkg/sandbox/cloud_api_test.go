package sandbox

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

func TestTheAPI(t *testing.T) {
	c := startCloud(t, CloudOptions{Timeout: 100 * time.Millisecond})
	client := httpClient(t, c)
	joinAgent(t, c, firstKey(), c.Ticket(), "sandbox", func(_ *fakeAgent, q question) string {
		if q.command == "list_groups" {
			return ""
		}
		return `{"err":{"name":"WrongPassword"}}`
	})
	long := `{"username":"` + strings.Repeat("a", maxCall) + `"}`
	for _, test := range []struct {
		method, path, body string
		status             int
		answer             string
	}{
		{"GET", "/test", "", 200, `{"clock":`},
		{"POST", "/test", "", 404, `{"error":{"message":`},
		{"GET", "/nothing", "", 404, `{"error":{"message":`},
		{"GET", "/lo/hub", "", 426, ``},
		{"GET", "/api/agents", "", 200, `{"agents":[{"id":"a1","connection":"sandbox","remote":"127.0.0.1:`},
		{"GET", "/api/connections", "", 200, `{"connections":[{"name":"sandbox","realm":"urn:auth0:sandbox",`},

		{"POST", "/api/requests/authenticate_user", `{"username":"ada","password":"x","search":"","limit":0,"escaped":false,"connection":"sandbox"}`, 200, `{"agent":"a1","tookMs":`},
		{"POST", "/api/requests/authenticate_user", `{}`, 200, `"reply":{"err":{"name":"WrongPassword"}}}`},
		{"POST", "/api/requests/list_groups", `{}`, 504, `no agent answered in time`},
		{"POST", "/api/requests/list_groups", `{"connection":"none"}`, 404, `no such connection`},
		{"POST", "/api/requests/delete_user", `{}`, 404, `no such command`},
		{"POST", "/api/requests/", `{}`, 404, `{"error":`},
		{"GET", "/api/requests/list_groups", "", 404, `{"error":`},
		{"POST", "/api/requests/list_groups", ``, 400, `it is not a JSON object`},
		{"POST", "/api/requests/list_groups", `null`, 400, `it is not a JSON object`},
		{"POST", "/api/requests/list_groups", `[]`, 400, `it is not a JSON object`},
		{"POST", "/api/requests/list_groups", `{`, 400, `read the body`},
		{"POST", "/api/requests/list_groups", `{}{}`, 400, `something follows`},
		{"POST", "/api/requests/list_groups", `{"user":"ada"}`, 400, `unknown field`},
		{"POST", "/api/requests/list_groups", `{"limit":"many"}`, 400, `read the body`},
		{"POST", "/api/requests/list_groups", `{"limit":1e99}`, 400, `read the body`},
		{"POST", "/api/requests/list_groups", `{"username":7}`, 400, `read the body`},
		{"POST", "/api/requests/list_groups", long, 413, `read the body`},

		{"POST", "/api/connections", `{"name":"two","kerberos":true,"certAuth":true}`, 200, `/p/ad/`},
		{"POST", "/api/requests/search_users", `{"connection":"two"}`, 503, `no agent is connected`},
		{"POST", "/api/connections", `{"name":"two"}`, 409, `already`},
		{"POST", "/api/connections", `{"name":""}`, 400, `a connection's name`},
		{"POST", "/api/connections", `{"name":"../x"}`, 400, `a connection's name`},
		{"POST", "/api/connections", `{"name":"-x"}`, 400, `a connection's name`},
		{"POST", "/api/connections", `{"name":"` + strings.Repeat("a", 129) + `"}`, 400, `a connection's name`},
		{"POST", "/api/connections", `{"name":"three","kerberos":"yes"}`, 400, `read the body`},
		{"POST", "/api/connections", ``, 400, `it is not a JSON object`},
		{"POST", "/api/connections", long, 413, `read the body`},
		{"DELETE", "/api/connections/sandbox/certificates", "", 204, ``},
		{"DELETE", "/api/connections/none/certificates", "", 404, `no such connection`},
	} {
		status, answer := callCloud(t, client, test.method, c.URL()+test.path, test.body)
		if status != test.status || !strings.Contains(answer, test.answer) {
			t.Errorf("%s %s %.60s: %d %s", test.method, test.path, test.body, status, answer)
		}
		if status >= 400 && test.path != "/lo/hub" && !json.Valid([]byte(answer)) {
			t.Errorf("%s %s: the error is not JSON: %s", test.method, test.path, answer)
		}
	}
	if got := c.Thumbprints("sandbox"); len(got) > 0 {
		t.Errorf("bound to %v after all", got)
	}
}

// TestOtherSitesAreRefused: a page from elsewhere can neither post through a
// visitor's browser nor, under a name that leads here, read.
func TestOtherSitesAreRefused(t *testing.T) {
	c := startCloud(t, CloudOptions{})
	client := httpClient(t, c)
	posts := []string{"/api/connections", "/api/requests/authenticate_user", "/login", strings.TrimPrefix(c.Ticket(), c.URL())}
	for _, path := range posts {
		for _, header := range [][]string{
			{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "https://evil.example"}, {"Origin", "null"},
		} {
			if status, body := callCloud(t, client, "POST", c.URL()+path, `{}`, header...); status != 403 {
				t.Errorf("POST %s with %v: %d %s", path, header, status, body)
			}
		}
		if status, _ := callCloud(t, client, "POST", c.URL()+path, `{}`, "Sec-Fetch-Site", "same-origin"); status == 403 {
			t.Errorf("POST %s from the page itself is refused", path)
		}
	}
	for host, want := range map[string]int{
		"evil.example": 421, "evil.example:443": 421, "localhost.evil.example": 421, "127.0.0.1.evil.example:1": 421, "127.0.0.2": 421, "localhost:x": 421, "another.localhost": 421,
		"localhost": 200, "LOCALHOST:7": 200, "127.0.0.1": 200, "127.0.0.1:7": 200, "[::1]": 200, "[::1]:7": 200, "Tenant.localhost:7": 200,
	} {
		for _, path := range []string{"/", "/test", "/api/agents"} {
			if status, _ := callCloud(t, client, "GET", c.URL()+path, "", "Host", host); status != want {
				t.Errorf("GET %s as %s: %d", path, host, status)
			}
		}
	}
	_, response, err := websocket.Dial(t.Context(), c.URL()+"/lo/hub", &websocket.DialOptions{
		HTTPClient: client, HTTPHeader: http.Header{"Origin": {"https://evil.example"}},
	})
	if err == nil || response == nil || response.StatusCode != http.StatusForbidden {
		t.Errorf("a link from another site's page: %v", err)
	}
}

// TestPlacesAreBounded: whoever comes when all places are taken is told so.
func TestPlacesAreBounded(t *testing.T) {
	c := startCloud(t, CloudOptions{Timeout: 50 * time.Millisecond})
	client := httpClient(t, c)
	for range maxCloudLinks {
		c.linkSlots <- struct{}{}
	}
	for range maxCloudStreams {
		c.streamSlots <- struct{}{}
	}
	for range maxCloudAsking {
		c.askSlots <- struct{}{}
	}
	for _, path := range []string{"/lo/hub", "/api/events"} {
		if status, body := callCloud(t, client, "GET", c.URL()+path, ""); status != 503 || !strings.Contains(body, `"message"`) {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	if status, _ := callCloud(t, client, "POST", c.URL()+"/api/requests/list_groups", `{}`); status != 504 {
		t.Errorf("a request: %d", status)
	}
	c.mu.Lock()
	for range maxConnections - 1 {
		c.connections = append(c.connections, c.connections[0])
	}
	c.mu.Unlock()
	if status, _ := callCloud(t, client, "POST", c.URL()+"/api/connections", `{"name":"more"}`); status != 409 {
		t.Errorf("a connection: %d", status)
	}
}

func FuzzCloudFrame(f *testing.F) {
	for _, seed := range []string{
		`{"n":"x_result","p":{"profile":{}}}`, `{"n":"authenticate","p":{"jwt":"a.b.c"}}`, `{"n":"authenticated"}`,
		`{"n":1}`, `null`, `[]`, ``, `{"N":"x","P":1}`, `{"n":"a","n":"b"}`, `{"n":"\ud800","p":` + strings.Repeat("[", 100),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		name, payload, ok := parseCloudFrame(data)
		if !ok {
			return
		}
		if name == "" || !json.Valid(data) || len(payload) > 0 && !json.Valid(payload) {
			t.Errorf("taken: %q %q from %q", name, payload, data)
		}
	})
}

func FuzzRequestBody(f *testing.F) {
	for _, seed := range []string{
		`{"connection":"a","username":"b","password":"c","search":"d","limit":-1,"escaped":true}`,
		`{"limit":1e3}`, `null`, ` {} `, `{}x`, `{"LIMIT":3}`, `{"limit":`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var request Request
		if err := decodeCall(data, &request); err == nil && !json.Valid(data) {
			t.Errorf("taken: %q", data)
		}
	})
}
