package directory_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
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

func TestConformanceSlapd(t *testing.T) {
	server := lab.Slapd(t, lab.SlapdOptions{Users: 60, SizeLimit: 20})
	suite(t, slapd{server})
}

func suite(t *testing.T, on target) {
	t.Run("find", func(t *testing.T) { testFind(t, on) })
	t.Run("bind", func(t *testing.T) { testBind(t, on) })
	t.Run("refusals", func(t *testing.T) { testRefusals(t, on) })
	t.Run("what is never sent", func(t *testing.T) { testNeverSent(t, on) })
	t.Run("groups", func(t *testing.T) { testGroups(t, on) })
	t.Run("search", func(t *testing.T) { testSearch(t, on) })
	t.Run("password", func(t *testing.T) { testPassword(t, on) })
	t.Run("unlock", func(t *testing.T) { testUnlock(t, on) })
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

// says fails the test unless a refusal carries the server's own words.
func says(t *testing.T, err error, words string) {
	t.Helper()
	var r *identity.Refusal
	if errors.As(err, &r) && !strings.Contains(r.Detail, words) {
		t.Errorf("the server says %q, want %q in it", r.Detail, words)
	}
}

func testFind(t *testing.T, on target) {
	c := client(t, on)
	ctx := t.Context()
	user, err := c.Find(ctx, lab.User(42))
	if err != nil {
		t.Fatal(err)
	}
	if want := on.Traits().userDN(42); user.DN != want {
		t.Errorf("DN %s, want %s", user.DN, want)
	}
	if got := user.Value("MAIL"); got != "user00042@lab.test" {
		t.Errorf("mail %q", got)
	}
	if user.Attribute(on.Traits().operational) != nil {
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
	located, err := c.Locate(ctx, identity.Place{Filter: "(&(objectClass=*)(mail={0}))"}, "user00042@lab.test")
	if err != nil || located.DN != user.DN {
		t.Errorf("located by mail: %v, %v", located, err)
	}
	_, err = c.Locate(ctx, identity.Place{Filter: "(mail={0})"}, "user0004*")
	refused(t, err, identity.WrongUsername)
	if located, err := c.Locate(ctx, identity.Place{BaseDN: user.DN}, lab.User(42)); err != nil || located.DN != user.DN {
		t.Errorf("located below its own DN: %v, %v", located, err)
	}
	_, err = c.Locate(ctx, identity.Place{BaseDN: user.DN}, lab.User(41))
	refused(t, err, identity.WrongUsername)
	_, err = c.Locate(ctx, identity.Place{Filter: "(mail={0})"}, "")
	refused(t, err, identity.WrongUsername)
	for _, filter := range []string{"(mail=user00042@lab.test)", "(mail={0}", "({0}=x)"} {
		if _, err := c.Locate(ctx, identity.Place{Filter: filter}, "user00042@lab.test"); err == nil {
			t.Errorf("located by %s", filter)
		}
	}
	multi, err := c.Find(ctx, "multi")
	if err != nil {
		t.Fatal(err)
	}
	if got := multi.Values(on.Traits().several); !cmp.Equal(got, []string{"m1@lab.test", "m2@lab.test"}) {
		t.Errorf("%s %q", on.Traits().several, got)
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
		if json.Unmarshal(g.Label, &out[i]) != nil { // an object or a list
			out[i] = string(g.Label)
		}
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
	for where, nest := range on.Traits().nesting {
		deep := client(t, on, nest, func(o *directory.Options) { o.GroupsCache = time.Minute })
		for range 2 { // the second time from the cache
			if got := read(deep, lab.User(42)); !cmp.Equal(got, all) {
				t.Errorf("groups nested %s: %v", where, cmp.Diff(all, got))
			}
		}
		for name, want := range on.Traits().members {
			slices.Sort(want)
			if got := read(deep, name); !cmp.Equal(got, want) {
				t.Errorf("groups of %s, nested %s: %v", name, where, cmp.Diff(want, got))
			}
		}
	}
	groups, err := flat.Groups(t.Context(), user(flat, "nogroups"))
	if err != nil || groups == nil || len(groups) != 0 { // what has none is no null
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
	want := on.Traits().loopA
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
	everyone := users + 1 // and multi
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
	if got := labels(groups); !slices.Contains(got, "company") || !slices.Contains(got, "team-039") || len(got) != on.Traits().groups {
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
	for _, weak := range on.Traits().weak {
		err := c.SetPassword(ctx, user.DN, weak)
		refused(t, err, identity.PasswordTooWeak)
		if weak != "" { // which is never sent
			says(t, err, on.Traits().tooWeak)
		}
	}
	locked, err := c.Find(ctx, "locked1")
	if err != nil {
		t.Fatal(err)
	}
	t.Run("without the right", func(t *testing.T) {
		on.DenyWrites(t)
		err := c.SetPassword(ctx, locked.DN, fresh)
		refused(t, err, identity.InsufficientAccess)
		says(t, err, on.Traits().noRight)
	})
	err = c.SetPassword(ctx, on.Traits().nobodyDN, fresh)
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
	for w := range on.Traits().clients {
		wg.Go(func() {
			for n := range 4 {
				i := (w*7+n*13)%users + 1
				if err := login(t.Context(), c, i); err != nil {
					t.Errorf("user %d: %v", i, err)
				}
				err := c.Bind(t.Context(), on.Traits().userDN(i), "wrong-Passw0rd")
				refused(t, err, identity.WrongPassword)
			}
		})
	}
	wg.Wait()
}
