package install

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ad-ldap-connector/pkg/config"
	"ad-ldap-connector/pkg/keys"
	"ad-ldap-connector/pkg/sandbox"
)

// newTakingWorld is a world whose tenant takes several certificates, with an
// installed home.
func newTakingWorld(t *testing.T) *world {
	t.Helper()
	w := newWorldOf(t, sandbox.CloudOptions{SeveralCertificates: true})
	w.install(t, w.options(t))
	return w
}

func (w *world) renewal(t *testing.T, newKey bool) *Renewal {
	t.Helper()
	return &Renewal{Provisioner: *w.provisioner(t), NewKey: newKey}
}

func (w *world) pair(t *testing.T) *keys.Pair {
	t.Helper()
	c, err := w.home(t).Config()
	if err != nil {
		t.Fatal(err)
	}
	pair, err := w.home(t).Keys(c)
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

// whole fails unless the home holds pair and a password that it opens.
func (w *world) whole(t *testing.T, thumbprints ...string) {
	t.Helper()
	c, err := w.home(t).Config()
	if err != nil {
		t.Fatal(err)
	}
	pair := w.pair(t)
	if got := pair.Thumbprint(); !slices.Contains(thumbprints, got) || c.Tenant.SentThumbprint != got {
		t.Errorf("the home has %s and config.json %s, want one of %v", got, c.Tenant.SentThumbprint, thumbprints)
	}
	if got, err := pair.Open(string(c.Directory.BindCredentials)); err != nil || got != bindPassword {
		t.Errorf("the sealed password: %q, %v", got, err)
	}
}

func silent(Event) {}

func keyText(p *keys.Pair) string {
	_, key := p.PEM()
	return string(key)
}

func TestRenew(t *testing.T) {
	for name, newKey := range map[string]bool{"same key": false, "new key": true} {
		t.Run(name, func(t *testing.T) {
			w := newTakingWorld(t)
			before, former := w.files(t), w.pair(t)
			if _, err := w.renewal(t, newKey).Plan().Apply(t.Context(), silent); err != nil {
				t.Fatal(err)
			}
			pair := w.pair(t)
			w.whole(t, pair.Thumbprint())
			if pair.Thumbprint() == former.Thumbprint() || (keyText(pair) != keyText(former)) != newKey {
				t.Error("the pair is not the one that was asked for")
			}
			if pair.Certificate.Subject.String() != former.Certificate.Subject.String() {
				t.Errorf("the subject is %s", pair.Certificate.Subject)
			}
			if got, want := w.cloud.Thumbprints(""), []string{pair.Thumbprint(), former.Thumbprint()}; !slices.Equal(got, want) {
				t.Errorf("the tenant lists %v, want %v", got, want)
			}
			kept, err := filepath.Glob(filepath.Join(w.dir, "backups", "*", "certs", "cert.key"))
			if err != nil || len(kept) != 1 {
				t.Fatalf("backups: %v, %v", kept, err)
			}
			for _, name := range []string{"config.json", "certs/cert.pem", "certs/cert.key"} {
				data, err := os.ReadFile(filepath.Join(filepath.Dir(filepath.Dir(kept[0])), filepath.FromSlash(name)))
				if name == "certs/cert.key" && !newKey && err == nil && string(data) != keyText(pair) {
					t.Error("the key's bytes changed")
				}
				if err != nil || !strings.HasSuffix(before[name], " "+string(data)) {
					t.Errorf("the backup of %s is not what was there: %v", name, err)
				}
			}
			if was, err := w.provisioner(t).Interrupted(pair); was != "" || err != nil {
				t.Errorf("a record is left: %q, %v", was, err)
			}
			// The next start goes on with what is there.
			if _, err := w.provisioner(t).Refresh(t.Context()); err != nil {
				t.Error(err)
			}
			w.whole(t, pair.Thumbprint())
		})
	}
}

// A tenant that takes no other certificate, by whatever status, leaves the home
// as it was.
func TestRenewRefused(t *testing.T) {
	for name, status := range map[string]int{"pinned": 0, "gateway": http.StatusGatewayTimeout} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.install(t, w.options(t))
			before, former := w.files(t), w.pair(t)
			w.wire.spoil = func(_ int, r *http.Request, next http.RoundTripper) (*http.Response, error) {
				res, err := next.RoundTrip(r)
				if err == nil && r.Method == http.MethodPost && status != 0 {
					res.StatusCode = status
				}
				return res, err
			}
			for _, newKey := range []bool{false, true} {
				_, err := w.renewal(t, newKey).Plan().Apply(t.Context(), silent)
				f := failed(t, err, "register-certificates")
				var hint interface{ Hint() string }
				if len(f.Left) > 0 || !errors.As(err, &hint) || !strings.Contains(hint.Hint(), former.Thumbprint()) {
					t.Errorf("%v, left %v", err, f.Left)
				}
				if diff := cmp.Diff(before, w.files(t)); diff != "" {
					t.Errorf("the home changed: %s", diff)
				}
				if was, err := w.provisioner(t).Interrupted(former); was != "" || err != nil {
					t.Errorf("a record is left: %q, %v", was, err)
				}
			}
		})
	}
}

// What fails after the tenant was told brings the former files back, byte for
// byte, and a running connector to them.
func TestRenewUndone(t *testing.T) {
	w := newTakingWorld(t)
	before, former := w.files(t), w.pair(t)
	var told []string
	r := w.renewal(t, true)
	r.Reload = func(_ context.Context, pair *keys.Pair) error {
		told = append(told, pair.Thumbprint())
		if pair.Thumbprint() != former.Thumbprint() {
			return errors.New("rejected")
		}
		return nil
	}
	_, err := r.Plan().Apply(t.Context(), silent)
	if f := failed(t, err, "reload-connector"); len(f.Left) > 0 {
		t.Error(f.Left)
	}
	if len(told) != 2 || told[1] != former.Thumbprint() {
		t.Errorf("told to take %v", told)
	}
	after := w.files(t)
	for name, was := range before {
		if after[name] != was {
			t.Errorf("%s changed", name)
		}
	}
	// This tenant lets go of nothing, so the next renewal takes up the same pair.
	was, err := w.provisioner(t).Interrupted(former)
	if err != nil || was != told[0] {
		t.Errorf("interrupted %q, %v; want %s", was, err, told[0])
	}
	if _, err := w.renewal(t, true).Plan().Apply(t.Context(), silent); err != nil {
		t.Fatal(err)
	}
	w.whole(t, told[0])
	if got := w.cloud.Thumbprints(""); len(got) != 2 {
		t.Errorf("the tenant lists %v", got)
	}
}

// A renewal that is interrupted at any step leaves the former pair in its place.
func TestRenewInterrupted(t *testing.T) {
	w := newTakingWorld(t)
	former := w.pair(t)
	steps := w.renewal(t, false).Plan()
	for i := range steps {
		ctx, cancel := context.WithCancel(t.Context())
		p := w.renewal(t, false).Plan()
		do := p[i].Do
		p[i].Do = func(ctx context.Context) error {
			err := do(ctx)
			cancel()
			return errors.Join(err, context.Cause(ctx))
		}
		if _, err := p.Apply(ctx, silent); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", p[i].Name, err)
		}
		w.whole(t, former.Thumbprint())
		cancel()
	}
}

// The connector that runs may be asking the tenant while the pair is replaced:
// what it then saves must not be sealed with the former key.
func TestRefreshDuringARenewal(t *testing.T) {
	w := newTakingWorld(t)
	p := w.provisioner(t)
	slow := w.elsewhere(t)
	slow.dir = w.dir
	done := false
	slow.wire.spoil = func(_ int, r *http.Request, next http.RoundTripper) (*http.Response, error) {
		res, err := next.RoundTrip(r)
		if r.Method == http.MethodPost && !done {
			done = true
			if _, err := w.renewal(t, true).Plan().Apply(t.Context(), silent); err != nil {
				t.Error(err)
			}
		}
		return res, err
	}
	if _, err := slow.provisioner(t).Refresh(t.Context()); err == nil || !done {
		t.Errorf("a refresh that was overtaken saved: %v", err)
	}
	if _, err := p.Refresh(t.Context()); err != nil {
		t.Error(err)
	}
	w.whole(t, w.pair(t).Thumbprint())
}

// What cannot be renewed here is refused before anything is asked or changed.
func TestRenewRefuses(t *testing.T) {
	w := newTakingWorld(t)
	before := w.files(t)
	for name, tt := range map[string]struct {
		environ []string
		newKey  bool
		change  func(*config.Config)
		want    string
	}{
		"no ticket":       {change: func(c *config.Config) { c.Tenant.Ticket = "" }, want: "ticket"},
		"other password":  {newKey: true, change: func(c *config.Config) { c.Directory.BindCredentials = "$2$.00.00.00" }, want: "LDAP_BIND_CREDENTIALS"},
		"the environment": {newKey: true, environ: []string{"LDAP_BIND_CREDENTIALS=$2$.00"}, want: "environment"},
	} {
		t.Run(name, func(t *testing.T) {
			r := w.renewal(t, tt.newKey)
			r.Provisioner = *w.provisioner(t, tt.environ...)
			h := w.home(t)
			c, err := h.Config()
			if err != nil {
				t.Fatal(err)
			}
			was, err := os.ReadFile(h.Path("config.json"))
			if err != nil {
				t.Fatal(err)
			}
			if tt.change != nil {
				tt.change(&c)
				if err := h.SaveConfig(c); err != nil {
					t.Fatal(err)
				}
			}
			_, err = r.Plan().Apply(t.Context(), silent)
			if f := failed(t, err, "read-keys"); f.Changed || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, changed %v", err, f.Changed)
			}
			if err := h.RestoreConfig(was); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(before, w.files(t)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A record of a renewal that is damaged is of no consequence.
func TestRenewAfterADamagedRecord(t *testing.T) {
	w := newTakingWorld(t)
	former := w.pair(t)
	rec := renewalRecord{Begun: time.Now(), From: former.Thumbprint(), To: "x", Certificate: "x", PrivateK: "x"}
	if err := w.home(t).SaveState(renewalState, rec); err != nil {
		t.Fatal(err)
	}
	if _, err := w.renewal(t, false).Plan().Apply(t.Context(), silent); err != nil {
		t.Fatal(err)
	}
	w.whole(t, w.pair(t).Thumbprint())
}
