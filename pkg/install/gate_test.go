package install

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"slices"
	"testing"

	"ad-ldap-connector/pkg/config"
)

func TestAGateThatIsShutStopsAnInstall(t *testing.T) {
	w := newWorld(t)
	o := w.options(t)
	shut := errors.New("blocked by host.disk")
	var asked []string
	o.Directory = func(context.Context, config.Config) error { asked = append(asked, "directory"); return nil }
	o.Gate = func(_ context.Context, c config.Config) error {
		asked = append(asked, "gate")
		if c.Tenant.Connection == "" || c.Tenant.Hub == "" {
			t.Error("the gate gets a candidate that the tenant has not completed")
		}
		return shut
	}
	_, err := New(o).Apply(t.Context(), func(Event) {})
	if f := failed(t, err, "check"); f.Changed || !errors.Is(err, shut) || !slices.Equal(asked, []string{"directory", "gate"}) {
		t.Errorf("err = %v after %v", err, asked)
	}
	if _, err := os.Stat(w.dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("something is left: %v", err)
	}
	var excused []string
	plan := New(o).Excuse(func(_ context.Context, s Step, err error) bool {
		excused = append(excused, s.Name+": "+err.Error())
		return true
	})
	if changed, err := plan.Apply(t.Context(), func(Event) {}); !changed || err != nil || !slices.Equal(excused, []string{"check: blocked by host.disk"}) {
		t.Errorf("changed %t, err = %v, excused %v", changed, err, excused)
	}
}
