package home

import (
	"os"

	"golang.org/x/sys/windows"
)

// A mark says who may use a file. Files take that from the home, as long as
// nobody gave them a list of their own.
type mark struct {
	Name   string `json:"name"` // below the home, with slashes; "." is the home
	Access string `json:"access,omitempty"`
}

func (h *Home) markOf(_ *os.Root, name string) (mark, error) {
	m := mark{Name: name}
	if name != "." {
		return m, nil
	}
	d, err := windows.GetNamedSecurityInfo(h.dir, windows.SE_FILE_OBJECT, windows.DACL_SECURITY_INFORMATION)
	if err == nil {
		m.Access = d.String()
	}
	return m, err
}

func (h *Home) putMark(_ *os.Root, m mark) error {
	if m.Name != "." || m.Access == "" {
		return nil
	}
	d, err := windows.SecurityDescriptorFromString(m.Access)
	if err != nil {
		return err
	}
	list, _, err := d.DACL()
	if err != nil {
		return err
	}
	how := windows.SECURITY_INFORMATION(windows.UNPROTECTED_DACL_SECURITY_INFORMATION)
	if control, _, err := d.Control(); err == nil && control&windows.SE_DACL_PROTECTED != 0 {
		how = windows.PROTECTED_DACL_SECURITY_INFORMATION
	}
	return windows.SetNamedSecurityInfo(h.dir, windows.SE_FILE_OBJECT, windows.DACL_SECURITY_INFORMATION|how, nil, nil, list, nil)
}

// trusted has nothing to ask: the folder's own access list keeps others out.
func trusted(*os.Root, string) error { return nil }
