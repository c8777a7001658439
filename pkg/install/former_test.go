package install

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ad-ldap-connector/pkg/home"
	"ad-ldap-connector/pkg/service"
)

// fakeFormers are services of others by their names: how they are now.
type fakeFormers struct {
	now    map[string]service.Former
	home   *home.Home
	fail   string // the service that cannot be retired, though it is stopped
	unsafe bool   // one was stopped before it was written down
}

func newFakeFormers(h *home.Home, list ...service.Former) *fakeFormers {
	f := &fakeFormers{now: map[string]service.Former{}, home: h}
	for _, s := range list {
		f.now[s.Name] = s
	}
	return f
}

func (f *fakeFormers) Retired(_ context.Context, s service.Former, ours string) (bool, error) {
	now, ok := f.now[s.Name]
	return !ok || s.Name != ours && !now.Enabled && !now.Running, nil
}

func (f *fakeFormers) Retire(ctx context.Context, s service.Former, ours string) error {
	r, err := loadRecord(f.home)
	if err != nil || !slices.ContainsFunc(r.Services, func(k service.Former) bool { return k.Name == s.Name && k.Running == s.Running }) {
		f.unsafe = true
	}
	now := f.now[s.Name]
	now.Running = false
	f.now[s.Name] = now
	if f.fail == s.Name {
		return errors.New("it resists")
	}
	now.Enabled = false
	f.now[s.Name] = now
	if s.Name == ours {
		delete(f.now, s.Name)
	}
	return ctx.Err()
}

func (f *fakeFormers) Restore(_ context.Context, s service.Former) error {
	f.now[s.Name] = s
	return nil
}

// A fakeManager is only ever named: the steps that would use it are left out.
type fakeManager struct{ service.Manager }

var twoFormers = []service.Former{
	{Name: "ad-ldap", Enabled: true, Running: true}, {Name: "ad-ldap-admin", Running: true},
}

// nodeWorld is a world whose home is a Node connector's, which ran, with the
// tenant's keys.
func nodeWorld(t *testing.T, list []service.Former, more map[string]string) (*world, *fakeFormers, func() Options) {
	t.Helper()
	w := newWorld(t)
	w.install(t, w.options(t))
	if err := os.RemoveAll(filepath.Join(w.dir, "state")); err != nil {
		t.Fatal(err)
	}
	files := map[string]string{"package.json": `{"name":"ad-ldap-connector","version":"6.4.1"}`, "lib/users.js": "program"}
	maps.Copy(files, more)
	for name, text := range files {
		name = filepath.Join(w.dir, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	system := newFakeFormers(w.home(t), list...)
	return w, system, func() Options {
		o := w.options(t)
		o.Former = &Former{System: system}
		for _, f := range list {
			if now, ok := system.now[f.Name]; ok {
				o.Former.Services = append(o.Former.Services, now)
			}
		}
		o.Service = &Service{Manager: fakeManager{}, Start: true, Unit: service.Unit{Name: "auth0-adldap"}}
		return o
	}
}

// takeover is the plan without what needs a machine.
func takeover(o Options) Plan {
	return slices.DeleteFunc(New(o), func(s Step) bool {
		return slices.Contains([]string{"check-service", "copy-program", "register-service", "entrust-home", "start-service", "wait-connected", "allow-firewall"}, s.Name)
	})
}

func TestOrderOfTakingOver(t *testing.T) {
	for name, tt := range map[string]struct {
		service string
		want    []string
	}{
		"another name": {"ad-ldap", []string{"create-home", "adopt-home", "register-service", "register-agent", "stop-former", "start-service"}},
		"our name":     {"auth0-adldap", []string{"create-home", "adopt-home", "register-agent", "stop-former", "register-service", "start-service"}},
		"no service":   {"", []string{"create-home", "adopt-home", "register-service", "register-agent", "start-service"}},
	} {
		_, _, options := nodeWorld(t, nil, nil)
		o := options()
		if tt.service != "" {
			o.Former.Services = []service.Former{{Name: tt.service}}
		}
		var got []string
		for _, s := range New(o) {
			if slices.Contains([]string{"create-home", "adopt-home", "register-service", "register-agent", "stop-former", "start-service"}, s.Name) {
				got = append(got, s.Name)
			}
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		o.Former = nil
		if plan := New(o); plan.index("adopt-home") >= 0 || plan.index("stop-former") >= 0 {
			t.Errorf("%s: it takes over what is not there", name)
		}
	}
}

func TestTakingOverAndBack(t *testing.T) {
	w, system, options := nodeWorld(t, twoFormers, nil)
	before := w.files(t)
	if changed, err := takeover(options()).Apply(t.Context(), func(Event) {}); err != nil || !changed {
		t.Fatal(changed, err)
	}
	if system.unsafe {
		t.Error("a service was stopped before it was written down")
	}
	for name, f := range system.now {
		if f.Running || f.Enabled {
			t.Errorf("%s: %+v", name, f)
		}
	}
	after := w.files(t)
	delete(after, "former/record.json")
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("files have changed: %s", diff)
	}
	if took, err := TookOver(w.home(t)); !took || err != nil {
		t.Errorf("%t, %v", took, err)
	}
	if changed, err := takeover(options()).Apply(t.Context(), func(Event) {}); err != nil || changed {
		t.Errorf("a second run: changed %t, %v", changed, err)
	}
	for range 2 { // the second time there is nothing to go back to
		plan, err := Rollback(w.home(t), system, func(text string) { t.Errorf("note: %s", text) })
		if err != nil {
			break
		}
		if _, err := plan.Apply(t.Context(), func(Event) {}); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(before, w.files(t)); diff != "" {
		t.Errorf("files: %s", diff)
	}
	want := map[string]service.Former{"ad-ldap": twoFormers[0], "ad-ldap-admin": twoFormers[1]}
	if diff := cmp.Diff(want, system.now); diff != "" {
		t.Errorf("services: %s", diff)
	}
}

// What fails, or is interrupted, leaves the Node connector as it was.
func TestFailedTakingOver(t *testing.T) {
	for _, spoil := range []string{"adopt-home", "write-config", "stop-former", "resist", "interrupt", "start-service"} {
		w, system, options := nodeWorld(t, twoFormers, nil)
		before := w.files(t)
		o := options()
		o.Config.Tenant.SiteName = "changed"
		ctx, cancel := context.WithCancel(t.Context())
		plan := takeover(o)
		at := spoil
		switch spoil {
		case "resist":
			system.fail, at = "ad-ldap-admin", "stop-former"
		case "interrupt":
			at = "stop-former"
		case "start-service":
			plan = append(plan, Step{Name: "start-service", Do: func(context.Context) error { return errors.New("it does not start") }})
		}
		_, err := plan.Apply(ctx, func(e Event) {
			if e.Step.Name == at && e.What == Doing && spoil != "resist" {
				cancel() // which adopt-home and write-config notice before the next step
			}
		})
		cancel()
		var f *StepError
		if !errors.As(err, &f) || len(f.Left) > 0 {
			t.Errorf("%s: %v", spoil, err)
		}
		if diff := cmp.Diff(before, w.files(t)); diff != "" {
			t.Errorf("%s: files: %s", spoil, diff)
		}
		want := map[string]service.Former{"ad-ldap": twoFormers[0], "ad-ldap-admin": twoFormers[1]}
		if diff := cmp.Diff(want, system.now); diff != "" {
			t.Errorf("%s: services: %s", spoil, diff)
		}
		if _, err := os.Stat(filepath.Join(w.dir, "former")); err == nil {
			t.Errorf("%s: the record stays", spoil)
		}
	}
}

// A killed install is completed by the next one, and what it knew of the
// services before it stopped them is not lost.
func TestKilledTakingOver(t *testing.T) {
	type killed struct{}
	for _, at := range []string{"adopt-home", "write-mapper", "stop-former"} {
		w, system, options := nodeWorld(t, twoFormers, nil)
		o := options()
		if at == "write-mapper" { // which is there, and so is never begun
			if err := os.Remove(filepath.Join(w.dir, "lib", "profileMapper.js")); err != nil {
				t.Fatal(err)
			}
		}
		before := w.files(t)
		func() {
			defer func() {
				if v := recover(); v != (killed{}) {
					t.Errorf("%s: ended with %v", at, v)
				}
			}()
			_, err := takeover(o).Apply(t.Context(), func(e Event) {
				if e.Step.Name == at && e.What == Did {
					panic(killed{})
				}
			})
			t.Errorf("%s: %v", at, err)
		}()
		if _, err := takeover(options()).Apply(t.Context(), func(Event) {}); err != nil {
			t.Fatal(at, err)
		}
		plan, err := Rollback(w.home(t), system, func(string) {})
		if err != nil {
			t.Fatal(at, err)
		}
		if _, err := plan.Apply(t.Context(), func(Event) {}); err != nil {
			t.Fatal(at, err)
		}
		want := map[string]service.Former{"ad-ldap": twoFormers[0], "ad-ldap-admin": twoFormers[1]}
		if diff := cmp.Diff(want, system.now); diff != "" {
			t.Errorf("%s: services: %s", at, diff)
		}
		if diff := cmp.Diff(before, w.files(t)); diff != "" {
			t.Errorf("%s: files: %s", at, diff)
		}
	}
}

// What a newer release keeps below data/ is copied, and stays where it is.
func TestTakingOverData(t *testing.T) {
	w, system, options := nodeWorld(t, twoFormers[:1], nil)
	for _, name := range []string{"config.json", "certs/cert.pem", "certs/cert.key"} {
		to := filepath.Join(w.dir, "data", filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(to), 0o755), os.Rename(filepath.Join(w.dir, filepath.FromSlash(name)), to)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.RemoveAll(filepath.Join(w.dir, "certs")); err != nil {
		t.Fatal(err)
	}
	before := w.files(t)
	o := options()
	var err error
	if o.Former.Data, err = w.home(t).ReadData(); err != nil {
		t.Fatal(err)
	}
	o.Config = o.Former.Data.Config
	password, err := o.Former.Data.Password()
	if err != nil || password != bindPassword {
		t.Fatalf("%q, %v", password, err)
	}
	if _, err := takeover(o).Apply(t.Context(), func(Event) {}); err != nil {
		t.Fatal(err)
	}
	after := w.files(t)
	for _, name := range []string{"config.json", "certs/cert.pem", "certs/cert.key"} {
		_, here, _ := strings.Cut(after[name], " ")
		_, there, _ := strings.Cut(before["data/"+name], " ")
		if here != there || after["data/"+name] != before["data/"+name] {
			t.Errorf("%s is not what was below data/", name)
		}
	}
	plan, err := Rollback(w.home(t), system, func(text string) { t.Errorf("note: %s", text) })
	if err != nil {
		t.Fatal(err)
	}
	if _, err := plan.Apply(t.Context(), func(Event) {}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, w.files(t)); diff != "" {
		t.Error(diff)
	}
}
