package home

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

const (
	runLock   = stateFolder + "/lock"
	runPID    = stateFolder + "/lock.pid"
	renewLock = stateFolder + "/renew.lock"
	writeLock = stateFolder + "/write.lock"

	// A write takes milliseconds; one that takes this long will not end.
	writeWait = 15 * time.Second
)

// ErrLocked says that a connector already runs in this home. The error that
// wraps it names the process, if known.
var ErrLocked = errors.New("a connector already runs here")

// Lock claims the home for a running connector, until unlock is called or the
// process ends, however it ends. The error is an ErrLocked when another has it.
// Commands that only read or write files need no claim.
func (h *Home) Lock() (unlock func() error, err error) {
	var lock *flock.Flock
	err = h.exclusively(func(root *os.Root) error {
		lock, err = newLock(root, h.Path(runLock), runLock)
		if err != nil {
			return cause(err)
		}
		ok, err := lock.TryLock()
		if err != nil {
			return cause(err)
		}
		if !ok {
			return h.holder()
		}
		// The number lies in a file of its own because a locked file cannot be
		// read on Windows. It only adorns a message.
		_ = writeFile(root, runPID, []byte(strconv.Itoa(os.Getpid())+"\n"))
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("lock the home %s: %w", h.dir, err)
	}
	return func() error {
		_ = os.Remove(h.Path(runPID)) // a number left behind is overwritten by the next holder
		if err := lock.Close(); err != nil {
			return fmt.Errorf("unlock the home %s: %w", h.dir, err)
		}
		return nil
	}, nil
}

// LockInstalls claims this machine for a command that installs or removes a
// connector, until unlock is called or the process ends. Where nobody but root
// may write it claims nothing: who is not root changes no more than a home.
func LockInstalls() (unlock func(), err error) {
	f, err := os.OpenFile(installLock(), os.O_RDWR|os.O_CREATE, 0o600)
	if errors.Is(err, fs.ErrPermission) {
		return func() {}, nil
	}
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("lock out other installs: %w", err)
	}
	lock := flock.New(installLock(), flock.SetFlag(os.O_RDWR))
	switch ok, err := lock.TryLock(); {
	case err != nil:
		return nil, fmt.Errorf("lock out other installs: %w", err)
	case !ok:
		return nil, errors.New("another install or uninstall is at work on this machine; run this again when it has ended")
	}
	return func() { _ = lock.Close() }, nil // closing is all there is to unlocking
}

func (h *Home) holder() error {
	data, err := contents(anywhere{}, h.Path(runPID))
	pid, bad := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil || bad != nil {
		return ErrLocked
	}
	return fmt.Errorf("%w: process %d", ErrLocked, pid)
}

// LockRenewal claims the home for a command that exchanges its key pair, until
// unlock is called or the process ends.
func (h *Home) LockRenewal() (unlock func(), err error) {
	var lock *flock.Flock
	err = h.exclusively(func(root *os.Root) error {
		if lock, err = newLock(root, h.Path(renewLock), renewLock); err != nil {
			return cause(err)
		}
		ok, err := lock.TryLock()
		if err == nil && !ok {
			err = errors.New("another command is exchanging its key pair")
		}
		return cause(err)
	})
	if err != nil {
		return nil, fmt.Errorf("lock the key pair of %s: %w", h.dir, err)
	}
	return func() { _ = lock.Close() }, nil // closing is all there is to unlocking
}

// Locked reports whether a connector runs here: whether Lock would be refused.
func (h *Home) Locked() bool {
	if info, err := os.Lstat(h.Path(runLock)); err != nil || !info.Mode().IsRegular() {
		return false
	}
	lock := flock.New(h.Path(runLock), flock.SetFlag(os.O_RDWR))
	ok, err := lock.TryLock()
	_ = lock.Close() // whatever it came to
	return err == nil && !ok
}

// lockWrites waits until no other process writes to the home.
func (h *Home) lockWrites(root *os.Root) (unlock func(), err error) {
	lock, err := newLock(root, h.Path(writeLock), writeLock)
	if err == nil {
		ctx, cancel := context.WithTimeout(context.Background(), writeWait)
		defer cancel()
		_, err = lock.TryLockContext(ctx, 5*time.Millisecond)
		if errors.Is(err, context.DeadlineExceeded) {
			err = fmt.Errorf("another process has been writing there for %s", writeWait)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", h.Path(writeLock), cause(err))
	}
	return func() { _ = lock.Close() }, nil // closing is all there is to unlocking
}

// newLock makes the file that is locked, with the owner of the home. It stays
// for ever: if it were removed, two could lock two files of one name.
// One that is there may be a link that the account has made.
func newLock(root *os.Root, path, name string) (*flock.Flock, error) {
	if err := makeFolder(root, stateFolder); err != nil {
		return nil, err
	}
	f, err := root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		f, err = openItself(root, name)
	}
	if err != nil {
		return nil, err
	}
	if err := errors.Join(adopt(root, f), f.Close()); err != nil {
		return nil, err
	}
	return flock.New(path, flock.SetFlag(os.O_RDWR)), nil
}
