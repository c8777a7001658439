package home

import (
	"fmt"
	"slices"
	"unsafe"

	"golang.org/x/sys/windows"
)

// everybody are the groups that any user of the machine is in.
var everybody = map[windows.WELL_KNOWN_SID_TYPE]string{
	windows.WinWorldSid:             "everyone",
	windows.WinAuthenticatedUserSid: "every authenticated user",
	windows.WinBuiltinUsersSid:      "every user of this machine",
	windows.WinBuiltinGuestsSid:     "guests",
}

// exposed looks at the access lists of the folder and of the files in it, which
// inherit the folder's unless somebody gave them another.
func (h *Home) exposed() ([]string, error) {
	var exposed []string
	for _, name := range slices.Concat([]string{"."}, secretFiles, privateFiles) {
		path := h.Path(name)
		info, err := windows.GetNamedSecurityInfo(path, windows.SE_FILE_OBJECT, windows.DACL_SECURITY_INFORMATION)
		if err == windows.ERROR_FILE_NOT_FOUND || err == windows.ERROR_PATH_NOT_FOUND {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		dacl, _, err := info.DACL()
		if err != nil || dacl == nil {
			exposed = append(exposed, path+": everyone has full access")
			continue
		}
		for i := range uint32(dacl.AceCount) {
			var ace *windows.ACCESS_ALLOWED_ACE
			if windows.GetAce(dacl, i, &ace) != nil || ace.Header.AceType != windows.ACCESS_ALLOWED_ACE_TYPE {
				continue
			}
			sid := (*windows.SID)(unsafe.Pointer(&ace.SidStart)) //nolint:gosec // so the system lays an entry out
			const reads = windows.FILE_READ_DATA | windows.FILE_WRITE_DATA | windows.GENERIC_READ | windows.GENERIC_WRITE | windows.GENERIC_ALL
			for kind, who := range everybody {
				if sid.IsWellKnown(kind) && ace.Mask&reads != 0 {
					exposed = append(exposed, path+": "+who+" can read or write it")
				}
			}
		}
	}
	return exposed, nil
}

// systemDirs are the folders that installers make.
func systemDirs() []string { return []string{systemDir("")} }
