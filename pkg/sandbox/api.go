package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"strconv"
	"strings"
)

// maxCall bounds the body of a call to the API, in bytes.
const maxCall = 64 << 10

// handler is the whole site. Two guards stand before it: a page of another
// site must not post (CrossOriginProtection looks at what browsers say of
// themselves), and a name that an attacker's DNS points at 127.0.0.1 must not
// read (the host is checked).
func (c *Cloud) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /test", c.serveClock)
	mux.HandleFunc("GET /.well-known/jwks.json", c.serveKeys)
	mux.HandleFunc("GET /p/ad/{ticket}/info", c.ticketed(c.serveInfo))
	mux.HandleFunc("GET /p/ad/{ticket}", c.ticketed(c.serveTicket))
	mux.HandleFunc("POST /p/ad/{ticket}", c.ticketed(c.serveRegister))
	mux.HandleFunc("GET /lo/hub", c.serveHub)
	mux.HandleFunc("GET /releases/{path...}", c.serveReleases)
	mux.HandleFunc("GET /api/agents", c.serveAgents)
	mux.HandleFunc("GET /api/events", c.serveEvents)
	mux.HandleFunc("GET /api/connections", c.serveConnections)
	mux.HandleFunc("POST /api/connections", c.serveNewConnection)
	mux.HandleFunc("DELETE /api/connections/{name}/certificates", c.serveUnpin)
	mux.HandleFunc("POST /api/connections/{name}/key", c.serveNewKey)
	mux.HandleFunc("POST /api/requests/{command}", c.serveRequest)
	mux.HandleFunc("GET /{$}", c.servePage)
	mux.HandleFunc("POST /login", c.serveLogin)
	mux.HandleFunc("GET /login/browser", c.serveSignIn)
	mux.HandleFunc("POST /login/callback", c.serveCallback)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		answerError(w, http.StatusNotFound, errors.New("no such page, or not with this method"))
	})
	guard := http.NewCrossOriginProtection()
	guard.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		answerError(w, http.StatusForbidden, errors.New("refused: another site's page asked for this"))
	}))
	guard.AddInsecureBypassPattern("POST /login/callback") // the connector's page posts there; the wctx says whether it was sent for
	site := guard.Handler(mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !c.enter() {
			answerError(w, http.StatusServiceUnavailable, errors.New("the sandbox is closing"))
			return
		}
		defer c.running.Done()
		header := w.Header()
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Referrer-Policy", "no-referrer") // an address may hold a ticket
		header.Set("Cache-Control", "no-store")
		if !isOwnHost(r.Host) {
			answerError(w, http.StatusMisdirectedRequest, errors.New("refused: the sandbox is asked as localhost, 127.0.0.1 or [::1]"))
			return
		}
		site.ServeHTTP(w, r)
	})
}

// isOwnHost says whether a Host header names this machine. Any port will do: a
// tunnel may have another.
func isOwnHost(host string) bool {
	if name, port, err := net.SplitHostPort(host); err == nil {
		if _, err := strconv.ParseUint(port, 10, 16); err != nil {
			return false
		}
		host = name
	} else {
		host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	}
	return strings.EqualFold(host, "localhost") || strings.EqualFold(host, ProxiedName) || host == "127.0.0.1" || host == "::1"
}

func (c *Cloud) serveClock(w http.ResponseWriter, _ *http.Request) {
	answerJSON(w, http.StatusOK, struct {
		Clock int64 `json:"clock"`
	}{c.now().UnixMilli()})
}

func (c *Cloud) serveConnections(w http.ResponseWriter, _ *http.Request) {
	type connection struct {
		Name        string   `json:"name"`
		Realm       string   `json:"realm"`
		Kerberos    bool     `json:"kerberos"`
		CertAuth    bool     `json:"certAuth"`
		Thumbprints []string `json:"thumbprints"`
	}
	list := []connection{}
	for _, cc := range c.list() {
		list = append(list, connection{cc.Name, cloudRealm, cc.Kerberos, cc.CertAuth, cc.thumbprints()})
	}
	answerJSON(w, http.StatusOK, map[string]any{"connections": list})
}

func (c *Cloud) serveNewConnection(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Name     string `json:"name"`
		Kerberos bool   `json:"kerberos"`
		CertAuth bool   `json:"certAuth"`
	}
	if err := readCall(w, r, &body); err != nil {
		answerError(w, bodyStatus(err), err)
		return
	}
	ticket, realm, err := c.NewConnection(body.Name, body.Kerberos, body.CertAuth)
	switch {
	case errors.Is(err, errConnectionName):
		answerError(w, http.StatusBadRequest, err)
	case errors.Is(err, ErrConnectionExists), errors.Is(err, errTooMany):
		answerError(w, http.StatusConflict, err)
	case err != nil:
		answerError(w, http.StatusInternalServerError, err)
	default:
		answerJSON(w, http.StatusOK, map[string]string{"ticket": ticket, "realm": realm})
	}
}

func (c *Cloud) serveUnpin(w http.ResponseWriter, r *http.Request) {
	switch err := c.Unpin(r.PathValue("name")); {
	case errors.Is(err, ErrUnknownConnection):
		answerError(w, http.StatusNotFound, err)
	case err != nil:
		answerError(w, http.StatusInternalServerError, err)
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

func (c *Cloud) serveRequest(w http.ResponseWriter, r *http.Request) {
	var request Request
	if _, ok := cloudCommands[r.PathValue("command")]; !ok {
		answerError(w, http.StatusNotFound, ErrUnknownCommand)
		return
	}
	if err := readCall(w, r, &request); err != nil {
		answerError(w, bodyStatus(err), err)
		return
	}
	response, err := c.Request(r.Context(), r.PathValue("command"), request)
	if err != nil {
		answerError(w, requestStatus(err), err)
		return
	}
	answerJSON(w, http.StatusOK, struct {
		Agent  string          `json:"agent"`
		TookMs int64           `json:"tookMs"`
		Reply  json.RawMessage `json:"reply"`
	}{response.Agent, inMs(response.Took), response.Reply})
}

func requestStatus(err error) int {
	switch {
	case errors.Is(err, ErrUnknownConnection), errors.Is(err, ErrUnknownCommand):
		return http.StatusNotFound
	case errors.Is(err, ErrNoAgent):
		return http.StatusServiceUnavailable
	case errors.Is(err, ErrNoAnswer):
		return http.StatusGatewayTimeout
	}
	return http.StatusInternalServerError
}

// readCall decodes one JSON object and nothing else. A member that is not
// known is an error: a login with "user" for "username" would only puzzle.
func readCall(w http.ResponseWriter, r *http.Request, into any) error {
	data, err := readBody(w, r, maxCall)
	if err == nil {
		err = decodeCall(data, into)
	}
	if err != nil {
		return fmt.Errorf("read the body: %w", err)
	}
	return nil
}

func decodeCall(data []byte, into any) error {
	if trimmed := bytes.TrimLeft(data, " \t\r\n"); len(trimmed) == 0 || trimmed[0] != '{' {
		return errors.New("it is not a JSON object") // null would decode into anything
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return err
	}
	if _, err := decoder.Token(); err != io.EOF {
		return errors.New("something follows the JSON object")
	}
	return nil
}

func readBody(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	unhurried(w)
	return data, err
}

func bodyStatus(err error) int {
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return http.StatusRequestEntityTooLarge
	}
	return http.StatusBadRequest
}

func isJSON(contentType string) bool {
	kind, _, err := mime.ParseMediaType(contentType)
	return err == nil && kind == "application/json"
}

func answerError(w http.ResponseWriter, status int, err error) {
	type message struct {
		Message string `json:"message"`
	}
	answerJSON(w, status, map[string]message{"error": {err.Error()}})
}

func answerJSON(w http.ResponseWriter, status int, v any) {
	data, err := json.Marshal(v)
	if err != nil { // an agent's reply was checked when it came in
		http.Error(w, `{"error":{"message":"encode the answer"}}`, http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(append(data, '\n')) // whoever hung up does not want to know
}
