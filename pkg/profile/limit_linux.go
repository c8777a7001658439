package profile

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"os/exec"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// confine limits this process to extra octets of data beyond what it has, and
// to no files and no core dumps, which would hold users' entries. RLIMIT_AS
// would not do: Go reserves far more addresses than it uses.
func confine(extra uint64) error {
	data, err := dataSize()
	if err != nil {
		return err
	}
	for _, l := range []struct {
		resource int
		most     uint64
	}{{unix.RLIMIT_DATA, data + extra}, {unix.RLIMIT_CORE, 0}, {unix.RLIMIT_FSIZE, 0}} {
		var limit unix.Rlimit
		if err := unix.Getrlimit(l.resource, &limit); err != nil {
			return err
		}
		limit.Max = min(limit.Max, l.most)
		limit.Cur = limit.Max
		if err := unix.Setrlimit(l.resource, &limit); err != nil {
			return err
		}
	}
	return nil
}

// dataSize returns what the kernel counts against RLIMIT_DATA.
func dataSize() (uint64, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	for l := range bytes.Lines(status) {
		if rest, ok := bytes.CutPrefix(l, []byte("VmData:")); ok {
			kb, err := strconv.ParseUint(string(bytes.TrimSuffix(bytes.TrimSpace(rest), []byte(" kB"))), 10, 64)
			return kb << 10, err
		}
	}
	return 0, fmt.Errorf("/proc/self/status has no VmData")
}

// isolate keeps the process from holding on to anything of the connector's.
func isolate(cmd *exec.Cmd) {
	// Go's own files close on exec; those that this process was started with
	// may not. Kernels before 5.11 cannot do this, and then they stay open, to
	// no script's use.
	_ = unix.CloseRange(3, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a terminal's signals are not for it
}

// fence limits a started process from outside. Here it limits itself.
func fence(*exec.Cmd, int) (release func(), err error) { return func() {}, nil }
