// Package tenant is the client of the tenant's provisioning API: it redeems
// tickets, registers the agent, and reads the tenant's clock. It names the
// cause of whatever goes wrong on the way there.
package tenant

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	// maxAnswer bounds what is read of an answer, in bytes: the largest one,
	// the connection's settings, has a few hundred.
	maxAnswer = 1 << 20
	// patience bounds one request from dialling to the answer's last byte. A
	// server that sends a byte a minute would hold the caller for ever.
	patience = 30 * time.Second
	// maxRedirects on the same host.
	maxRedirects = 5
)

// A Client talks to a tenant. Its zero value works; it may be shared.
type Client struct {
	HTTP      *http.Client     // nil: http.DefaultClient
	Now       func() time.Time // nil: time.Now
	UserAgent string           // "": "ad-ldap-connector"
}

// An answer is a tenant's JSON object, read whole.
type answer struct {
	body        []byte
	contentType string
}

// do sends one request and returns the answer's JSON object. Every error is an
// *Error. A 404 is CauseNotFound when that means that the ticket is unknown,
// which is so for the ticket's own addresses.
func (c *Client) do(ctx context.Context, doing string, t Ticket, method, address string, body []byte) (answer, error) {
	fail := func(cause Cause, err error) (answer, error) {
		return answer{}, &Error{Doing: doing, Host: t.Host(), Cause: cause, Err: err}
	}
	if t.IsZero() {
		return fail(CauseTicket, errors.New("there is no ticket"))
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return answer{}, explain(doing, t, err)
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", c.userAgent())
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := c.client().Do(req)
	if errors.Is(ctx.Err(), context.Canceled) && err != nil {
		err = ctx.Err() // net/http returns the context's cause, in whatever words
	}
	if err != nil {
		return answer{}, explain(doing, t, err)
	}
	defer func() { _ = res.Body.Close() }() // it was read to its end, or is not wanted
	data, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	switch {
	case res.StatusCode == http.StatusNotFound && strings.HasPrefix(address, t.Reveal()):
		return fail(CauseNotFound, ErrUnknownTicket)
	case res.StatusCode == http.StatusProxyAuthRequired: // a proxy's answer to plain HTTP
		return answer{}, explain(doing, t, &ProxyError{Status: res.StatusCode})
	case res.StatusCode >= 300 && res.StatusCode < 400:
		return fail(CauseRedirect, fmt.Errorf("unexpected answer: status %d, sent on to %s", res.StatusCode, t.censor(destination(res))))
	case res.StatusCode < 200 || res.StatusCode > 299:
		return fail(CauseStatus, &failure{text: t.censor(unexpected(res, data))})
	case err != nil:
		return answer{}, explain(doing, t, err)
	case len(data) > maxAnswer:
		return fail(CauseTooLarge, fmt.Errorf("the answer has more than %d bytes", maxAnswer))
	}
	a := answer{bytes.TrimPrefix(data, []byte("\ufeff")), res.Header.Get("Content-Type")}
	if !a.isObject() {
		return fail(CauseNotJSON, &failure{text: t.censor("the answer is not JSON: content type " + contentType(a.contentType))})
	}
	return a, nil
}

// explain is Explain for errors that may quote a server's malformed answer,
// and the ticket in it.
func explain(doing string, t Ticket, err error) error {
	err = Explain(doing, t.Host(), err)
	if e := (*Error)(nil); errors.As(err, &e) {
		if text := e.Err.Error(); t.censor(text) != text {
			e.Err = &failure{text: t.censor(text)}
		}
	}
	return err
}

// client returns c.HTTP, except that it follows redirects to the same place
// only: another host must not be given the ticket, neither in the URL nor in
// the Referer.
func (c *Client) client() *http.Client {
	client := http.DefaultClient
	if c.HTTP != nil {
		client = c.HTTP
	}
	strict := *client
	strict.CheckRedirect = func(req *http.Request, via []*http.Request) error {
		first := via[0]
		if req.URL.Scheme != first.URL.Scheme || req.URL.Host != first.URL.Host ||
			req.Method != first.Method || len(via) > maxRedirects {
			return http.ErrUseLastResponse
		}
		return nil
	}
	return &strict
}

func (c *Client) now() time.Time {
	if c.Now != nil {
		return c.Now()
	}
	return time.Now()
}

func (c *Client) userAgent() string {
	if c.UserAgent != "" {
		return c.UserAgent
	}
	return "ad-ldap-connector"
}

func (a answer) isObject() bool {
	return json.Valid(a.body) && bytes.HasPrefix(bytes.TrimLeft(a.body, " \t\r\n"), []byte("{"))
}

// decode fills v. Members of another type than v's are CauseIncomplete, and
// named.
func (a answer) decode(doing string, t Ticket, v any) error {
	err := json.Unmarshal(a.body, v)
	if err == nil {
		return nil
	}
	reason := &failure{text: "the answer: " + t.censor(err.Error())}
	if wrong := (*json.UnmarshalTypeError)(nil); errors.As(err, &wrong) {
		reason.text = fmt.Sprintf("the answer's %s is a %s", wrong.Field, wrong.Value)
	}
	return &Error{Doing: doing, Host: t.Host(), Cause: CauseIncomplete, Err: reason}
}

// unexpected describes an answer by its status, its content type and, when it
// is JSON, the reason that it gives itself.
func unexpected(res *http.Response, body []byte) string {
	s := fmt.Sprintf("unexpected answer: status %d, content type %s", res.StatusCode, contentType(res.Header.Get("Content-Type")))
	var said struct{ Message, Error any }
	if json.Unmarshal(body, &said) != nil {
		return s // a page for people: too long, and full of markup
	}
	for _, v := range []any{said.Message, said.Error} {
		if text, ok := v.(string); ok && text != "" {
			return s + ": " + strconv.Quote(short(text))
		}
	}
	return s
}

func contentType(header string) string {
	if header == "" {
		return "none"
	}
	if kind, _, err := mime.ParseMediaType(header); err == nil {
		return short(kind)
	}
	return strconv.Quote(short(header))
}

// destination names the host that a redirect leads to, and no more of it.
func destination(res *http.Response) string {
	u, err := res.Location()
	if err != nil || u.Host == "" {
		return "nowhere"
	}
	return short((&url.URL{Scheme: u.Scheme, Host: u.Host}).String())
}

// isJSON reports whether a content type is the one that the existing connector
// asks for.
func isJSON(header string) bool { return strings.Contains(strings.ToLower(header), "application/json") }
