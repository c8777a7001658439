package release

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// today is the day of all tests.
var today = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// key is made from a number, so that each test knows its keys.
func key(n byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n}, ed25519.SeedSize))
}

func role(threshold int, keys ...ed25519.PrivateKey) Role {
	r := Role{Threshold: threshold}
	for _, k := range keys {
		r.Keys = append(r.Keys, k.Public().(ed25519.PublicKey))
	}
	return r
}

// rootKey and releasesKey are the keys of the first root.
var rootKey, releasesKey = key(1), key(2)

func firstRoot() Root {
	return Root{Version: 1, Expires: today.AddDate(1, 0, 0), Root: role(1, rootKey), Releases: role(1, releasesKey)}
}

func rootDocument(t testing.TB, r Root, keys ...ed25519.PrivateKey) []byte {
	t.Helper()
	data, err := r.Document(keys...)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// A site is a folder of releases, and the server in front of it.
type site struct {
	t       testing.TB
	dir     string
	server  *httptest.Server
	program []byte
	options Options

	mu      sync.Mutex
	instead http.Handler // when it is set, the folder is not asked
	asked   []string
}

// newFolder has release 1.4.0 for linux/amd64, in releases of version 7, under
// the first root, and no server.
func newFolder(t testing.TB, octets int) *site {
	s := &site{t: t, dir: t.TempDir(), program: random(octets)}
	s.put("1.root.json", rootDocument(t, firstRoot(), rootKey))
	s.put("1.4.0/connector-linux-amd64", s.program)
	s.put("releases.json", s.releases(7, releasesKey))
	s.options = Options{Root: s.get("1.root.json"), Now: func() time.Time { return today }, pause: time.Millisecond}
	return s
}

// newSite has a folder served.
func newSite(t testing.TB) *site {
	s := newFolder(t, 200_000)
	files := http.FileServer(http.Dir(s.dir))
	s.server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		instead := s.instead
		s.asked = append(s.asked, r.URL.Path)
		s.mu.Unlock()
		if instead != nil {
			instead.ServeHTTP(w, r)
			return
		}
		files.ServeHTTP(w, r)
	}))
	t.Cleanup(s.server.Close)
	s.options.URL, s.options.HTTP, s.options.Memory = s.server.URL, s.server.Client(), &memory{}
	return s
}

// releases are a document of the given version.
func (s *site) releases(version int64, keys ...ed25519.PrivateKey) []byte {
	s.t.Helper()
	r := Releases{Version: version, Expires: today.AddDate(0, 1, 0), Releases: []Release{s.release()}}
	data, err := r.Document(keys...)
	if err != nil {
		s.t.Fatal(err)
	}
	return data
}

func (s *site) release() Release {
	return Release{Version: version("1.4.0"), Date: today, Notes: "what is new", Channels: []string{Stable}, Files: []File{s.file()}}
}

func (s *site) file() File {
	sum := sha256.Sum256(s.program)
	return File{Kind: FileProgram, OS: "linux", Arch: "amd64", Path: "1.4.0/connector-linux-amd64", Size: int64(len(s.program)), SHA256: hex.EncodeToString(sum[:])}
}

func (s *site) put(name string, data []byte) {
	s.t.Helper()
	path := filepath.Join(s.dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) get(name string) []byte {
	s.t.Helper()
	data, err := os.ReadFile(filepath.Join(s.dir, filepath.FromSlash(name)))
	if err != nil {
		s.t.Fatal(err)
	}
	return data
}

// answer has the server answer everything in another way.
func (s *site) answer(h http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.instead = h
	if h == nil {
		s.instead = nil
	}
}

// requests returns the paths that were asked for since the last time.
func (s *site) requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	asked := s.asked
	s.asked = nil
	return asked
}

func (s *site) client() *Client {
	s.t.Helper()
	c, err := New(s.options)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = c.Close() })
	return c
}

func version(s string) Version {
	v, err := ParseVersion(s)
	if err != nil {
		panic(err)
	}
	return v
}

func random(n int) []byte {
	data := make([]byte, n)
	r := rand.NewChaCha8([32]byte{1})
	_, _ = r.Read(data) // documented never to fail
	return data
}

// memory is a Memory in memory.
type memory struct {
	data  []byte
	saved int
}

func (m *memory) Load() ([]byte, error) { return m.data, nil }
func (m *memory) Save(data []byte) error {
	m.data, m.saved = data, m.saved+1
	return nil
}

// refused checks that an error is of a kind, has words for people, and a hint.
func refused(t *testing.T, err error, want Kind) {
	t.Helper()
	if KindOf(err) != want {
		t.Fatalf("the error is %q (%v), want %q", KindOf(err), err, want)
	}
	if e := err.(*Error); e.Doing == "" || e.Err == nil || e.Hint() == "" && want != KindCanceled {
		t.Errorf("%#v lacks words", e)
	}
}
