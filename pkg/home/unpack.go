package home

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds on an archive. A real one has four files and some 20 KiB.
const (
	maxArchive  = 8 << 20 // bytes of the zip
	maxEntries  = 64
	maxUnpacked = 8 << 20 // bytes of all files together
	// A script or a configuration shrinks to a tenth. What shrinks to a
	// hundredth was made to fill a disk, unless it is small anyway.
	maxRatio  = 100
	freeRatio = 64 << 10
)

// unpack returns a connector's files from a zip, by their name in a home, the
// zip's comment, and notes about other files. Every entry is checked before any
// is read.
func unpack(r io.ReaderAt, size int64) (found files, comment string, notes []string, err error) {
	none := func(err error) (files, string, []string, error) { return nil, "", nil, err }
	if size > maxArchive {
		return none(fmt.Errorf("it is larger than %d MiB", maxArchive>>20))
	}
	z, err := zip.NewReader(r, size)
	if errors.Is(err, zip.ErrFormat) {
		return none(errors.New("it is not a zip file, or is cut short"))
	}
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) { // names are checked below, and more strictly
		return none(err)
	}
	if len(z.File) > maxEntries {
		return none(fmt.Errorf("it has %d entries, and may have %d", len(z.File), maxEntries))
	}
	entries, names, err := check(z.File)
	if err != nil {
		return none(err)
	}
	chosen, rest, err := choose(names)
	if err != nil {
		return none(err)
	}
	found = files{}
	for file, name := range chosen {
		if found[file], err = readEntry(entries[name]); err != nil {
			return none(fmt.Errorf("entry %.60q: %w", name, err))
		}
	}
	for _, name := range rest {
		notes = append(notes, fmt.Sprintf("%.60q is not a file of a connector and was passed over.", name))
	}
	return found, z.Comment, notes, nil
}

// check refuses an archive with any entry that no connector would have made.
func check(list []*zip.File) (entries map[string]*zip.File, names []string, err error) {
	entries = map[string]*zip.File{}
	seen := map[string]bool{}
	var total uint64
	for _, e := range list {
		if err := checkName(e.Name); err != nil {
			return nil, nil, fmt.Errorf("entry %.60q: %w", e.Name, err)
		}
		// Two names that some systems take for one are duplicates as well.
		folded := strings.ToLower(strings.TrimSuffix(e.Name, "/"))
		if seen[folded] {
			return nil, nil, fmt.Errorf("entry %.60q: it is there twice", e.Name)
		}
		seen[folded] = true
		if err := checkEntry(e); err != nil {
			return nil, nil, fmt.Errorf("entry %.60q: %w", e.Name, err)
		}
		if total += e.UncompressedSize64; total > maxUnpacked { // no entry overflows it: each is bounded
			return nil, nil, fmt.Errorf("it unpacks to more than %d MiB", maxUnpacked>>20)
		}
		if !strings.HasSuffix(e.Name, "/") {
			entries[e.Name] = e
			names = append(names, e.Name)
		}
	}
	slices.Sort(names)
	return entries, names, nil
}

func checkName(name string) error {
	switch {
	case name == "":
		return errors.New("its name is empty")
	case !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl):
		return errors.New("its name is not plain text")
	case strings.Contains(name, `\`):
		return errors.New("its name has a backslash, which is a folder on Windows only")
	case strings.HasPrefix(name, "/"):
		return errors.New("its name is absolute")
	case strings.Contains(name, ":"):
		return errors.New("its name has a colon, which is a drive or a stream on Windows")
	case slices.Contains(strings.Split(name, "/"), ".."):
		return errors.New("its name leads out of the archive")
	case path.Clean(name) != strings.TrimSuffix(name, "/"):
		return errors.New("its name is not in its simplest form")
	}
	return nil
}

func checkEntry(e *zip.File) error {
	mode := e.Mode()
	switch {
	case e.Flags&0x1 != 0 || e.Flags&0x40 != 0: // APPNOTE.TXT, section 4.4.4
		return errors.New("it is encrypted; unpack it with its password first")
	case mode.IsDir() != strings.HasSuffix(e.Name, "/"):
		return errors.New("it is a folder by its mode or by its name, and not by the other")
	case !mode.IsDir() && !mode.IsRegular():
		return fmt.Errorf("it is neither a file nor a folder (%s)", mode.Type())
	case e.Method != zip.Store && e.Method != zip.Deflate:
		return fmt.Errorf("it is compressed with method %d; only deflate is read", e.Method)
	case e.UncompressedSize64 > maxFile:
		return fmt.Errorf("it unpacks to more than %d MiB", maxFile>>20)
	case e.UncompressedSize64 > freeRatio && e.UncompressedSize64/maxRatio > e.CompressedSize64:
		return fmt.Errorf("it unpacks to more than %d times its size", maxRatio)
	}
	return nil
}

// readEntry unpacks an entry, and no more of it than it announced.
func readEntry(e *zip.File) ([]byte, error) {
	r, err := e.Open()
	if err != nil {
		return nil, damaged(err)
	}
	data, err := io.ReadAll(io.LimitReader(r, int64(e.UncompressedSize64)+1))
	if closeErr := r.Close(); err == nil {
		err = closeErr
	}
	if err == nil && uint64(len(data)) != e.UncompressedSize64 {
		err = zip.ErrFormat
	}
	if err != nil {
		return nil, damaged(err)
	}
	return data, nil
}

func damaged(err error) error { return fmt.Errorf("it is damaged: %w", err) }
