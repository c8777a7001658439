package home

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"os"
	"slices"
	"time"
)

// A Manifest says what an archive holds and where it came from. It is the
// comment of the zip: the existing connector sees the four files that it knows,
// and nothing else. Nobody has signed it.
type Manifest struct {
	Format   int    `json:"manifest"` // of the manifest itself
	Version  string `json:"version"`  // of the connector that made the archive
	Instance string `json:"instance"` // the node that it was made on
	// Date is when the newest of the files was changed, not when the archive was
	// made: the same files make the same bytes.
	Date  time.Time         `json:"date,omitzero"`
	Files map[string]string `json:"files"` // SHA-256 by name, in hex
	// Authorities are those that an install was given, as PEM: without them a
	// node would not trust its tenant, and the four files have no place for them.
	Authorities string `json:"authorities,omitempty"`
}

const (
	manifestFormat = 1
	maxManifest    = 0xffff // bytes of a zip's comment
)

// An Origin is what the connector knows of itself, for the manifest. Without a
// version there is none.
type Origin struct{ Version, Instance string }

// manifest describes files that are to be exported; "" when the origin is not
// known.
func (h *Home) manifest(from Origin, exported []file) (string, error) {
	if from.Version == "" {
		return "", nil
	}
	m := Manifest{Format: manifestFormat, Version: from.Version, Instance: from.Instance, Files: map[string]string{}}
	for _, f := range exported {
		if len(f.data) == 0 {
			continue
		}
		m.Files[f.name] = sumOf(f.data)
		if info, err := os.Stat(h.Path(f.name)); err == nil && info.ModTime().After(m.Date) {
			m.Date = info.ModTime()
		}
	}
	m.Date = m.Date.UTC().Truncate(time.Second)
	authorities, err := h.CA(InstalledCA)
	if err != nil {
		return "", err
	}
	m.Authorities = string(authorities)
	text, err := json.Marshal(m)
	if err == nil && len(text) > maxManifest {
		err = fmt.Errorf("%s is too large for an archive; leave out what the connector does without", h.Path(caBundle))
	}
	return string(text), err
}

func sumOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// readManifest returns the manifest in a zip's comment, or nil when that is
// something else: anybody may write one. Notes tell of what is not as it says.
func readManifest(comment string, found files) (m *Manifest, notes []string, err error) {
	if json.Unmarshal([]byte(comment), &m) != nil || m == nil || m.Format == 0 {
		return nil, nil, nil //nolint:nilerr // a comment of another kind is no fault
	}
	if m.Format > manifestFormat {
		return nil, []string{"A newer connector has made this archive; its manifest was passed over."}, nil
	}
	for _, name := range slices.Sorted(maps.Keys(m.Files)) {
		if data, ok := found[name]; !ok || sumOf(data) != m.Files[name] {
			notes = append(notes, fmt.Sprintf("%.60q is not as it was exported.", name))
		}
	}
	if m.Authorities != "" {
		if err := checkAuthorities([]byte(m.Authorities)); err != nil {
			return nil, nil, fmt.Errorf("the certificate authorities: %w", err)
		}
	}
	return m, notes, nil
}

// checkAuthorities refuses what a connector could not read as authorities.
func checkAuthorities(text []byte) error {
	for n := 1; ; n++ {
		block, rest := pem.Decode(text)
		switch {
		case block == nil && n == 1:
			return fmt.Errorf("there is no certificate in PEM form")
		case block == nil:
			return nil
		case block.Type != "CERTIFICATE":
			return fmt.Errorf("number %d is a %.40q", n, block.Type)
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			return fmt.Errorf("number %d: %w", n, err)
		}
		text = rest
	}
}
