package release

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// open asks for a file from an offset on, as long as it is the one that tag
// stands for (RFC 9110, section 13.1.5).
func (w *web) open(ctx context.Context, f File, offset int64, tag string) (*stream, error) {
	doing := w.doing(f.Path)
	header := http.Header{}
	if offset > 0 && tag != "" {
		header.Set("Range", fmt.Sprintf("bytes=%d-", offset))
		header.Set("If-Range", tag)
	} else {
		offset = 0
	}
	res, err := w.ask(ctx, doing, f.Path, header)
	if err != nil {
		return nil, err
	}
	if res.StatusCode == http.StatusRequestedRangeNotSatisfiable && offset > 0 {
		_ = res.Body.Close() // it has nothing to say
		return w.open(ctx, f, 0, "")
	}
	err = judge(doing, res)
	total := res.ContentLength // -1 when the server does not say
	if err == nil && res.StatusCode == http.StatusPartialContent {
		total, err = partial(doing, res, offset)
	} else {
		offset = 0
	}
	if err == nil {
		err = f.fits(doing, total)
	}
	if err != nil {
		_ = res.Body.Close() // it is not wanted
		return nil, err
	}
	fails := func(err error) error { return w.explain(ctx, doing, err) }
	return &stream{ReadCloser: &explained{res.Body, fails}, offset: offset, tag: validator(res.Header), exact: total == f.Size}, nil
}

// partial checks that an answer of status 206 begins where it was asked to, and
// returns the size of the whole file, or -1 when the server does not know.
func partial(doing string, res *http.Response, offset int64) (total int64, err error) {
	said := res.Header.Get("Content-Range")
	span, size, ok := strings.Cut(strings.TrimPrefix(said, "bytes "), "/")
	first, last, dash := strings.Cut(span, "-")
	from, err := strconv.ParseInt(first, 10, 63)
	to, err2 := strconv.ParseInt(last, 10, 63)
	if total = -1; size != "*" && err == nil {
		total, err = strconv.ParseInt(size, 10, 63)
	}
	if !ok || !dash || err != nil || err2 != nil || from != offset || offset == 0 || total >= 0 && to != total-1 {
		return 0, &Error{Doing: doing, Kind: KindMalformed, Err: fmt.Errorf("the server sends %q where the rest from %d on was asked for", short(said), offset)}
	}
	return total, nil
}

// fits refuses a file by the size that the server says it has.
func (f File) fits(doing string, total int64) error {
	switch {
	case total > f.Size:
		return &Error{Doing: doing, Kind: KindTooLarge, Err: fmt.Errorf("the server's file has %d octets, and the release's has %d", total, f.Size)}
	case total >= 0 && total < f.Size:
		return &Error{Doing: doing, Kind: KindTruncated, Err: fmt.Errorf("the server's file has %d octets, and the release's has %d", total, f.Size)}
	}
	return nil
}

// validator is what stands for a file as it is now. A date is good enough: what
// was put together is hashed in the end.
func validator(h http.Header) string {
	tag := h.Get("ETag")
	if tag == "" || strings.HasPrefix(tag, "W/") {
		tag = h.Get("Last-Modified")
	}
	if len(tag) > maxTag || strings.ContainsFunc(tag, func(r rune) bool { return r < ' ' || r > '~' }) {
		return ""
	}
	return tag
}

const maxTag = 200

// explained is a body whose errors are *Error.
type explained struct {
	io.ReadCloser
	fails func(error) error
}

func (e *explained) Read(p []byte) (int, error) {
	n, err := e.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = e.fails(err)
	}
	return n, err
}
