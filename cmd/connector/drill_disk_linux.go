package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// smallDiskSize is how much the home of a connector has whose disk is to be full.
const smallDiskSize = "size=8m"

// startOnSmallDisk starts the connector in a mount namespace of its own, in
// which its home is a small file system. Without the right to that the disk is
// as full as a limit on the process can make it.
func startOnSmallDisk(g *drillGround) error {
	text, err := os.ReadFile(filepath.Join(g.home, "config.json"))
	if err != nil {
		return err
	}
	started := make(chan error, 1)
	go func() {
		// This thread is not the same as the others any more, and is never given
		// back: it ends with its goroutine. What it starts lives where it does.
		runtime.LockOSThread()
		if err := mountSmallDisk(g.home); err != nil {
			started <- err
			return
		}
		err := os.WriteFile(filepath.Join(g.home, "config.json"), text, 0o600)
		started <- errors.Join(err, g.start())
	}()
	switch err := <-started; {
	case errors.Is(err, fs.ErrPermission):
		return g.start()
	case err != nil:
		return err
	}
	g.inside = func(path string) string {
		return filepath.Join("/proc", fmt.Sprint(g.cmd.Process.Pid), "root", path)
	}
	return nil
}

func mountSmallDisk(dir string) error {
	if err := unix.Unshare(unix.CLONE_FS | unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("make a mount namespace: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("keep mounts to ourselves: %w", err)
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, smallDiskSize); err != nil {
		return fmt.Errorf("mount a small disk: %w", err)
	}
	return nil
}

func fillDisks(ctx context.Context, g *drillGround, _ *drillLoad, lasts time.Duration) ([]string, error) {
	ballast := g.inside(filepath.Join(g.home, "ballast"))
	if ballast == filepath.Join(g.home, "ballast") {
		return limitFiles(ctx, g.cmd, lasts)
	}
	if err := os.WriteFile(ballast, make([]byte, 64<<20), 0o600); !errors.Is(err, unix.ENOSPC) {
		return nil, fmt.Errorf("fill the small disk: %w", err)
	}
	err := pass(ctx, lasts)
	return []string{"a tmpfs in its own mount namespace was full"}, errors.Join(err, os.Remove(ballast))
}

// limitFiles lets no file of the connector grow: all writes to files fail.
func limitFiles(ctx context.Context, cmd *exec.Cmd, lasts time.Duration) ([]string, error) {
	var before unix.Rlimit
	if err := unix.Prlimit(cmd.Process.Pid, unix.RLIMIT_FSIZE, nil, &before); err != nil {
		return nil, fmt.Errorf("limit the connector's files: %w", err)
	}
	none := before
	none.Cur = 0
	if err := unix.Prlimit(cmd.Process.Pid, unix.RLIMIT_FSIZE, &none, nil); err != nil {
		return nil, fmt.Errorf("limit the connector's files: %w", err)
	}
	err := pass(ctx, lasts)
	return []string{"a limit on the size of its files (RLIMIT_FSIZE) stood for a full disk, which this user may not make"},
		errors.Join(err, unix.Prlimit(cmd.Process.Pid, unix.RLIMIT_FSIZE, &before, nil))
}
