package sandbox

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// A pendingSignIn is a browser that was sent to a connector's sign-in.
type pendingSignIn struct {
	connection string
	at         time.Time
}

// Bounds of sign-ins in the browser.
const (
	maxPending  = 1000
	pendingLife = 10 * time.Minute
	maxResult   = 1 << 20 // of what comes back, in bytes
)

// signInConnections are the connections that a browser can be sent to.
func (c *Cloud) signInConnections() []string {
	var names []string
	for _, cc := range c.list() {
		if cc.SignIn != "" && (cc.Kerberos || cc.CertAuth) {
			names = append(names, cc.Name)
		}
	}
	return names
}

// serveSignIn sends the browser to where the connection's agent said that users
// sign in.
func (c *Cloud) serveSignIn(w http.ResponseWriter, r *http.Request) {
	cc := c.find(r.URL.Query().Get("connection"))
	if cc == nil {
		answerError(w, http.StatusNotFound, ErrUnknownConnection)
		return
	}
	to, err := url.Parse(cc.SignIn)
	if err != nil || cc.SignIn == "" || to.Scheme != "http" && to.Scheme != "https" {
		answerError(w, http.StatusConflict, errors.New("no agent of the connection has said where users sign in"))
		return
	}
	query := to.Query()
	query.Set("wa", "wsignin1.0")
	query.Set("wtrealm", cloudRealm)
	query.Set("wctx", c.pend(cc.Name))
	to.RawQuery = query.Encode()
	http.Redirect(w, r, to.String(), http.StatusFound)
}

// pend remembers a sign-in that has begun, and returns what stands for it.
func (c *Cloud) pend(connection string) string {
	state := rand.Text()
	now := c.options.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	for s, p := range c.pending {
		if now.Sub(p.at) > pendingLife || len(c.pending) >= maxPending {
			delete(c.pending, s)
		}
	}
	if c.pending == nil {
		c.pending = map[string]pendingSignIn{}
	}
	c.pending[state] = pendingSignIn{connection, now}
	return state
}

// pended returns the connection of a sign-in that has begun, once.
func (c *Cloud) pended(state string) (string, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p, ok := c.pending[state]
	delete(c.pending, state)
	return p.connection, ok && c.options.Now().Sub(p.at) <= pendingLife
}

// stateOf is what stands for a sign-in in its wctx: all of it or, when the
// tenant's own page sent the password (/wsfed/direct), a field of that page's
// form, which come back as JSON.
func stateOf(wctx string) string {
	var direct struct{ Strategy, State string }
	if json.Unmarshal([]byte(wctx), &direct) == nil && direct.Strategy == "ad" {
		return direct.State
	}
	return wctx
}

// serveCallback takes an assertion and shows whom it speaks of.
func (c *Cloud) serveCallback(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxResult)
	refuse := func(err error) {
		c.log.Warn("assertion refused", "err", err)
		c.showPage(w, http.StatusBadRequest, pageData{Outcome: &pageOutcome{Kind: "fault", Says: "The assertion was refused: " + err.Error() + "."}})
	}
	if err := r.ParseForm(); err != nil {
		refuse(errors.New("the form is too long or damaged"))
		return
	}
	unhurried(w)
	if c.options.Posted != nil {
		c.options.Posted(r.PostForm.Get("wresult"))
	}
	connection, ok := c.pended(stateOf(r.PostForm.Get("wctx")))
	cc := c.find(connection)
	switch {
	case !ok || cc == nil:
		refuse(errors.New("its wctx is of no sign-in that has begun here"))
		return
	case r.PostForm.Get("wa") != "wsignin1.0":
		refuse(errors.New("its wa is not wsignin1.0"))
		return
	}
	a, err := readResult(r.PostForm.Get("wresult"), cc.Certificates, cloudRealm, c.now())
	if err != nil {
		refuse(err)
		return
	}
	method := a.Method[strings.LastIndex(a.Method, ":")+1:]
	c.log.Info("assertion accepted", "connection", cc.Name, "subject", a.Subject, "method", a.Method)
	c.showPage(w, http.StatusOK, pageData{
		Connection: cc.Name,
		Outcome:    &pageOutcome{Kind: "accepted", Says: "Signed in: " + a.name() + " (" + method + ")", Detail: a.text()},
	})
}

// name is what people call the subject.
func (a asserted) name() string {
	if names := a.Claims["http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name"]; len(names) > 0 {
		return names[0]
	}
	return a.Subject
}
