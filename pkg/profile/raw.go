package profile

import (
	"encoding/base64"

	"ad-ldap-connector/pkg/identity"
)

// photo is the one attribute whose values the mapper gets as Buffers. The name
// is matched with case, as the existing connector does. Its objectGUID and
// objectSid are text when they come here.
const photo = "thumbnailPhoto"

// appendRaw appends raw_data, what a mapper is told of a user, as one JSON
// object: dn, controls, the attributes in the server's order and spelling, then
// ldapStatus, groups and organizationUnits. A name that comes twice keeps its
// last value, as JSON.parse reads it. The values of a photo are base64 here,
// and the child makes Buffers of them.
func appendRaw(dst []byte, user *identity.Entry, groups []identity.Group, status identity.Status, u Units) []byte {
	dst = append(dst, `{"dn":`...)
	dst = appendString(dst, user.DN)
	dst = append(dst, `,"controls":[]`...)
	for i := range user.Attributes {
		a := &user.Attributes[i]
		dst = append(dst, ',')
		dst = appendString(dst, a.Name)
		dst = append(dst, ':')
		if a.Name == photo {
			dst = appendValues(dst, a.Values, appendBase64)
		} else {
			dst = appendValues(dst, a.Values, appendString[[]byte])
		}
	}
	if status != "" {
		dst = append(dst, `,"ldapStatus":`...)
		dst = appendString(dst, string(status))
	}
	if groups != nil {
		dst = append(dst, `,"groups":`...)
		dst = appendGroups(dst, groups)
	}
	dst = append(dst, `,"organizationUnits":`...)
	dst = appendUnits(dst, u, user.DN)
	return append(dst, '}')
}

// appendValues appends one value as itself, any other number as an array.
func appendValues(dst []byte, values [][]byte, one func(dst, value []byte) []byte) []byte {
	if len(values) == 1 {
		return one(dst, values[0])
	}
	dst = append(dst, '[')
	for i, v := range values {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = one(dst, v)
	}
	return append(dst, ']')
}

func appendBase64(dst, value []byte) []byte {
	dst = append(dst, '"')
	dst = base64.StdEncoding.AppendEncode(dst, value)
	return append(dst, '"')
}

func appendGroups(dst []byte, groups []identity.Group) []byte {
	dst = append(dst, '[')
	for i := range groups {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendLabel(dst, groups[i].Label)
	}
	return append(dst, ']')
}
