package directory

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"

	"ad-ldap-connector/pkg/identity"

	"github.com/go-ldap/ldap/v3"
	"github.com/google/go-cmp/cmp"
)

func octets(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestEntry(t *testing.T) {
	photo := []byte{0xff, 0xd8, 0}
	got := entry(&ldap.Entry{DN: "CN=x", Attributes: []*ldap.EntryAttribute{
		{Name: "sn", ByteValues: [][]byte{[]byte("b"), []byte("a")}},
		{Name: "objectGUID", ByteValues: [][]byte{octets(t, "21 bd 8f ae 6c d6 78 4f ad 8e 53 ab 07 8c ee 16")}},
		{Name: "objectSid", ByteValues: [][]byte{octets(t, "01 05 00 00 00 00 00 05 15 00 00 00 dc f4 dc 3b 83 3d 2b 46 82 8b a6 28 00 02 00 00")}},
		{Name: "thumbnailPhoto", ByteValues: [][]byte{photo}},
		{Name: "CN", ByteValues: [][]byte{[]byte("x")}},
		{Name: "none", ByteValues: nil},
	}})
	want := &identity.Entry{DN: "CN=x", Attributes: []identity.Attribute{
		{Name: "sn", Values: [][]byte{[]byte("b"), []byte("a")}},
		{Name: "objectGUID", Values: [][]byte{[]byte("ae8fbd21-d66c-4f78-ad8e-53ab078cee16")}},
		{Name: "objectSid", Values: [][]byte{[]byte("S-1-5-21-1004336348-1177238915-682003330-512")}},
		{Name: "thumbnailPhoto", Values: [][]byte{photo}},
		{Name: "CN", Values: [][]byte{[]byte("x")}},
		{Name: "none"},
	}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestSID(t *testing.T) {
	for _, test := range []struct{ octets, want string }{
		{"01 00 00 00 00 00 00 01", "S-1-1"},
		{"01 01 00 00 00 00 00 05 12 00 00 00", "S-1-5-18"},
		{"01 01 00 00 00 00 00 05 ff ff ff ff", "S-1-5-4294967295"},
		{"01 01 00 00 ff ff ff ff 01 00 00 00", "S-1-4294967295-1"},
		{"01 01 01 00 00 00 00 05 01 00 00 00", "S-1-0x010000000005-1"},
		{"", ""},   // empty
		{"01", ""}, // cut in the header
		{"01 02 00 00 00 00 00 05 12 00 00 00", ""},    // one sub-authority short
		{"01 01 00 00 00 00 00 05 12 00 00 00 00", ""}, // too long
		{"02 01 00 00 00 00 00 05 12 00 00 00", ""},    // another revision
		{"01 10" + strings.Repeat("00", 6+64), ""},     // more than 15 sub-authorities
	} {
		got := convert([][]byte{octets(t, test.octets)}, sid)
		if test.want == "" && len(got) != 0 || test.want != "" && (len(got) != 1 || string(got[0]) != test.want) {
			t.Errorf("%s: %q, want %q", test.octets, got, test.want)
		}
	}
}

// A directory that is not Active Directory may keep text under these names.
func TestTextIsLeftAlone(t *testing.T) {
	if got, ok := guid([]byte("ae8fbd21-d66c-4f78-ad8e-53ab078cee16")); !ok || got != "ae8fbd21-d66c-4f78-ad8e-53ab078cee16" {
		t.Errorf("%q", got)
	}
	if got, ok := sid([]byte("S-1-5-18")); !ok || got != "S-1-5-18" {
		t.Errorf("%q", got)
	}
}

func FuzzGUID(f *testing.F) {
	f.Add(octets(f, "21bd8fae6cd6784fad8e53ab078cee16"))
	f.Add([]byte("short"))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, ok := guid(b)
		if !ok || len(b) == 16 && (len(got) != 36 || strings.ToLower(got) != got) || len(b) != 16 && got != string(b) {
			t.Errorf("%x: %q", b, got)
		}
	})
}

func FuzzSID(f *testing.F) {
	f.Add(octets(f, "010500000000000515000000dcf4dc3b833d2b46828ba62800020000"))
	f.Add([]byte("S-1-5-18"))
	f.Add([]byte{1, 255, 0, 0, 0, 0, 0, 5})
	f.Fuzz(func(t *testing.T, b []byte) {
		before := bytes.Clone(b)
		got, ok := sid(b)
		if ok != strings.HasPrefix(got, "S-1-") || !bytes.Equal(b, before) {
			t.Errorf("%x: %q, %v", b, got, ok)
		}
	})
}
