package profile

import (
	"testing"

	"ad-ldap-connector/pkg/identity"
)

// The default script and the native mapping are one and the same.
func TestDefaultScriptIsNative(t *testing.T) {
	byUnits := map[Units]*Mapper{}
	for _, u := range []Units{"", UnitsDN, UnitsList} {
		o := options(t, Default)
		o.Units = u
		byUnits[u] = start(t, o)
	}
	for _, tt := range mappings {
		t.Run(tt.name, func(t *testing.T) {
			p, err := byUnits[tt.units].Map(t.Context(), tt.entry, tt.groups, identity.Active)
			if err != nil {
				t.Fatal(err)
			}
			if p.String() != tt.want {
				t.Errorf("got  %s\nwant %s", p, tt.want)
			}
		})
	}
}

func BenchmarkScript(b *testing.B) {
	user, groups, m := alice(), labels("Everyone", "Staff", "Engineering", "Platform"), start(b, options(b, Default))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.Map(b.Context(), user, groups, identity.Active); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkStart(b *testing.B) {
	for b.Loop() {
		m, err := New(options(b, Default))
		if err != nil {
			b.Fatal(err)
		}
		if err := m.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
