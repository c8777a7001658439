package install

import (
	"context"
	"crypto/tls"
	"errors"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ad-ldap-connector/pkg/config"
	"ad-ldap-connector/pkg/home"
	"ad-ldap-connector/pkg/sandbox"
	"ad-ldap-connector/pkg/tenant"
)

// A world is a pretend tenant and a home that is not there yet.
type world struct {
	cloud  *sandbox.Cloud
	dir    string
	ticket string
	wire   *wire
}

func newWorld(t *testing.T) *world {
	t.Helper()
	return newWorldOf(t, sandbox.CloudOptions{})
}

func newWorldOf(t *testing.T, o sandbox.CloudOptions) *world {
	t.Helper()
	cloud, err := sandbox.StartCloud(o)
	if err != nil {
		t.Fatal(err)
	}
	direct := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: cloud.CAPool()}}
	t.Cleanup(func() {
		direct.CloseIdleConnections()
		if err := cloud.Close(); err != nil {
			t.Error(err)
		}
	})
	return &world{cloud: cloud, dir: filepath.Join(t.TempDir(), "home"), ticket: cloud.Ticket(), wire: &wire{real: direct}}
}

// elsewhere is the same tenant with another home.
func (w *world) elsewhere(t *testing.T) *world {
	t.Helper()
	return &world{cloud: w.cloud, dir: filepath.Join(t.TempDir(), "home"), ticket: w.ticket, wire: &wire{real: w.wire.real}}
}

// A wire is the way to the tenant. It numbers the requests from 1, and lets a
// test spoil them.
type wire struct {
	real  http.RoundTripper
	asked atomic.Int32
	spoil func(n int, r *http.Request, next http.RoundTripper) (*http.Response, error)
}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	n := int(w.asked.Add(1))
	if w.spoil != nil {
		return w.spoil(n, r, w.real)
	}
	return w.real.RoundTrip(r)
}

func (w *world) home(t *testing.T, environ ...string) *home.Home {
	t.Helper()
	h, err := home.Open(w.dir, environ)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func (w *world) provisioner(t *testing.T, environ ...string) *Provisioner {
	t.Helper()
	return &Provisioner{
		Home: w.home(t, environ...), Tenant: &tenant.Client{HTTP: &http.Client{Transport: w.wire}},
		Version: "1.2.3", Hostname: "node1", Now: time.Now,
	}
}

const bindPassword = "S3cret-of-the-service"

// options are an operator's answers over what the home holds.
func (w *world) options(t *testing.T) Options {
	t.Helper()
	p := w.provisioner(t)
	c, err := p.Home.Config()
	if err != nil {
		t.Fatal(err)
	}
	ticket, err := tenant.ParseTicket(w.ticket)
	if err != nil {
		t.Fatal(err)
	}
	c.Directory.URLs, c.Directory.BaseDN = []string{"ldaps://dc1.corp.example"}, "DC=corp,DC=example"
	c.Directory.BindUser, c.Directory.BindPassword = "svc@corp.example", bindPassword
	return Options{
		Provisioner: *p, Ticket: ticket, Config: c, Mapper: "module.exports = function (raw) { return raw; };\n",
		Directory: func(context.Context, config.Config) error { return nil },
	}
}

// install runs the plan, which must succeed.
func (w *world) install(t *testing.T, o Options) (changed bool) {
	t.Helper()
	changed, err := New(o).Apply(t.Context(), func(Event) {})
	if err != nil {
		t.Fatal(err)
	}
	return changed
}

// files are all files of the home but the locks, which say nothing, with their
// modes; nil when there is no home.
func (w *world) files(t *testing.T) map[string]string {
	t.Helper()
	var all map[string]string
	err := filepath.WalkDir(w.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(w.dir, path)
		if err != nil || strings.HasPrefix(filepath.ToSlash(name), "state/") {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if all == nil {
			all = map[string]string{}
		}
		all[filepath.ToSlash(name)] = info.Mode().String() + " " + string(data)
		return nil
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return all
}

func names(files map[string]string) []string { return slices.Sorted(maps.Keys(files)) }

// check fails unless the home is a whole one that the tenant knows.
func (w *world) check(t *testing.T) config.Config {
	t.Helper()
	h := w.home(t)
	c, err := h.Config()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
	pair, err := h.Keys(c)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := pair.Open(string(c.Directory.BindCredentials)); err != nil || got != bindPassword {
		t.Errorf("the sealed password: %q, %v", got, err)
	}
	if c.Directory.BindPassword != "" {
		t.Error("the password lies in the file in the clear")
	}
	if got := w.cloud.Thumbprints(c.Tenant.Connection); !slices.Equal(got, []string{pair.Thumbprint()}) || c.Tenant.SentThumbprint != pair.Thumbprint() {
		t.Errorf("the tenant knows %v and config.json %q, want %s", got, c.Tenant.SentThumbprint, pair.Thumbprint())
	}
	if c.Tenant.SigningKey == "" {
		t.Error("there is no signing key")
	}
	return c
}

// failed returns the failure of a plan, which must have named step.
func failed(t *testing.T, err error, step string) *StepError {
	t.Helper()
	var f *StepError
	if !errors.As(err, &f) || f.Step != step {
		t.Fatalf("err = %v, want one of %s", err, step)
	}
	return f
}
