package release

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// web is a folder that a web server serves.
type web struct {
	base *url.URL
	o    Options
	http *http.Client
}

const (
	maxRedirects = 5
	patience     = 30 * time.Second // from the question to the answer's first octets
)

func newWeb(base *url.URL, o Options) *web {
	w := &web{base: base, o: o}
	strict := *o.HTTP
	// A server may keep its files elsewhere. It may not send us where everybody
	// on the way can read along; a login page that stands in between does.
	strict.CheckRedirect = func(req *http.Request, via []*http.Request) error {
		if !mayServe(req.URL) || len(via) > maxRedirects {
			return http.ErrUseLastResponse
		}
		return nil
	}
	strict.Timeout = 0 // a slow line needs its time, and a dead one is noticed
	w.http = &strict
	return w
}

func (w *web) narrow(*Releases) {}

func (w *web) close() error {
	w.http.CloseIdleConnections()
	return nil
}

func (w *web) document(ctx context.Context, name string, limit int64) (data []byte, err error) {
	doing := w.doing(name)
	err = w.o.retry(ctx, doing, func() (bool, error) {
		data, err = w.read(ctx, doing, name, limit)
		return false, err
	})
	return data, err
}

func (w *web) doing(name string) string { return fmt.Sprintf("fetch %s from %s", name, w.base) }

func (w *web) read(ctx context.Context, doing, name string, limit int64) ([]byte, error) {
	res, err := w.ask(ctx, doing, name, http.Header{"Cache-Control": {"no-cache"}})
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }() // it was read to its end, or is not wanted
	if err := judge(doing, res); err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(res.Body, limit+1))
	switch {
	case int64(len(data)) > limit:
		return nil, &Error{Doing: doing, Kind: KindTooLarge, Err: fmt.Errorf("it has more than %d octets", limit)}
	case err != nil:
		return nil, w.explain(ctx, doing, err)
	}
	return data, nil
}

// ask sends a request. The answer's body is watched: it fails when it comes too
// slowly.
func (w *web) ask(ctx context.Context, doing, name string, header http.Header) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.base.JoinPath(name).String(), nil)
	if err != nil {
		cancel(nil)
		return nil, &Error{Doing: doing, Kind: KindAddress, Err: err}
	}
	req.Header = header
	req.Header.Set("User-Agent", w.o.UserAgent)
	req.Header.Set("Accept-Encoding", "identity") // ranges are of what was hashed
	unanswered := time.AfterFunc(patience, func() { cancel(errNoAnswer) })
	res, err := w.http.Do(req)
	unanswered.Stop()
	if err != nil {
		err = w.explain(ctx, doing, err)
		cancel(nil)
		return nil, err
	}
	res.Body = watch(ctx, res.Body, cancel, w.o)
	return res, nil
}

// judge refuses answers that are no file.
func judge(doing string, res *http.Response) error {
	fail := func(kind Kind, format string, args ...any) error {
		return &Error{Doing: doing, Kind: kind, Err: fmt.Errorf(format, args...)}
	}
	kind, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type")) // "" when it makes no sense
	switch code := res.StatusCode; {
	case code >= 300 && code < 400:
		return fail(KindCaptive, "the answer sends us on to %s (status %d)", destination(res), code)
	case code == http.StatusNotFound, code == http.StatusGone:
		return fail(KindNotFound, "the server has no such file (status %d)", code)
	case code == http.StatusTooManyRequests, code >= 500:
		return busy(doing, res)
	case code == http.StatusProxyAuthRequired:
		return fail(KindStatus, "the proxy asks for credentials (status %d)", code)
	case code != http.StatusOK && code != http.StatusPartialContent:
		return fail(KindStatus, "unexpected answer: status %d", code)
	case kind == "text/html":
		return fail(KindCaptive, "the answer is a page for people")
	case res.Header.Get("Content-Encoding") != "" && res.Header.Get("Content-Encoding") != "identity":
		return fail(KindMalformed, "the answer is encoded as %q, which was not asked for", short(res.Header.Get("Content-Encoding")))
	}
	return nil
}

// destination names the host that a redirect leads to, and no more of it.
func destination(res *http.Response) string {
	u, err := res.Location()
	if err != nil || u.Host == "" {
		return "nowhere"
	}
	return short((&url.URL{Scheme: u.Scheme, Host: u.Host}).String())
}

// maxAfter is the longest wait that a server may ask for while somebody waits.
const maxAfter = time.Minute

// busy is what a server says that could not answer now.
func busy(doing string, res *http.Response) error {
	e := &Error{Doing: doing, Kind: KindBusy, transient: true, after: retryAfter(res.Header.Get("Retry-After"), time.Now())}
	e.Err = fmt.Errorf("the server could not answer (status %d)", res.StatusCode)
	if e.after > maxAfter {
		e.Err = fmt.Errorf("the server asks to come back in %s (status %d)", e.after.Round(time.Second), res.StatusCode)
		e.transient = false
	}
	return e
}

// retryAfter reads a header of that name (RFC 9110, section 10.2.3); 0 when it
// says nothing.
func retryAfter(header string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseUint(header, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(header); err == nil && at.After(now) {
		return at.Sub(now)
	}
	return 0
}

// explain turns a transport's error into an *Error.
func (w *web) explain(ctx context.Context, doing string, err error) error {
	cause := context.Cause(ctx)
	if slow := (*slowError)(nil); errors.As(err, &slow) || errors.As(cause, &slow) {
		return &Error{Doing: doing, Kind: KindTooSlow, Err: slow, transient: slow.transient}
	}
	if errors.Is(cause, errNoAnswer) {
		return &Error{Doing: doing, Kind: KindNetwork, Err: fmt.Errorf("no answer within %s", patience), transient: true}
	}
	if cause != nil {
		return &Error{Doing: doing, Kind: KindCanceled, Err: cause}
	}
	for quoted := (*url.Error)(nil); errors.As(err, &quoted); quoted = nil {
		err = quoted.Err // the address is in Doing
	}
	untrusted := (*tls.CertificateVerificationError)(nil)
	e := &Error{Doing: doing, Kind: KindNetwork, Err: err, transient: !errors.As(err, &untrusted)}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		e.Err = fmt.Errorf("the line broke: %w", err)
	}
	if w.o.Explain != nil {
		e.Err = w.o.Explain("", w.base.Host, err)
	}
	return e
}
