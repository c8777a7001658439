package hub

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"
)

// A Stage is how far a visit has come.
type Stage string

// The stages of a visit.
const (
	Upgrading Stage = "upgrading" // connecting, and asking for a websocket
	Pinging   Stage = "pinging"   // waiting for the answer to a ping
	Proving   Stage = "proving"   // waiting for the hub's verdict on the agent
)

// Visit looks whether the hub takes a websocket from here, as Run would open
// it, and hangs up. Without a Signer it is content with the answer to a ping;
// with one it proves the agent and waits for the hub's verdict, which may be
// ErrRejected. Commands that come in the moment between the verdict and the
// end are the hub's to give to another agent. At learns of each stage as it
// begins. A hub that answers, and not by a websocket, is a *NoUpgradeError.
func Visit(ctx context.Context, o Options, at func(Stage)) error {
	u, err := hubURL(o.URL)
	if err != nil {
		return err
	}
	if o.HTTP == nil {
		o.HTTP = &http.Client{}
	}
	at(Upgrading)
	conn, res, err := websocket.Dial(ctx, u.String(), &websocket.DialOptions{ //nolint:bodyclose // it is the library's to close
		HTTPClient:      withoutRedirects(o.HTTP),
		HTTPHeader:      http.Header{"User-Agent": {""}},
		CompressionMode: websocket.CompressionDisabled,
	})
	switch {
	case err != nil && res != nil:
		return noUpgrade(u.Host, res, err)
	case err != nil:
		if err = bare(err); o.Explain != nil {
			err = o.Explain(err)
		}
		return fmt.Errorf("connect to the hub at %s: %w", u.Host, err)
	}
	conn.SetReadLimit(maxFrame)
	v := &visit{conn: conn, verdict: make(chan bool, 1), ended: make(chan error, 1)}
	reading, stop := context.WithCancel(ctx)
	v.work.Go(func() { v.ended <- v.read(reading) })
	defer func() {
		timer := time.AfterFunc(2*time.Second, stop) // a hub that does not answer the farewell is left without
		defer timer.Stop()
		_ = conn.Close(websocket.StatusNormalClosure, "") // whether it was answered does not matter
		_ = conn.CloseNow()                               // it is over either way
		stop()
		v.work.Wait()
	}()
	if o.Signer == nil {
		at(Pinging)
		if err := conn.Ping(ctx); err != nil {
			return fmt.Errorf("ping the hub at %s: %w", u.Host, bare(err))
		}
		return nil
	}
	at(Proving)
	return v.prove(ctx, o)
}

// A visit is a websocket that will not be kept.
type visit struct {
	conn    *websocket.Conn
	verdict chan bool
	ended   chan error
	work    sync.WaitGroup
}

// read looks for the verdict among the frames; it also lets the library answer
// pings.
func (v *visit) read(ctx context.Context) error {
	for {
		_, data, err := v.conn.Read(ctx)
		if err != nil {
			return bare(err)
		}
		f, err := decodeFrame(data)
		if err != nil || f.Name != "authenticated" && f.Name != "authentication_failure" {
			continue
		}
		select {
		case v.verdict <- f.Name == "authenticated":
		default: // the first one counts
		}
	}
}

func (v *visit) prove(ctx context.Context, o Options) error {
	now := time.Now
	if o.Now != nil {
		now = o.Now
	}
	token, err := proof(o.Signer, o.Connection, o.Realm, now())
	if err != nil {
		return err
	}
	if err := v.conn.Write(ctx, websocket.MessageText, authenticateFrame(token)); err != nil {
		return fmt.Errorf("write to the hub: %w", bare(err))
	}
	var end error
	select {
	case accepted := <-v.verdict:
		return judgement(accepted)
	case end = <-v.ended:
	case <-ctx.Done():
		return ctx.Err()
	}
	select { // a hub may close in the same breath as it says no
	case accepted := <-v.verdict:
		return judgement(accepted)
	default:
		return fmt.Errorf("the link to the hub ended before its verdict: %w", end)
	}
}

func judgement(accepted bool) error {
	if accepted {
		return nil
	}
	return ErrRejected
}

// A NoUpgradeError is an answer to a websocket's request that is none: mostly
// something on the way has taken the Upgrade header out.
type NoUpgradeError struct {
	Host   string // the hub's, as in the URL
	Status int    // HTTP's; may be 101, with an answer that does not fit
	// Via and Server are what the answer says of those that it passed, made
	// printable; "" when it says nothing.
	Via, Server string
	Err         error // what is wrong with the answer, in the library's words
}

func noUpgrade(host string, res *http.Response, err error) error {
	e := &NoUpgradeError{Host: host, Status: res.StatusCode, Server: header(res, "Server"), Err: bare(err)}
	for _, name := range []string{"Via", "X-Squid-Error", "X-Cache", "Proxy-Agent", "X-Proxy-Id"} {
		if v := header(res, name); v != "" && e.Via == "" {
			e.Via = name + ": " + v
		}
	}
	return e
}

func header(res *http.Response, name string) string {
	const most = 100
	text := printable(strings.Join(res.Header.Values(name), ", "))
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "..."
	}
	return text
}

func (e *NoUpgradeError) Error() string {
	text := fmt.Sprintf("the hub at %s answered %d %s instead of 101 Switching Protocols", e.Host, e.Status, http.StatusText(e.Status))
	if e.Status == http.StatusSwitchingProtocols {
		text = fmt.Sprintf("the hub at %s answered 101, and not as a websocket's end does: %v", e.Host, e.Err)
	}
	if e.Via != "" {
		text += fmt.Sprintf(" (%s)", e.Via)
	}
	return text
}

// Unwrap returns what is wrong with the answer.
func (e *NoUpgradeError) Unwrap() error { return e.Err }

// Stripped reports whether the answer looks like that of a hub whose visitor
// never asked for a websocket.
func (e *NoUpgradeError) Stripped() bool {
	switch e.Status {
	case http.StatusOK, http.StatusSwitchingProtocols, http.StatusBadRequest, http.StatusUpgradeRequired, http.StatusNotImplemented:
		return true
	}
	return false
}

// Hint says what to do about it.
func (e *NoUpgradeError) Hint() string {
	switch {
	case e.Stripped():
		return fmt.Sprintf("Have websockets to %s allowed by the proxy or firewall on the way, and %s exempted from TLS inspection: something there takes the Upgrade header out.", e.Host, e.Host)
	case e.Status == http.StatusNotFound, e.Status == http.StatusGone:
		return "Ask the tenant for the hub's address again: start the connector, or install again with the ticket."
	case e.Status == http.StatusUnauthorized, e.Status == http.StatusForbidden, e.Status == http.StatusProxyAuthRequired:
		return fmt.Sprintf("Ask whoever runs the proxy or firewall on the way to allow websockets to %s.", e.Host)
	}
	return "Try again later, and look at the tenant's status page if it goes on."
}
