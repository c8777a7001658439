package home

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"ad-ldap-connector/pkg/config"
)

// waiversFile is where an operator keeps what the doctor is to excuse.
const waiversFile = "waivers.json"

// Waivers returns the bytes of waivers.json. The error is an fs.ErrNotExist
// when there is none.
func (h *Home) Waivers() ([]byte, error) { return h.readOwn(waiversFile) }

// Exposed names what others than the owner can reach in the home and should
// not: secrets that they can read, and what the connector trusts that they can
// write. A home that is closed as a whole has none.
func (h *Home) Exposed() ([]string, error) {
	exposed, err := h.exposed()
	if err != nil {
		return nil, fmt.Errorf("look at who can reach %s: %w", h.dir, cause(err))
	}
	return exposed, nil
}

// Tighten keeps others out of the home, as Create does. It is for a home that
// an older connector made.
func (h *Home) Tighten() error {
	if !holdsConnector(h.dir) {
		return fmt.Errorf("keep others out of the home %s: no connector is in it", h.dir)
	}
	if err := tighten(h.dir); err != nil {
		return fmt.Errorf("keep others out of the home %s: %w", h.dir, cause(err))
	}
	return nil
}

// A Neighbour is another connector's home on this host.
type Neighbour struct {
	Dir    string
	Config config.Config // of the file alone
}

// mostNeighbours bounds how many folders are looked into: a home may lie in
// one that holds half a disk.
const mostNeighbours = 1000

// Neighbours returns the other homes that are to be found on this host: where
// installers put them, and beside this one. Nothing in them is touched. What
// cannot be read is passed over; it is somebody else's.
func (h *Home) Neighbours() []Neighbour {
	var found []Neighbour
	seen := []string{unlinked(h.dir)}
	for _, dir := range h.around() {
		if slices.Contains(seen, unlinked(dir)) || !holdsConnector(dir) {
			continue
		}
		seen = append(seen, unlinked(dir))
		data, err := contents(anywhere{}, filepath.Join(dir, configFile))
		if err != nil {
			continue
		}
		if c, err := config.Parse(data); err == nil {
			found = append(found, Neighbour{dir, c})
		}
	}
	return found
}

// around lists the folders where another home may be.
func (h *Home) around() []string {
	dirs := systemDirs()
	for _, above := range []string{filepath.Dir(h.dir), filepath.Dir(systemDir(""))} {
		f, err := os.Open(above)
		if err != nil {
			continue
		}
		entries, _ := f.ReadDir(mostNeighbours) // what was read before an error will do
		_ = f.Close()                           // read only
		for _, e := range entries {
			dirs = append(dirs, filepath.Join(above, e.Name()))
		}
	}
	slices.Sort(dirs)
	return slices.Compact(dirs)
}

// unlinked returns the path of a folder without links.
func unlinked(dir string) string {
	if path, err := filepath.EvalSymlinks(dir); err == nil {
		return path
	}
	return dir
}

// secretFiles and privateFiles must not be read by others; trustedFiles must not
// be written.
var (
	secretFiles  = []string{configFile, keyFile}
	privateFiles = []string{logsFolder, logFile, secretsFolder} // logs tell who logs in
	trustedFiles = []string{certFile, mapperFile, libFolder, filepath.Dir(keyFile), waiversFile}
)

// statAll calls visit with those of the files that are there.
func (h *Home) statAll(names []string, visit func(name string, info fs.FileInfo)) error {
	for _, name := range names {
		info, err := os.Stat(h.Path(name))
		switch {
		case err == nil:
			visit(name, info)
		case !errors.Is(err, fs.ErrNotExist):
			return err
		}
	}
	return nil
}
