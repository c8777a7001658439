package profile

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"ad-ldap-connector/pkg/identity"
)

func TestRaw(t *testing.T) {
	e := entry("cn=x,ou=a", "cn", "x", "member!", "", "mail", "a", "mail", "b", "thumbnailPhoto", "\xff\x00", "jpegPhoto", "\xff\x00")
	for _, tt := range []struct {
		name   string
		groups []identity.Group
		status identity.Status
		units  Units
		want   string
	}{
		{"a search", nil, "", UnitsDN, `,"organizationUnits":"cn=x,ou=a"}`},
		{"a login", labels("g", `{"cn":"h"}`), identity.Active, UnitsDN, `,"ldapStatus":"active","groups":["g",{"cn":"h"}],"organizationUnits":"cn=x,ou=a"}`},
		{"a list", labels(), "", UnitsList, `,"groups":[],"organizationUnits":["a"]}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := string(appendRaw(nil, e, tt.groups, tt.status, tt.units))
			want := `{"dn":"cn=x,ou=a","controls":[],"cn":"x","member":[],"mail":["a","b"],"thumbnailPhoto":"/wA=","jpegPhoto":"` + "\ufffd" + `\u0000"` + tt.want
			if got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

func TestText(t *testing.T) {
	const r = "\ufffd"
	for in, want := range map[string]string{
		"":                                 "",
		"grüße €\U0001F600":                "grüße €\U0001F600",
		"\xef\xbb\xbfbom stays":            "\ufeffbom stays",
		"\x80":                             r,
		"\xc0\xaf":                         r + r,         // overlong
		"\xe0\x9f\xbf":                     r + r + r,     // overlong
		"\xed\xa0\x80":                     r + r + r,     // a surrogate
		"\xf4\x90\x80\x80":                 r + r + r + r, // above U+10FFFF
		"\xf5a":                            r + "a",
		"\xe2\x82":                         r, // cut off
		"\xe2\x82a":                        r + "a",
		"\xf0\x9f\x98":                     r,
		"\xf0\x9f\x98\xf0\x9f\x98\x80":     r + "\U0001F600",
		"\xe2\xe2\x82\xac":                 r + "€",
		"\x61\xf1\x80\x80\xe1\x80\xc2\x62": "a" + r + r + r + "b", // the Standard's own example
	} {
		if got := text([]byte(in)); got != want {
			t.Errorf("text(%q) = %q, want %q", in, got, want)
		}
		var got string
		if err := json.Unmarshal(appendString(nil, in), &got); err != nil || got != want {
			t.Errorf("appendString(%q) reads %q, %v, want %q", in, got, err, want)
		}
	}
}

// Labels keep their meaning and lose escapes that nobody needs; those that are
// no JSON stay none, and the profile's own check finds them.
func TestLabel(t *testing.T) {
	for in, want := range map[string]string{
		``:                           `null`,
		`"plain"`:                    `"plain"`,
		`"R\u0026D \u003cx\u003E"`:   `"R&D <x>"`,
		`"\u2028\u00e9"`:             "\"\u2028é\"",
		`"\ud83d\ude00"`:             "\"\U0001F600\"",
		`"\ud83d"`:                   `"\ud83d"`,
		`"\ud83d\u0041"`:             `"\ud83dA"`,
		`"\u0022\u005c\u000a\u0001"`: `"\"\\\n\u0001"`,
		`"\\u0026\n\""`:              `"\\u0026\n\""`,
		`"\u00"`:                     `"\u00"`,
		`"\`:                         `"\`,
		`"\uzzzz"`:                   `"\uzzzz"`,
	} {
		if got := string(appendLabel(nil, json.RawMessage(in))); got != want {
			t.Errorf("%s became %s, want %s", in, got, want)
		}
	}
}

func FuzzStrings(f *testing.F) {
	f.Add("a\xe2\x82b\xff\xed\xa0\x80\"\\\n\u2028")
	f.Add("\xf0\x9f\x98\x80\x00\x1f")
	f.Fuzz(func(t *testing.T, s string) {
		out := appendString(nil, s)
		var back string
		if err := json.Unmarshal(out, &back); err != nil || !utf8.Valid(out) {
			t.Fatalf("%q became %q: %v", s, out, err)
		}
		if back != text([]byte(s)) || utf8.ValidString(s) && back != s {
			t.Fatalf("%q reads back as %q", s, back)
		}
		if escaped, err := json.Marshal(back); err != nil || string(appendLabel(nil, escaped)) != string(out) {
			t.Fatalf("the label %s is not %s", escaped, out)
		}
	})
}

func TestUnits(t *testing.T) {
	for dn, want := range map[string]string{
		"":                               "",
		"cn=x,dc=org":                    "",
		"CN=x,OU=Staff,ou=People,DC=org": "Staff|People",
		"cn=x, OU = Staff , oU= People":  "Staff|People",
		`cn=x,ou=a\,b\+c\\d\"e\3d\C3\BC`: `a,b+c\d"e=ü`,
		`cn=x,ou=\ lead\ `:               " lead ",
		`cn=x,ou=\20sp\20`:               " sp ",
		"cn=x,ou=a+cn=b,ou=c":            "a|c",
		"uid=ou=x,ou=y":                  "y",
		"2.5.4.11=oid,dc=org":            "oid",
		`cn="ou=no, really";ou="a, b "`:  "a, b ",
		`cn=ou\=a\,ou=b,ou=c`:            "c",
		`ou=trailing\`:                   `trailing\`,
		"ou=,ou":                         "",
		",,,=,ou=x":                      "x",
		"ou=#0403666f6f":                 "#0403666f6f",
		`ou="never closed, ou=x`:         "never closed, ou=x",
		`cn=a\2Cou=b,ou=c`:               "c",
	} {
		got := units(dn)
		if strings.Join(got, "|") != want {
			t.Errorf("units(%q) = %q, want %q", dn, got, want)
		}
	}
	if got := string(appendUnits(nil, UnitsList, "cn=x")); got != "[]" {
		t.Errorf("no units are %s", got)
	}
}

func FuzzUnits(f *testing.F) {
	f.Add(`cn=a\2C,OU="b, c"+ou=d;ou=\`)
	f.Fuzz(func(t *testing.T, dn string) {
		var got []string
		if err := json.Unmarshal(appendUnits(nil, UnitsList, dn), &got); err != nil || len(got) > strings.Count(dn, "=") {
			t.Fatalf("%q has the units %q, %v", dn, got, err)
		}
	})
}

func TestIsDefault(t *testing.T) {
	crlf := strings.ReplaceAll(Default, "\n", "\r\n")
	for name, script := range map[string]string{"as it is": Default, "CRLF": crlf, "spaces": strings.ReplaceAll(Default, "\n", " \t\n") + "\n\n", "BOM": "\ufeff" + Default} {
		if !IsDefault(script) {
			t.Errorf("%s: not the default", name)
		}
	}
	for _, script := range []string{"", "module.exports = function (raw_data) {}", Default + "x", strings.Replace(Default, "uid", "cn", 1)} {
		if IsDefault(script) {
			t.Errorf("%.40q passes for the default", script)
		}
	}
	if !reflect.DeepEqual(normalize(Default), normalize(crlf)) {
		t.Error("line endings count")
	}
}
