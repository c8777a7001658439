package install

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ad-ldap-connector/pkg/config"
	"ad-ldap-connector/pkg/home"
)

// imported are the steps of an install from an archive, in order.
var imported = slices.Insert(slices.Clone(steps), 4, "import-node")

// archive is what the first node exports. Its authorities come along.
func (w *world) archive(t *testing.T) func(*testing.T) *home.Archive {
	t.Helper()
	o := w.options(t)
	o.CA, o.Mapper = []byte(w.authority(t)), "module.exports = function (raw) { return { id: raw.cn }; };\n"
	w.install(t, o)
	var zip bytes.Buffer
	if err := w.home(t).Export(&zip, config.Default(), home.Origin{Version: "1.2.3"}); err != nil {
		t.Fatal(err)
	}
	return func(t *testing.T) *home.Archive {
		t.Helper()
		a, err := home.ReadArchive(bytes.NewReader(zip.Bytes()), int64(zip.Len()))
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
}

func (w *world) authority(t *testing.T) string {
	t.Helper()
	pem, err := os.ReadFile(w.cloud.CAFile())
	if err != nil {
		t.Fatal(err)
	}
	return string(pem)
}

// nodeOptions are those of an install from an archive, as the command makes them.
func (w *world) nodeOptions(t *testing.T, a *home.Archive) Options {
	t.Helper()
	o := w.options(t)
	a.Adapt("node2", w.dir)
	a.Config.Network.CAPath, a.Config.Directory.BindPassword = "", bindPassword
	o.Import, o.Config, o.CA, o.Hostname = a, a.Config, a.CA, "node2"
	return o
}

func TestInstallOfAnotherNode(t *testing.T) {
	first := newWorld(t)
	archive := first.archive(t)
	w := first.elsewhere(t)
	var did, already []string
	asked := first.wire.asked.Load()
	_, err := New(w.nodeOptions(t, archive(t))).Apply(t.Context(), func(e Event) {
		switch e.What {
		case Did:
			did = append(did, e.Step.Name)
		case Already:
			already = append(already, e.Step.Name)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"redeem-ticket", "check-clock", "check-directory", "create-home", "import-node"}, did); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(imported[5:], already); diff != "" { // one step did it all
		t.Error(diff)
	}
	c := w.check(t)
	if c.Network.CAPath != filepath.Join(w.dir, "ca") || c.Tenant.ServerURL != "http://node2:4000" {
		t.Errorf("SSL_CA_PATH is %s, SERVER_URL %s", c.Network.CAPath, c.Tenant.ServerURL)
	}
	one, two := first.files(t), w.files(t)
	for _, name := range []string{"certs/cert.key", "certs/cert.pem", "lib/profileMapper.js", "ca/installed.pem"} {
		if one[name] != two[name] {
			t.Errorf("%s is another one", name)
		}
	}
	if got := w.wire.asked.Load() + first.wire.asked.Load() - asked; got != 2 { // it is registered by the first
		t.Errorf("%d requests", got)
	}
}

// TestASpoiledImport has every step fail, once it has done what it has to, and
// be cancelled: the home is as before, be it none or another connector's.
func TestASpoiledImport(t *testing.T) {
	first := newWorld(t)
	archive := first.archive(t)
	ticket, _, err := first.cloud.NewConnection("other", false, false)
	if err != nil {
		t.Fatal(err)
	}
	other := first.elsewhere(t)
	other.ticket = ticket
	other.install(t, other.options(t))
	full := errors.New("disk full")
	for i, step := range imported {
		for _, how := range []string{"fails", "is cancelled"} {
			for _, bare := range []bool{true, false} {
				name := step + " " + how
				if how != "fails" && !bare {
					continue
				}
				if !bare {
					name += " where another connector is"
				}
				t.Run(name, func(t *testing.T) {
					w := first.elsewhere(t)
					if !bare {
						copyHome(t, w.dir, other.dir)
					}
					before := w.files(t)
					a := archive(t)
					a.Config.Tenant.SentThumbprint = "" // so that it is registered anew
					a.Config.Directory.BaseDN = "DC=changed"
					o := w.nodeOptions(t, a)
					o.Replace = true
					plan := New(o)
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					at := slices.IndexFunc(plan, func(s Step) bool { return s.Name == step })
					spoil := func() error {
						if how == "fails" {
							return full
						}
						cancel()
						return ctx.Err()
					}
					done, do := plan[at].Done, plan[at].Do
					plan[at].Do = func(ctx context.Context) error { return errors.Join(do(ctx), spoil()) }
					if done != nil {
						plan[at].Done = func(ctx context.Context) (bool, error) {
							is, err := done(ctx)
							if is { // and so it is not done
								err = errors.Join(err, spoil())
							}
							return is, err
						}
					}
					_, err := plan.Apply(ctx, func(Event) {})
					if f := failed(t, err, step); len(f.Left) > 0 || f.Changed != (i > 3 || i == 3 && bare) {
						t.Errorf("%+v", f)
					}
					if diff := cmp.Diff(before, w.files(t)); diff != "" {
						t.Error(diff)
					}
					if _, err := os.Lstat(w.dir); bare && err == nil {
						t.Error("the home is there")
					}
				})
			}
		}
	}
}

// copyHome makes a home that is another one's likeness, modes too.
func copyHome(t *testing.T, to, from string) {
	t.Helper()
	err := os.CopyFS(to, os.DirFS(from))
	if err == nil {
		err = filepath.WalkDir(to, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			mode := fs.FileMode(0o600)
			if d.IsDir() {
				mode = 0o700
			}
			return os.Chmod(path, mode)
		})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestAKilledImportCompletesNextTime ends the plan after each step that changes
// something, without any undoing.
func TestAKilledImportCompletesNextTime(t *testing.T) {
	type killed struct{}
	first := newWorld(t)
	archive := first.archive(t)
	for _, step := range imported[3:5] { // what follows finds all done
		t.Run(step, func(t *testing.T) {
			w := first.elsewhere(t)
			func() {
				defer func() {
					if v := recover(); v != (killed{}) {
						t.Errorf("ended with %v", v)
					}
				}()
				_, err := New(w.nodeOptions(t, archive(t))).Apply(t.Context(), func(e Event) {
					if e.Step.Name == step && e.What == Did {
						panic(killed{})
					}
				})
				t.Errorf("it went on: %v", err)
			}()
			w.install(t, w.nodeOptions(t, archive(t)))
			w.check(t)
			if diff := cmp.Diff(installed, names(w.files(t))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestAnArchiveOfAnotherTicket changes nothing.
func TestAnArchiveOfAnotherTicket(t *testing.T) {
	first := newWorld(t)
	archive := first.archive(t)
	w := first.elsewhere(t)
	o := w.nodeOptions(t, archive(t))
	o.Config.Tenant.Connection = "elsewhere"
	_, err := New(o).Apply(t.Context(), func(Event) {})
	if f := failed(t, err, "redeem-ticket"); f.Changed || !strings.Contains(err.Error(), "elsewhere") {
		t.Errorf("%+v", f)
	}
	if _, err := os.Lstat(w.dir); err == nil {
		t.Error("the home is there")
	}
}
