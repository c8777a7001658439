package directory_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ad-ldap-connector/pkg/directory"
	"ad-ldap-connector/pkg/identity"
	"ad-ldap-connector/testdata/lab"

	"github.com/google/go-cmp/cmp"
)

// A target is a directory server that the suite runs over. All hold the same
// people, but for what traits say.
type target interface {
	Options(t *testing.T) directory.Options
	Users() int
	// DenyWrites takes the right to set the password of locked1 from the
	// service account until the test ends.
	DenyWrites(t *testing.T)
}

// A breakable target can be killed, started again and made to hang.
type breakable interface {
	Stop()
	Start()
	Pause()
	Resume()
}

// slapd is OpenLDAP.
type slapd struct{ *lab.SlapdServer }

func (s slapd) Users() int { return 60 }

func (s slapd) DenyWrites(*testing.T) {} // its access rules always do

func (s slapd) Options(t *testing.T) directory.Options {
	return directory.Options{
		URLs: []string{s.URL}, BaseDN: s.BaseDN, BindUser: s.BindUser, BindPassword: identity.Password(s.BindPassword),
		UserFilter:       filter(t, "(uid={0})"),
		SearchFilter:     filter(t, "(&(objectClass=inetOrgPerson)(|(uid={0})(cn={0}*)))"),
		SearchAllFilter:  filter(t, "(&(objectClass=inetOrgPerson)(mail=*))"),
		ListGroupsFilter: filter(t, "(objectClass=groupOfNames)"),
		GroupsFilter:     filter(t, "(member={0})"),
		HeartbeatFilter:  filter(t, "(objectClass=*)"),
	}
}

func filter(t testing.TB, template string) directory.Filter {
	t.Helper()
	f, err := directory.ParseFilter(template)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// client returns a client of a target, closed with the test.
func client(t *testing.T, on target, change ...func(*directory.Options)) *directory.Client {
	t.Helper()
	o := on.Options(t)
	for _, f := range change {
		f(&o)
	}
	c := directory.New(o)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func TestConformanceSlapd(t *testing.T) {
	server := lab.Slapd(t, lab.SlapdOptions{Users: 60, SizeLimit: 20})
	suite(t, slapd{server})
}

func suite(t *testing.T, on target) {
	t.Run("find", func(t *testing.T) { testFind(t, on) })
	t.Run("bind", func(t *testing.T) { testBind(t, on) })
	t.Run("groups", func(t *testing.T) { testGroups(t, on) })
	t.Run("search", func(t *testing.T) { testSearch(t, on) })
	t.Run("password", func(t *testing.T) { testPassword(t, on) })
	t.Run("concurrent logins", func(t *testing.T) { testConcurrent(t, on) })
	if b, ok := on.(breakable); ok {
		t.Run("killed and started again", func(t *testing.T) { testKilled(t, on, b) })
		t.Run("hung", func(t *testing.T) { testHung(t, on, b) })
	}
}

// refused fails the test unless err is a refusal for that reason.
func refused(t *testing.T, err error, reason identity.Reason) {
	t.Helper()
	var r *identity.Refusal
	if !errors.As(err, &r) || r.Reason != reason {
		t.Errorf("got %v, want refusal %s", err, reason)
	}
}

func testFind(t *testing.T, on target) {
	c := client(t, on)
	ctx := t.Context()
	user, err := c.Find(ctx, lab.User(42))
	if err != nil {
		t.Fatal(err)
	}
	if want := "uid=user00042,ou=people,dc=lab,dc=test"; user.DN != want {
		t.Errorf("DN %s, want %s", user.DN, want)
	}
	if got := user.Value("MAIL"); got != "user00042@lab.test" {
		t.Errorf("mail %q", got)
	}
	if user.Attribute("entryUUID") != nil {
		t.Error("operational attributes were read, which mappers have never seen")
	}

	for _, name := range []string{"nobody", "*", "user0004*", "", "user00042)(uid=*", "\x00", "\xff\xfe", strings.Repeat("x", 5000)} {
		_, err := c.Find(ctx, name)
		refused(t, err, identity.WrongUsername)
	}
	_, err = c.Find(ctx, "dup")
	refused(t, err, identity.AmbiguousUsername)
	if err == nil || !strings.Contains(err.Error(), "2 or more entries match") {
		t.Errorf("ambiguity is not said: %v", err)
	}
	for _, name := range lab.Hostile {
		user, err := c.Find(ctx, name)
		if err != nil {
			t.Errorf("find %q: %v", name, err)
			continue
		}
		if got := user.Value("uid"); got != name {
			t.Errorf("find %q got %q", name, got)
		}
		if err := c.Bind(ctx, user.DN, lab.SpecialPassword); err != nil {
			t.Errorf("bind %q: %v", user.DN, err)
		}
	}
	multi, err := c.Find(ctx, "multi")
	if err != nil {
		t.Fatal(err)
	}
	if got := multi.Values("mail"); !cmp.Equal(got, []string{"m1@lab.test", "m2@lab.test"}) {
		t.Errorf("mail %q", got)
	}
	if got := multi.Value("jpegPhoto"); got != "\xff\xd8\x00\x01\x02\xfe" {
		t.Errorf("octets came as %q", got)
	}
}

func testBind(t *testing.T, on target) {
	c := client(t, on)
	ctx := t.Context()
	user, err := c.Find(ctx, lab.User(7))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Bind(ctx, user.DN, identity.Password(lab.Password(7))); err != nil {
		t.Error(err)
	}
	refused(t, c.Bind(ctx, user.DN, identity.Password(lab.Password(8))), identity.WrongPassword)
	refused(t, c.Bind(ctx, user.DN, ""), identity.WrongPassword)
	refused(t, c.Bind(ctx, "uid=nobody,"+user.DN, "x-Passw0rd"), identity.WrongPassword)
	if err := c.Bind(ctx, "", "anything"); err == nil {
		t.Error("an empty DN was bound, which is anonymous")
	}
	if uni, err := c.Find(ctx, "unipw"); err != nil {
		t.Error(err)
	} else if err := c.Bind(ctx, uni.DN, "pässwörd-😀"); err != nil {
		t.Error(err)
	}
}

// labels returns the labels of groups as text, sorted.
func labels(groups []identity.Group) []string {
	out := make([]string, len(groups))
	for i, g := range groups {
		out[i] = strings.Trim(string(g.Label), `"`)
	}
	slices.Sort(out)
	return out
}

func testGroups(t *testing.T, on target) {
	direct, nested := lab.Groups(42)
	all := append(slices.Clone(direct), nested...)
	slices.Sort(all)
	user := func(c *directory.Client, name string) *identity.Entry {
		t.Helper()
		e, err := c.Find(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	read := func(c *directory.Client, name string) []string {
		t.Helper()
		groups, err := c.Groups(t.Context(), user(c, name))
		if err != nil {
			t.Fatal(err)
		}
		return labels(groups)
	}
	flat := client(t, on)
	if got := read(flat, lab.User(42)); !cmp.Equal(got, direct) {
		t.Errorf("direct groups: %v", cmp.Diff(direct, got))
	}
	deep := client(t, on, func(o *directory.Options) { o.NestedGroups, o.GroupsCache = true, time.Minute })
	for range 2 { // the second time from the cache
		if got := read(deep, lab.User(42)); !cmp.Equal(got, all) {
			t.Errorf("nested groups: %v", cmp.Diff(all, got))
		}
	}
	if got, want := read(deep, "loopuser"), []string{"Grp (with) *stars*, commas", "loop-a", "loop-b"}; !cmp.Equal(got, want) {
		t.Errorf("looped groups: %v", cmp.Diff(want, got))
	}
	groups, err := deep.Groups(t.Context(), user(deep, "nogroups"))
	if err != nil || groups == nil || len(groups) != 0 {
		t.Errorf("no groups: %v, %v", groups, err)
	}
	objects := client(t, on, func(o *directory.Options) { o.GroupProperties = []string{"cn", "dn", "none", "objectClass"} })
	groups, err = objects.Groups(t.Context(), user(objects, "nogroups"))
	if err != nil || len(groups) != 0 {
		t.Errorf("no groups: %v, %v", groups, err)
	}
	groups, err = objects.Groups(t.Context(), user(objects, "loopuser"))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"cn":"loop-a","dn":"cn=loop-a,ou=groups,dc=lab,dc=test","objectClass":"groupOfNames"}`
	if !slices.ContainsFunc(groups, func(g identity.Group) bool { return string(g.Label) == want }) {
		t.Errorf("%s is not in %s", want, groups)
	}
	dns := client(t, on, func(o *directory.Options) { o.GroupProperty = "dn" })
	if got := read(dns, "comma,name"); !slices.ContainsFunc(got, func(s string) bool { return strings.HasPrefix(strings.ToLower(s), "cn=grp (with) *stars*") }) {
		t.Errorf("DNs as labels: %q", got)
	}
}

func testSearch(t *testing.T, on target) {
	c := client(t, on)
	ctx := t.Context()
	count := func(q identity.Query, want int) {
		t.Helper()
		found, err := c.Search(ctx, q)
		if err != nil || len(found) != want {
			t.Errorf("search %+v: %d found, want %d; %v", q, len(found), want, err)
		}
	}
	everyone := on.Users() + 1 // and multi
	count(identity.Query{}, everyone)
	count(identity.Query{Limit: 3}, 3)
	count(identity.Query{Limit: -1}, everyone)
	count(identity.Query{Limit: 501}, everyone)
	count(identity.Query{Text: lab.User(5)}, 1)
	count(identity.Query{Text: "User 0000", Limit: 5}, 5)
	count(identity.Query{Text: "User 0000"}, 9)
	count(identity.Query{Text: "*"}, 1) // whose name begins with one
	count(identity.Query{Text: "a*b"}, 1)

	groups, err := c.ListGroups(ctx, 0)
	if err != nil {
		t.Fatal(err)
	}
	if got := labels(groups); !slices.Contains(got, "company") || !slices.Contains(got, "team-039") || len(got) != 79 {
		t.Errorf("%d groups: %q", len(got), got)
	}
	if groups, err = c.ListGroups(ctx, 2); err != nil || len(groups) != 2 {
		t.Errorf("limit 2: %v, %v", labels(groups), err)
	}
}

func testPassword(t *testing.T, on target) {
	c := client(t, on)
	ctx := t.Context()
	user, err := c.Find(ctx, "chpw")
	if err != nil {
		t.Fatal(err)
	}
	const fresh = "neu-Pässwörd-€-😀"
	if err := c.SetPassword(ctx, user.DN, fresh); err != nil {
		t.Fatal(err)
	}
	if err := c.Bind(ctx, user.DN, fresh); err != nil {
		t.Errorf("new password: %v", err)
	}
	refused(t, c.Bind(ctx, user.DN, "old-Passw0rd"), identity.WrongPassword)
	refused(t, c.SetPassword(ctx, user.DN, "short"), identity.PasswordTooWeak)
	refused(t, c.SetPassword(ctx, user.DN, ""), identity.PasswordTooWeak)
	locked, err := c.Find(ctx, "locked1")
	if err != nil {
		t.Fatal(err)
	}
	t.Run("without the right", func(t *testing.T) {
		on.DenyWrites(t)
		refused(t, c.SetPassword(ctx, locked.DN, fresh), identity.InsufficientAccess)
	})
	err = c.SetPassword(ctx, "uid=nobody,ou=people,dc=lab,dc=test", fresh)
	refused(t, err, identity.WrongUsername)
	if err == nil || strings.Contains(err.Error(), fresh) {
		t.Errorf("the new password is in the error: %v", err)
	}
}

// login does what a login does.
func login(ctx context.Context, c *directory.Client, i int) error {
	user, err := c.Find(ctx, lab.User(i))
	if err != nil {
		return err
	}
	if err := c.Bind(ctx, user.DN, identity.Password(lab.Password(i))); err != nil {
		return err
	}
	groups, err := c.Groups(ctx, user)
	if err != nil {
		return err
	}
	if direct, _ := lab.Groups(i); !cmp.Equal(labels(groups), direct) {
		return fmt.Errorf("%s is in %q", user.DN, labels(groups))
	}
	return nil
}

func testConcurrent(t *testing.T, on target) {
	c := client(t, on)
	var wg sync.WaitGroup
	for w := range 64 {
		wg.Go(func() {
			for n := range 4 {
				i := (w*7+n*13)%on.Users() + 1
				if err := login(t.Context(), c, i); err != nil {
					t.Errorf("user %d: %v", i, err)
				}
				err := c.Bind(t.Context(), fmt.Sprintf("uid=%s,ou=people,dc=lab,dc=test", lab.User(i)), "wrong-Passw0rd")
				refused(t, err, identity.WrongPassword)
			}
		})
	}
	wg.Wait()
}

func testKilled(t *testing.T, on target, b breakable) {
	c := client(t, on)
	for i := range 4 { // every connection is open
		if err := login(t.Context(), c, i+1); err != nil {
			t.Fatal(err)
		}
	}
	b.Stop()
	for range 3 {
		err := login(t.Context(), c, 1)
		var r *identity.Refusal
		if err == nil || errors.As(err, &r) {
			t.Errorf("without a server: %v, want a fault", err)
		}
	}
	b.Start()
	for i := range 4 {
		if err := login(t.Context(), c, i+1); err != nil {
			t.Errorf("after the restart: %v", err)
		}
	}
	// A restart that nobody notices between two logins: every connection is
	// dead, and no login may show it.
	b.Stop()
	b.Start()
	for i := range 4 {
		if err := login(t.Context(), c, i+1); err != nil {
			t.Errorf("after the second restart: %v", err)
		}
	}
}

func testHung(t *testing.T, on target, b breakable) {
	c := client(t, on)
	if err := login(t.Context(), c, 1); err != nil {
		t.Fatal(err)
	}
	user := fmt.Sprintf("uid=%s,ou=people,dc=lab,dc=test", lab.User(1))
	b.Pause()
	resumed := false
	defer func() {
		if !resumed {
			b.Resume()
		}
	}()
	for name, do := range map[string]func(context.Context) error{
		"find": func(ctx context.Context) error { _, err := c.Find(ctx, lab.User(1)); return err },
		"bind": func(ctx context.Context) error { return c.Bind(ctx, user, "x-Passw0rd") },
		"groups": func(ctx context.Context) error {
			_, err := c.Groups(ctx, &identity.Entry{DN: user})
			return err
		},
		"search": func(ctx context.Context) error { _, err := c.Search(ctx, identity.Query{}); return err },
		"set":    func(ctx context.Context) error { return c.SetPassword(ctx, user, "x-Passw0rd") },
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		start := time.Now()
		err := do(ctx)
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v, want the deadline", name, err)
		}
		if took := time.Since(start); took > 20*time.Second {
			t.Errorf("%s took %s", name, took)
		}
	}
	b.Resume()
	resumed = true
	if err := login(t.Context(), c, 1); err != nil {
		t.Errorf("after the hang: %v", err)
	}
}

// caPool reads a CA's certificate.
func caPool(t *testing.T, file string) *x509.CertPool {
	t.Helper()
	pem, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		t.Fatalf("no certificate in %s", file)
	}
	return pool
}
