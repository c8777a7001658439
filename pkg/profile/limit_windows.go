package profile

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"
)

// confine does nothing here: the connector puts the process into a job.
func confine(uint64) error { return nil }

// isolate keeps the process from holding on to anything of the connector's: no
// console, and no folder that could then not be removed.
func isolate(cmd *exec.Cmd) {
	cmd.Dir = os.Getenv("SystemRoot")
	cmd.SysProcAttr = &syscall.SysProcAttr{HideWindow: true, CreationFlags: windows.CREATE_NO_WINDOW}
}

// fence puts a started process into a job that limits its memory, lets it start
// no others, and ends it when the connector ends, however that does. The
// process waits for its script meanwhile, so it runs none outside the job.
func fence(cmd *exec.Cmd, memoryMB int) (release func(), err error) {
	job, err := windows.CreateJobObject(nil, nil)
	if err != nil {
		return nil, fmt.Errorf("create a job object: %w", err)
	}
	release = func() { _ = windows.CloseHandle(job) } // nothing is left to be done about it
	limits := windows.JOBOBJECT_EXTENDED_LIMIT_INFORMATION{
		BasicLimitInformation: windows.JOBOBJECT_BASIC_LIMIT_INFORMATION{
			LimitFlags: windows.JOB_OBJECT_LIMIT_PROCESS_MEMORY | windows.JOB_OBJECT_LIMIT_ACTIVE_PROCESS |
				windows.JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE | windows.JOB_OBJECT_LIMIT_DIE_ON_UNHANDLED_EXCEPTION,
			ActiveProcessLimit: 1,
		},
		// The runtime commits about 64 MiB before any script runs.
		ProcessMemoryLimit: uintptr(memoryMB+memoryMB/4+96) << 20,
	}
	_, err = windows.SetInformationJobObject(job, windows.JobObjectExtendedLimitInformation,
		uintptr(unsafe.Pointer(&limits)), uint32(unsafe.Sizeof(limits)))
	if err == nil {
		err = errors.Join(cmd.Process.WithHandle(func(handle uintptr) {
			err = windows.AssignProcessToJobObject(job, windows.Handle(handle))
		}), err)
	}
	if err != nil {
		release()
		return nil, fmt.Errorf("put the mapper process into a job object: %w", err)
	}
	return release, nil
}
