package console

import (
	"context"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// A page is one entry of the navigation, and what is under its address.
type page struct {
	path string   // its own URL
	name string   // in the navigation
	hash []string // the addresses "#..." of the console before this one that lead to it
	of   func(c *console) []route
}

// pages are what there is, in the order of the navigation. They are set at the
// start of the program: the pages speak of the list themselves.
var pages []page

func init() {
	pages = []page{
		{path: "/", name: "Overview", of: (*console).overview},
		{path: "/configuration", name: "Configuration", hash: []string{"configuration"}, of: (*console).configuration},
		{path: "/search-users", name: "Search", hash: []string{"search-users"}, of: (*console).search},
		{path: "/profile-mapper", name: "Profile mapper", hash: []string{"profile-mapper"}, of: (*console).mapper},
		{path: "/export", name: "Import / Export", hash: []string{"export"}, of: (*console).transfer},
		{path: "/troubleshooting", name: "Troubleshooting", hash: []string{"troubleshooting", "troubleshoot"}, of: (*console).troubleshooting},
		{path: "/update", name: "Update", hash: []string{"update"}, of: (*console).update},
	}
}

// former are the addresses of the console before this one that a browser may
// still ask for, and where the same is done now.
var former = map[string]string{
	"/logs": "/troubleshooting", "/troubleshooter/run": "/troubleshooting", "/troubleshooter/export": "/troubleshooting",
	"/updater/logs": "/update", "/users/search": "/search-users", "/users/by-login": "/search-users", "/version": "/update",
}

// A route is one request of the pages, as the mux of the standard library has
// patterns. Before it is done the guard has looked at its host, its origin, its
// session, its size and, unless it is a GET, its token; forms are parsed then.
type route struct {
	pattern string // "POST /configuration"
	do      func(v *visit) error
	body    int64         // octets that it may send; 0: 64 KiB
	within  time.Duration // how long it may take; 0: 30 s
	script  bool          // a script asks: faults are answered as JSON, and a session that is over by 401
}

const (
	usualBody   = 64 << 10
	usualWithin = 30 * time.Second
	answerIn    = 20 * time.Second // that a browser has to take the answer
	mostStreams = 16
)

// routes adds the pages to a mux.
func (c *console) routes(mux *http.ServeMux) {
	c.loginRoutes(mux)
	mux.HandleFunc("GET /asset/{name}", c.layout.asset)
	c.add(mux, "/", route{pattern: "POST /logout", do: c.logout})
	for _, p := range pages {
		for _, r := range p.of(c) {
			if strings.HasSuffix(r.pattern, " /") {
				r.pattern += "{$}"
			}
			c.add(mux, p.path, r)
		}
	}
	for from, to := range former {
		c.add(mux, to, route{pattern: "GET " + from, do: func(v *visit) error {
			if q := v.r.URL.RawQuery; q != "" {
				to += "?" + (&url.URL{RawQuery: q}).RawQuery
			}
			return v.redirect(to)
		}})
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		c.refuse(w, r, http.StatusNotFound, "There is no such page.")
	})
}

func (c *console) add(mux *http.ServeMux, page string, of route) {
	if of.body == 0 {
		of.body = usualBody
	}
	if of.within == 0 {
		of.within = usualWithin
	}
	mux.HandleFunc(of.pattern, func(w http.ResponseWriter, r *http.Request) { c.serve(w, r, page, of) })
}

// serve does a route for whoever is logged in.
func (c *console) serve(w http.ResponseWriter, r *http.Request, page string, of route) {
	script := of.script || live(r)
	session := c.options.Sessions.find(r, cookie(r, "session"), c.revoked(), live(r) && r.Method == http.MethodGet)
	if session == nil {
		c.outside(w, r, page, script)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), of.within)
	defer cancel()
	v := &visit{console: c, w: w, r: r.WithContext(ctx), session: session, page: page, whole: r.Context(), began: c.options.Now()}
	deadline := http.NewResponseController(w)
	_ = deadline.SetReadDeadline(time.Now().Add(of.within)) // a recorder of a test knows none
	_ = deadline.SetWriteDeadline(time.Now().Add(of.within + answerIn))
	defer func() {
		if fault := recover(); fault != nil {
			if fault == http.ErrAbortHandler { //nolint:errorlint // it is a value that was thrown
				panic(fault)
			}
			v.fail(fmt.Errorf("it panicked: %v", fault), script)
		}
	}()
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		if err := v.receive(of.body); err != nil {
			v.fail(err, script)
			return
		}
	}
	if err := of.do(v); err != nil {
		v.fail(err, script)
	}
}

// revoked is before when all sessions that began are over.
func (c *console) revoked() time.Time {
	if c.options.Revoked == nil {
		return time.Time{}
	}
	return c.options.Revoked()
}

// live reports whether it is a script of the console's that asks. Another site's
// cannot send the header.
func live(r *http.Request) bool { return r.Header.Get("X-Console-Live") != "" }

// outside answers somebody who is not logged in: people are shown where to.
func (c *console) outside(w http.ResponseWriter, r *http.Request, page string, script bool) {
	people := r.Header.Get("Sec-Fetch-Mode") == "navigate" || strings.Contains(r.Header.Get("Accept"), "text/html")
	switch {
	case script || !people:
		http.Error(w, `log in first: "connector`+c.options.Name+` console" prints a link`, http.StatusUnauthorized)
	case r.Method == http.MethodGet || r.Method == http.MethodHead:
		http.Redirect(w, r, "/login?to="+url.QueryEscape(page), http.StatusSeeOther)
	default: // what was typed is lost, but for the browser's way back
		c.showLogin(w, r, http.StatusForbidden, "You were no longer logged in, and nothing was changed.")
	}
}

// receive reads the body, and looks at its token.
func (v *visit) receive(most int64) error {
	v.r.Body = http.MaxBytesReader(v.w, v.r.Body, most)
	kind, _, _ := mime.ParseMediaType(v.r.Header.Get("Content-Type")) // "" is none of the two
	var err error
	switch kind {
	case "multipart/form-data":
		err = v.r.ParseMultipartForm(most) // so that nothing of it gets onto a disk
	case "application/x-www-form-urlencoded", "":
		err = v.r.ParseForm()
	default:
		return &statusError{http.StatusUnsupportedMediaType, "A form was expected.", ""}
	}
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return &statusError{http.StatusRequestEntityTooLarge, fmt.Sprintf("It is larger than %s.", size(large.Limit)), ""}
	case err != nil:
		return badRequest("The form cannot be read.")
	}
	token := v.r.Header.Get("X-CSRF-Token")
	if token == "" {
		token = v.r.PostFormValue("_csrf")
	}
	if !same(token, v.session.token) {
		return &statusError{http.StatusForbidden, "The page was too old, and nothing was changed.", "Load it again, and repeat what you did."}
	}
	return nil
}

// size is a number of octets for people.
func size(n int64) string {
	switch {
	case n >= 1<<20:
		return fmt.Sprintf("%d MiB", n>>20)
	case n >= 1<<10:
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%d octets", n)
}
