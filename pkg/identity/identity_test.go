package identity

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
)

type directory struct {
	bind, set, groups error
	bound, wrote      int
}

func (d *directory) Find(_ context.Context, name string) (*Entry, error) {
	if name != "jane" {
		return nil, &Refusal{Reason: WrongUsername}
	}
	return &Entry{DN: "CN=Jane,DC=example,DC=org"}, nil
}
func (d *directory) Bind(context.Context, string, Password) error { d.bound++; return d.bind }
func (d *directory) Groups(context.Context, *Entry) ([]Group, error) {
	return nil, d.groups
}
func (d *directory) Search(context.Context, Query) ([]*Entry, error) {
	return []*Entry{{DN: "CN=Jane"}, {DN: "CN=John"}}, nil
}
func (d *directory) ListGroups(context.Context, int) ([]Group, error) { return nil, nil }
func (d *directory) SetPassword(context.Context, string, Password) error {
	d.wrote++
	return d.set
}

type mapper struct{ err error }

func (m mapper) Map(_ context.Context, e *Entry, groups []Group, status Status) (Profile, error) {
	if m.err != nil {
		return Profile{}, m.err
	}
	return ParseProfile(fmt.Appendf(nil, `{"dn":%q,"groups":%t,"status":%q}`, e.DN, groups != nil, status))
}

func TestAuthenticate(t *testing.T) {
	down := errors.New("dial tcp: connection refused")
	for _, tt := range []struct {
		name, username string
		password       Password
		dir            directory
		mapper         error
		policy         Policy
		want           string // the reason, "ok", or the fault
		status         string // what the mapper was told
		binds          int
	}{
		{name: "right password", username: "jane", password: "secret", want: "ok", status: "active", binds: 1},
		{name: "unknown user", username: "john", password: "secret", want: "wrong_username"},
		{name: "no username is never asked for", password: "secret", want: "wrong_username: the username is empty"},
		{name: "wrong password", username: "jane", password: "x", dir: directory{bind: &Refusal{Reason: WrongPassword}},
			want: "wrong_password", status: "wrong_password", binds: 1},
		{name: "empty password never reaches the directory", username: "jane",
			want: "wrong_password: the password is empty", status: "wrong_password"},
		{name: "expired password", username: "jane", password: "secret", dir: directory{bind: &Refusal{Reason: PasswordExpired}},
			want: "password_expired", status: "password_expired", binds: 1},
		{name: "expired password, allowed", username: "jane", password: "secret", dir: directory{bind: &Refusal{Reason: PasswordExpired}},
			policy: Policy{AllowPasswordExpired: true}, want: "ok", status: "password_expired", binds: 1},
		{name: "change required, allowed", username: "jane", password: "secret", dir: directory{bind: &Refusal{Reason: PasswordChangeRequired}},
			policy: Policy{AllowPasswordChangeRequired: true}, want: "ok", status: "password_change_required", binds: 1},
		{name: "directory down is a fault, not a refusal", username: "jane", password: "secret", dir: directory{bind: down},
			want: down.Error(), binds: 1},
		{name: "a mapper that throws fails the login", username: "jane", password: "secret", mapper: errors.New("boom"),
			want: "boom", binds: 1},
		{name: "a mapper that throws hides no refusal", username: "jane", password: "x", dir: directory{bind: &Refusal{Reason: WrongPassword}},
			mapper: errors.New("boom"), want: "wrong_password: no profile: boom", binds: 1},
		{name: "groups that cannot be read are left out", username: "jane", password: "secret", dir: directory{groups: down},
			want: "ok", status: "active", binds: 1},
		{name: "unless they are required", username: "jane", password: "secret", dir: directory{groups: down},
			policy: Policy{GroupsRequired: true}, want: down.Error(), binds: 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			groupFaults := 0
			a := &Authenticator{Directory: &tt.dir, Mapper: mapper{tt.mapper}, Policy: tt.policy,
				GroupsFailed: func(context.Context, *Entry, error) { groupFaults++ }}
			p, err := a.Authenticate(t.Context(), Credentials{tt.username, tt.password})
			got := "ok"
			if err != nil {
				got = err.Error()
				var r *Refusal
				if errors.As(err, &r) {
					p = r.Profile
				}
			}
			if got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			if status := p.Value("status"); status != tt.status {
				t.Errorf("the mapper saw %q, want %q", status, tt.status)
			}
			if tt.dir.bound != tt.binds {
				t.Errorf("%d binds, want %d", tt.dir.bound, tt.binds)
			}
			if loud := tt.dir.groups != nil && got == "ok"; loud != (groupFaults == 1) {
				t.Errorf("GroupsFailed was told %d times", groupFaults)
			}
		})
	}
}

func TestChangePasswordNeverWritesNothing(t *testing.T) {
	d := &directory{}
	a := &Authenticator{Directory: d, Mapper: mapper{}}
	_, err := a.ChangePassword(t.Context(), Credentials{"jane", ""})
	var r *Refusal
	if !errors.As(err, &r) || r.Reason != PasswordTooWeak || r.Profile.IsZero() || d.wrote != 0 {
		t.Errorf("err = %v, %d writes", err, d.wrote)
	}
	if p, err := a.ChangePassword(t.Context(), Credentials{"jane", "new"}); err != nil || p.IsZero() || d.wrote != 1 {
		t.Errorf("%v, %v, %d writes", p, err, d.wrote)
	}
	if _, err := a.ChangePassword(t.Context(), Credentials{"john", "new"}); !errors.As(err, &r) || r.Reason != WrongUsername {
		t.Errorf("unknown user: %v", err)
	}
}

func TestSearchOmitsGroups(t *testing.T) {
	for _, tt := range []struct {
		policy Policy
		want   string
	}{
		{Policy{}, `[{"dn":"CN=Jane","groups":true,"status":""},{"dn":"CN=John","groups":true,"status":""}]`},
		{Policy{OmitGroupsInSearch: true}, `[{"dn":"CN=Jane","groups":false,"status":""},{"dn":"CN=John","groups":false,"status":""}]`},
		{Policy{OmitGroups: true}, `[{"dn":"CN=Jane","groups":false,"status":""},{"dn":"CN=John","groups":false,"status":""}]`},
	} {
		a := &Authenticator{Directory: &directory{}, Mapper: mapper{}, Policy: tt.policy}
		found, err := a.Search(t.Context(), Query{})
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := json.Marshal(found); string(got) != tt.want {
			t.Errorf("%+v: %s", tt.policy, got)
		}
	}
}

// meeting is a directory whose binds and group readings wait for each other.
type meeting struct {
	directory
	met chan struct{}
}

func (m *meeting) Bind(ctx context.Context, dn string, p Password) error {
	select {
	case <-m.met:
	case <-ctx.Done():
		return ctx.Err()
	}
	return m.directory.Bind(ctx, dn, p)
}

func (m *meeting) Groups(ctx context.Context, user *Entry) ([]Group, error) {
	select {
	case m.met <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return m.directory.Groups(ctx, user)
}

func TestGroupsAreReadWhileThePasswordIsTried(t *testing.T) {
	d := &meeting{met: make(chan struct{})}
	a := &Authenticator{Directory: d, Mapper: mapper{}}
	if _, err := a.Authenticate(t.Context(), Credentials{"jane", "secret"}); err != nil {
		t.Error(err)
	}
}

// waiting is a directory whose group readings end with their context alone.
type waiting struct {
	directory
	ended atomic.Bool
}

func (w *waiting) Groups(ctx context.Context, _ *Entry) ([]Group, error) {
	<-ctx.Done()
	w.ended.Store(true)
	return nil, ctx.Err()
}

func TestNothingRunsOnAfterAFault(t *testing.T) {
	down := errors.New("connection refused")
	d := &waiting{directory: directory{bind: down}}
	a := &Authenticator{Directory: d, Mapper: mapper{}}
	if _, err := a.Authenticate(t.Context(), Credentials{"jane", "secret"}); !errors.Is(err, down) || !d.ended.Load() {
		t.Errorf("%v, groups ended: %t", err, d.ended.Load())
	}
}

// falling is a directory whose code breaks.
type falling struct{ directory }

func (*falling) Groups(context.Context, *Entry) ([]Group, error) { panic("a bug") }

func TestAPanicIsAFault(t *testing.T) {
	a := &Authenticator{Directory: &falling{}, Mapper: mapper{}, Policy: Policy{GroupsRequired: true}}
	if _, err := a.Authenticate(t.Context(), Credentials{"jane", "secret"}); err == nil || !strings.Contains(err.Error(), "a bug") {
		t.Errorf("login: %v", err)
	}
	if _, err := a.Search(t.Context(), Query{}); err == nil || !strings.Contains(err.Error(), "a bug") {
		t.Errorf("search: %v", err)
	}
}

func TestTraceSeesEachStage(t *testing.T) {
	var seen []string
	ctx := WithTrace(t.Context(), func(s Stage) { seen = append(seen, fmt.Sprint(s.Name, " ", s.Err)) })
	a := &Authenticator{Directory: &directory{bind: &Refusal{Reason: AccountLocked}}, Mapper: mapper{}}
	if _, err := a.Authenticate(ctx, Credentials{"jane", "secret"}); err == nil {
		t.Fatal("accepted")
	}
	want := "find <nil>,bind account_locked,groups <nil>,map <nil>"
	if got := strings.Join(seen, ","); got != want {
		t.Errorf("stages %s, want %s", got, want)
	}
}

func TestProfile(t *testing.T) {
	for _, bad := range []string{"", "null", "1", `"x"`, "[]", "{", `{"a":}`, `{} {}`} {
		if p, err := ParseProfile([]byte(bad)); err == nil {
			t.Errorf("%q became the profile %v", bad, p)
		}
	}
	p, err := ParseProfile([]byte(` {"z":1,"a":"<b>"} `))
	if err != nil {
		t.Fatal(err)
	}
	if p.String() != `{"z":1,"a":"<b>"}` || p.Value("a") != "<b>" || p.Value("z") != "" {
		t.Errorf("%v", p)
	}
}

func TestPasswordHidesItself(t *testing.T) {
	c := Credentials{"jane", "hunter2"}
	var b strings.Builder
	for _, log := range []*slog.Logger{slog.New(slog.NewTextHandler(&b, nil)), slog.New(slog.NewJSONHandler(&b, nil))} {
		log.Info("login", "credentials", c, "nested", []any{c}, "password", c.Password)
	}
	if err := json.NewEncoder(&b).Encode(c); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(&b, "%v %+v %#v %s %q %x %v", c, c, c, c.Password, c.Password, c.Password, &c)
	if out := b.String(); strings.Contains(out, "hunter2") || strings.Contains(out, fmt.Sprintf("%x", "hunter2")) {
		t.Errorf("it shows: %s", out)
	}
}
