package console

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// loginBody is how many octets a login may send.
const loginBody = 8 << 10

// A loginPage is what the form of the login shows.
type loginPage struct {
	To       string // where to go then
	Token    string
	Password bool   // whether there is one
	Command  string // that prints a link
	Fault    string
	Ended    bool // there was a session
}

// loginRoutes are what there is without a session.
func (c *console) loginRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /login", func(w http.ResponseWriter, r *http.Request) {
		if once := r.URL.Query().Get("once"); once != "" {
			c.redeem(w, r, once)
			return
		}
		c.showLogin(w, r, http.StatusOK, "")
	})
	mux.HandleFunc("POST /login", c.login)
}

// showLogin shows the form. What it posts must hold what its cookie holds: a
// page elsewhere cannot log a browser in as somebody else.
func (c *console) showLogin(w http.ResponseWriter, r *http.Request, code int, fault string) {
	token := cookie(r, "login")
	if token == "" {
		token = secret()
		setCookie(w, r, "login", token)
	}
	p := loginPage{To: c.local(r.FormValue("to")), Token: token, Fault: fault, Command: "connector" + c.options.Name + " console", Ended: cookie(r, "session") != ""}
	if hash, err := c.password(); err == nil && hash != "" {
		p.Password = true
	}
	c.page(w, code, "login", &view{Title: "Log in", Bare: true, Data: p})
}

func (c *console) password() (string, error) {
	if c.options.Password == nil {
		return "", nil
	}
	return c.options.Password()
}

// redeem logs in by a one-time link. It answers with a page, not a redirect: a
// browser that came from elsewhere would not send its new cookie along with one.
func (c *console) redeem(w http.ResponseWriter, r *http.Request, once string) {
	guess := strings.Contains(r.Header.Get("Sec-Purpose")+r.Header.Get("Purpose"), "prefetch")
	if r.Method != http.MethodGet || guess { // nobody looks at it
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	if c.options.Redeem == nil || len(once) > 2*secretOctets {
		c.showLogin(w, r, http.StatusForbidden, "This link is not valid.")
		return
	}
	if err := c.options.Redeem(once); err != nil {
		c.change(Change{What: "login", Outcome: "refused", By: byLink, Remote: remoteOf(r)})
		c.showLogin(w, r, http.StatusForbidden, "This link is not valid: "+err.Error()+".")
		return
	}
	c.enter(w, r, byLink)
	c.page(w, http.StatusOK, "entered", &view{Title: "Logged in", Bare: true, Refresh: "/", Data: nil})
}

// enter begins a session. Whatever session the browser had before is over: an
// id that somebody has put there gets nobody in.
func (c *console) enter(w http.ResponseWriter, r *http.Request, kind string) {
	c.options.Sessions.end(cookie(r, "session"))
	id, _ := c.options.Sessions.begin(r, kind)
	setCookie(w, r, "session", id)
	setCookie(w, r, "login", "")
	c.change(Change{What: "login", Outcome: "accepted", By: kind, Remote: remoteOf(r)})
}

// login logs in by the administrator's password.
func (c *console) login(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, loginBody)
	if err := r.ParseForm(); err != nil {
		c.refuse(w, r, http.StatusBadRequest, "the form cannot be read")
		return
	}
	if !same(r.PostFormValue("token"), cookie(r, "login")) {
		c.showLogin(w, r, http.StatusForbidden, "The form was too old. Try again; cookies must be allowed.")
		return
	}
	hash, err := c.password()
	if err != nil || hash == "" {
		c.showLogin(w, r, http.StatusForbidden, "There is no password to log in by. Use a link.")
		return
	}
	right, wait := c.try(hash, r.PostFormValue("password"))
	if wait > 0 {
		w.Header().Set("Retry-After", fmt.Sprint(int(wait.Seconds())+1))
		c.change(Change{What: "login", Outcome: "refused", By: byPassword, Remote: remoteOf(r), Keys: []string{"throttled"}})
		c.showLogin(w, r, http.StatusTooManyRequests, fmt.Sprintf("Too many wrong passwords. Wait %s, or use a link.", patience(wait)))
		return
	}
	if !right {
		c.change(Change{What: "login", Outcome: "refused", By: byPassword, Remote: remoteOf(r)})
		c.showLogin(w, r, http.StatusForbidden, "The password is wrong.")
		return
	}
	c.enter(w, r, byPassword)
	http.Redirect(w, r, c.local(r.PostFormValue("to")), http.StatusSeeOther)
}

// try compares a password, unless there were too many wrong ones.
func (c *console) try(hash, password string) (right bool, wait time.Duration) {
	s := c.options.Sessions
	s.mu.Lock()
	wait = s.throttle.enter()
	s.mu.Unlock()
	if wait > 0 {
		return false, wait
	}
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.throttle.leave(right)
	}()
	right, err := samePassword(hash, password)
	if err != nil {
		c.options.Log.Error("the console's password cannot be compared", "part", "console", "err", err)
	}
	return right, 0
}

// patience is how long to wait, for people.
func patience(d time.Duration) string {
	if d < time.Minute {
		return fmt.Sprintf("%d seconds", int(d.Seconds())+1)
	}
	return fmt.Sprintf("%d minutes", int(d.Minutes())+1)
}

// local is a page of the console that somebody wants to go to after the login,
// or the first one.
func (c *console) local(to string) string {
	for _, p := range pages {
		if to == p.path {
			return to
		}
	}
	return "/"
}

// logout ends the session.
func (c *console) logout(v *visit) error {
	c.options.Sessions.end(cookie(v.r, "session"))
	setCookie(v.w, v.r, "session", "")
	v.audit("logout", "accepted")
	return v.redirect("/login")
}
