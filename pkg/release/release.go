// Package release knows which releases of the connector exist, whom to believe
// about it, and fetches them: from a folder on the web or from one file that was
// carried here. Whoever serves them is trusted with nothing.
//
// It follows The Update Framework (theupdateframework.io) as far as one product
// with one channel of distribution needs it. Two documents are signed:
//
//	N.root.json    the keys, who of them signs what, and how many must: signed
//	               by the keys of root N-1 and by its own
//	releases.json  the releases and their files with sizes and hashes
//
// Both have an expiry, so that nobody can hide that there is something newer,
// and a version that only grows, so that nobody can bring back what was there.
package release

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// Names in the folder of releases, and in a bundle.
const (
	releasesName = "releases.json"
	rootSuffix   = ".root.json"
)

// RootName is what version n of the root document is called in the folder.
func RootName(n int64) string { return fmt.Sprintf("%d%s", n, rootSuffix) }

// Options say whom to believe and where to ask.
type Options struct {
	// Root is the root document to trust from the start: the one compiled in,
	// or an operator's own. All trust begins here; expired is well, for the
	// roots that follow it may be newer.
	Root []byte
	// URL is the folder of releases: https, or http on loopback. OpenBundle
	// needs none.
	URL string
	// HTTP reaches it; nil means http.DefaultClient. Its Timeout is not heeded.
	HTTP *http.Client
	// Memory is what was seen before; nil remembers nothing, and so notices no
	// rollback.
	Memory Memory
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// UserAgent is what requests say; "" means "ad-ldap-connector".
	UserAgent string
	// Explain finds words, and perhaps a Hint, for a transport's error when
	// something was asked of a host; nil leaves the transport's own.
	Explain func(doing, host string, err error) error
	// Idle is how long no octet may come before the line counts as broken; 0
	// means 30 s.
	Idle time.Duration
	// MinRate is the slowest line to put up with, in octets a second over
	// RateWindow; 0 means 4096. Who serves an octet a minute hides a release
	// as well as who serves an old one.
	MinRate int64
	// RateWindow is what the rate is measured over; 0 means a minute.
	RateWindow time.Duration
	// Tries is how often in a row one thing is asked for; 0 means 4. A file of
	// which each try brings a good piece is asked for until it is whole.
	Tries int

	pause time.Duration // after the first try, growing; tests are in a hurry
}

// A Memory keeps a few KiB over restarts: what a Client has seen. It need not be
// secret, and who changes it can at most have the Client forget. Load returns
// nothing and no error when nothing was saved.
type Memory interface {
	Load() ([]byte, error)
	Save(data []byte) error
}

// A Client knows the releases of one folder or bundle. It is safe for
// concurrent use, except that one file is fetched to one place at a time.
type Client struct {
	o      Options
	anchor *trusted // what Options.Root says
	from   source
	name   string
}

// A source is where documents and files come from; nothing of it is trusted.
// Its errors are *Error.
type source interface {
	// document returns a document of at most limit octets, or an error of
	// KindNotFound.
	document(ctx context.Context, name string, limit int64) ([]byte, error)
	// open returns the octets of a file from an offset on. It may start at 0
	// instead, when the file is not the one that tag stands for.
	open(ctx context.Context, f File, offset int64, tag string) (*stream, error)
	// narrow drops from what was verified the files that are not to be had.
	narrow(r *Releases)
	close() error
}

// A stream is the octets of a file.
type stream struct {
	io.ReadCloser
	offset int64  // where it starts
	tag    string // what stands for the file as it is now; "" for nothing
	exact  bool   // it ends where the file should, and need not be tried
}

// New returns a client of the folder at o.URL. It does not ask yet.
func New(o Options) (*Client, error) {
	c, err := newClient(o)
	if err != nil {
		return nil, err
	}
	base, err := url.Parse(o.URL)
	switch {
	case err != nil, base.Host == "", base.RawQuery != "", base.Fragment != "", base.User != nil, !mayServe(base):
		return nil, &Error{Doing: "read the releases' address", Kind: KindAddress, Err: fmt.Errorf("%q is no https URL of a folder", o.URL)}
	}
	if base.Path == "" || base.Path[len(base.Path)-1] != '/' {
		base.Path += "/"
	}
	c.name = base.String()
	c.from = newWeb(base, c.o)
	return c, nil
}

// mayServe reports whether a URL is encrypted, or never leaves the machine.
func mayServe(u *url.URL) bool {
	switch u.Hostname() {
	case "localhost", "127.0.0.1", "::1":
		return u.Scheme == "https" || u.Scheme == "http"
	}
	return u.Scheme == "https"
}

func newClient(o Options) (*Client, error) {
	if len(o.Root) == 0 {
		return nil, &Error{Doing: "find out whom to believe about releases", Kind: KindNoRoot, Err: errors.New("this build trusts nobody: it has no root document")}
	}
	anchor, err := openAnchor(o.Root)
	if err != nil {
		return nil, err
	}
	if o.HTTP == nil {
		o.HTTP = http.DefaultClient
	}
	if o.Memory == nil {
		o.Memory = forgetful{}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.UserAgent == "" {
		o.UserAgent = "ad-ldap-connector"
	}
	if o.Idle <= 0 {
		o.Idle = 30 * time.Second
	}
	if o.MinRate <= 0 {
		o.MinRate = 4096
	}
	if o.RateWindow <= 0 {
		o.RateWindow = time.Minute
	}
	if o.Tries <= 0 {
		o.Tries = 4
	}
	if o.pause <= 0 {
		o.pause = 500 * time.Millisecond
	}
	return &Client{o: o, anchor: anchor}, nil
}

// Source is where the client asks, for people: a URL or a bundle's path.
func (c *Client) Source() string { return c.name }

// Close lets go of a bundle's file. The client is of no use afterwards.
func (c *Client) Close() error { return c.from.close() }
