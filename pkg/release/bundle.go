package release

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"time"
)

// A bundle is a folder of releases in one tar file: the documents, and of the
// files as many as somebody chose. It is for machines without a way to the
// folder itself, and is trusted no more than that.
type bundle struct {
	name      string
	file      io.ReaderAt
	size      int64
	done      func() error // closes the file
	documents map[string][]byte
	files     map[string]span
}

// A span is where a file lies in the bundle.
type span struct{ offset, size int64 }

const wrongPath = "Check the path of the bundle."

// Bounds of a bundle.
const (
	maxBundle  = 4 << 30 // octets
	maxEntries = maxRoots + 200
)

var rootName = regexp.MustCompile(`^[1-9][0-9]{0,8}\.root\.json$`)

// OpenBundle returns a client of the bundle in a file, as WriteBundle makes
// them. Its Releases lists what is in the bundle, and nothing else.
func OpenBundle(name string, o Options) (*Client, error) {
	c, err := newClient(o)
	if err != nil {
		return nil, err
	}
	doing := "open the bundle " + name
	if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() {
		return nil, &Error{Doing: doing, Kind: KindMalformed, Err: errors.New("it is no file"), hint: wrongPath} // a pipe would hold us
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, &Error{Doing: doing, Kind: KindDisk, Err: pathless(err), hint: wrongPath}
	}
	info, err := file.Stat()
	if err != nil {
		_ = file.Close() // read only
		return nil, &Error{Doing: doing, Kind: KindDisk, Err: pathless(err)}
	}
	return c.openBundle(name, file, info.Size(), file.Close)
}

// openBundle has a client read from a bundle, which it closes when that fails.
func (c *Client) openBundle(name string, file io.ReaderAt, size int64, done func() error) (*Client, error) {
	b := &bundle{name: name, file: file, size: size, done: done, documents: map[string][]byte{}, files: map[string]span{}}
	if err := b.index(); err != nil {
		_ = done() // read only
		return nil, doingIt("open the bundle "+name, err)
	}
	c.name, c.from = name, b
	return c, nil
}

// pathless is a file's error without the path, which has been said.
func pathless(err error) error {
	if p := (*fs.PathError)(nil); errors.As(err, &p) {
		return p.Err
	}
	return err
}

// index reads the bundle once. What it reads it writes again as WriteBundle
// would: were a single octet another, there would be something in the bundle
// that nobody looks at.
func (b *bundle) index() error {
	malformed := func(format string, args ...any) error {
		return &Error{Kind: KindMalformed, Err: fmt.Errorf(format, args...)}
	}
	if b.size > maxBundle {
		return malformed("it has more than %d octets", int64(maxBundle))
	}
	have, want := sha256.New(), sha256.New()
	position := &counter{r: io.TeeReader(io.NewSectionReader(b.file, 0, b.size), have)}
	in, out := tar.NewReader(position), tar.NewWriter(want)
	for n := 0; ; n++ {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return malformed("it is no bundle, or damaged: %w", err)
		}
		if h.Typeflag != tar.TypeReg || n >= maxEntries {
			return malformed("it is not written as bundles are: %q", short(h.Name))
		}
		if err := out.WriteHeader(entry(h.Name, h.Size)); err != nil {
			return malformed("it is not written as bundles are: %w", err)
		}
		if err := b.take(h, position.n, io.TeeReader(in, out)); err != nil {
			return err
		}
	}
	if _, err := io.Copy(io.Discard, position); err != nil {
		return &Error{Kind: KindDisk, Err: pathless(err)}
	}
	if err := out.Close(); err != nil || string(have.Sum(nil)) != string(want.Sum(nil)) {
		return malformed("it is damaged, or not written as bundles are")
	}
	return nil
}

// take reads one entry.
func (b *bundle) take(h *tar.Header, offset int64, r io.Reader) error {
	malformed := func(format string, args ...any) error {
		return &Error{Kind: KindMalformed, Err: fmt.Errorf(format, args...)}
	}
	_, twice := b.files[h.Name]
	if twice || b.documents[h.Name] != nil {
		return malformed("%q is in it twice", short(h.Name))
	}
	limit := releasesForm.max
	switch {
	case rootName.MatchString(h.Name):
		limit = rootForm.max
	case h.Name == releasesName:
	case filePath.MatchString(h.Name) && h.Size <= maxFileSize:
		b.files[h.Name] = span{offset, h.Size}
		if _, err := io.Copy(io.Discard, r); err != nil {
			return malformed("it is damaged: %w", err)
		}
		return nil
	default:
		return malformed("%q is in it, which belongs in no bundle", short(h.Name))
	}
	if h.Size > limit {
		return &Error{Kind: KindTooLarge, Err: fmt.Errorf("its %s has more than %d octets", h.Name, limit)}
	}
	data, err := io.ReadAll(r)
	if err != nil {
		return malformed("it is damaged: %w", err)
	}
	b.documents[h.Name] = data
	return nil
}

// entry is what stands before a file in a bundle: nothing about who wrote it,
// or when.
func entry(name string, size int64) *tar.Header {
	return &tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o644, ModTime: time.Unix(0, 0), Format: tar.FormatUSTAR}
}

// A counter counts what is read.
type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

func (b *bundle) document(_ context.Context, name string, _ int64) ([]byte, error) {
	if data, ok := b.documents[name]; ok {
		return data, nil
	}
	return nil, &Error{Doing: fmt.Sprintf("read %s of %s", name, b.name), Kind: KindNotFound, Err: errors.New("the bundle has no such document"),
		hint: "Make the bundle anew from a whole folder of releases."}
}

func (b *bundle) open(ctx context.Context, f File, _ int64, _ string) (*stream, error) {
	doing := fmt.Sprintf("read %s of %s", f.Path, b.name)
	at, ok := b.files[f.Path]
	if !ok {
		return nil, &Error{Doing: doing, Kind: KindNotFound, Err: errors.New("the bundle has no such file"),
			hint: "Make a bundle that has the file: " + path.Base(f.Path)}
	}
	if err := f.fits(doing, at.size); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, canceled(ctx, doing, err)
	}
	r := &interruptible{ctx, doing, io.NewSectionReader(b.file, at.offset, at.size)}
	return &stream{ReadCloser: io.NopCloser(r), exact: true}, nil
}

// interruptible is a file that is read until the caller gives up.
type interruptible struct {
	ctx   context.Context
	doing string
	r     io.Reader
}

func (i *interruptible) Read(p []byte) (int, error) {
	if err := i.ctx.Err(); err != nil {
		return 0, canceled(i.ctx, i.doing, err)
	}
	n, err := i.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = &Error{Doing: i.doing, Kind: KindDisk, Err: pathless(err)}
	}
	return n, err
}

// narrow leaves what is in the bundle: who carried it here chose already.
func (b *bundle) narrow(r *Releases) {
	r.Releases = slices.DeleteFunc(r.Releases, func(one Release) bool { return !b.has(one) })
	for i := range r.Releases {
		r.Releases[i].Files = slices.DeleteFunc(r.Releases[i].Files, func(f File) bool { _, ok := b.files[f.Path]; return !ok })
	}
}

func (b *bundle) has(r Release) bool {
	return slices.ContainsFunc(r.Files, func(f File) bool { _, ok := b.files[f.Path]; return ok })
}

func (b *bundle) close() error { return b.done() }
