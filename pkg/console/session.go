package console

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// How long a session lasts: since its last use, and in all.
const (
	idleAfter    = 15 * time.Minute
	oldAfter     = 8 * time.Hour
	mostSessions = 64  // more end the one that was used least recently
	mostFlashes  = 16  // that wait for a page
	secretOctets = 32  // of a session's id, and of its token
	longestAgent = 512 // octets of a User-Agent that count
)

// Sessions are who is logged in. They are in memory alone, by the hashes of
// their ids, and outlive the handlers that use them.
type Sessions struct {
	now func() time.Time

	mu       sync.Mutex
	all      map[[sha256.Size]byte]*session
	throttle throttle
}

// NewSessions returns none.
func NewSessions(now func() time.Time) *Sessions {
	return &Sessions{now: now, all: map[[sha256.Size]byte]*session{}, throttle: throttle{now: now}}
}

// A session is one administrator's, in one browser.
type session struct {
	token  string // that every change must show
	kind   string // how it began: byLink or byPassword
	remote string
	agent  string // the browser, by its own words
	began  time.Time
	drafts drafts // what was begun and not saved

	// Under Sessions' lock.
	used    time.Time
	flashes []flash
}

// How an administrator logged in.
const (
	byLink     = "link"
	byPassword = "password"
)

// secret returns a new one, in letters that a cookie and a URL can hold.
func secret() string {
	b := make([]byte, secretOctets)
	_, _ = rand.Read(b) // crypto/rand.Read never fails
	return base64.RawURLEncoding.EncodeToString(b)
}

// begin makes a session of the browser that asks, and returns the id that its
// cookie is to hold.
func (s *Sessions) begin(r *http.Request, kind string) (id string, of *session) {
	id = secret()
	now := s.now()
	of = &session{token: secret(), kind: kind, remote: remoteOf(r), agent: agentOf(r), began: now, used: now}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweep(now, time.Time{})
	if len(s.all) >= mostSessions {
		var oldest [sha256.Size]byte
		var used time.Time
		for key, o := range s.all {
			if used.IsZero() || o.used.Before(used) {
				oldest, used = key, o.used
			}
		}
		delete(s.all, oldest)
	}
	s.all[sha256.Sum256([]byte(id))] = of
	return id, of
}

// find returns the session of an id, nil if there is none any more. One that
// another browser or another machine shows is over: it was stolen. What a page
// asks by itself is no use of it.
func (s *Sessions) find(r *http.Request, id string, revoked time.Time, bySelf bool) *session {
	if id == "" {
		return nil
	}
	key := sha256.Sum256([]byte(id))
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweep(now, revoked)
	of := s.all[key]
	if of == nil {
		return nil
	}
	if of.remote != remoteOf(r) || of.agent != agentOf(r) {
		delete(s.all, key)
		return nil
	}
	if !bySelf {
		of.used = now
	}
	return of
}

// lasts reports whether a session that was found is still there.
func (s *Sessions) lasts(of *session, revoked time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweep(s.now(), revoked)
	for _, o := range s.all {
		if o == of {
			return true
		}
	}
	return false
}

// sweep ends what is over. The lock is held.
func (s *Sessions) sweep(now, revoked time.Time) {
	for key, o := range s.all {
		// A clock that was set back ends it too: nobody knows how long it lasts.
		if now.Sub(o.used) > idleAfter || now.Sub(o.began) > oldAfter || now.Before(o.began.Add(-time.Minute)) || !o.began.After(revoked) {
			delete(s.all, key)
		}
	}
}

// end ends the session of an id.
func (s *Sessions) end(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.all, sha256.Sum256([]byte(id)))
}

// EndAll ends all sessions, and says how many there were.
func (s *Sessions) EndAll() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.all)
	clear(s.all)
	return n
}

// keep keeps a message for the next page of a session.
func (s *Sessions) keep(of *session, f flash) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(of.flashes) < mostFlashes {
		of.flashes = append(of.flashes, f)
	}
}

// take returns the messages that wait.
func (s *Sessions) take(of *session) []flash {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := of.flashes
	of.flashes = nil
	return all
}

// same compares two secrets in a time that tells nothing.
func same(a, b string) bool { return a != "" && subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

func agentOf(r *http.Request) string {
	agent := r.UserAgent()
	return agent[:min(len(agent), longestAgent)]
}

// cookieName is of the port too: cookies are of a host, and there may be two
// connectors on one. By TLS the name is one that no page of another name, and
// none without TLS, can set.
func cookieName(r *http.Request, of string) string {
	name := "connector-" + of + "-" + portOf(r)
	if r.TLS != nil {
		name = "__Host-" + name
	}
	return name
}

func setCookie(w http.ResponseWriter, r *http.Request, of, value string) {
	age := 0 // until the browser ends
	if value == "" {
		age = -1
	}
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // without TLS there is loopback alone, where Secure would lose it
		Name: cookieName(r, of), Value: value, Path: "/", MaxAge: age,
		HttpOnly: true, Secure: r.TLS != nil, SameSite: http.SameSiteStrictMode,
	})
}

func cookie(r *http.Request, of string) string {
	c, err := r.Cookie(cookieName(r, of))
	if err != nil || len(c.Value) > 2*secretOctets {
		return ""
	}
	return c.Value
}

// portOf is the port that the browser has asked, as digits.
func portOf(r *http.Request) string {
	_, port, err := net.SplitHostPort(r.Host)
	if _, bad := strconv.ParseUint(port, 10, 16); err != nil || bad != nil {
		return "default"
	}
	return port
}
