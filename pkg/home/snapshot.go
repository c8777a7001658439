package home

import (
	"fmt"
	"os"
)

// A Snapshot is the files that Replace replaces, as they were at one moment. It
// holds secrets.
type Snapshot struct{ files files }

// Snapshot returns the files as they are now.
func (h *Home) Snapshot() (Snapshot, error) {
	root, err := os.OpenRoot(h.dir)
	if err != nil {
		return Snapshot{}, fmt.Errorf("open the home %s: %w", h.dir, cause(err))
	}
	defer func() { _ = root.Close() }() // a folder's handle has nothing to flush
	wanted := files{caBundle: nil}
	for _, name := range replaceable {
		wanted[name] = nil
	}
	found, err := h.current(root, wanted)
	return Snapshot{found}, err
}

// TakeBack makes the files again what they were, all of them or none, and
// removes the backup that replacing them made, "" if it made none. It may be
// repeated.
func (h *Home) TakeBack(s Snapshot, backup string) error {
	mine, err := h.replace(s.files)
	if err != nil {
		return err
	}
	for _, folder := range []string{mine, backup} {
		if folder == "" {
			continue
		}
		if err := os.RemoveAll(folder); err != nil {
			return fmt.Errorf("remove %s: %w", folder, cause(err))
		}
	}
	_ = os.Remove(h.Path(backupsFolder)) // unless it has another one
	return nil
}
