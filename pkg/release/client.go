package release

import (
	"context"
	"fmt"
	"time"
)

// maxRoots is how many roots may follow each other that this client has not
// seen: at one a month, eight years of them.
const maxRoots = 100

// Releases fetches and verifies the documents: the roots that follow the
// trusted one, each signed by the one before, and the releases, signed by whom
// the newest root names. What was seen is remembered only when all of it holds.
// The error is an *Error.
func (c *Client) Releases(ctx context.Context) (*Releases, error) {
	before, err := recall(c.o.Memory, c.anchor)
	if err != nil {
		return nil, err
	}
	roots, err := c.roots(ctx, before.roots)
	if err != nil {
		return nil, err
	}
	newest := c.anchor
	if len(roots) > 0 {
		newest = roots[len(roots)-1]
	}
	doing := fmt.Sprintf("verify %s of %s", RootName(newest.Version), c.name)
	if err := c.fresh(doing, newest.Expires); err != nil {
		return nil, err
	}
	data, err := c.from.document(ctx, releasesName, releasesForm.max)
	if err != nil {
		return nil, err
	}
	doing = fmt.Sprintf("verify %s of %s", releasesName, c.name)
	e, r, err := openReleases(data, newest)
	if err != nil {
		return nil, doingIt(doing, err)
	}
	if err := c.fresh(doing, r.Expires); err != nil {
		return nil, err
	}
	after := seen{roots: roots, Keys: newest.Releases.fingerprint(), Version: r.Version, Digest: e.digest()}
	if err := after.follows(before); err != nil {
		return nil, doingIt(doing, err)
	}
	if err := after.save(c.o.Memory, before); err != nil {
		return nil, &Error{Doing: "remember which releases were seen", Kind: KindDisk, Err: err}
	}
	c.from.narrow(r)
	return r, nil
}

// roots returns those that follow the anchor: the known ones, and what the
// source has after them.
func (c *Client) roots(ctx context.Context, known []*trusted) ([]*trusted, error) {
	last := c.anchor
	if len(known) > 0 {
		last = known[len(known)-1]
	}
	for range maxRoots {
		name := RootName(last.Version + 1)
		data, err := c.from.document(ctx, name, rootForm.max)
		if KindOf(err) == KindNotFound {
			return known, nil
		}
		if err != nil {
			return nil, err
		}
		if last, err = last.next(fmt.Sprintf("verify %s of %s", name, c.name), data); err != nil {
			return nil, err
		}
		known = append(known, last)
	}
	return nil, &Error{Doing: "fetch the roots of " + c.name, Kind: KindTooLarge, Err: fmt.Errorf("there are more than %d new ones", maxRoots)}
}

// openReleases verifies a releases document by the root that is in force.
func openReleases(data []byte, root *trusted) (*envelope, *Releases, error) {
	e, err := openEnvelope(data, releasesForm)
	if err != nil {
		return nil, nil, err
	}
	signers, err := e.signers(root.Releases.byID(), false)
	if err == nil {
		err = root.Releases.satisfied(signers)
	}
	if err != nil {
		return nil, nil, err
	}
	r, err := parseReleases(e.payload)
	if err != nil {
		return nil, nil, &Error{Kind: KindMalformed, Err: err}
	}
	return e, r, nil
}

// fresh refuses what is expired.
func (c *Client) fresh(doing string, expires time.Time) error {
	if now := c.o.Now(); !now.Before(expires) {
		return &Error{Doing: doing, Kind: KindExpired, Err: fmt.Errorf("it expired at %s, and by this machine's clock it is %s",
			expires.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339))}
	}
	return nil
}
