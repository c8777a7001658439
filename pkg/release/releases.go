package release

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"time"
)

// Releases are what there is, newest version first. Version counts the
// documents, not the product: it grows with each that is published, also when
// only the expiry is new.
type Releases struct {
	Version  int64     `json:"version"`
	Expires  time.Time `json:"expires"`
	Releases []Release `json:"releases"`
}

// A Release is one version of the connector.
type Release struct {
	Version  Version   `json:"version"`
	Date     time.Time `json:"date"`
	Notes    string    `json:"notes,omitempty"` // Markdown
	From     Version   `json:"from,omitzero"`   // the oldest version that may step to this one directly; zero: any
	Channels []string  `json:"channels"`        // who is offered it: "stable", "beta"
	Files    []File    `json:"files"`
}

// A File is one file of a release.
type File struct {
	Kind   FileKind `json:"kind"`
	OS     string   `json:"os,omitempty"`   // as GOOS has it; "" for any
	Arch   string   `json:"arch,omitempty"` // as GOARCH has it; "" for any
	Path   string   `json:"path"`           // below the folder: "1.4.0/connector-linux-amd64"
	Size   int64    `json:"size"`           // octets
	SHA256 string   `json:"sha256"`         // lower-case hexadecimal
}

// A FileKind says what a file is for. A reader passes over kinds that it does
// not know.
type FileKind string

// The kinds. The program is not compressed: what was verified is what runs, and
// its hash can be looked up for as long as it is installed.
const (
	FileProgram FileKind = "program"
	FileDeb     FileKind = "deb"
	FileRPM     FileKind = "rpm"
	FileMSI     FileKind = "msi"
	FileArchive FileKind = "archive" // tar.gz or zip
	FileOther   FileKind = "other"   // checksums, bills of materials
)

// Name is the last part of the file's path.
func (f File) Name() string { return path.Base(f.Path) }

// Program returns the release's program for a system.
func (r Release) Program(os, arch string) (File, bool) {
	i := slices.IndexFunc(r.Files, func(f File) bool { return f.Kind == FileProgram && f.OS == os && f.Arch == arch })
	if i < 0 {
		return File{}, false
	}
	return r.Files[i], true
}

// Find returns the release of a version.
func (r *Releases) Find(v Version) (Release, bool) {
	i := slices.IndexFunc(r.Releases, func(r Release) bool { return r.Version.Compare(v) == 0 })
	if i < 0 {
		return Release{}, false
	}
	return r.Releases[i], true
}

// wireReleases is the payload of the releases document. Members it does not
// have are passed over: later versions may say more to those who understand
// them, and what cannot be passed over raises the format.
type wireReleases struct {
	Format int `json:"format"` // 1
	Releases
}

// Bounds of a releases document, besides its size.
const (
	maxReleases = 1000
	maxFiles    = 200 // of a release
	maxFileSize = 1 << 30
	maxChannels = 8
)

var (
	// filePath has no dot at the beginning of a name, and so no way out; and
	// a folder, and so not the name of a document.
	filePath = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._+~-]*(/[A-Za-z0-9][A-Za-z0-9._+~-]*){1,3}$`)
	word     = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,31}$`)
)

func parseReleases(payload []byte) (*Releases, error) {
	var w wireReleases
	if err := decode(payload, &w, false); err != nil {
		return nil, err
	}
	if w.Format != wireFormat {
		return nil, fmt.Errorf("they are written in format %d, and this connector reads %d: install a newer one by hand", w.Format, wireFormat)
	}
	r := &w.Releases
	if err := r.check(); err != nil {
		return nil, err
	}
	slices.SortStableFunc(r.Releases, func(a, b Release) int { return b.Version.Compare(a.Version) })
	return r, nil
}

func (r *Releases) encode() ([]byte, error) {
	return json.MarshalIndent(wireReleases{wireFormat, *r}, "", " ")
}

func (r *Releases) check() error {
	switch {
	case r.Version < 1:
		return errors.New("they have no version")
	case r.Expires.IsZero():
		return errors.New("they have no expiry")
	case len(r.Releases) > maxReleases:
		return fmt.Errorf("there are more than %d", maxReleases)
	}
	paths := map[string]bool{}
	for i, one := range r.Releases {
		if err := one.check(paths); err != nil {
			return fmt.Errorf("release %q: %w", one.Version, err)
		}
		for _, other := range r.Releases[:i] {
			if one.Version.Compare(other.Version) == 0 {
				return fmt.Errorf("release %q is there twice", one.Version)
			}
		}
	}
	return nil
}

func (r Release) check(paths map[string]bool) error {
	switch {
	case r.Version.IsZero():
		return errors.New("it has no version")
	case r.Date.IsZero():
		return errors.New("it has no date")
	case len(r.Channels) == 0 || len(r.Channels) > maxChannels:
		return fmt.Errorf("it is in %d channels", len(r.Channels))
	case len(r.Files) > maxFiles:
		return fmt.Errorf("it has more than %d files", maxFiles)
	case r.From.Compare(r.Version) > 0:
		return fmt.Errorf("it wants to come from %s, which is newer", r.From)
	}
	for _, c := range r.Channels {
		if !word.MatchString(c) {
			return fmt.Errorf("%q is no channel", short(c))
		}
	}
	for i, f := range r.Files {
		if err := f.check(); err != nil {
			return err
		}
		if paths[f.Path] {
			return fmt.Errorf("the file %s is there twice", f.Path)
		}
		paths[f.Path] = true
		if at := slices.IndexFunc(r.Files, func(o File) bool { return o.Kind == FileProgram && o.OS == f.OS && o.Arch == f.Arch }); f.Kind == FileProgram && at < i {
			return fmt.Errorf("there are two programs for %s/%s", f.OS, f.Arch)
		}
	}
	return nil
}

func (f File) check() error {
	sum, err := hex.DecodeString(f.SHA256)
	switch {
	case len(f.Path) > 200 || !filePath.MatchString(f.Path):
		return fmt.Errorf("%q is no path of a file", short(f.Path))
	case f.Size < 1 || f.Size > maxFileSize:
		return fmt.Errorf("the file %s has %d octets", f.Path, f.Size)
	case err != nil || len(sum) != 32 || hex.EncodeToString(sum) != f.SHA256:
		return fmt.Errorf("the file %s has no SHA-256", f.Path)
	case !word.MatchString(string(f.Kind)):
		return fmt.Errorf("the file %s is of no kind", f.Path)
	case f.OS != "" && !word.MatchString(f.OS), f.Arch != "" && !word.MatchString(f.Arch) && f.Arch != "386":
		return fmt.Errorf("the file %s is for no system", f.Path)
	case f.Kind == FileProgram && (f.OS == "" || f.Arch == ""):
		return fmt.Errorf("the program %s is for no system", f.Path)
	}
	return nil
}
