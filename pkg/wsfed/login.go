package wsfed

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"ad-ldap-connector/pkg/identity"
)

// A verdict is what came of a user name and a password.
type verdict struct {
	outcome Outcome
	profile identity.Profile
	reason  identity.Reason // of a refusal; "" = something was missing
	wait    time.Duration   // before another try, when throttled or busy
	err     error           // of a fault
}

// judge tries a password, as far as the bounds allow. These, and the time that
// a refusal takes, go by this machine's clock, which runs evenly; the tenant's
// may be set.
func (h *handler) judge(r *http.Request, c identity.Credentials) verdict {
	began := time.Now()
	switch {
	case c.Username == "" || c.Password == "":
		return verdict{outcome: Refused}
	case len(c.Username) > maxUsername || len(c.Password) > maxPassword:
		return verdict{outcome: Refused, reason: identity.WrongUsername}
	}
	ctx, cancel := h.within(r)
	defer cancel()
	counted, wait := h.o.Guard.try(c.Username, sourceOf(h.o.Source(r)), began)
	if wait > 0 {
		return verdict{outcome: Throttled, wait: wait}
	}
	if !h.gate.enter(ctx) {
		counted.unasked()
		return verdict{outcome: Busy, wait: busyFor}
	}
	v := h.ask(ctx, c, counted)
	if v.outcome == Refused {
		h.pause(ctx, began)
	}
	return v
}

// pause has all refusals take the same time, so that it does not tell a name
// that is unknown from a password that is wrong.
func (h *handler) pause(ctx context.Context, began time.Time) {
	rest := time.NewTimer(h.o.RefusalTakes - time.Since(began))
	defer rest.Stop()
	select {
	case <-rest.C:
	case <-ctx.Done():
	}
}

// ask tries a password that is counted, within the gate.
func (h *handler) ask(ctx context.Context, c identity.Credentials, counted *attempt) verdict {
	defer h.gate.leave()
	profile, err := h.users.Authenticate(ctx, c)
	var refusal *identity.Refusal
	switch {
	case err == nil:
		counted.right()
		return verdict{outcome: Accepted, profile: profile}
	case errors.As(err, &refusal):
		return verdict{outcome: Refused, reason: refusal.Reason}
	}
	counted.unasked()
	return verdict{outcome: Fault, err: err}
}

// login takes the form.
func (h *handler) login(w http.ResponseWriter, r *http.Request) {
	began := h.o.Now()
	q, err := h.o.parse(r.URL.RawQuery)
	if err != nil {
		h.bad(w, r, err)
		return
	}
	if err := h.posts.Check(r); err != nil {
		h.bad(w, r, err)
		return
	}
	c, others, err := credentialsOf(w, r, false)
	if err != nil {
		h.bad(w, r, err)
		return
	}
	language := wordsFor(r.Header.Get("Accept-Language"))
	form := page{Username: c.Username[:min(len(c.Username), maxUsername)]}
	if token, _ := others["token"].(string); !h.ownForm(r, token) {
		form.Message = language.Stale
		h.showForm(w, r, http.StatusForbidden, q, form)
		return
	}
	v := h.judge(r, c)
	if v.outcome == Accepted {
		h.admit(w, r, q, ByPassword, session{User: c.Username}, v.profile, began)
		return
	}
	h.record(r, began, c, v)
	status := http.StatusForbidden
	switch v.outcome {
	case Throttled:
		status, form.Message = http.StatusTooManyRequests, language.Throttled
		retryAfter(w, v.wait)
	case Busy:
		status, form.Message = http.StatusServiceUnavailable, language.Busy
		retryAfter(w, v.wait)
	case Fault:
		h.fault(w, r, http.StatusServiceUnavailable, v.err)
		return
	default:
		form.Message = language.refusal(v.reason)
	}
	h.showForm(w, r, status, q, form)
}

// record counts and logs a try that did not succeed. A fault is logged with
// its answer.
func (h *handler) record(r *http.Request, began time.Time, c identity.Credentials, v verdict) {
	e := Entry{Method: ByPassword.String(), Outcome: v.outcome, User: c.Username, Reason: string(v.reason)}
	switch {
	case v.err != nil:
		e.Reason = v.err.Error()
	case v.outcome == Refused && v.reason == "":
		e.Reason = "the name or the password was missing"
	}
	h.tell(r, began, e)
	switch v.outcome {
	case Refused:
		h.o.Log.Info("sign-in refused", "user", short(c.Username), "from", sourceOf(h.o.Source(r)), "reason", v.reason)
	case Throttled:
		h.say(r, "a sign-in was not tried: there were too many wrong passwords", "user", short(c.Username), "wait", v.wait.Round(time.Second))
	case Busy:
		h.say(r, "a sign-in was not tried: too many are under way")
	case Accepted, Fault:
	}
}

// short keeps what was typed from filling the log.
func short(s string) string {
	if len(s) > 128 {
		return s[:128] + "..."
	}
	return s
}

// refusal says why, as far as whoever typed may know it: a password that was
// right is the condition of all but the first.
func (w *words) refusal(r identity.Reason) string {
	switch r {
	case "":
		return w.Missing
	case identity.PasswordExpired:
		return w.Expired
	case identity.PasswordChangeRequired:
		return w.MustChange
	case identity.AccountDisabled:
		return w.Disabled
	case identity.AccountExpired:
		return w.AccountEnded
	}
	return w.Incorrect
}

// loginDirect takes credentials that the tenant's own page sends, and answers
// with the form that sends the assertion on, for that page to send. It begins
// no session: the page is not ours. The member session of its wctx was a
// session's cookie; whoever holds one of ours is the user, so it stays empty.
func (h *handler) loginDirect(w http.ResponseWriter, r *http.Request) {
	began := h.o.Now()
	if err := h.direct.Check(r); err != nil {
		h.bad(w, r, err)
		return
	}
	q, err := h.o.parse(r.URL.RawQuery)
	if err != nil {
		h.bad(w, r, err)
		return
	}
	c, others, err := credentialsOf(w, r, true)
	if err != nil {
		h.bad(w, r, err)
		return
	}
	v := h.judge(r, c)
	if v.outcome != Accepted {
		h.record(r, began, c, v)
		h.refuseDirect(w, r, v)
		return
	}
	others["strategy"], others["session"] = "ad", ""
	context, err := json.Marshal(others)
	if err != nil { // it came from JSON or a form
		h.fault(w, r, http.StatusInternalServerError, err)
		return
	}
	q.realm, q.context = h.o.Realm, string(context)
	who, err := subjectOf(v.profile)
	result := ""
	if err == nil {
		result, err = h.signer.result(h.assertion(q, ByPassword, h.o.Now(), who), q.context)
	}
	if err != nil {
		h.tell(r, began, Entry{Method: ByPassword.String(), Outcome: Fault, User: c.Username, Reason: err.Error()})
		h.fault(w, r, http.StatusInternalServerError, err)
		return
	}
	h.tell(r, began, Entry{Method: ByPassword.String(), Outcome: Accepted, User: c.Username})
	h.o.Log.Info("signed in", "user", short(c.Username), "name", displayName(v.profile), "method", ByPassword.String(), "from", sourceOf(h.o.Source(r)), "took", h.o.Now().Sub(began))
	h.write(w, http.StatusOK, postPolicy, postPage.Lookup("element"), posting{Words: wordsFor(""), To: q.post, Result: result, Context: q.context})
}

func (h *handler) refuseDirect(w http.ResponseWriter, r *http.Request, v verdict) {
	status := http.StatusUnauthorized
	answer := map[string]string{"invalid_user_password": "Wrong email or password."} //nolint:gosec // whatever the reason, as ever; it is no secret
	switch v.outcome {
	case Throttled:
		status, answer = http.StatusTooManyRequests, map[string]string{"error": wordsFor("").Throttled}
		retryAfter(w, v.wait)
	case Busy:
		status, answer = http.StatusServiceUnavailable, map[string]string{"error": wordsFor("").Busy}
		retryAfter(w, v.wait)
	case Fault:
		h.fault(w, r, http.StatusServiceUnavailable, v.err)
		return
	case Accepted, Refused:
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(answer) // whoever hung up does not want to know
}
