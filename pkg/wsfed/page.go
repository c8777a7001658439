package wsfed

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	_ "embed" // the pages and their style
	"encoding/base64"
	"encoding/hex"
	"html/template"
	"net/http"
	"strconv"
	"time"
)

var (
	//go:embed form.html
	formHTML string
	//go:embed post.html
	postHTML string
	//go:embed notice.html
	noticeHTML string
	//go:embed style.css
	style string

	formPage   = template.Must(template.New("form").Parse(formHTML))
	postPage   = template.Must(template.New("post").Parse(postHTML))
	noticePage = template.Must(template.New("notice").Parse(noticeHTML))
)

// script sends the assertion on at once.
const script = "document.forms[0].submit()"

// The policies say all that a page may do. What sends the assertion on names
// no address that its form may go to: browsers would hold the tenant's further
// redirects against it.
var (
	quietPolicy = "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; img-src data:; form-action 'self'; style-src 'sha256-" + hashOf(style) + "'"
	postPolicy  = "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; img-src data:; script-src 'sha256-" + hashOf(script) + "'"
)

func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// A page is what the form or a notice shows.
type page struct {
	Words     *words
	Site      string
	Style     template.CSS
	Message   string
	Detail    string
	Reference string
	Query     template.URL // "?" and the request's, encoded
	Token     string
	Username  string
}

// showForm answers with the form; a reason why it is shown may be "".
func (h *handler) showForm(w http.ResponseWriter, r *http.Request, status int, q request, p page) {
	token, err := h.newForm(w, r)
	if err != nil {
		h.fault(w, r, http.StatusInternalServerError, err)
		return
	}
	p.Words, p.Site, p.Token = wordsFor(r.Header.Get("Accept-Language")), h.o.Site, token
	p.Style, p.Query = template.CSS(style), template.URL("?"+q.query) //nolint:gosec // embedded, and url.Values.Encode's
	h.write(w, status, quietPolicy, formPage, p)
}

// A posting is the page that sends an assertion on.
type posting struct {
	Words   *words
	To      string
	Result  string
	Context string
	Script  template.JS
}

// notice answers with a page that says that something cannot be had. The
// reference is the one in the log.
func (h *handler) notice(w http.ResponseWriter, r *http.Request, status int, say func(*words) string, detail, reference string) {
	p := page{Words: wordsFor(r.Header.Get("Accept-Language")), Site: h.o.Site, Style: template.CSS(style), Detail: detail, Reference: reference} //nolint:gosec // embedded
	p.Message = say(p.Words)
	h.write(w, status, quietPolicy, noticePage, p)
}

// bad answers a request that cannot be one of the tenant's.
func (h *handler) bad(w http.ResponseWriter, r *http.Request, why error) {
	reference := visitOf(r).id
	h.say(r, "a sign-in was not understood", "ref", reference, "err", why)
	h.notice(w, r, http.StatusBadRequest, func(w *words) string { return w.Bad }, why.Error(), reference)
}

// fault answers when something does not work here.
func (h *handler) fault(w http.ResponseWriter, r *http.Request, status int, err error) {
	reference := visitOf(r).id
	h.o.Log.Error("a sign-in failed", "ref", reference, "from", sourceOf(h.o.Source(r)), "err", err)
	if status == http.StatusServiceUnavailable {
		retryAfter(w, 10*time.Second)
	}
	h.notice(w, r, status, func(w *words) string { return w.Down }, "", reference)
}

// newReference names one answer in the log and to its reader.
func newReference() string {
	b := make([]byte, 6)
	_, _ = rand.Read(b) // crypto/rand.Read never fails
	return hex.EncodeToString(b)
}

func retryAfter(w http.ResponseWriter, wait time.Duration) {
	w.Header().Set("Retry-After", strconv.Itoa(max(1, int((wait+time.Second-1)/time.Second))))
}

func (h *handler) write(w http.ResponseWriter, status int, policy string, t *template.Template, data any) {
	var b bytes.Buffer
	if err := t.Execute(&b, data); err != nil {
		h.o.Log.Error("a page could not be made", "err", err)
		http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", policy)
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // whoever hung up does not want to know
}
