package wsfed

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"time"

	"ad-ldap-connector/pkg/identity"
)

// A session spares a user whom this browser has proved already another proof.
// It lies in the browser's cookie alone, sealed, so that every node of a
// cluster knows it. It says who the user is and nothing else of the profile,
// which is read anew each time: a cookie stays small however many groups there
// are, and what changed in the directory shows.
type session struct {
	User   string `json:"u"` // as typed, or the principal's name
	Realm  string `json:"r,omitempty"`
	Filter string `json:"f,omitempty"` // of the principal's place
	Base   string `json:"b,omitempty"` // likewise
	ID     string `json:"i"`           // of whoever had that name then, as idOf has it
	Method Method `json:"m"`
	Proved int64  `json:"p"` // Unix seconds
	Ends   int64  `json:"e"` // likewise
}

// maxCookie bounds a cookie's value, in octets: browsers keep 4096 with the name
// and the attributes.
const maxCookie = 3800

// The names of the cookies. The prefix has browsers keep them from other hosts
// and from plain HTTP; without TLS they would not take such a cookie.
const (
	sessionCookie = "connector-session"
	formCookie    = "connector-form"
	hostPrefix    = "__Host-"
)

// idOf stands for the user of a profile: a name that somebody else has got
// since is no reason to let them in.
func idOf(s subject) string {
	sum := sha256.Sum256([]byte(s.name))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

func (s *session) principal() identity.Principal {
	return identity.Principal{Name: s.User, Realm: s.Realm, Place: identity.Place{Filter: s.Filter, BaseDN: s.Base}}
}

var errExpired = errors.New("it has expired")

// session returns the session that a request brings; nil with a nil error when
// it brings none.
func (h *handler) session(r *http.Request) (*session, error) {
	c, err := r.Cookie(h.cookieName(r, sessionCookie))
	if err != nil || c.Value == "" {
		return nil, nil //nolint:nilerr // the only error is that there is none
	}
	if len(c.Value) > maxCookie {
		return nil, errForged
	}
	var s session
	if err := h.sessions.open(c.Value, &s); err != nil {
		return nil, err
	}
	now := h.o.Now().Unix()
	if s.User == "" || now >= s.Ends || time.Duration(now-s.Proved)*time.Second > h.o.SessionLife {
		return nil, errExpired // also when the lifetime was made shorter since
	}
	return &s, nil
}

// begin has the browser keep a session, where sessions are on and it fits.
func (h *handler) begin(w http.ResponseWriter, r *http.Request, s session) {
	if h.o.SessionLife <= 0 {
		return
	}
	now := h.o.Now()
	s.Proved, s.Ends = now.Unix(), now.Add(h.o.SessionLife).Unix()
	value, err := h.sessions.seal(s)
	if err != nil || len(value) > maxCookie {
		return // the user is in all the same, and is asked again next time
	}
	h.setCookie(w, r, sessionCookie, value, h.o.SessionLife)
}

func (h *handler) end(w http.ResponseWriter, r *http.Request) {
	h.setCookie(w, r, sessionCookie, "", -1)
}

// secure reports whether browsers reach us over TLS, ended here or at a
// balancer in front.
func (h *handler) secure(r *http.Request) bool {
	return r.TLS != nil || strings.HasPrefix(h.o.URL, "https://")
}

func (h *handler) cookieName(r *http.Request, name string) string {
	if h.secure(r) {
		return hostPrefix + name
	}
	return name
}

// setCookie sets a cookie of the browser's; a life below 0 takes it away. Lax
// is what the way in needs: the tenant sends the browser here by a link, which
// is to bring the cookie along, and another site's form is not to.
func (h *handler) setCookie(w http.ResponseWriter, r *http.Request, name, value string, life time.Duration) {
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // Secure wherever browsers would keep it then
		Name: h.cookieName(r, name), Value: value, Path: "/", MaxAge: max(-1, int(life/time.Second)),
		HttpOnly: true, Secure: h.secure(r), SameSite: http.SameSiteLaxMode,
	})
}

// formLife is how long a form may stay open before it is sent.
const formLife = time.Hour

// A formToken ties a form to the browser that it was shown in, so that another
// site cannot log somebody in under a name of its own.
type formToken struct {
	Nonce string `json:"n"` // as in the browser's cookie
	Ends  int64  `json:"e"` // Unix seconds
}

// newForm returns the token for a form, and has the browser keep its half.
func (h *handler) newForm(w http.ResponseWriter, r *http.Request) (string, error) {
	nonce := ""
	// Another tab's form goes on to work.
	if c, err := r.Cookie(h.cookieName(r, formCookie)); err == nil && len(c.Value) == len(newNonce()) {
		nonce = c.Value
	}
	if nonce == "" {
		nonce = newNonce()
	}
	h.setCookie(w, r, formCookie, nonce, formLife)
	return h.forms.seal(formToken{nonce, h.o.Now().Add(formLife).Unix()})
}

// ownForm reports whether the form that was sent is one that this browser was
// shown.
func (h *handler) ownForm(r *http.Request, token string) bool {
	var t formToken
	c, err := r.Cookie(h.cookieName(r, formCookie))
	return err == nil && len(token) <= maxCookie && h.forms.open(token, &t) == nil &&
		t.Nonce != "" && t.Nonce == c.Value && h.o.Now().Unix() < t.Ends
}
