package release

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// Fetch brings a file of verified Releases to dst, in a folder that nobody else
// may write to. dst is untouched until all octets are there and their hash is
// the release's; then it is replaced in one rename, and may be executed (0755).
// A dst that is the file already stays as it is.
//
// What has come is meanwhile kept beside it, in dst.part and dst.part.tag (0600),
// and a later Fetch goes on from there when the line broke. When what came is
// refused, nothing of it stays. The error is an *Error.
//
// Progress may be nil; it is told how many octets of how many are there.
func (c *Client) Fetch(ctx context.Context, f File, dst string, progress func(done, total int64)) error {
	doing := fmt.Sprintf("fetch %s from %s", f.Path, c.name)
	if err := f.check(); err != nil {
		return &Error{Doing: doing, Kind: KindMalformed, Err: err}
	}
	if progress == nil {
		progress = func(int64, int64) {}
	}
	s, err := openStaging(dst, f)
	if err != nil {
		return &Error{Doing: doing, Kind: KindDisk, Err: err}
	}
	defer s.close()
	if s.settled() {
		progress(f.Size, f.Size)
		return nil
	}
	p := pouring{from: c.from, f: f, s: s, progress: progress, doing: doing}
	err = c.o.retry(ctx, doing, func() (bool, error) { return p.pour(ctx) })
	if KindOf(err) == KindHash && p.resumed {
		// The piece from the last time may be the wrong one.
		p.resumed = false
		err = c.o.retry(ctx, doing, func() (bool, error) { return p.pour(ctx) })
	}
	if err != nil {
		return err
	}
	if err := s.commit(); err != nil {
		s.discard()
		return &Error{Doing: doing, Kind: KindDisk, Err: err}
	}
	return nil
}

// A pouring is one file on its way from a source to its staging file.
type pouring struct {
	from     source
	f        File
	s        *staging
	progress func(done, total int64)
	doing    string
	resumed  bool // some of it was there before
}

// pour tries once to bring what is missing, and reports whether it got a good
// piece further. When what came is to be refused, all of it is discarded.
func (p *pouring) pour(ctx context.Context) (further bool, err error) {
	before := p.s.size
	if before < p.f.Size {
		err = p.rest(ctx)
	} else {
		p.resumed = true
	}
	if err == nil {
		err = p.verify()
	}
	further = p.s.size-before > p.f.Size/64 // some hundred KiB of a program
	if e := (*Error)(nil); errors.As(err, &e) && (e.Kind == KindDisk || e.Refused() && e.Kind != KindTooSlow) {
		p.s.discard()
	}
	return further, err
}

// rest brings what is missing, and never more.
func (p *pouring) rest(ctx context.Context) error {
	in, err := p.from.open(ctx, p.f, p.s.size, p.s.tag)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }() // it was read to its end, or is not wanted
	if p.resumed = in.offset > 0; !p.resumed {
		if err := p.s.restart(in.tag); err != nil {
			return p.disk(err)
		}
	}
	p.progress(p.s.size, p.f.Size)
	buf := make([]byte, 64<<10)
	for p.s.size < p.f.Size {
		n, err := in.Read(buf[:min(int64(len(buf)), p.f.Size-p.s.size)])
		if werr := p.s.append(buf[:n]); werr != nil {
			return p.disk(werr)
		}
		p.progress(p.s.size, p.f.Size)
		if errors.Is(err, io.EOF) && p.s.size < p.f.Size {
			return p.refuse(KindTruncated, fmt.Errorf("it ended after %d of %d octets", p.s.size, p.f.Size))
		}
		if err != nil && p.s.size < p.f.Size {
			return err
		}
	}
	if in.exact {
		return nil
	}
	// One octet more shows that there is no end. Whatever else happens now
	// changes nothing: what is needed is there.
	if n, _ := in.Read(buf[:1]); n > 0 {
		return p.refuse(KindTooLarge, fmt.Errorf("it does not end after the %d octets that the release says it has", p.f.Size))
	}
	return nil
}

func (p *pouring) verify() error {
	sum, err := p.s.hash()
	if err != nil {
		return p.disk(err)
	}
	if sum != p.f.SHA256 {
		return p.refuse(KindHash, fmt.Errorf("its SHA-256 is %s, and the release's is %s", sum, p.f.SHA256))
	}
	return nil
}

func (p *pouring) refuse(kind Kind, err error) error {
	return &Error{Doing: p.doing, Kind: kind, Err: err}
}

func (p *pouring) disk(err error) error { return p.refuse(KindDisk, err) }
