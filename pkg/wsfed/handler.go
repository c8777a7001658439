package wsfed

import (
	"fmt"
	"net/http"
	"runtime/debug"
	"strings"
	"time"
)

// A handler serves the endpoints for one realm with one key pair.
type handler struct {
	users    Authenticator
	o        Options
	signer   *signer
	sessions *sealer
	forms    *sealer
	gate     gate // to try passwords
	admits   gate // to let in those who need none: guessers must not be in their way
	mux      *http.ServeMux
	posts    *http.CrossOriginProtection // for posts of our own pages
	direct   *http.CrossOriginProtection // for those of the tenant's
	spoken   muffler
	visits   muffler
}

// New returns the endpoints: /wsfed, /wsfed/direct, the metadata, and /logout.
// An error means options that cannot work.
func New(users Authenticator, o Options) (http.Handler, error) {
	if err := o.settle(); err != nil {
		return nil, fmt.Errorf("serve sign-in: %w", err)
	}
	h := &handler{users: users, o: o, gate: newGate(o.AtOnce), admits: newGate(o.AtOnce), mux: http.NewServeMux()}
	var err error
	if h.signer, err = newSigner(o.Signer, o.Certificate); err != nil {
		return nil, fmt.Errorf("serve sign-in: %w", err)
	}
	if h.sessions, err = newSealer(o.Secret, "session"); err != nil {
		return nil, err
	}
	if h.forms, err = newSealer(o.Secret, "form"); err != nil {
		return nil, err
	}
	h.posts, h.direct = http.NewCrossOriginProtection(), http.NewCrossOriginProtection()
	for _, p := range []*http.CrossOriginProtection{h.posts, h.direct} {
		// A balancer may have changed the Host that the origin is compared with.
		if err := p.AddTrustedOrigin(origin(o.URL)); err != nil {
			return nil, fmt.Errorf("serve sign-in: %w", err)
		}
	}
	for _, to := range o.PostURLs {
		if err := h.direct.AddTrustedOrigin(origin(to)); err != nil {
			return nil, fmt.Errorf("serve sign-in: %w", err)
		}
	}
	h.mux.HandleFunc("GET /wsfed", h.enter)
	h.mux.HandleFunc("POST /wsfed", h.login)
	h.mux.HandleFunc("POST /wsfed/direct", h.loginDirect)
	h.mux.HandleFunc("GET "+metadataPath, h.describe)
	h.mux.HandleFunc("GET /logout", h.logout)
	return h, nil
}

// ServeHTTP answers one request. What goes wrong inside is told by a reference
// into the log alone.
func (h *handler) ServeHTTP(writer http.ResponseWriter, r *http.Request) {
	w := &answering{ResponseWriter: writer}
	r = withVisit(r)
	defer h.access(w, r, time.Now())
	header := w.Header()
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("X-Frame-Options", "DENY")
	header.Set("Cache-Control", "no-store")
	// The address holds what the tenant sent along. The next site learns the
	// origin, which it may compare.
	header.Set("Referrer-Policy", "strict-origin-when-cross-origin")
	header.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		if p == http.ErrAbortHandler { //nolint:errorlint // a panic's value is compared as it was thrown
			panic(p)
		}
		h.o.Log.Error("a sign-in panicked", "err", fmt.Sprint(p), "stack", string(debug.Stack()))
		h.fault(w, r, http.StatusInternalServerError, errPanicked)
	}()
	h.mux.ServeHTTP(w, r)
}

var errPanicked = fmt.Errorf("it panicked, as said before")

func (h *handler) describe(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/xml")
	_, _ = w.Write([]byte(h.signer.metadata(h.o.Issuer, strings.TrimRight(h.o.URL, "/")+"/wsfed"))) // whoever hung up does not want to know
}

// logout ends the session in this browser. It leads on only to where the
// tenant is, or we are.
func (h *handler) logout(w http.ResponseWriter, r *http.Request) {
	if s, err := h.session(r); s != nil && err == nil {
		h.o.Log.Info("signed out", "user", s.User)
	}
	h.end(w, r)
	to := r.URL.Query().Get("returnTo")
	for _, known := range append([]string{h.o.URL}, h.o.PostURLs...) {
		if to != "" && origin(to) == origin(known) && !strings.ContainsAny(to, "\\\r\n\t") {
			http.Redirect(w, r, to, http.StatusFound) //nolint:gosec // its origin is one of a list
			return
		}
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte("bye")) // whoever hung up does not want to know
}
