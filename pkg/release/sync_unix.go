//go:build unix

package release

import "os"

// sync has the folder's new entry survive a loss of power.
func (s *staging) sync() error {
	folder, err := s.root.Open(".")
	if err != nil {
		return err
	}
	err = folder.Sync()
	_ = folder.Close() // read only
	return err
}

// isTransient is never so: a rename does not mind who has the file open.
func isTransient(error) bool { return false }

// runnable lets everybody run a file, and its owner alone change it.
func runnable(f *os.File) error { return f.Chmod(0o755) }
