package service

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"unsafe"

	"golang.org/x/sys/windows"
)

// modify is what the service may do in its folders: everything but change who
// else may.
const modify = windows.FILE_GENERIC_READ | windows.FILE_GENERIC_WRITE | windows.FILE_GENERIC_EXECUTE | windows.DELETE

func entrust(ctx context.Context, u Unit) (Change, error) {
	sid, _, _, err := windows.LookupSID("", `NT SERVICE\`+u.Name)
	if err != nil {
		return Change{}, fmt.Errorf("look for the account of the service %s: %w", u.Name, err)
	}
	var undo []func() error
	for _, dir := range append([]string{u.Home}, u.Writable...) {
		back, failed := admit(dir, sid)
		if back != nil {
			undo = append(undo, back)
		}
		if err = errors.Join(failed, ctx.Err()); err != nil {
			err = fmt.Errorf("let the service %s into %s: %w", u.Name, dir, denied(err))
			break
		}
	}
	if len(undo) == 0 {
		return Change{}, err
	}
	return Change{undo: func(context.Context) error {
		var left []error
		for _, back := range slices.Backward(undo) {
			left = append(left, back())
		}
		return errors.Join(left...)
	}}, err
}

func entrusted(_ context.Context, u Unit) (bool, error) {
	sid, _, _, err := windows.LookupSID("", `NT SERVICE\`+u.Name)
	if err != nil {
		return false, nil //nolint:nilerr // the account comes with the service
	}
	for _, dir := range append([]string{u.Home}, u.Writable...) {
		info, err := windows.GetNamedSecurityInfo(dir, windows.SE_FILE_OBJECT, windows.DACL_SECURITY_INFORMATION)
		if errors.Is(err, windows.ERROR_FILE_NOT_FOUND) || errors.Is(err, windows.ERROR_PATH_NOT_FOUND) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		list, _, err := info.DACL()
		if err != nil || !admitted(list, sid) {
			return false, err
		}
	}
	return true, nil
}

// admit adds an account to those that may use a folder, and what is or will be
// in it. Whoever may do so already keeps that right.
func admit(dir string, sid *windows.SID) (back func() error, err error) {
	before, err := windows.GetNamedSecurityInfo(dir, windows.SE_FILE_OBJECT, windows.DACL_SECURITY_INFORMATION)
	if err != nil {
		return nil, err
	}
	old, _, err := before.DACL()
	if err != nil {
		return nil, err
	}
	if admitted(old, sid) {
		return nil, nil
	}
	list, err := windows.ACLFromEntries([]windows.EXPLICIT_ACCESS{{
		AccessPermissions: modify,
		AccessMode:        windows.GRANT_ACCESS,
		Inheritance:       windows.SUB_CONTAINERS_AND_OBJECTS_INHERIT,
		Trustee: windows.TRUSTEE{
			TrusteeForm: windows.TRUSTEE_IS_SID, TrusteeType: windows.TRUSTEE_IS_UNKNOWN,
			TrusteeValue: windows.TrusteeValueFromSID(sid),
		},
	}}, old)
	if err != nil {
		return nil, err
	}
	set := func(list *windows.ACL) error {
		return windows.SetNamedSecurityInfo(dir, windows.SE_FILE_OBJECT, windows.DACL_SECURITY_INFORMATION, nil, nil, list, nil)
	}
	return func() error {
		err := set(old)
		if errors.Is(err, windows.ERROR_FILE_NOT_FOUND) || errors.Is(err, windows.ERROR_PATH_NOT_FOUND) {
			return nil
		}
		return err
	}, set(list)
}

// admitted reports whether a list gives an account all that it is to have.
func admitted(list *windows.ACL, sid *windows.SID) bool {
	if list == nil { // everybody may do everything
		return false
	}
	for i := range uint32(list.AceCount) {
		var ace *windows.ACCESS_ALLOWED_ACE
		if windows.GetAce(list, i, &ace) != nil || ace.Header.AceType != windows.ACCESS_ALLOWED_ACE_TYPE {
			continue
		}
		who := (*windows.SID)(unsafe.Pointer(&ace.SidStart)) //nolint:gosec // so the system lays an entry out
		const inherited = windows.OBJECT_INHERIT_ACE | windows.CONTAINER_INHERIT_ACE
		if who.Equals(sid) && ace.Mask&modify == modify && ace.Header.AceFlags&inherited == inherited {
			return true
		}
	}
	return false
}
