package release

import (
	"crypto/ed25519"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestRotation goes from the root that is trusted from the start over one that
// has expired meanwhile to the newest, and holds to it.
func TestRotation(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	second := Root{Version: 2, Expires: today.Add(-time.Hour), Root: role(2, key(3), key(4), key(5)), Releases: role(1, key(6))}
	third := Root{Version: 3, Expires: today.AddDate(1, 0, 0), Root: role(1, key(7)), Releases: role(2, key(6), key(8))}
	s.put("2.root.json", rootDocument(t, second, rootKey, key(3), key(5)))
	s.put("3.root.json", rootDocument(t, third, key(4), key(5), key(7)))
	s.put("releases.json", s.releases(9, key(6), key(8)))
	c := s.client()
	for range 2 { // the second time from memory
		if _, err := c.Releases(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"/2.root.json", "/3.root.json", "/4.root.json", "/releases.json", "/4.root.json", "/releases.json"}
	if asked := s.requests(); !slices.Equal(asked, want) {
		t.Errorf("asked for %v, want %v", asked, want)
	}
	// One of the two that must sign.
	s.put("releases.json", s.releases(10, key(6)))
	_, err := c.Releases(t.Context())
	refused(t, err, KindSignature)
	if !strings.Contains(err.Error(), "1 of the keys that must sign it have, and 2 are needed") {
		t.Errorf("it says %v", err)
	}
	// The keys of the old root have no say any more.
	s.rotated(4, rootKey, releasesKey, rootKey)
	_, err = c.Releases(t.Context())
	refused(t, err, KindSignature)
}

// TestTooFewRootKeys has two of three keys sign the next root, or it is none.
func TestTooFewRootKeys(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	first := firstRoot()
	first.Root = role(2, key(3), key(4), key(5))
	s.options.Root = rootDocument(t, first, key(3), key(4))
	next := later(first, 2)
	s.put("2.root.json", rootDocument(t, next, key(5)))
	_, err := s.client().Releases(t.Context())
	refused(t, err, KindSignature)
	s.put("2.root.json", rootDocument(t, next, key(5), key(3)))
	if _, err := s.client().Releases(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestAnchorOfLaterVersion has a new program know a later root from the start,
// with the signatures of keys that it does not know, and the memory of an older
// program.
func TestAnchorOfLaterVersion(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.rotated(2, key(3), releasesKey, rootKey, key(3))
	s.rotated(3, key(4), releasesKey, key(3), key(4))
	if _, err := s.client().Releases(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.options.Root = s.get("2.root.json")
	s.requests()
	if _, err := s.client().Releases(t.Context()); err != nil {
		t.Fatal(err)
	}
	if asked, want := s.requests(), []string{"/4.root.json", "/releases.json"}; !slices.Equal(asked, want) {
		t.Errorf("asked for %v, want %v", asked, want)
	}
	s.put("releases.json", s.releases(6, releasesKey))
	_, err := s.client().Releases(t.Context())
	refused(t, err, KindRollback)
}

// TestStolenOldKey has somebody with the key of the first root tell another
// story: who has seen the second does not listen.
func TestStolenOldKey(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.rotated(2, key(3), releasesKey, rootKey, key(3))
	if _, err := s.client().Releases(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.rotated(2, rootKey, key(9), rootKey)
	s.put("releases.json", s.releases(8, key(9)))
	_, err := s.client().Releases(t.Context())
	refused(t, err, KindSignature)
}

// TestMemoryMakesNobodyTrusted has a stranger write what is remembered: it is
// forgotten, at worst.
func TestMemoryMakesNobodyTrusted(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	strange := Root{Version: 2, Expires: today.AddDate(1, 0, 0), Root: role(1, key(9)), Releases: role(1, key(9))}
	data, err := json.Marshal(seen{Roots: [][]byte{rootDocument(t, strange, key(9))}, Version: 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, data := range [][]byte{data, []byte("nonsense"), []byte(`{"roots":["AA=="]}`), []byte(`{"roots":null,"version":-1}`)} {
		s.options.Memory = &memory{data: data}
		s.put("releases.json", s.releases(8, key(9)))
		_, err := s.client().Releases(t.Context())
		refused(t, err, KindSignature)
		s.put("releases.json", s.releases(8, releasesKey))
		if _, err := s.client().Releases(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// TestNewKeysBeginTheCountAnew has the releases' key replaced, which whoever
// stole the old one had counted up with.
func TestNewKeysBeginTheCountAnew(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.put("releases.json", s.releases(1<<60, releasesKey))
	if _, err := s.client().Releases(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.rotated(2, rootKey, key(3), rootKey)
	s.put("releases.json", s.releases(8, key(3)))
	if _, err := s.client().Releases(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestNoRoot(t *testing.T) {
	t.Parallel()
	_, err := New(Options{URL: "https://releases.example/"})
	refused(t, err, KindNoRoot)
	if hint := err.(*Error).Hint(); !strings.Contains(hint, "UPDATE_ROOT_FILE") {
		t.Errorf("the hint is %q", hint)
	}
}

// TestRootsRefused has what a root may not say.
func TestRootsRefused(t *testing.T) {
	t.Parallel()
	good, err := firstRoot().encode()
	if err != nil {
		t.Fatal(err)
	}
	id := KeyID(rootKey.Public().(ed25519.PublicKey))
	for name, change := range map[string][2]string{
		"format":         {`"format": 1`, `"format": 2`},
		"version":        {`"version": 1`, `"version": 0`},
		"negative":       {`"version": 1`, `"version": -1`},
		"expiry":         {`"expires": "2027-11-22T12:00:00Z"`, `"expires": "0001-01-01T00:00:00Z"`},
		"expiry's form":  {`2027-11-22T12:00:00Z`, `tomorrow`},
		"unknown role":   {`"releases": {`, `"mirrors": {`},
		"unknown member": {`"format"`, `"delegations": [], "format"`},
		"twice":          {`"format"`, `"version": 1, "format"`},
		"twice by case":  {`"format"`, `"Version": 1, "format"`},
		"threshold 0":    {`"threshold": 1`, `"threshold": 0`},
		"threshold 2":    {`"threshold": 1`, `"threshold": 2`},
		"key's name":     {id, strings.Repeat("0", 64)},
		"follows":        {"\n}", "\n} {}"},
		"no UTF-8":       {`"format"`, "\"\xff\": 1, \"format\""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bad := strings.Replace(string(good), change[0], change[1], 1)
			if bad == string(good) {
				t.Fatalf("nothing was changed in %s", good)
			}
			if r, err := parseRoot([]byte(bad)); err == nil {
				t.Errorf("accepted as %+v: %s", r, bad)
			}
		})
	}
}
