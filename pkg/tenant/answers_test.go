package tenant

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// serve starts a tenant over TLS and returns a client that trusts it, and a
// ticket of it with the planted secret.
func serve(t *testing.T, h http.HandlerFunc) (*Client, Ticket) {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.Config.ErrorLog = quiet()
	s.StartTLS()
	t.Cleanup(s.Close)
	return &Client{HTTP: s.Client()}, ticket(t, s.URL+"/p/ad/"+planted)
}

// say answers every request alike.
func say(status int, contentType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body) // the client may have hung up
	}
}

// step is one exchange of a recorded start of the existing connector.
type step struct {
	Kind        string `json:"kind"`
	RawHead     string `json:"raw_head"`
	Body        string `json:"body"`
	ContentType string `json:"content_type"`
	Status      int    `json:"status"`
}

func recorded(t *testing.T) []step {
	t.Helper()
	data, err := os.ReadFile("testdata/startup.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	var steps []step
	for d := json.NewDecoder(bytes.NewReader(data)); ; {
		var s step
		if err := d.Decode(&s); errors.Is(err, io.EOF) {
			return steps
		} else if err != nil {
			t.Fatal(err)
		}
		steps = append(steps, s)
	}
}

// The recording is of the existing connector against a stand-in tenant: GET
// info, POST ticket, GET test. Ours asks for the same and posts the same bytes.
func TestStartAsRecorded(t *testing.T) {
	steps := recorded(t)
	var asked, posted []string
	var agents []string
	client, k := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body) // an error shows as a difference below
		asked = append(asked, r.Method+" "+strings.Replace(r.URL.Path, planted, "labticket", 1))
		posted = append(posted, string(body))
		agents = append(agents, r.Header.Get("User-Agent")+", "+r.Header.Get("Accept")+", "+r.Header.Get("Content-Type"))
		if i := 2*len(asked) - 1; i < len(steps) {
			say(steps[i].Status, steps[i].ContentType, steps[i].Body)(w, r)
		}
	})
	client.UserAgent = "ad-ldap-connector/1.2.3"

	connection, err := client.Connection(t.Context(), k)
	if err != nil {
		t.Fatal(err)
	}
	want := Connection{
		Name: "lab-ad", Domains: []string{"lab.test"}, Hub: "https://localhost:41443/lo/hub",
		Realm: "urn:auth0:lab", PostURL: "https://localhost:41443/login/callback", Thumbprints: []string{},
	}
	if diff := cmp.Diff(want, connection); diff != "" {
		t.Error(diff)
	}

	var body struct{ Certs []string }
	if err := json.Unmarshal([]byte(steps[2].Body), &body); err != nil {
		t.Fatal(err)
	}
	der, err := base64.StdEncoding.DecodeString(body.Certs[0])
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	key, err := client.Register(t.Context(), k, Registration{Certificate: certificate, SignIn: "http://vm:4000/wsfed", Version: "0.0.0"})
	if err != nil || key != "lab-tenant-signing-secret-0123456789abcdef" {
		t.Errorf("key %q, %v", key, err)
	}

	clock, err := client.Clock(t.Context(), k)
	if err != nil || clock.Time.UnixMilli() != 1795302195280 {
		t.Errorf("%+v, %v", clock, err)
	}

	var wantAsked, wantPosted []string
	for _, s := range steps {
		if s.Kind == "http.request" {
			wantAsked = append(wantAsked, strings.Split(s.RawHead, " HTTP/1.1")[0])
			// What is recorded does not know of published keys yet.
			wantPosted = append(wantPosted, strings.Replace(s.Body, `"agentVersion":"0.0.0"}`, `"agentVersion":"0.0.0","capabilities":{"useJWKS":true}}`, 1))
		}
	}
	if diff := cmp.Diff(wantAsked, asked); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(wantPosted, posted); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{
		"ad-ldap-connector/1.2.3, application/json, ",
		"ad-ldap-connector/1.2.3, application/json, application/json",
		"ad-ldap-connector/1.2.3, application/json, ",
	}, agents); diff != "" {
		t.Error(diff)
	}
}

const complete = `{"adHub":"https://h/lo/hub","connectionName":"c","realm":{"name":"urn:auth0:a"}`

func TestConnectionTakesWhatTenantsSend(t *testing.T) {
	base := Connection{Name: "c", Hub: "https://h/lo/hub", Realm: "urn:auth0:a"}
	with := func(change func(*Connection)) Connection { c := base; change(&c); return c }
	for more, want := range map[string]Connection{
		`}`:                                base,
		`,"connectionDomain":null}`:        base,
		`,"connectionDomain":""}`:          base,
		`,"connectionDomain":"a.example"}`: with(func(c *Connection) { c.Domains = []string{"a.example"} }),
		`,"connectionDomain":["a.example","b.example"]}`: with(func(c *Connection) { c.Domains = []string{"a.example", "b.example"} }),
		`,"kerberos":true,"certAuth":true}`:              with(func(c *Connection) { c.Kerberos, c.ClientCertificates = true, true }),
		`,"kerberos":"yes","certAuth":1}`:                with(func(c *Connection) { c.Kerberos, c.ClientCertificates = true, true }),
		`,"kerberos":null,"certAuth":0}`:                 base,
		`,"kerberos":"","certAuth":false}`:               base,
		`,"thumbprints":["aB"],"unknown":{"x":[1]}}`:     with(func(c *Connection) { c.Thumbprints = []string{"ab"} }),
	} {
		client, k := serve(t, say(200, "application/json; charset=utf-8", "\ufeff"+complete+more))
		got, err := client.Connection(t.Context(), k)
		if err != nil {
			t.Errorf("%s: %v", more, err)
		} else if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", more, diff)
		}
	}
}

// What each bad answer to GET info is called. The content types are foreign
// text, and a server may quote the path that it was asked for.
func TestConnectionNamesWhatIsWrong(t *testing.T) {
	const js = "application/json"
	for name, c := range map[string]struct {
		status            int
		contentType, body string
		cause             Cause
		text              string
	}{
		"unknown ticket":    {404, "text/html", "Cannot GET /p/ad/" + planted + "/info", CauseNotFound, "Wrong ticket. Does this connection still exist?"},
		"server error":      {500, js, `{"message":"no such path /p/ad/` + planted + `"}`, CauseStatus, `status 500, content type application/json: "no such path /p/ad/[hidden]"`},
		"gone":              {410, "text/plain", "gone " + planted, CauseStatus, "status 410, content type text/plain"},
		"error in words":    {403, js, `{"error":"ip not allowed"}`, CauseStatus, `status 403, content type application/json: "ip not allowed"`},
		"error in numbers":  {403, js, `{"error":7}`, CauseStatus, `status 403, content type application/json`},
		"no content":        {204, "", "", CauseNotJSON, "content type none"},
		"login page":        {200, "text/html; charset=utf-8", "<html>Log in " + planted, CauseNotJSON, "the answer is not JSON: content type text/html"},
		"json as a page":    {200, "text/html", complete + "}", CauseNotJSON, "content type text/html"},
		"secret type":       {200, "x/" + planted, "a", CauseNotJSON, "content type x/[hidden]"},
		"broken type":       {200, ";;" + strings.Repeat("a", 300), "a", CauseNotJSON, `content type ";;aaa`},
		"cut short":         {200, js, complete, CauseNotJSON, "content type application/json"},
		"a list":            {200, js, "[" + complete + "}]", CauseNotJSON, "not JSON"},
		"null":              {200, js, "null", CauseNotJSON, "not JSON"},
		"garbage after":     {200, js, complete + "}}", CauseNotJSON, "not JSON"},
		"nothing":           {200, js, "", CauseNotJSON, "not JSON"},
		"too much":          {200, js, `{"a":"` + strings.Repeat("a", maxAnswer) + `"}`, CauseTooLarge, "more than 1048576 bytes"},
		"empty":             {200, js, "{}", CauseIncomplete, "the answer has no adHub"},
		"no name":           {200, js, `{"adHub":"https://h/"}`, CauseIncomplete, "the answer has no connectionName"},
		"no realm":          {200, js, `{"adHub":"https://h/","connectionName":"c"}`, CauseIncomplete, "the answer has no realm.name"},
		"null realm":        {200, js, `{"adHub":"https://h/","connectionName":"c","realm":null}`, CauseIncomplete, "the answer has no realm.name"},
		"realm is text":     {200, js, `{"adHub":"https://h/","connectionName":"c","realm":"r"}`, CauseIncomplete, "realm is a string"},
		"name is a number":  {200, js, `{"adHub":"https://h/","connectionName":7,"realm":{"name":"r"}}`, CauseIncomplete, "connectionName is a number"},
		"domain is a flag":  {200, js, complete + `,"connectionDomain":true}`, CauseIncomplete, "is a bool"},
		"hub is not a URL":  {200, js, `{"adHub":"` + planted + `","connectionName":"c","realm":{"name":"r"}}`, CauseIncomplete, "adHub is not a URL"},
		"hub is a bad URL":  {200, js, `{"adHub":"https://h:x/","connectionName":"c","realm":{"name":"r"}}`, CauseIncomplete, "adHub is not a URL"},
		"deeply nested":     {200, js, strings.Repeat(`{"a":`, 20000) + "1" + strings.Repeat("}", 20000), CauseNotJSON, "not JSON"},
		"proxy wants a log": {407, "text/html", "", CauseProxyAuth, "the proxy asks for credentials"},
	} {
		t.Run(name, func(t *testing.T) {
			client, k := serve(t, say(c.status, c.contentType, c.body))
			_, err := client.Connection(t.Context(), k)
			check(t, err, c.cause, c.text, "read the connection's settings at "+k.Host()+": ")
			if c.cause == CauseNotFound != errors.Is(err, ErrUnknownTicket) {
				t.Errorf("ErrUnknownTicket: %v", err)
			}
		})
	}
}

// check is what every *Error has to pass.
func check(t *testing.T, err error, cause Cause, text, prefix string) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("not an *Error: %v", err)
	}
	if e.Cause != cause {
		t.Errorf("cause %q, want %q: %v", e.Cause, cause, err)
	}
	if !strings.Contains(err.Error(), text) || !strings.HasPrefix(err.Error(), prefix) {
		t.Errorf("text %q, want %q...%q", err, prefix, text)
	}
	if hint := e.Hint(); cause != CauseCanceled && cause != CauseOther && (!strings.HasSuffix(hint, ".") || strings.Contains(hint, "{")) {
		t.Errorf("hint %q", hint)
	}
	if len(err.Error()) > 400 {
		t.Errorf("the text has %d bytes", len(err.Error()))
	}
	hides(t, err)
}

func TestRegister(t *testing.T) {
	self := &x509.Certificate{Raw: []byte("der")}
	for name, c := range map[string]struct {
		status            int
		contentType, body string
		key               string
		cause             Cause
		text              string
	}{
		"key":           {200, "application/json", `{"signingKey":"k"}`, "k", "", ""},
		"created":       {201, "application/json", `{"signingKey":"k"}`, "k", "", ""},
		"plain type":    {200, "text/plain", `{"signingKey":"k"}`, "k", "", ""},
		"no key":        {200, "application/json", `{}`, "", "", ""},
		"null key":      {200, "application/json", `{"signingKey":null}`, "", "", ""},
		"key is object": {200, "application/json", `{"signingKey":{}}`, "", CauseIncomplete, "signingKey is a object"},
		"not JSON":      {200, "text/plain", "OK", "", CauseNotJSON, "not JSON: content type text/plain"},
		"nothing":       {200, "", "", "", CauseNotJSON, "content type none"},
		"unknown":       {404, "text/html", "", "", CauseNotFound, "Wrong ticket."},
		"other key":     {504, "application/json", `{"error":"x"}`, "", CauseStatus, `status 504`},
	} {
		t.Run(name, func(t *testing.T) {
			client, k := serve(t, say(c.status, c.contentType, c.body))
			key, err := client.Register(t.Context(), k, Registration{Certificate: self})
			if key != c.key {
				t.Errorf("key %q", key)
			}
			if c.cause == "" && err != nil {
				t.Error(err)
			}
			if c.cause != "" {
				check(t, err, c.cause, c.text, "register the agent at ")
			}
		})
	}
	body, err := Registration{Certificate: self, SignIn: "http://h/wsfed?a=<b>&c", Version: "1"}.encode()
	if want := `{"certs":["ZGVy"],"signInEndpoint":"http://h/wsfed?a=<b>&c","agentMode":true,"agentVersion":"1","capabilities":{"useJWKS":true}}`; err != nil || string(body) != want {
		t.Errorf("%s, %v", body, err)
	}
	body, err = Registration{Certificate: self, Also: []*x509.Certificate{{Raw: []byte("former")}}}.encode()
	if want := `{"certs":["ZGVy","Zm9ybWVy"],"signInEndpoint":"",`; err != nil || !strings.HasPrefix(string(body), want) {
		t.Errorf("%s, %v", body, err)
	}
	_, err = new(Client).Register(t.Context(), ticket(t, "https://acme.example/p/ad/x"), Registration{})
	check(t, err, CauseOther, "there is no certificate", "register the agent at ")
	_, err = new(Client).Connection(t.Context(), Ticket{})
	check(t, err, CauseTicket, "there is no ticket", "read the connection's settings: ")
}

func TestRedirectsStayAtTheHost(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("another host was asked")
	}))
	defer elsewhere.Close()
	for name, c := range map[string]struct {
		to    string
		cause Cause
		text  string
	}{
		"another host":    {elsewhere.URL + "/login?from=/p/ad/" + planted, CauseRedirect, "status 302, sent on to " + elsewhere.URL},
		"nowhere":         {"", CauseRedirect, "sent on to nowhere"},
		"round in a ring": {"/p/ad/" + planted + "/info", CauseRedirect, "status 302"},
		"same host":       {"/moved", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			client, k := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/moved" {
					say(200, "application/json", complete+"}")(w, r)
					return
				}
				w.Header().Set("Location", c.to)
				w.WriteHeader(http.StatusFound)
			})
			_, err := client.Connection(t.Context(), k)
			if c.cause == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			check(t, err, c.cause, c.text, "")
			_, err = client.Register(t.Context(), k, Registration{Certificate: &x509.Certificate{}})
			check(t, err, CauseRedirect, "status 302", "") // a POST would become a GET
		})
	}
}

func TestTheClientIsNotChanged(t *testing.T) {
	client, k := serve(t, say(200, "application/json", complete+"}"))
	if _, err := client.Connection(t.Context(), k); err != nil {
		t.Fatal(err)
	}
	if client.HTTP.CheckRedirect != nil {
		t.Error("the caller's client has another policy now")
	}
	if got := new(Client).client(); got == http.DefaultClient {
		t.Error("the default client would be changed")
	}
	if got := new(Client).now(); got.IsZero() {
		t.Error("no clock")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := client.Connection(ctx, k)
	check(t, err, CauseCanceled, "context canceled", "read the connection's settings at ")
	if !errors.Is(err, context.Canceled) {
		t.Error("errors.Is does not see it")
	}
}
