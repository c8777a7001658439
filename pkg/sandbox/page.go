package sandbox

import (
	"bytes"
	"crypto/sha256"
	_ "embed" // the page, its style and its script
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"strings"
	"time"
)

var (
	//go:embed page.html
	pageHTML string
	//go:embed page.css
	pageCSS string
	//go:embed page.js
	pageJS string

	pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{
		"short": func(thumbprint string) string { return thumbprint[:min(8, len(thumbprint))] },
		"took":  tookText,
		"date":  func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") },
	}).Parse(pageHTML))

	// Only this style and this script may run in the page, and it may talk to
	// nobody but the sandbox: a profile with markup in it stays text.
	pagePolicy = "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; img-src data:; " +
		"connect-src 'self'; form-action 'self'; style-src 'sha256-" + hashOf(pageCSS) + "'; script-src 'sha256-" + hashOf(pageJS) + "'"
)

func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// pageData is what the page shows.
type pageData struct {
	Style       template.CSS
	Script      template.JS
	Agents      []agentJSON
	Connections []string
	SignIns     []string // connections whose users sign in through the browser
	Username    string
	Connection  string
	Outcome     *pageOutcome // nil before a login was tried
}

// pageOutcome is how a login ended.
type pageOutcome struct {
	Kind   string // accepted, refused, fault
	Says   string
	Detail string // the reply, indented
}

func (c *Cloud) servePage(w http.ResponseWriter, _ *http.Request) {
	c.showPage(w, http.StatusOK, pageData{})
}

// serveLogin tries a login for a page without a script. The password is not
// shown again.
func (c *Cloud) serveLogin(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxCall)
	if err := r.ParseForm(); err != nil {
		err = errors.New("read the form: it is too long or damaged") // the cause may quote what was typed
		c.showPage(w, http.StatusBadRequest, pageData{Outcome: &pageOutcome{Kind: "fault", Says: sentence(err)}})
		return
	}
	unhurried(w)
	request := Request{
		Connection: r.PostForm.Get("connection"),
		Username:   r.PostForm.Get("username"),
		Password:   r.PostForm.Get("password"),
	}
	data := pageData{Username: request.Username, Connection: request.Connection}
	response, err := c.Request(r.Context(), "authenticate_user", request)
	if err != nil {
		data.Outcome = &pageOutcome{Kind: "fault", Says: sentence(err)}
		c.showPage(w, requestStatus(err), data)
		return
	}
	data.Outcome = outcomeOf(response)
	c.showPage(w, http.StatusOK, data)
}

func outcomeOf(response Response) *pageOutcome {
	var reply struct {
		Err *struct {
			Name    string `json:"name"`
			Message string `json:"message"`
		} `json:"err"`
		Profile json.RawMessage `json:"profile"`
	}
	// An agent of another make may answer anything; it is shown as it is.
	err := json.Unmarshal(response.Reply, &reply)
	by := " by " + response.Agent + " in " + tookText(inMs(response.Took))
	outcome := &pageOutcome{Kind: "fault", Says: "Answered" + by + ", with neither a profile nor an error"}
	switch {
	case err != nil:
	case reply.Err != nil && reply.Err.Name != "":
		outcome.Kind, outcome.Says = "refused", "Refused"+by+": "+reply.Err.Message
	case reply.Err != nil:
		outcome.Says = "A fault, told" + by + ": " + reply.Err.Message
	case reply.Profile != nil:
		outcome.Kind, outcome.Says = "accepted", "Accepted"+by
	}
	var text bytes.Buffer
	if json.Indent(&text, response.Reply, "", "  ") != nil {
		text.Reset()
		text.Write(response.Reply)
	}
	outcome.Detail = text.String()
	return outcome
}

func inMs(d time.Duration) int64 { return d.Round(time.Millisecond).Milliseconds() }

func tookText(ms int64) string {
	if ms < 1 {
		return "under 1 ms"
	}
	return fmt.Sprint(ms) + " ms"
}

// sentence makes an error's text one for people.
func sentence(err error) string {
	text := err.Error()
	return strings.ToUpper(text[:1]) + text[1:] + "."
}

func (c *Cloud) showPage(w http.ResponseWriter, status int, data pageData) {
	data.Style, data.Script = template.CSS(pageCSS), template.JS(pageJS) //nolint:gosec // both are embedded, and nobody else's
	data.Agents = c.agentsJSON().Agents
	for _, cc := range c.list() {
		data.Connections = append(data.Connections, cc.Name)
	}
	data.SignIns = c.signInConnections()
	var page bytes.Buffer
	if err := pageTemplate.Execute(&page, data); err != nil {
		c.log.Error("page not written", "err", err)
		answerError(w, http.StatusInternalServerError, errors.New("write the page"))
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", pagePolicy)
	w.WriteHeader(status)
	_, _ = w.Write(page.Bytes()) // whoever hung up does not want to know
}
