package home

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// syncFolder has nothing to do: NTFS journals the rename itself, and a folder
// cannot be flushed.
func syncFolder(*os.Root, string) error { return nil }

// adopt has nothing to do: a new file inherits the access of its folder.
func adopt(*os.Root, *os.File) error { return nil }

// isShared is never so: a link to a file takes a right that services have not.
func isShared(string) bool { return false }

// isTransient recognises what a rename gets while somebody has the file open
// without sharing it for deletion.
func isTransient(err error) bool {
	return errors.Is(err, windows.ERROR_SHARING_VIOLATION) ||
		errors.Is(err, windows.ERROR_LOCK_VIOLATION) ||
		errors.Is(err, windows.ERROR_ACCESS_DENIED)
}

// tighten keeps others out of a folder and all that is made in it: the system,
// the administrators and the current user have full access, nobody else any.
// A list that is protected already, so no longer inherited from above, was set
// here before, or by somebody who then let a service's account in; it stays.
func tighten(dir string) error {
	current, err := windows.GetNamedSecurityInfo(dir, windows.SE_FILE_OBJECT, windows.DACL_SECURITY_INFORMATION)
	if err != nil {
		return err
	}
	if control, _, err := current.Control(); err == nil && control&windows.SE_DACL_PROTECTED != 0 {
		return nil
	}
	user, err := windows.GetCurrentProcessToken().GetTokenUser()
	if err != nil {
		return err
	}
	const full = "(A;OICI;FA;;;"
	wanted, err := windows.SecurityDescriptorFromString("D:P" + full + "SY)" + full + "BA)" + full + user.User.Sid.String() + ")")
	if err != nil {
		return err
	}
	dacl, _, err := wanted.DACL()
	if err != nil {
		return err
	}
	return windows.SetNamedSecurityInfo(dir, windows.SE_FILE_OBJECT,
		windows.DACL_SECURITY_INFORMATION|windows.PROTECTED_DACL_SECURITY_INFORMATION, nil, nil, dacl, nil)
}

// isPrivate reports whether only the owner may read and write a file: here the
// folder's access list says so.
func isPrivate(os.FileInfo) bool { return true }

// putAside moves a program that is to be replaced away: one that runs cannot be
// written over, but it can be renamed.
func putAside(name, aside string) error { return os.Rename(name, aside) }
