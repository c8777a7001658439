package config

import (
	"slices"
	"strings"
	"testing"
)

func TestPresets(t *testing.T) {
	if got := Presets(); !slices.Equal(got, []string{"ad", "samba", "openldap", "freeipa", "389ds", "lldap"}) {
		t.Error(got)
	}
	for _, p := range presets {
		t.Run(p.Name, func(t *testing.T) {
			c := good()
			if err := c.ApplyPreset(p.Name); err != nil {
				t.Fatal(err)
			}
			if err := c.Validate(); err != nil {
				t.Error(err)
			}
			for _, w := range c.Warnings() {
				t.Error(w)
			}
			// Only Active Directory and its like have the in-chain rule; the
			// others answer it with nothing, and no error.
			if inChain := strings.Contains(c.Groups.Filter, "1.2.840.113556.1.4.1941"); inChain && (c.Groups.Nested || !slices.Contains([]string{"ad", "samba"}, p.Name)) {
				t.Error(c.Groups.Filter)
			}
			if d := mustParse(t, encode(t, c)); !d.Equal(c) {
				t.Error("not what was written")
			}
		})
	}
}

func TestPresetOfActiveDirectoryIsTheDefault(t *testing.T) {
	c := Default()
	if err := c.ApplyPreset("ad"); err != nil || encode(t, c) != "{}\n" {
		t.Error(err, encode(t, c))
	}
}

// What an operator chose stays, wherever it was written.
func TestPresetLeavesOwnValues(t *testing.T) {
	c := mustEnv(t, mustParse(t, `{"LDAP_USER_BY_NAME":"(cn={0})","GROUPS_NESTED":false}`), "LDAP_SEARCH_GROUPS=(x={0})")
	if err := c.Set("LDAP_SEARCH_QUERY", "(y={0})"); err != nil {
		t.Fatal(err)
	}
	c.Directory.SearchAllFilter = "(z=*)"
	if err := c.ApplyPreset("openldap"); err != nil {
		t.Fatal(err)
	}
	d := c.Directory
	if d.UserFilter != "(cn={0})" || c.Groups.Filter != "(x={0})" || d.SearchFilter != "(y={0})" || d.SearchAllFilter != "(z=*)" || c.Groups.Nested {
		t.Errorf("%+v %+v", d, c.Groups)
	}
	if d.HeartbeatFilter != "(objectClass=*)" || d.ListGroupsFilter == Default().Directory.ListGroupsFilter {
		t.Errorf("%+v", d)
	}
}

func TestPresetAfterPreset(t *testing.T) {
	for _, last := range Presets() {
		var c, want Config
		c, want = Default(), Default()
		for _, name := range []string{"openldap", "lldap", "ad", last} {
			if err := c.ApplyPreset(name); err != nil {
				t.Fatal(err)
			}
		}
		if err := want.ApplyPreset(last); err != nil || !c.Equal(want) {
			t.Errorf("%s: %s", last, encode(t, c))
		}
	}
}

func TestUnknownPreset(t *testing.T) {
	c := Default()
	if err := c.ApplyPreset("novell"); err == nil || !strings.Contains(err.Error(), `"novell": it is none of ad, samba, openldap`) || !c.Equal(Default()) {
		t.Error(err)
	}
}
