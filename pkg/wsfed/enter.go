package wsfed

import (
	"errors"
	"html/template"
	"net/http"
	"time"

	"ad-ldap-connector/pkg/identity"
)

// enter is the way in: by a session, by what the browser proves, or else to
// the form.
func (h *handler) enter(w http.ResponseWriter, r *http.Request) {
	began := h.o.Now()
	q, err := h.o.parse(r.URL.RawQuery)
	if err != nil {
		h.bad(w, r, err)
		return
	}
	message, done := h.resume(w, r, q)
	if done {
		return
	}
	status := http.StatusOK
	for _, way := range h.o.Ways {
		p, err := way.Negotiator.Accept(w, r)
		switch {
		case err == nil:
			done, err := h.proved(w, r, q, way.Method, p)
			if done {
				return
			}
			message = (*words).unproved
			h.say(r, "a proved user was refused", "user", p.Name, "kerberos_realm", p.Realm, "method", way.Method.String(), "err", err)
		case errors.Is(err, ErrChallenged):
			status = http.StatusUnauthorized
		case errors.Is(err, ErrNoProof):
		case errors.Is(err, ErrAnswered):
			return
		default:
			h.tell(r, began, Entry{Method: way.Method.String(), Outcome: Refused, Reason: err.Error()})
			h.say(r, "a proof was refused", "method", way.Method.String(), "err", err)
			message = (*words).unproved
		}
	}
	p := page{}
	if message != nil {
		p.Message = message(wordsFor(r.Header.Get("Accept-Language")))
	}
	h.showForm(w, r, status, q, p)
}

func (w *words) unproved() string { return w.Unproved }
func (w *words) ended() string    { return w.Ended }

// resume lets a user in whose session this browser has, and reports whether the
// request has been answered. A session that is none says why, where the user
// might wonder.
func (h *handler) resume(w http.ResponseWriter, r *http.Request, q request) (message func(*words) string, done bool) {
	s, err := h.session(r)
	switch {
	case errors.Is(err, errOtherKey):
		h.o.Log.Info("a session ended: the agent's key or SESSION_SECRET is another one now")
		message = (*words).ended
	case errors.Is(err, errForged):
		h.say(r, "a session was refused", "err", err)
	}
	switch {
	case err != nil:
		h.end(w, r)
		return message, false
	case s == nil || q.consent:
		return nil, false
	}
	began := h.o.Now()
	ctx, cancel := h.within(r)
	defer cancel()
	profile, err := h.letIn(ctx, s.principal())
	if errors.Is(err, errFull) {
		h.busy(w, r, began, "session", s.User)
		return nil, true
	}
	var refusal *identity.Refusal
	if errors.As(err, &refusal) {
		h.end(w, r)
		h.tell(r, began, Entry{Method: "session", Outcome: Refused, User: s.User, Reason: string(refusal.Reason)})
		h.o.Log.Info("a session ended: the directory does not admit its user any more", "user", s.User, "reason", refusal.Reason)
		return (*words).ended, false
	}
	if err != nil {
		h.tell(r, began, Entry{Method: "session", Outcome: Fault, User: s.User, Reason: err.Error()})
		h.fault(w, r, http.StatusServiceUnavailable, err)
		return nil, true
	}
	who, err := subjectOf(profile)
	if err == nil && idOf(who) != s.ID {
		h.end(w, r)
		h.tell(r, began, Entry{Method: "session", Outcome: Refused, User: s.User, Reason: "the name is another user's now"})
		h.o.Log.Info("a session ended: the name is another user's now", "user", s.User)
		return (*words).ended, false
	}
	outcome := h.post(w, r, q, s.Method, time.Unix(s.Proved, 0), who, err)
	h.tell(r, began, Entry{Method: "session", Outcome: outcome, User: s.User, Reason: faultOf(err)})
	h.o.Log.Info("sign-in by session", "user", s.User, "from", sourceOf(h.o.Source(r)), "took", h.o.Now().Sub(began))
	return nil, true
}

// proved lets a principal in, and reports whether the request has been
// answered. If not, the directory refused, and the error says why.
func (h *handler) proved(w http.ResponseWriter, r *http.Request, q request, method Method, p identity.Principal) (bool, error) {
	began := h.o.Now()
	ctx, cancel := h.within(r)
	defer cancel()
	profile, err := h.letIn(ctx, p)
	if errors.Is(err, errFull) {
		h.busy(w, r, began, method.String(), p.Name)
		return true, nil
	}
	var refusal *identity.Refusal
	if errors.As(err, &refusal) {
		h.tell(r, began, Entry{Method: method.String(), Outcome: Refused, User: p.Name, Reason: string(refusal.Reason)})
		return false, err
	}
	if err != nil {
		h.tell(r, began, Entry{Method: method.String(), Outcome: Fault, User: p.Name, Reason: err.Error()})
		h.fault(w, r, http.StatusServiceUnavailable, err)
		return true, nil
	}
	h.admit(w, r, q, method, session{User: p.Name, Realm: p.Realm, Filter: p.Place.Filter, Base: p.Place.BaseDN}, profile, began)
	return true, nil
}

// admit begins a session and sends the assertion on.
func (h *handler) admit(w http.ResponseWriter, r *http.Request, q request, method Method, s session, profile identity.Profile, began time.Time) {
	who, err := subjectOf(profile)
	if err == nil {
		s.Method, s.ID = method, idOf(who)
		h.begin(w, r, s)
	}
	outcome := h.post(w, r, q, method, h.o.Now(), who, err)
	h.tell(r, began, Entry{Method: method.String(), Outcome: outcome, User: s.User, Reason: faultOf(err)})
	if outcome == Accepted {
		h.o.Log.Info("signed in", "user", s.User, "name", displayName(profile), "method", method.String(), "from", sourceOf(h.o.Source(r)), "took", h.o.Now().Sub(began))
	}
}

// faultOf is why nothing could be said of a user, "" when it could.
func faultOf(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// slack is how far a consumer's clock may be behind ours.
const slack = 30 * time.Second

// assertion says of a user what the tenant is told.
func (h *handler) assertion(q request, method Method, proved time.Time, who subject) assertion {
	now := h.o.Now()
	return assertion{
		id: h.o.NewID(), issuer: h.o.Issuer, audience: q.realm,
		issued: now, begins: now.Add(-slack), ends: now.Add(h.o.AssertionLife),
		method: method, proved: proved, subject: who,
	}
}

// post answers with the page that sends the assertion on. An err is why there
// is nothing to say of the user.
func (h *handler) post(w http.ResponseWriter, r *http.Request, q request, method Method, proved time.Time, who subject, err error) Outcome {
	result := ""
	if err == nil {
		result, err = h.signer.result(h.assertion(q, method, proved, who), q.context)
	}
	if err != nil {
		h.fault(w, r, http.StatusInternalServerError, err)
		return Fault
	}
	h.write(w, http.StatusOK, postPolicy, postPage, posting{
		Words: wordsFor(r.Header.Get("Accept-Language")), To: q.post, Result: result, Context: q.context,
		Script: template.JS(script), //nolint:gosec // a constant
	})
	return Accepted
}
