package directory

import (
	"encoding/binary"
	"encoding/hex"
	"strconv"
	"strings"

	"ad-ldap-connector/pkg/identity"

	"github.com/go-ldap/ldap/v3"
)

// entry converts an entry as it came from the server. Attributes keep the
// server's order and spelling. objectGUID and objectSid become their text,
// because mappers have always seen them so; all other values stay octets.
func entry(e *ldap.Entry) *identity.Entry {
	out := &identity.Entry{DN: e.DN, Attributes: make([]identity.Attribute, len(e.Attributes))}
	for i, a := range e.Attributes {
		values := a.ByteValues
		switch {
		case strings.EqualFold(a.Name, "objectGUID"):
			values = convert(values, guid)
		case strings.EqualFold(a.Name, "objectSid"):
			values = convert(values, sid)
		}
		out.Attributes[i] = identity.Attribute{Name: a.Name, Values: values}
	}
	return out
}

func entries(from []*ldap.Entry) []*identity.Entry {
	out := make([]*identity.Entry, len(from))
	for i, e := range from {
		out[i] = entry(e)
	}
	return out
}

// convert replaces each value by its text, and leaves out what has none.
func convert(values [][]byte, text func([]byte) (string, bool)) [][]byte {
	out := make([][]byte, 0, len(values))
	for _, v := range values {
		if s, ok := text(v); ok {
			out = append(out, []byte(s))
		}
	}
	return out
}

// guid returns the text of an objectGUID: lower case, the first three groups
// little-endian (MS-DTYP, section 2.3.4.2). What is not 16 octets stays as it
// is, because other directories keep text under that name.
func guid(b []byte) (string, bool) {
	if len(b) != 16 {
		return string(b), true
	}
	swapped := []byte{b[3], b[2], b[1], b[0], b[5], b[4], b[7], b[6]}
	s := hex.EncodeToString(append(swapped, b[8:]...))
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:], true
}

// sid returns the text of an objectSid (MS-DTYP, sections 2.4.2.1 and
// 2.4.2.2): revision, number of sub-authorities, authority (6 octets,
// big-endian), sub-authorities (4 octets each, little-endian). Text of that
// form is left alone; anything else is no value.
func sid(b []byte) (string, bool) {
	if strings.HasPrefix(string(b), "S-1-") {
		return string(b), true
	}
	if len(b) < 8 || b[0] != 1 || len(b) != 8+4*int(b[1]) || b[1] > 15 {
		return "", false
	}
	authority := uint64(binary.BigEndian.Uint16(b[2:4]))<<32 | uint64(binary.BigEndian.Uint32(b[4:8]))
	var s strings.Builder
	s.WriteString("S-1-")
	if authority < 1<<32 {
		s.WriteString(strconv.FormatUint(authority, 10))
	} else {
		s.WriteString("0x" + hex.EncodeToString(b[2:8]))
	}
	for rest := b[8:]; len(rest) > 0; rest = rest[4:] {
		s.WriteString("-" + strconv.FormatUint(uint64(binary.LittleEndian.Uint32(rest)), 10))
	}
	return s.String(), true
}

// sidText is sid for what is one.
func sidText(octets string) string {
	text, _ := sid([]byte(octets))
	return text
}

// sidOctets returns the octets of a SID's text.
func sidOctets(text string) (string, bool) {
	parts := strings.Split(text, "-")
	if len(parts) < 3 || len(parts) > 3+15 || parts[0] != "S" || parts[1] != "1" {
		return "", false
	}
	digits, base := parts[2], 10
	if hexadecimal, large := strings.CutPrefix(digits, "0x"); large {
		digits, base = hexadecimal, 16
	}
	authority, err := strconv.ParseUint(digits, base, 48)
	if err != nil {
		return "", false
	}
	b := binary.BigEndian.AppendUint64(nil, authority)
	b[0], b[1] = 1, byte(len(parts)-3)
	for _, part := range parts[3:] {
		n, err := strconv.ParseUint(part, 10, 32)
		if err != nil {
			return "", false
		}
		b = binary.LittleEndian.AppendUint32(b, uint32(n))
	}
	return string(b), true
}
