package directory

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/go-ldap/ldap/v3"
)

// labels of one entry, by one property and by several.
func labelsOf(e *ldap.Entry, properties ...string) (single, several string, ok bool) {
	one := New(Options{GroupProperty: properties[0]})
	g, ok := one.group(e)
	all := New(Options{GroupProperties: properties})
	o, _ := all.group(e)
	return string(g.Label), string(o.Label), ok
}

func TestLabels(t *testing.T) {
	e := ldap.NewEntry("CN=A <&> b,DC=x", map[string][]string{"CN": {"A <&> b"}, "mail": {"m1", "m2"}})
	e.Attributes = append(e.Attributes, &ldap.EntryAttribute{Name: "objectSid", ByteValues: [][]byte{octets(t, "01010000000000050b000000")}})
	for _, test := range []struct {
		properties      []string
		single, several string
		ok              bool
	}{
		{[]string{"cn"}, `"A <&> b"`, `{"cn":"A <&> b"}`, true},
		{[]string{"DN", "Cn"}, `"CN=A <&> b,DC=x"`, `{"DN":"CN=A <&> b,DC=x","Cn":"A <&> b"}`, true},
		{[]string{"mail", "none", "objectSid"}, `["m1","m2"]`, `{"mail":["m1","m2"],"objectSid":"S-1-5-11"}`, true},
		{[]string{"none"}, ``, `{}`, false},
	} {
		if single, several, ok := labelsOf(e, test.properties...); single != test.single || several != test.several || ok != test.ok {
			t.Errorf("%q: %s, %s, %t", test.properties, single, several, ok)
		}
	}
}

// Whatever a directory holds, a label is JSON in UTF-8 that says it.
func FuzzLabel(f *testing.F) {
	f.Add("cn", "Domain Users", "CN=Domain Users,DC=x")
	f.Add("objectSid", "\x01\x01\x00\x00\x00\x00\x00\x05\x0b\x00\x00\x00", "")
	f.Add("objectGUID", "0123456789abcdef", "x")
	f.Add("cn", "\xff\xfe\"\\\u2028</script>", "\x00")
	f.Add(`a"b`, "", "d\n")
	f.Fuzz(func(t *testing.T, name, value, dn string) {
		e := ldap.NewEntry(dn, map[string][]string{name: {value, value + "x"}})
		single, several, ok := labelsOf(e, name, "dn")
		if several == "" || !json.Valid([]byte(several)) || !utf8.ValidString(several) {
			t.Errorf("%q %q %q: object %q", name, value, dn, several)
		}
		if ok != (single != "") || ok && (!json.Valid([]byte(single)) || !utf8.ValidString(single) || strings.Contains(single, "\n")) {
			t.Errorf("%q %q %q: %q, %t", name, value, dn, single, ok)
		}
	})
}
