//go:build unix

package main

import (
	"slices"
	"testing"
)

func TestSettings(t *testing.T) {
	const krb5 = "# [libdefaults]\n[libdefaults]\n  default_realm = CORP.EXAMPLE\n[realms]\n default_realm = OTHER\n CORP.EXAMPLE = {\n"
	for _, tt := range []struct {
		text, section, name string
		want                []string
	}{
		{krb5, "libdefaults", "default_realm", []string{"CORP.EXAMPLE"}},
		{"[sssd]\r\ndomains=a.example, b.example\r\n[domain/a.example]\r\n", "sssd", "domains", []string{"a.example", "b.example"}},
		{"default_realm = NOBODY\n[libdefaults\n", "libdefaults", "default_realm", nil},
		{"[libdefaults]\n#default_realm = X\n", "libdefaults", "default_realm", nil},
		{"", "sssd", "domains", nil},
	} {
		if got := settingsOf(tt.text, tt.section, tt.name); !slices.Equal(got, tt.want) {
			t.Errorf("%q: %q, want %q", tt.text, got, tt.want)
		}
	}
}

func TestHostDomainsBeginWithTheRealm(t *testing.T) {
	t.Parallel()
	c := newCLI(t)
	file := c.file("krb5.conf", "[libdefaults]\ndefault_realm = CORP.LAB.TEST\n")
	if got := hostDomains([]string{"KRB5_CONFIG=" + file + ":/nowhere"}); len(got) == 0 || got[0] != "corp.lab.test" {
		t.Errorf("the domains are %q", got)
	}
}

func TestLikely(t *testing.T) {
	got := likely([]string{"ATHENA.MIT.EDU", "Corp.Example.", " corp.example", "local", "", "."})
	if !slices.Equal(got, []string{"corp.example"}) {
		t.Errorf("%q", got)
	}
}

func FuzzSettings(f *testing.F) {
	f.Add("[libdefaults]\ndefault_realm = CORP.EXAMPLE\n", "libdefaults", "default_realm")
	f.Fuzz(func(t *testing.T, text, section, name string) {
		for _, v := range settingsOf(text, section, name) {
			if v == "" {
				t.Error("a value is empty")
			}
		}
	})
}
