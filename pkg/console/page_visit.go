package console

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"
)

// A visit is one request of an administrator who is logged in.
type visit struct {
	console *console
	w       http.ResponseWriter
	r       *http.Request
	session *session
	page    string          // whose it is, for the navigation
	whole   context.Context // of the request, without the time that the route has
	began   time.Time
}

// ctx ends with the request, or when it has taken too long.
func (v *visit) ctx() context.Context { return v.r.Context() }

// live reports whether a script asked, which wants lines or a part in the place
// of a page.
func (v *visit) live() bool { return live(v.r) }

// show answers with a page: the template page/NAME.html in the layout.
func (v *visit) show(name string, data any) error { return v.put(http.StatusOK, name, data) }

// showFaulty answers with a form that was not taken.
func (v *visit) showFaulty(name string, data any) error {
	return v.put(http.StatusUnprocessableEntity, name, data)
}

func (v *visit) put(code int, name string, data any) error {
	of := v.view(name, data)
	return v.console.layout.write(v.w, code, name, of)
}

// view is what a page's template gets.
func (v *visit) view(name string, data any) *view {
	of := &view{
		Page: v.page, Version: v.console.options.Version, CSRF: v.session.token, Session: sessionName(v.session),
		Flashes: v.console.options.Sessions.take(v.session), Data: data, Title: name,
	}
	for _, p := range pages {
		if p.path == v.page {
			of.Title = p.name
		}
	}
	return of
}

func sessionName(s *session) string {
	if s.kind == byPassword {
		return "by password"
	}
	return "by one-time link"
}

// part answers with one template of page/PAGE.html alone, for a script that
// puts it into the page. Its dot is data itself.
func (v *visit) part(page, name string, data any) error {
	text, err := v.console.layout.part(page, name, data)
	if err != nil {
		return err
	}
	v.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = io.WriteString(v.w, text) // the reader has gone; nobody is left to tell
	return nil
}

// html is such a part, for a line of a live answer.
func (v *visit) html(page, name string, data any) (string, error) {
	return v.console.layout.part(page, name, data)
}

// json answers with a document.
func (v *visit) json(doc any) error {
	body, err := json.Marshal(doc)
	if err != nil {
		return err
	}
	v.w.Header().Set("Content-Type", "application/json")
	_, _ = v.w.Write(body) // the reader has gone; nobody is left to tell
	return nil
}

// flash keeps a message for the next page that is shown in this session, after
// a redirect say.
func (v *visit) flash(kind flashKind, text string) {
	v.console.options.Sessions.keep(v.session, flash{kind, text})
}

// redirect leads to a path of the console, after a change.
func (v *visit) redirect(path string) error {
	http.Redirect(v.w, v.r, path, http.StatusSeeOther)
	return nil
}

// download answers with a file that is saved, never shown.
func (v *visit) download(name, contentType string, data []byte) error {
	h := v.w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": name}))
	h.Set("Content-Length", fmt.Sprint(len(data)))
	_, _ = v.w.Write(data) // the reader has gone; nobody is left to tell
	return nil
}

// file returns what was uploaded in a field, nil if nothing was.
func (v *visit) file(field string) (name string, data []byte, err error) { //nolint:unparam // a page may want to say the name
	if v.r.MultipartForm == nil || len(v.r.MultipartForm.File[field]) == 0 {
		return "", nil, nil
	}
	header := v.r.MultipartForm.File[field][0]
	f, err := header.Open()
	if err != nil {
		return "", nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	data, err = io.ReadAll(f)
	return printable(header.Filename, longestKey), data, err
}

// audit keeps the line of a change: outcome is accepted, refused or fault. Never
// hand it a value.
func (v *visit) audit(what, outcome string, keys ...string) {
	now := v.console.options.Now()
	v.console.change(Change{
		Time: now, What: what, Outcome: outcome, Keys: keys, By: v.session.kind, Remote: v.session.remote, Took: now.Sub(v.began),
	})
}

// stream begins a live answer: lines of JSON, each sent at once. It ends with
// the request, the session, or the console. The context is to be used from then
// on; send's error says that nobody listens any more.
func (v *visit) stream() (ctx context.Context, send func(doc any) error, end func(), err error) {
	c := v.console
	select {
	case c.streams <- struct{}{}:
	default:
		return nil, nil, nil, &statusError{http.StatusServiceUnavailable, "Too many live views are open.", "Close one of them."}
	}
	ctx, cancel := context.WithCancel(v.whole)
	go v.watch(ctx, cancel)
	h := v.w.Header()
	h.Set("Content-Type", "application/x-ndjson")
	h.Set("X-Accel-Buffering", "no")
	control := http.NewResponseController(v.w)
	_ = control.SetReadDeadline(time.Time{}) // a recorder of a test knows none
	_ = control.Flush()
	send = func(doc any) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		var line bytes.Buffer
		if err := json.NewEncoder(&line).Encode(doc); err != nil {
			return err
		}
		_ = control.SetWriteDeadline(time.Now().Add(answerIn))
		if _, err := v.w.Write(line.Bytes()); err != nil {
			cancel()
			return err
		}
		return control.Flush()
	}
	return ctx, send, func() { cancel(); <-c.streams }, nil
}

// watch ends a live answer when its session or the console does.
func (v *visit) watch(ctx context.Context, cancel context.CancelFunc) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-v.console.options.Ending:
			cancel()
			return
		case <-tick.C:
			if !v.console.options.Sessions.lasts(v.session, v.console.revoked()) {
				cancel()
				return
			}
		}
	}
}

// A statusError is an answer that is no page but why there is none.
type statusError struct {
	code int
	text string
	hint string
}

func (e *statusError) Error() string { return e.text }
func (e *statusError) Hint() string  { return e.hint }

func notFound() error              { return &statusError{http.StatusNotFound, "There is no such page.", ""} }
func badRequest(text string) error { return &statusError{http.StatusBadRequest, text, ""} }

// unavailable says that something cannot be had here.
func unavailable(v *visit, text string) error { return v.show("unavailable", text) }

// A problem is what a page of a fault shows.
type problem struct {
	Code       int
	Text, Hint string
}

// fail answers with why it could not be done. What is not the visitor's doing
// is logged too.
func (v *visit) fail(err error, script bool) {
	p := problem{Code: http.StatusInternalServerError, Text: err.Error()}
	if s := (*statusError)(nil); errors.As(err, &s) {
		p.Code, p.Text = s.code, s.text
	} else {
		v.console.options.Log.Error("the console could not do it", "part", "console", "route", v.r.Method+" "+v.page, "err", err)
	}
	if h := interface{ Hint() string }(nil); errors.As(err, &h) {
		p.Hint = h.Hint()
	}
	if script {
		v.w.Header().Set("Content-Type", "application/json")
		v.w.WriteHeader(p.Code)
		_ = json.NewEncoder(v.w).Encode(map[string]string{"error": p.Text, "hint": p.Hint}) // the reader has gone
		return
	}
	_ = v.put(p.Code, "problem", p) // it tells itself
}

// refuse answers somebody who may not be logged in.
func (c *console) refuse(w http.ResponseWriter, r *http.Request, code int, text string) {
	if live(r) || !strings.Contains(r.Header.Get("Accept"), "text/html") {
		http.Error(w, text, code)
		return
	}
	c.page(w, code, "problem", &view{Title: http.StatusText(code), Bare: true, Data: problem{Code: code, Text: text}})
}

// page answers with a page that is nobody's.
func (c *console) page(w http.ResponseWriter, code int, name string, of *view) {
	of.Version = c.options.Version
	_ = c.layout.write(w, code, name, of) // it tells itself
}
