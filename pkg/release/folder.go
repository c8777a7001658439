package release

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Collect copies the files of a folder of built programs and packages into the
// folder of releases, below the release's version, and returns the release with
// them. Files that are there already must be the same: what has been published
// once is never changed.
func Collect(r Release, built, folder string) (Release, error) {
	entries, err := os.ReadDir(built)
	if err != nil {
		return Release{}, err
	}
	for _, e := range entries {
		if !e.Type().IsRegular() || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		f := recognise(e.Name())
		f.Path = r.Version.String() + "/" + e.Name()
		if f, err = collect(f, filepath.Join(built, e.Name()), filepath.Join(folder, filepath.FromSlash(f.Path))); err != nil {
			return Release{}, fmt.Errorf("publish %s: %w", e.Name(), err)
		}
		r.Files = append(r.Files, f)
	}
	if !slices.ContainsFunc(r.Files, func(f File) bool { return f.Kind == FileProgram }) {
		return Release{}, fmt.Errorf("publish %s: %w", built, errNothing)
	}
	return r, nil
}

// collect copies one file, and measures what it has copied.
func collect(f File, from, to string) (File, error) {
	in, err := os.Open(from)
	if err != nil {
		return File{}, err
	}
	defer func() { _ = in.Close() }() // read only
	if f.SHA256, err = hashOf(in); err != nil {
		return File{}, err
	}
	if f.Size, err = in.Seek(0, io.SeekEnd); err != nil {
		return File{}, err
	}
	if err := f.check(); err != nil {
		return File{}, err
	}
	if there, err := os.Open(to); err == nil {
		defer func() { _ = there.Close() }() // read only
		if sum, err := hashOf(there); err != nil || sum != f.SHA256 {
			return File{}, errors.Join(fmt.Errorf("%s is there already, and is another", to), err)
		}
		return f, nil
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil { //nolint:gosec // published: for everybody to read
		return File{}, err
	}
	_, err = in.Seek(0, io.SeekStart)
	if err != nil {
		return File{}, err
	}
	return f, copyNew(in, to)
}

// copyNew writes a new file, whole or not at all.
func copyNew(in io.Reader, to string) error {
	temp := filepath.Join(filepath.Dir(to), "."+filepath.Base(to)+".tmp")
	out, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644) //nolint:gosec // published: for everybody to read
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if err = errors.Join(err, out.Sync(), out.Close()); err == nil {
		err = os.Rename(temp, to)
	}
	if err != nil {
		_ = os.Remove(temp) // the first error is the one to tell
	}
	return err
}

// names in files of what GOOS and GOARCH call otherwise, or the same.
var (
	osNames   = map[string]string{"linux": "linux", "windows": "windows", "darwin": "darwin", "macos": "darwin", "freebsd": "freebsd"}
	archNames = map[string]string{"amd64": "amd64", "x86_64": "amd64", "x64": "amd64", "386": "386", "i386": "386", "i686": "386", "x86": "386", "arm64": "arm64", "aarch64": "arm64"}
	kindOS    = map[FileKind]string{FileDeb: "linux", FileRPM: "linux", FileMSI: "windows"}
)

// recognise tells from a file's name what it is: connector-linux-amd64,
// connector_1.4.0_arm64.deb.
func recognise(name string) File {
	f := File{Kind: FileOther}
	base := strings.ToLower(name)
	for suffix, kind := range map[string]FileKind{".deb": FileDeb, ".rpm": FileRPM, ".msi": FileMSI, ".tar.gz": FileArchive, ".zip": FileArchive} {
		if rest, ok := strings.CutSuffix(base, suffix); ok {
			f.Kind, base = kind, rest
		}
	}
	base = strings.ReplaceAll(base, "x86_64", "amd64")
	words := strings.FieldsFunc(strings.TrimSuffix(base, ".exe"), func(r rune) bool { return r == '-' || r == '_' || r == '.' })
	for _, w := range words {
		if s := osNames[w]; s != "" && f.OS == "" {
			f.OS = s
		} else if a := archNames[w]; a != "" && f.Arch == "" {
			f.Arch = a
		}
	}
	if f.OS == "" {
		f.OS = kindOS[f.Kind]
	}
	if f.Kind == FileOther && len(words) == 3 && words[0] == "connector" && f.OS != "" && f.Arch != "" {
		f.Kind = FileProgram
	}
	return f
}

// WriteBundle writes a bundle of a folder of releases: its documents, and the
// files that take picks. It verifies no signatures, which is for those to do who
// open the bundle; that the files are those of the releases it does.
func WriteBundle(w io.Writer, folder string, take func(Release, File) bool) error {
	documents, err := documentsOf(folder)
	if err != nil {
		return err
	}
	r, err := LookReleases(documents[releasesName])
	if err != nil {
		return err
	}
	out := tar.NewWriter(w)
	for _, name := range slices.Sorted(maps.Keys(documents)) {
		if err := put(out, name, documents[name]); err != nil {
			return fmt.Errorf("write %s to the bundle: %w", name, err)
		}
	}
	n := 0
	for _, one := range r.Releases {
		for _, f := range one.Files {
			if !take(one, f) {
				continue
			}
			n++
			if err := pack(out, f, filepath.Join(folder, filepath.FromSlash(f.Path))); err != nil {
				return fmt.Errorf("write %s to the bundle: %w", f.Path, err)
			}
		}
	}
	if n == 0 {
		return errors.New("write the bundle: none of the releases has what is wanted")
	}
	return out.Close()
}

func documentsOf(folder string) (map[string][]byte, error) {
	documents := map[string][]byte{}
	names, err := fs.Glob(os.DirFS(folder), "*.json")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if name == RootName(1) || !rootName.MatchString(name) && name != releasesName {
			continue // nobody asks for the first root, which all others begin with
		}
		if documents[name], err = os.ReadFile(filepath.Join(folder, name)); err != nil {
			return nil, err
		}
	}
	return documents, nil
}

func put(out *tar.Writer, name string, data []byte) error {
	if err := out.WriteHeader(entry(name, int64(len(data)))); err != nil {
		return err
	}
	_, err := out.Write(data)
	return err
}

// pack writes one file to a bundle, if it is the release's.
func pack(out *tar.Writer, f File, name string) error {
	if err := f.Check(name); err != nil {
		return err
	}
	in, err := os.Open(name)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }() // read only
	if err := out.WriteHeader(entry(f.Path, f.Size)); err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return err
}

// Check compares a file on the disk with what the releases say of it.
func (f File) Check(name string) error {
	in, err := os.Open(name)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }() // read only
	if sum, err := hashOf(in); err != nil || sum != f.SHA256 {
		return errors.Join(fmt.Errorf("%s is not the file that the releases name", name), err)
	}
	return nil
}
