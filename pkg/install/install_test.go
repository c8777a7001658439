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
)

// steps are the plan's, in order. What a machine reads of them is a contract.
var steps = []string{
	"redeem-ticket", "check-clock", "check-directory", "create-home", "keep-ca",
	"generate-keys", "write-mapper", "write-config", "register-agent", "record-registration",
}

func TestFreshInstall(t *testing.T) {
	w := newWorld(t)
	o := w.options(t)
	var seen config.Config
	o.Directory = func(_ context.Context, c config.Config) error { seen = c; return nil }
	o.CA = []byte("-----BEGIN CERTIFICATE-----\n")
	plan := New(o)
	var done []string
	changed, err := plan.Apply(t.Context(), func(e Event) {
		if e.What == Did {
			done = append(done, e.Step.Name)
		}
	})
	if err != nil || !changed {
		t.Fatalf("changed = %t, %v", changed, err)
	}
	if diff := cmp.Diff(steps, done); diff != "" {
		t.Error(diff)
	}
	if seen.Directory.BindPassword != bindPassword || seen.Tenant.Connection != "sandbox" {
		t.Error("the directory was not tried with the candidate")
	}
	files := w.files(t)
	if diff := cmp.Diff(installed, names(files)); diff != "" {
		t.Error(diff)
	}
	for name, content := range files {
		if strings.Contains(content, bindPassword) {
			t.Errorf("%s holds the password", name)
		}
	}
	c := w.check(t)
	if c.Tenant.ServerURL != "http://node1:4000" || c.Tenant.SiteName != "sandbox" || string(c.Tenant.Ticket) != w.ticket ||
		c.Network.CAPath != filepath.Join(w.dir, "ca") {
		t.Errorf("tenant %+v, network %+v", c.Tenant, c.Network)
	}
}

func TestASecondRunChangesNothing(t *testing.T) {
	w := newWorld(t)
	w.install(t, w.options(t))
	before := w.files(t)
	if w.install(t, w.options(t)) {
		t.Error("it says that something changed")
	}
	if diff := cmp.Diff(before, w.files(t)); diff != "" {
		t.Error(diff)
	}
	if got := w.wire.asked.Load(); got != 3+2 { // no second registration
		t.Errorf("%d requests", got)
	}
}

// TestACancelledInstallLeavesNothing cancels during each step in turn.
func TestACancelledInstallLeavesNothing(t *testing.T) {
	world := newWorld(t)
	for i, step := range steps {
		t.Run(step, func(t *testing.T) {
			w := world.elsewhere(t)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			o := w.options(t)
			o.CA = []byte("-----BEGIN CERTIFICATE-----\n")
			_, err := New(o).Apply(ctx, func(e Event) {
				if e.Step.Name == step && e.What == Doing {
					cancel()
				}
			})
			if step == steps[len(steps)-1] { // nothing asks the context any more
				if err != nil {
					t.Error(err)
				}
				w.check(t)
				return
			}
			var f *StepError
			if !errors.As(err, &f) || !errors.Is(err, context.Canceled) || len(f.Left) > 0 || f.Changed != (i >= 3) {
				t.Errorf("err = %+v", err)
			}
			if _, err := os.Lstat(w.dir); err == nil {
				t.Errorf("left: %v", names(w.files(t)))
			}
			if got := w.cloud.Thumbprints(""); len(got) > 0 {
				t.Errorf("the tenant knows %v", got)
			}
		})
	}
}

// TestAKilledInstallCompletesNextTime ends the plan where it stands, after each
// step, without any undoing. The first three look only.
func TestAKilledInstallCompletesNextTime(t *testing.T) {
	type killed struct{}
	world := newWorld(t)
	for _, step := range steps[3:] {
		t.Run(step, func(t *testing.T) {
			w := world.elsewhere(t)
			if err := w.cloud.Unpin("sandbox"); err != nil {
				t.Fatal(err)
			}
			options := func() Options {
				o := w.options(t)
				o.CA = []byte("-----BEGIN CERTIFICATE-----\n")
				return o
			}
			func() {
				defer func() {
					if v := recover(); v != (killed{}) {
						t.Errorf("ended with %v", v)
					}
				}()
				_, err := New(options()).Apply(t.Context(), func(e Event) {
					if e.Step.Name == step && e.What == Did {
						panic(killed{})
					}
				})
				t.Errorf("it went on: %v", err)
			}()
			w.install(t, options())
			w.check(t)
			if diff := cmp.Diff(installed, names(w.files(t))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// installed are the files of a home that has authorities of its own.
var installed = []string{"ca/installed.pem", "certs/cert.key", "certs/cert.pem", "config.json", "lib/profileMapper.js"}

// TestALostRequestIsUndone spoils each request before it is sent.
func TestALostRequestIsUndone(t *testing.T) {
	world := newWorld(t)
	for n, step := range map[int]string{1: "redeem-ticket", 2: "check-clock", 3: "register-agent"} {
		t.Run(step, func(t *testing.T) {
			w := world.elsewhere(t)
			cut := errors.New("cable cut")
			w.wire.spoil = func(at int, r *http.Request, next http.RoundTripper) (*http.Response, error) {
				if at >= n {
					return nil, cut
				}
				return next.RoundTrip(r)
			}
			_, err := New(w.options(t)).Apply(t.Context(), func(Event) {})
			if f := failed(t, err, step); len(f.Left) > 0 || !errors.Is(err, cut) {
				t.Errorf("err = %+v", f)
			}
			if strings.Contains(err.Error(), strings.TrimPrefix(w.ticket, w.cloud.URL()+"/p/ad/")) {
				t.Errorf("it shows the ticket: %v", err)
			}
			if _, err := os.Lstat(w.dir); err == nil {
				t.Errorf("left: %v", names(w.files(t)))
			}
		})
	}
}

// TestALostAnswerKeepsTheKeys: the tenant has pinned the certificate, and would
// refuse that of a second run if the first one's keys were thrown away.
func TestALostAnswerKeepsTheKeys(t *testing.T) {
	for name, spoil := range map[string]func(*http.Response, context.CancelFunc) (*http.Response, error){
		"cut": func(r *http.Response, _ context.CancelFunc) (*http.Response, error) {
			return nil, errors.Join(errors.New("cable cut"), r.Body.Close())
		},
		"cancelled": func(r *http.Response, cancel context.CancelFunc) (*http.Response, error) {
			cancel()
			return nil, errors.Join(context.Canceled, r.Body.Close())
		},
		"bad gateway": func(r *http.Response, _ context.CancelFunc) (*http.Response, error) {
			r.StatusCode = http.StatusBadGateway
			return r, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			w.wire.spoil = func(n int, r *http.Request, next http.RoundTripper) (*http.Response, error) {
				answer, err := next.RoundTrip(r)
				if n == 3 && err == nil {
					return spoil(answer, cancel)
				}
				return answer, err
			}
			_, err := New(w.options(t)).Apply(ctx, func(Event) {})
			f := failed(t, err, "register-agent")
			if len(f.Left) == 0 || !strings.Contains(f.Left[0].Error(), "the key pair stays") {
				t.Errorf("left %v", f.Left)
			}
			if diff := cmp.Diff([]string{"certs/cert.key", "certs/cert.pem"}, names(w.files(t))); diff != "" {
				t.Error(diff)
			}
			w.install(t, w.options(t))
			w.check(t)
		})
	}
}

// TestARefusedRegistrationIsUndone: the tenant holds to another certificate.
func TestARefusedRegistrationIsUndone(t *testing.T) {
	w := newWorld(t)
	w.install(t, w.options(t))
	other := w.elsewhere(t)
	_, err := New(other.options(t)).Apply(t.Context(), func(Event) {})
	f := failed(t, err, "register-agent")
	if len(f.Left) > 0 || !f.Changed || !strings.Contains(err.Error(), "409") {
		t.Errorf("err = %+v", f)
	}
	if _, err := os.Lstat(other.dir); err == nil {
		t.Errorf("left: %v", names(other.files(t)))
	}
	w.check(t)
}

// TestWhatCannotBeWrittenAfterTheRegistration: the keys are known by then.
func TestWhatCannotBeWrittenAfterTheRegistration(t *testing.T) {
	w := newWorld(t)
	path := filepath.Join(w.dir, "config.json")
	_, err := New(w.options(t)).Apply(t.Context(), func(e Event) {
		if e.Step.Name == "register-agent" && e.What == Did { // a folder cannot be written to
			if err := errors.Join(os.Remove(path), os.MkdirAll(filepath.Join(path, "x"), 0o700)); err != nil {
				t.Error(err)
			}
		}
	})
	f := failed(t, err, "record-registration")
	left := errors.Join(f.Left...)
	if left == nil || !strings.Contains(left.Error(), "the key pair stays") || !strings.Contains(left.Error(), path) {
		t.Errorf("left %v", left)
	}
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
	w.install(t, w.options(t))
	w.check(t)
}

// TestAnInstalledHomeIsAsBefore when a step fails: what was there is put back.
func TestAnInstalledHomeIsAsBefore(t *testing.T) {
	for _, step := range []string{"keep-ca", "write-config", "register-agent", "record-registration"} {
		t.Run(step, func(t *testing.T) {
			w := newWorld(t)
			o := w.options(t)
			o.CA = []byte("-----BEGIN CERTIFICATE-----\nfirst\n")
			w.install(t, o)
			ticket, _, err := w.cloud.NewConnection("other", false, false)
			if err != nil {
				t.Fatal(err)
			}
			before := w.files(t)
			w.ticket = ticket
			o = w.options(t)
			o.Replace, o.CA = true, []byte("-----BEGIN CERTIFICATE-----\nsecond\n")
			o.Config.Directory.BaseDN = "DC=other"
			plan := New(o)
			i := slices.IndexFunc(plan, func(s Step) bool { return s.Name == step })
			full := errors.New("disk full")
			do := plan[i].Do
			plan[i].Do = func(ctx context.Context) error { return errors.Join(do(ctx), full) }
			_, err = plan.Apply(t.Context(), func(Event) {})
			if f := failed(t, err, step); len(f.Left) > 0 || !errors.Is(err, full) {
				t.Errorf("err = %+v", f)
			}
			if diff := cmp.Diff(before, w.files(t)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestAuthoritiesJoinThoseOfTheOperator: a folder of theirs stays the one that
// SSL_CA_PATH names, and a pattern that would leave ours out gets no folder.
func TestAuthoritiesJoinThoseOfTheOperator(t *testing.T) {
	const given = "-----BEGIN CERTIFICATE-----\n"
	for name, tt := range map[string]struct {
		network config.Network
		want    string // of SSL_CA_PATH; "ca" is the home's
	}{
		"none":             {config.Default().Network, "ca"},
		"a folder":         {config.Network{CAPath: "/etc/corp/ca", CAFile: ".pem$"}, "/etc/corp/ca"},
		"a pattern alone":  {config.Network{CAFile: "^corp.pem$"}, ""},
		"one that matches": {config.Network{CAFile: "PEM$"}, "ca"},
	} {
		w := newWorld(t)
		o := w.options(t)
		o.Config.Network, o.CA = tt.network, []byte(given)
		w.install(t, o)
		c, err := w.home(t).Config()
		if err != nil {
			t.Fatal(err)
		}
		want := tt.want
		if want == "ca" {
			want = filepath.Join(w.dir, "ca")
		}
		if c.Network.CAPath != want {
			t.Errorf("%s: SSL_CA_PATH is %q, want %q", name, c.Network.CAPath, want)
		}
		if kept, err := w.home(t).CA(CAName); err != nil || string(kept) != given {
			t.Errorf("%s: kept %q, %v", name, kept, err)
		}
	}
}

func TestClockSkewStopsAnInstall(t *testing.T) {
	for _, offset := range []time.Duration{time.Minute, -time.Minute} {
		w := newWorld(t)
		w.cloud.SetClock(offset)
		_, err := New(w.options(t)).Apply(t.Context(), func(Event) {})
		f := failed(t, err, "check-clock")
		var skew *ClockSkewError
		if f.Changed || !errors.As(err, &skew) || !strings.Contains(err.Error(), "clock skew detected") || skew.Hint() == "" {
			t.Errorf("err = %v", err)
		}
		if got := skew.Tenant.Sub(skew.Local); (got - offset).Abs() > 5*time.Second {
			t.Errorf("the tenant is %s ahead, want %s", got, offset)
		}
	}
}

func TestAnotherConnection(t *testing.T) {
	w := newWorld(t)
	w.install(t, w.options(t))
	before := w.files(t)
	first := w.check(t)
	ticket, _, err := w.cloud.NewConnection("other", false, true)
	if err != nil {
		t.Fatal(err)
	}
	w.ticket = ticket
	_, err = New(w.options(t)).Apply(t.Context(), func(Event) {})
	var other *OtherConnectionError
	if f := failed(t, err, "redeem-ticket"); f.Changed || !errors.As(err, &other) || !strings.Contains(other.Hint(), "--replace") {
		t.Errorf("err = %v", err)
	}
	if diff := cmp.Diff(before, w.files(t)); diff != "" {
		t.Error(diff)
	}
	o := w.options(t)
	o.Replace = true
	if !w.install(t, o) {
		t.Error("it says that nothing changed")
	}
	c := w.check(t)
	if c.Tenant.Connection != "other" || c.Tenant.SiteName != "other" || !c.Tenant.ClientCertificates || c.Tenant.SigningKey == first.Tenant.SigningKey {
		t.Errorf("the home serves %s, titled %s", c.Tenant.Connection, c.Tenant.SiteName)
	}
}

// TestAKilledReplaceRegistersNextTime: the home names the new connection by
// then, and must not take the registration with the former one for it.
func TestAKilledReplaceRegistersNextTime(t *testing.T) {
	type killed struct{}
	w := newWorld(t)
	w.install(t, w.options(t))
	former := w.check(t).Tenant.SigningKey
	ticket, _, err := w.cloud.NewConnection("other", false, false)
	if err != nil {
		t.Fatal(err)
	}
	w.ticket = ticket
	func() {
		defer func() { _ = recover() }()
		o := w.options(t)
		o.Replace = true
		_, err := New(o).Apply(t.Context(), func(e Event) {
			if e.Step.Name == "write-config" && e.What == Did {
				panic(killed{})
			}
		})
		t.Errorf("it went on: %v", err)
	}()
	c, err := w.home(t).Config()
	if err != nil || c.Tenant.SigningKey == former {
		t.Errorf("the former connection's signing key is still believed, %v", err)
	}
	w.install(t, w.options(t))
	if c := w.check(t); c.Tenant.SigningKey == former {
		t.Error("the signing key is the former connection's")
	}
}

// TestKeysOfAnotherNodeAreUsed: an imported pair is registered as it is.
func TestKeysOfAnotherNodeAreUsed(t *testing.T) {
	w := newWorld(t)
	pair, err := keys.Generate("sandbox", "", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := w.home(t).SaveKeys(pair); err != nil {
		t.Fatal(err)
	}
	w.install(t, w.options(t))
	w.check(t)
	if got := w.cloud.Thumbprints(""); !slices.Equal(got, []string{pair.Thumbprint()}) {
		t.Errorf("registered %v", got)
	}
}

func TestADamagedHomeIsNotTouched(t *testing.T) {
	w := newWorld(t)
	o := w.options(t)
	w.install(t, o)
	if err := os.Remove(filepath.Join(w.dir, "certs", "cert.key")); err != nil {
		t.Fatal(err)
	}
	before := w.files(t)
	_, err := New(w.options(t)).Apply(t.Context(), func(Event) {})
	failed(t, err, "generate-keys")
	if diff := cmp.Diff(before, w.files(t)); diff != "" {
		t.Error(diff)
	}
}

func TestAnInvalidAnswerIsRefusedBeforeAnyChange(t *testing.T) {
	w := newWorld(t)
	o := w.options(t)
	o.Config.Directory.URLs = []string{"htp://dc1"}
	_, err := New(o).Apply(t.Context(), func(Event) {})
	var f *config.FieldError
	if s := failed(t, err, "redeem-ticket"); s.Changed || !errors.As(err, &f) || f.Key != "LDAP_URL" {
		t.Errorf("err = %v", err)
	}
}
