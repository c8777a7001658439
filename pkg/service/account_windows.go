package service

import (
	"crypto/sha1" // it is how Windows names an account, and protects nothing
	"encoding/binary"
	"fmt"
	"strings"
	"unicode/utf16"
	"unsafe"

	"golang.org/x/sys/windows"
)

// accountSID is the account that Windows makes for a service, which has none of
// its own making: S-1-5-80 and the digest of the name in capitals. It can be
// let into a folder before there is such a service.
func accountSID(name string) string {
	var octets []byte
	for _, unit := range utf16.Encode([]rune(strings.ToUpper(name))) {
		octets = binary.LittleEndian.AppendUint16(octets, unit)
	}
	sum := sha1.Sum(octets)
	text := "S-1-5-80"
	for i := 0; i < len(sum); i += 4 {
		text += fmt.Sprintf("-%d", binary.LittleEndian.Uint32(sum[i:]))
	}
	return text
}

// admitting is a list with the account added to those that may use a folder, and
// what is or will be in it. Whoever may do so already keeps that right.
func admitting(old *windows.ACL, name string) (*windows.ACL, error) {
	sid, err := windows.StringToSid(accountSID(name))
	if err != nil {
		return nil, err
	}
	return windows.ACLFromEntries([]windows.EXPLICIT_ACCESS{{
		AccessPermissions: modify,
		AccessMode:        windows.GRANT_ACCESS,
		Inheritance:       windows.SUB_CONTAINERS_AND_OBJECTS_INHERIT,
		Trustee: windows.TRUSTEE{
			TrusteeForm: windows.TRUSTEE_IS_SID, TrusteeType: windows.TRUSTEE_IS_UNKNOWN,
			TrusteeValue: windows.TrusteeValueFromSID(sid),
		},
	}}, old)
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
