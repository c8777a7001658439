//go:build unix

package doctor

import (
	"context"
	"syscall"

	"github.com/shirou/gopsutil/v3/disk"
	"golang.org/x/sys/unix"
)

// errTaken is what listening on a taken port ends with.
const errTaken = syscall.EADDRINUSE

func diskOf(ctx context.Context, dir string) (Disk, error) {
	u, err := disk.UsageWithContext(ctx, dir)
	if err != nil {
		return Disk{}, err
	}
	d := Disk{Path: dir, Type: u.Fstype, Total: u.Total, Free: u.Free}
	if u.InodesTotal > 0 {
		d.Entries = &u.InodesFree
	}
	// Write access is refused for this reason before any other, root's too.
	d.ReadOnly = unix.Access(dir, unix.W_OK) == unix.EROFS
	quotaOf(&d)
	return d, nil
}
