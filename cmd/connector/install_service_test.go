package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ad-ldap-connector/pkg/service"
)

// A listing is a manager that has services, and does nothing with them.
type listing struct {
	service.Manager
	list []service.Registration
}

func (l listing) List(context.Context) ([]service.Registration, error) { return l.list, nil }

// An install neither takes a service from the home that it runs nor a home from
// the service that runs it.
func TestCheckPlace(t *testing.T) {
	dir := t.TempDir()
	first, second, link, gone := filepath.Join(dir, "first"), filepath.Join(dir, "second"), filepath.Join(dir, "link"), filepath.Join(dir, "gone")
	for _, err := range []error{os.Mkdir(first, 0o700), os.Mkdir(second, 0o700), os.Symlink(first, link)} {
		if err != nil {
			t.Skip(err) // Windows lets not everybody make links
		}
	}
	m := listing{list: []service.Registration{{Name: "one", Home: first}, {Name: "old", Home: gone}}}
	for _, test := range []struct{ name, home, want string }{
		{"one", first, ""},
		{"one", link, ""},
		{"two", second, ""},
		{"two", gone + "2", ""},
		{"old", second, ""}, // nothing can run in its home
		{"one", second, "the service one runs the connector in " + first},
		{"two", first, "is the home of the service one"},
		{"two", link, "is the home of the service one"},
	} {
		err := checkPlace(t.Context(), m, test.name, test.home)
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want) || hintOf(err) == "") {
			t.Errorf("%s in %s: %v, want %q", test.name, test.home, err, test.want)
		}
	}
}
