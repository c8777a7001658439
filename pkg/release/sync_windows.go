package release

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// sync has nothing to do: NTFS keeps a journal of its folders, and cannot flush
// one.
func (s *staging) sync() error { return nil }

// isTransient recognises what a rename gets while a virus scanner looks at the
// new program.
func isTransient(err error) bool {
	return errors.Is(err, windows.ERROR_SHARING_VIOLATION) ||
		errors.Is(err, windows.ERROR_LOCK_VIOLATION) ||
		errors.Is(err, windows.ERROR_ACCESS_DENIED)
}

// runnable has nothing to do: a file's name makes it a program.
func runnable(*os.File) error { return nil }
