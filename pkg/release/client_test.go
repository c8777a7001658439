package release

import (
	"crypto/ed25519"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestFindAndFetch is the whole way of a good release.
func TestFindAndFetch(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	c := s.client()
	r, err := c.Releases(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	release, f, err := r.Choose(Query{OS: "linux", Arch: "amd64", Current: version("1.3.9")})
	if err != nil {
		t.Fatal(err)
	}
	if release.Version != version("1.4.0") || release.Notes != "what is new" || f != s.file() {
		t.Errorf("chosen are %+v and %+v", release, f)
	}
	dst := filepath.Join(t.TempDir(), "connector")
	var told []int64
	if err := c.Fetch(t.Context(), f, dst, func(done, total int64) {
		if total != f.Size {
			t.Errorf("told of %d octets, want %d", total, f.Size)
		}
		told = append(told, done)
	}); err != nil {
		t.Fatal(err)
	}
	if told[0] != 0 || told[len(told)-1] != f.Size {
		t.Errorf("told %v", told)
	}
	only(t, dst, s.program)
	s.requests()
	if err := c.Fetch(t.Context(), f, dst, nil); err != nil {
		t.Error(err)
	}
	if asked := s.requests(); asked != nil {
		t.Errorf("a file that is there was asked for again: %v", asked)
	}
}

// only checks that a folder has one file, which may be run, and nothing else.
func only(t *testing.T, dst string, want []byte) {
	t.Helper()
	data, err := os.ReadFile(dst)
	if err != nil || string(data) != string(want) {
		t.Fatalf("the file has %d octets (%v), want %d", len(data), err, len(want))
	}
	if info, err := os.Stat(dst); err != nil || info.Mode().Perm()&0o755 != 0o755 && os.PathSeparator == '/' {
		t.Errorf("it may be run by %v (%v)", info.Mode(), err)
	}
	if entries, _ := os.ReadDir(filepath.Dir(dst)); len(entries) != 1 {
		t.Errorf("there are %v", entries)
	}
}

// TestDocumentsRefused has each attack on the documents get its own error, and
// change nothing that is remembered.
func TestDocumentsRefused(t *testing.T) {
	t.Parallel()
	stranger := key(9)
	for name, test := range map[string]struct {
		spoil func(*site)
		want  Kind
	}{
		"wrong key":           {func(s *site) { s.put("releases.json", s.releases(8, stranger)) }, KindSignature},
		"a wrong key besides": {func(s *site) { s.put("releases.json", s.releases(8, releasesKey, stranger)) }, KindSignature},
		"no signature":        {func(s *site) { s.put("releases.json", s.releases(8)) }, KindSignature},
		"the root's key":      {func(s *site) { s.put("releases.json", s.releases(8, rootKey)) }, KindSignature},
		"signature of another": {func(s *site) {
			s.put("releases.json", transplant(s.releases(8, releasesKey), s.releases(7, releasesKey)))
		}, KindSignature},
		"the same key twice":      {func(s *site) { s.put("releases.json", doubled(s.releases(8, releasesKey))) }, KindSignature},
		"expired":                 {func(s *site) { s.options.Now = func() time.Time { return today.AddDate(0, 1, 0) } }, KindExpired},
		"expired root":            {func(s *site) { s.expire() }, KindExpired},
		"older than seen":         {func(s *site) { s.put("releases.json", s.releases(6, releasesKey)) }, KindRollback},
		"another of this version": {func(s *site) { s.program = random(10); s.put("releases.json", s.releases(7, releasesKey)) }, KindMixed},
		"a root for releases":     {func(s *site) { s.put("releases.json", s.get("1.root.json")) }, KindMixed},
		"releases for a root":     {func(s *site) { s.put("2.root.json", s.get("releases.json")) }, KindMixed},
		"the old root again":      {func(s *site) { s.put("2.root.json", s.get("1.root.json")) }, KindRootReplay},
		"a root is left out":      {func(s *site) { s.put("2.root.json", rootDocument(s.t, later(firstRoot(), 3), rootKey)) }, KindMixed},
		"a stranger's root":       {func(s *site) { s.strange(stranger) }, KindSignature},
		"a root's new key alone":  {func(s *site) { s.rotated(2, key(3), releasesKey, key(3)) }, KindSignature},
		"a root's old key alone":  {func(s *site) { s.rotated(2, key(3), releasesKey, rootKey) }, KindSignature},
		"truncated":               {func(s *site) { data := s.get("releases.json"); s.put("releases.json", data[:len(data)/2]) }, KindMalformed},
		"empty":                   {func(s *site) { s.put("releases.json", nil) }, KindMalformed},
		"trailing":                {func(s *site) { s.put("releases.json", append(s.get("releases.json"), "{}\n"...)) }, KindMalformed},
		"endless":                 {func(s *site) { s.answer(endless) }, KindTooLarge},
		"large":                   {func(s *site) { s.put("releases.json", make([]byte, releasesForm.max+1)) }, KindTooLarge},
		"slow":                    {func(s *site) { s.options.Idle, s.options.Tries = silence, 1; s.answer(silent) }, KindTooSlow},
		"dripping": {func(s *site) {
			s.options.RateWindow = 50 * time.Millisecond
			s.options.MinRate = 1 << 20
			s.answer(dripping)
		}, KindTooSlow},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			if _, err := s.client().Releases(t.Context()); err != nil {
				t.Fatal(err)
			}
			m := s.options.Memory.(*memory)
			before := string(m.data)
			test.spoil(s)
			r, err := s.client().Releases(t.Context())
			if r != nil {
				t.Errorf("there are releases: %v", r)
			}
			refused(t, err, test.want)
			if !err.(*Error).Refused() {
				t.Errorf("%v does not count as refused", err)
			}
			if string(m.data) != before || m.saved != 1 {
				t.Errorf("something was remembered: %s", m.data)
			}
		})
	}
}

// transplant gives a document another one's signatures.
func transplant(to, from []byte) []byte {
	var a, b envelope
	if json.Unmarshal(to, &a) != nil || json.Unmarshal(from, &b) != nil {
		panic("no envelopes")
	}
	a.Signatures = b.Signatures
	return a.encode()
}

func doubled(document []byte) []byte {
	var e envelope
	if json.Unmarshal(document, &e) != nil {
		panic("no envelope")
	}
	e.Signatures = append(e.Signatures, e.Signatures...)
	return e.encode()
}

// expire serves a root that is over, with releases that are not.
func (s *site) expire() {
	r := later(firstRoot(), 2)
	r.Expires = today.Add(-time.Second)
	s.put("2.root.json", rootDocument(s.t, r, rootKey))
}

func (s *site) strange(k ed25519.PrivateKey) {
	r := Root{Version: 2, Expires: today.AddDate(1, 0, 0), Root: role(1, k), Releases: role(1, k)}
	s.put("2.root.json", rootDocument(s.t, r, k))
	s.put("releases.json", s.releases(8, k))
}

// rotated serves root n, whose keys are given, signed by signers.
func (s *site) rotated(n int64, root, releases ed25519.PrivateKey, signers ...ed25519.PrivateKey) {
	r := Root{Version: n, Expires: today.AddDate(1, 0, 0), Root: role(1, root), Releases: role(1, releases)}
	s.put(RootName(n), rootDocument(s.t, r, signers...))
}

func later(r Root, n int64) Root {
	r.Version = n
	return r
}

func endless(w http.ResponseWriter, r *http.Request) {
	for octets := []byte(strings.Repeat("x", 1<<16)); r.Context().Err() == nil; {
		if _, err := w.Write(octets); err != nil {
			return
		}
	}
}

// silence is when one that follows the answer's first octets counts.
const silence = 100 * time.Millisecond

// silent begins to answer, and does not go on.
func silent(w http.ResponseWriter, r *http.Request) {
	_, _ = w.Write([]byte("{"))
	_ = http.NewResponseController(w).Flush()
	<-r.Context().Done()
}

// dripping sends an octet now and then, for ever.
func dripping(w http.ResponseWriter, r *http.Request) {
	for {
		select {
		case <-r.Context().Done():
			return
		case <-time.After(time.Millisecond):
			_, _ = w.Write([]byte(" "))
			_ = http.NewResponseController(w).Flush()
		}
	}
}
