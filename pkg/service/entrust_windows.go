package service

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/windows"
)

// A guard is a folder whose access list is to let the account in.
type guard struct {
	dir  string
	list string // the whole list as it is to be, or "": the account is added to it
	// own makes a list that also has entries of the folders above, as that of the
	// folder of programs lets every user read, one of the folder's own: without
	// those entries, and with the system and the administrators.
	own bool
}

// guards are the folders of u, in the order in which they are seen to. The
// program's folder comes first: once the account may write to the home, it must
// not find a folder there that is led elsewhere in the meantime.
func (u Unit) guards() []guard {
	var all []guard
	bin := filepath.Dir(u.Program)
	if below, err := filepath.Rel(u.Home, bin); err == nil && filepath.IsLocal(below) && below != "." {
		all = append(all, guard{dir: bin, list: programList(u.Name), own: true})
	}
	all = append(all, guard{dir: u.Home, own: true})
	for _, dir := range u.Writable {
		all = append(all, guard{dir: dir})
	}
	return all
}

// programList keeps the account from changing the program that it runs, and an
// administrator too: nothing is inherited from the home.
func programList(name string) string {
	return keepers + fmt.Sprintf("(A;OICI;0x%x;;;%s)", execute, accountSID(name))
}

// keepers are the system and the administrators, who may do everything.
const keepers = "(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)"

const (
	// modify is what the service may do in its folders: everything but change
	// who else may.
	modify = windows.FILE_GENERIC_READ | windows.FILE_GENERIC_WRITE | windows.FILE_GENERIC_EXECUTE | windows.DELETE
	// execute is what it may do with its program.
	execute = windows.FILE_GENERIC_READ | windows.FILE_GENERIC_EXECUTE
)

func entrust(ctx context.Context, u Unit) (Change, error) {
	var undo []func() error
	var err error
	for _, g := range u.guards() {
		back, failed := g.set(u.Name)
		if back != nil {
			undo = append(undo, back)
		}
		if err = errors.Join(failed, ctx.Err()); err != nil {
			err = fmt.Errorf("let the service %s into %s: %w", u.Name, g.dir, denied(err))
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
	for _, g := range u.guards() {
		now, err := windows.GetNamedSecurityInfo(g.dir, windows.SE_FILE_OBJECT, windows.DACL_SECURITY_INFORMATION)
		if gone(err) {
			return false, nil
		}
		if err != nil {
			return false, fmt.Errorf("look who may use %s: %w", g.dir, denied(err))
		}
		if so, err := g.holds(now, u.Name); !so || err != nil {
			return false, err
		}
	}
	return true, nil
}

// holds reports whether a folder's list is as it is to be.
func (g guard) holds(now *windows.SECURITY_DESCRIPTOR, name string) (bool, error) {
	control, _, err := now.Control()
	if err != nil || g.own && control&windows.SE_DACL_PROTECTED == 0 {
		return false, err
	}
	if g.list != "" {
		wanted, err := windows.SecurityDescriptorFromString("D:P" + g.list)
		return err == nil && entries(now) == entries(wanted), err
	}
	sid, err := windows.StringToSid(accountSID(name))
	if err != nil {
		return false, err
	}
	list, _, err := now.DACL()
	return err == nil && admitted(list, sid), err
}

// entries are those of a list, as text: "D:PAI(A;...)" without what comes before
// the first of them.
func entries(d *windows.SECURITY_DESCRIPTOR) string {
	text := d.String()
	return text[max(0, strings.IndexByte(text, '(')):]
}

// set makes a folder's list as it is to be. There is no way back where there is
// nothing to do.
func (g guard) set(name string) (back func() error, err error) {
	info, err := os.Lstat(g.dir)
	if err == nil && !info.IsDir() { // a junction would lead to a folder of somebody else's
		err = errors.New("it is no folder")
	}
	if err != nil {
		return nil, err
	}
	before, err := windows.GetNamedSecurityInfo(g.dir, windows.SE_FILE_OBJECT, windows.DACL_SECURITY_INFORMATION)
	if err != nil {
		return nil, err
	}
	if so, err := g.holds(before, name); so || err != nil {
		return nil, err
	}
	control, _, err := before.Control()
	if err != nil {
		return nil, err
	}
	old, _, err := before.DACL()
	if err != nil {
		return nil, err
	}
	protected := control&windows.SE_DACL_PROTECTED != 0
	back = func() error {
		if err := setList(g.dir, old, protected); !gone(err) {
			return err
		}
		return nil
	}
	base := old // what the account is added to
	switch {
	case g.list != "":
		base, err = listOf(g.list)
	case g.own && !protected:
		base, err = listOf(explicit(before) + keepers) // what forbids comes first
	}
	if err == nil && g.list == "" {
		base, err = admitting(base, name)
	}
	if err != nil {
		return nil, err
	}
	return back, setList(g.dir, base, g.own || protected)
}

// explicit are the entries of a list that do not come from the folders above,
// without those of the keepers.
func explicit(d *windows.SECURITY_DESCRIPTOR) string {
	kept := ""
	for _, entry := range strings.SplitAfter(entries(d), ")") {
		fields := strings.Split(entry, ";")
		if len(fields) > 1 && !strings.Contains(fields[1], "ID") && !strings.Contains(keepers, entry) {
			kept += entry
		}
	}
	return kept
}

// listOf is the access list of these entries.
func listOf(text string) (*windows.ACL, error) {
	d, err := windows.SecurityDescriptorFromString("D:P" + text)
	if err != nil {
		return nil, err
	}
	list, _, err := d.DACL()
	return list, err
}

// setList gives a folder an access list, and what is in it the part that it
// inherits. One that is not protected inherits from above as well.
func setList(dir string, list *windows.ACL, protected bool) error {
	what := windows.SECURITY_INFORMATION(windows.DACL_SECURITY_INFORMATION | windows.UNPROTECTED_DACL_SECURITY_INFORMATION)
	if protected {
		what = windows.DACL_SECURITY_INFORMATION | windows.PROTECTED_DACL_SECURITY_INFORMATION
	}
	return windows.SetNamedSecurityInfo(dir, windows.SE_FILE_OBJECT, what, nil, nil, list, nil)
}

func gone(err error) bool {
	return errors.Is(err, windows.ERROR_FILE_NOT_FOUND) || errors.Is(err, windows.ERROR_PATH_NOT_FOUND)
}

// reclaim has nothing to do: the account is the service's, and no other ever has
// its number.
func reclaim(context.Context, Unit) (Change, error) { return Change{}, nil }
