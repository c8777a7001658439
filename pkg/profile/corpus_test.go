package profile

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ad-ldap-connector/pkg/identity"
)

// Mappers such as operators have them keep working. Each file ends with what it
// makes of alice.
func TestMappersInTheWild(t *testing.T) {
	names, err := filepath.Glob("testdata/mappers/*.js")
	if err != nil || len(names) == 0 {
		t.Fatal(err, names)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".js"), func(t *testing.T) {
			source, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			_, want, ok := strings.Cut(string(source), "// want: ")
			if !ok {
				t.Fatal("it does not say what it makes")
			}
			m := start(t, options(t, string(source)))
			for range 2 { // the second call finds the state that the first left
				p, err := m.Map(t.Context(), alice(), labels("Everyone", "Staff"), identity.Active)
				if err != nil {
					t.Fatal(err)
				}
				if p.String() != strings.TrimSpace(want) {
					t.Errorf("got  %s\nwant %s", p, want)
				}
			}
		})
	}
}
