package doctor

import (
	"os"
	"os/user"
	"runtime"
	"strconv"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A quotaBlock is what quotactl(2) tells of one user: struct if_dqblk of the
// kernel's dqblk interface. Limits are in blocks of 1 KiB, usage in octets; a
// limit of 0 is none.
type quotaBlock struct {
	hardBlocks, softBlocks, used uint64
	hardFiles, softFiles, files  uint64
	blocksTime, filesTime        uint64
	valid                        uint32
	_                            uint32
}

const (
	getUserQuota  = 0x800007 << 8 // QCMD(Q_GETQUOTA, USRQUOTA)
	quotaBlockLen = 1 << 10
)

// quotaOf adds the quota of the owner of a folder, who will own the files in
// it. Without quotas, or before Linux 5.14, there is none that is known.
func quotaOf(d *Disk) {
	f, err := os.Open(d.Path)
	if err != nil {
		return
	}
	defer func() { _ = f.Close() }() // it was not even read
	i, err := f.Stat()
	if err != nil {
		return
	}
	owner, ok := i.Sys().(*syscall.Stat_t)
	if !ok {
		return
	}
	var q quotaBlock
	_, _, errno := unix.Syscall6(unix.SYS_QUOTACTL_FD, f.Fd(), getUserQuota, uintptr(owner.Uid), uintptr(unsafe.Pointer(&q)), 0, 0) //nolint:gosec // the kernel fills in no more than its struct
	runtime.KeepAlive(f)
	if errno != 0 || q.hardBlocks == 0 {
		return
	}
	left := uint64(0)
	if limit := q.hardBlocks * quotaBlockLen; limit > q.used {
		left = limit - q.used
	}
	name := "the user " + strconv.Itoa(int(owner.Uid))
	if u, err := user.LookupId(strconv.Itoa(int(owner.Uid))); err == nil {
		name = u.Username
	}
	d.QuotaLeft, d.QuotaOf = &left, name+"'s"
}
