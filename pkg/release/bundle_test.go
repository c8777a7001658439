package release

import (
	"archive/tar"
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// bundle writes a bundle of the site.
func (s *site) bundle() string {
	s.t.Helper()
	var buf bytes.Buffer
	if err := WriteBundle(&buf, s.dir, func(Release, File) bool { return true }); err != nil {
		s.t.Fatal(err)
	}
	return s.carry(buf.Bytes())
}

func (s *site) carry(data []byte) string {
	s.t.Helper()
	name := filepath.Join(s.t.TempDir(), "connector-1.4.0.bundle")
	if err := os.WriteFile(name, data, 0o600); err != nil {
		s.t.Fatal(err)
	}
	return name
}

func (s *site) opened(name string) *Client {
	s.t.Helper()
	c, err := OpenBundle(name, s.options)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = c.Close() })
	return c
}

// carried opens a bundle that lies in memory.
func carried(data []byte, o Options) (*Client, error) {
	c, err := newClient(o)
	if err != nil {
		return nil, err
	}
	return c.openBundle("bundle", bytes.NewReader(data), int64(len(data)), func() error { return nil })
}

func TestBundle(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.rotated(2, key(3), releasesKey, rootKey, key(3))
	// A release whose files are not carried is not offered.
	other := s.release()
	other.Version, other.Files = version("1.5.0"), []File{s.file()}
	other.Files[0].Path = "1.5.0/connector-linux-amd64"
	both := Releases{Version: 8, Expires: today.AddDate(0, 1, 0), Releases: []Release{s.release(), other}}
	document, err := both.Document(releasesKey)
	if err != nil {
		t.Fatal(err)
	}
	s.put("releases.json", document)
	var buf bytes.Buffer
	if err := WriteBundle(&buf, s.dir, func(r Release, _ File) bool { return r.Version == version("1.4.0") }); err != nil {
		t.Fatal(err)
	}
	c := s.opened(s.carry(buf.Bytes()))
	r, err := c.Releases(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	one, f, err := r.Choose(Query{OS: "linux", Arch: "amd64", Channel: AnyChannel})
	if err != nil || one.Version != version("1.4.0") {
		t.Fatalf("chosen is %v (%v)", one.Version, err)
	}
	_, _, err = r.Choose(Query{OS: "windows", Arch: "386"})
	refused(t, err, KindSystem)
	dst := filepath.Join(t.TempDir(), "connector")
	if err := c.Fetch(t.Context(), f, dst, nil); err != nil {
		t.Fatal(err)
	}
	only(t, dst, s.program)
	refused(t, c.Fetch(t.Context(), other.Files[0], dst+"-1.5.0", nil), KindNotFound)
	if len(s.requests()) != 0 {
		t.Error("something was asked for over the network")
	}
}

// TestBundlesRefused has what may be wrong in a bundle, over and above what a
// server may do.
func TestBundlesRefused(t *testing.T) {
	t.Parallel()
	raw := func(change func(w *tar.Writer) error) func(s *site) []byte {
		return func(s *site) []byte {
			var buf bytes.Buffer
			w := tar.NewWriter(&buf)
			if err := errors.Join(put(w, "releases.json", s.get("releases.json")), change(w), w.Close()); err != nil {
				s.t.Fatal(err)
			}
			return buf.Bytes()
		}
	}
	for name, test := range map[string]struct {
		data func(s *site) []byte
		want Kind
	}{
		"nothing":      {func(*site) []byte { return nil }, KindMalformed},
		"a program":    {func(s *site) []byte { return s.program }, KindMalformed},
		"unknown file": {raw(func(w *tar.Writer) error { return put(w, "README", []byte("hello")) }), KindMalformed},
		"way out":      {raw(func(w *tar.Writer) error { return put(w, "1.4.0/../../etc/passwd", []byte("hello")) }), KindMalformed},
		"absolute":     {raw(func(w *tar.Writer) error { return put(w, "/etc/passwd", []byte("hello")) }), KindMalformed},
		"twice":        {raw(func(w *tar.Writer) error { return put(w, "releases.json", []byte("{}")) }), KindMalformed},
		"link": {raw(func(w *tar.Writer) error {
			return w.WriteHeader(&tar.Header{Typeflag: tar.TypeSymlink, Name: "1.4.0/connector", Linkname: "/etc/passwd"})
		}), KindMalformed},
		"folder": {raw(func(w *tar.Writer) error { return w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: "1.4.0/"}) }), KindMalformed},
		"by hand": {raw(func(w *tar.Writer) error {
			return w.WriteHeader(&tar.Header{Name: "1.4.0/x", ModTime: time.Unix(1, 0)})
		}), KindMalformed},
		"large root":  {raw(func(w *tar.Writer) error { return put(w, "2.root.json", make([]byte, rootForm.max+1)) }), KindTooLarge},
		"trailing":    {func(s *site) []byte { return append(raw(func(*tar.Writer) error { return nil })(s), "more"...) }, KindMalformed},
		"no releases": {func(*site) []byte { var buf bytes.Buffer; _ = tar.NewWriter(&buf).Close(); return buf.Bytes() }, KindNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			c, err := OpenBundle(s.carry(test.data(s)), s.options)
			if err == nil {
				defer c.Close()
				_, err = c.Releases(t.Context())
			}
			refused(t, err, test.want)
		})
	}
}

// TestBundleFrozen: an old bundle is as old as an old server.
func TestBundleFrozen(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	name := s.bundle()
	s.put("releases.json", s.releases(8, releasesKey))
	if _, err := s.client().Releases(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, err := s.opened(name).Releases(t.Context())
	refused(t, err, KindRollback)
	s.options.Memory = nil
	s.options.Now = func() time.Time { return today.AddDate(0, 2, 0) }
	_, err = s.opened(name).Releases(t.Context())
	refused(t, err, KindExpired)
}

func TestNoBundle(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, name := range []string{filepath.Join(s.dir, "none"), s.dir} {
		_, err := OpenBundle(name, s.options)
		if kind := KindOf(err); kind != KindDisk && kind != KindMalformed {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestAnyFlippedBitIsRefused is the promise of signatures and hashes over
// everything: whatever bit of whatever is served or carried is another one, it
// is noticed before a file has its name.
func TestAnyFlippedBitIsRefused(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.program = random(700)
	s.put("1.4.0/connector-linux-amd64", s.program)
	s.put("releases.json", s.releases(7, releasesKey))
	s.rotated(2, key(3), releasesKey, rootKey, key(3))
	s.options.Memory = nil
	good, err := os.ReadFile(s.bundle())
	if err != nil {
		t.Fatal(err)
	}
	dst := filepath.Join(t.TempDir(), "connector")
	try := func(c *Client, err error) error {
		if err != nil {
			return err
		}
		defer c.Close()
		r, err := c.Releases(t.Context())
		if err != nil {
			return err
		}
		_, f, err := r.Choose(Query{OS: "linux", Arch: "amd64"})
		if err != nil {
			return err
		}
		return c.Fetch(t.Context(), f, dst, nil)
	}
	if err := errors.Join(try(OpenBundle(s.carry(good), s.options)), os.Remove(dst)); err != nil {
		t.Fatal(err)
	}
	// Each run looks at others: all together would take half a minute.
	for at := rand.IntN(40); at < len(good); at += 1 + rand.IntN(40) {
		bit := byte(1) << rand.IntN(8)
		good[at] ^= bit
		if err := try(carried(good, s.options)); err == nil {
			t.Fatalf("octet %d with bit %#x flipped is accepted", at, bit)
		}
		good[at] ^= bit
	}
	// The same of what a server serves, here and there.
	for _, name := range []string{"2.root.json", "releases.json", "1.4.0/connector-linux-amd64"} {
		good := s.get(name)
		for range 15 {
			bad := bytes.Clone(good)
			bad[rand.IntN(len(bad))] ^= byte(1) << rand.IntN(8)
			s.put(name, bad)
			if err := try(New(s.options)); err == nil {
				t.Fatalf("%s is accepted as\n%q", name, bad)
			}
		}
		s.put(name, good)
	}
}
