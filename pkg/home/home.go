// Package home is where the connector's files live on this system, and the
// only code that reads or writes them: the configuration, the key pair, the
// profile mapper and the state of one connector, in one folder with the names
// that the existing connector gave them. What it writes is there whole or not
// at all, whatever stops the process meanwhile.
package home

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// The files of a home, with slashes on every system. The first four are as the
// existing connector lays them down, and travel in an archive.
const (
	configFile = "config.json"
	mapperFile = "lib/profileMapper.js"
	keyFile    = "certs/cert.key"
	certFile   = "certs/cert.pem"

	stateFolder   = "state"
	backupsFolder = "backups"
	libFolder     = "lib"
)

// maxFile bounds each file that is read, in bytes. A mapper is the largest, and
// is a script that somebody wrote by hand.
const maxFile = 4 << 20

// A Home is one connector's folder. It holds nothing open, so that the folder
// can be moved or removed, and is safe for concurrent use by any number of
// goroutines and processes.
type Home struct {
	dir     string
	environ []string
	now     func() time.Time

	keyringTime time.Duration // bounds what a keyring is asked, if not 0
}

// Open returns the home in dir, or the system's own when dir is "". The folder
// need not exist, and is not made: Create does that. The environment, in the
// form of os.Environ, is the layer that Config puts above the file.
//
// A replacement that was interrupted is finished or discarded here, and
// leftovers of interrupted writes are removed. An error means that a half-done
// replacement could not be settled, so that the files may not fit together.
func Open(dir string, environ []string) (*Home, error) {
	if dir == "" {
		dir = systemDir("")
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("open the home %s: %w", dir, err)
	}
	h := &Home{dir: abs, environ: environ, now: time.Now}
	if err := h.settle(); err != nil {
		return nil, err
	}
	h.sweep()
	return h, nil
}

// InstanceDir returns the folder that another connector on this machine has when
// it is told no other.
func InstanceDir(name string) string { return instanceDir(name) }

// Dir returns the absolute path of the folder.
func (h *Home) Dir() string { return h.dir }

// Path returns the path of a file below the home.
func (h *Home) Path(name ...string) string {
	return filepath.Join(append([]string{h.dir}, name...)...)
}

// Exists reports whether the folder is there.
func (h *Home) Exists() bool {
	info, err := os.Stat(h.dir)
	return err == nil && info.IsDir()
}

// Create makes the folder, and those above it, if need be. The home is for its
// owner alone: mode 0700, and on Windows the system, the administrators and
// whoever made it. A home that is already there is tightened to that, unless
// it holds other things than a connector and might be anybody's.
func (h *Home) Create() error {
	if filepath.Dir(h.dir) == h.dir {
		return fmt.Errorf("create the home %s: it is the root of a file system", h.dir)
	}
	above := h.Missing()
	if err := os.MkdirAll(filepath.Dir(h.dir), 0o755); err != nil { //nolint:gosec // those above are everybody's, like /opt
		return fmt.Errorf("create the home %s: %w", h.dir, err)
	}
	if len(above) > 0 && os.Geteuid() == 0 { // a service's account must come through, whatever root's umask
		for _, dir := range above[1:] {
			if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // the same
				return fmt.Errorf("create the home %s: %w", h.dir, err)
			}
		}
	}
	switch err := os.Mkdir(h.dir, 0o700); {
	case err == nil:
	case !errors.Is(err, fs.ErrExist):
		return fmt.Errorf("create the home %s: %w", h.dir, cause(err))
	case !h.Exists():
		return fmt.Errorf("create the home %s: it is a file, not a folder", h.dir)
	case !holdsConnector(h.dir) && !isEmpty(h.dir):
		return nil
	}
	if err := tighten(h.dir); err != nil {
		return fmt.Errorf("keep others out of the home %s: %w", h.dir, cause(err))
	}
	return nil
}

// holdsConnector reports whether a connector was configured in dir.
func holdsConnector(dir string) bool {
	for _, name := range []string{configFile, keyFile, layouts[configFile][0]} {
		if _, err := os.Lstat(filepath.Join(dir, filepath.FromSlash(name))); err == nil {
			return true
		}
	}
	return false
}

func isEmpty(dir string) bool {
	f, err := os.Open(dir)
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }() // read only
	_, err = f.Readdirnames(1)
	return errors.Is(err, io.EOF)
}
