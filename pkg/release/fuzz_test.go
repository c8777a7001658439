package release

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// FuzzRoot has no root be accepted that the keys did not sign, and what is
// accepted be written again as it was.
func FuzzRoot(f *testing.F) {
	good := rootDocument(f, firstRoot(), rootKey)
	next := rootDocument(f, later(firstRoot(), 2), rootKey)
	f.Add(good)
	f.Add(next)
	f.Add(rootDocument(f, later(firstRoot(), 2), key(9)))
	f.Add([]byte(`{"payloadType":"application/vnd.ad-ldap-connector.root+json","payload":"e30=","signatures":[]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, err := ReadRoot(data, good); err == nil && !bytes.Equal(data, next) {
			t.Errorf("accepted: %q", data)
		}
		if e, err := openEnvelope(data, rootForm); err == nil && !bytes.Equal(e.encode(), data) {
			t.Errorf("%q is written as %q", data, e.encode())
		}
	})
}

// FuzzRootPayload has what is read of a root be what is written of it.
func FuzzRootPayload(f *testing.F) {
	payload, err := firstRoot().encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(payload)
	f.Add([]byte(`{"format":1,"version":1,"expires":"2027-01-01T00:00:00Z","keys":{},"roles":{}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := parseRoot(data)
		if err != nil {
			return
		}
		again, err := r.encode()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parseRoot(again); err != nil {
			t.Errorf("%s is not read again: %v", again, err)
		}
		if r.Root.Threshold < 1 || r.Releases.Threshold < 1 {
			t.Errorf("nobody need sign: %s", data)
		}
	})
}

// FuzzReleases has all that is accepted be within its bounds.
func FuzzReleases(f *testing.F) {
	s := newFolder(f, 100)
	payload, err := (&Releases{Version: 7, Expires: today, Releases: []Release{s.release()}}).encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(payload)
	f.Add([]byte(`{"format":1,"version":1,"expires":"2027-01-01T00:00:00Z","releases":[]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := parseReleases(data)
		if err != nil {
			return
		}
		for i, one := range r.Releases {
			if i > 0 && r.Releases[i-1].Version.Compare(one.Version) <= 0 {
				t.Errorf("%s stands before %s", r.Releases[i-1].Version, one.Version)
			}
			for _, file := range one.Files {
				if !filepath.IsLocal(filepath.FromSlash(file.Path)) || file.Size > maxFileSize || len(file.SHA256) != 64 {
					t.Errorf("a file is %+v", file)
				}
			}
		}
		if _, err := r.Document(); err != nil {
			t.Errorf("%s is not written again: %v", data, err)
		}
	})
}

// FuzzBundle opens anything, and believes one bundle alone.
func FuzzBundle(f *testing.F) {
	s := newFolder(f, 100)
	good, err := os.ReadFile(s.bundle())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(good[:len(good)/2])
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := carried(data, s.options)
		if err != nil {
			return
		}
		defer c.Close()
		r, err := c.Releases(t.Context())
		if err != nil || len(r.Releases) == 0 {
			return
		}
		dst := filepath.Join(t.TempDir(), "connector")
		if err := c.Fetch(t.Context(), r.Releases[0].Files[0], dst, nil); err == nil {
			if have, err := os.ReadFile(dst); err != nil || !bytes.Equal(have, s.program) {
				t.Errorf("%q was fetched (%v)", have, err)
			}
		}
	})
}
