package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ad-ldap-connector/pkg/sandbox"
	"ad-ldap-connector/testdata/lab"
)

const acceptUsers = 10_000

// TestAcceptOpenLDAP is the life of a connector on OpenLDAP, seen from the
// tenant: all four commands, and everybody else's faults.
func TestAcceptOpenLDAP(t *testing.T) {
	t.Parallel()
	// Anybody may read the root DSE there: base and preset are found.
	slapd := lab.Slapd(t, lab.SlapdOptions{Users: acceptUsers, Anonymous: true})
	cloud := startCloud(t)
	c := newCLI(t)
	out := c.must("install", "--no-service", "--non-interactive", "--ticket-file", c.file("ticket", cloud.Ticket()+"\n"),
		"--ca-file", cloud.CAFile(), "--ldap-url", slapd.URL, "--ldap-bind-user", slapd.BindUser,
		"--ldap-bind-password-file", c.file("password", slapd.BindPassword+"\n"))
	if want := "directory: settings for openldap"; !strings.Contains(out.stderr.String(), want) {
		t.Errorf("install says %q, want %q in it", out.stderr, want)
	}
	if got := strings.TrimSpace(c.must("config", "get", "LDAP_BASE").stdout.String()); got != slapd.BaseDN {
		t.Errorf("LDAP_BASE is %q, want %q", got, slapd.BaseDN)
	}
	c.must("config", "set", "ENABLE_WRITE_BACK", "true")
	// The server's policy wants a password changed that somebody else has set.
	c.must("config", "set", "ALLOW_PASSWORD_CHANGE_REQUIRED", "true")
	node := c.start("run", "--home", c.home)
	awaitAgent(t, cloud)

	t.Run("logins", func(t *testing.T) { acceptLogins(t, cloud) })
	t.Run("searches", func(t *testing.T) { acceptSearches(t, cloud) })
	t.Run("password", func(t *testing.T) { acceptPasswordChange(t, cloud) })
	t.Run("directory stops", func(t *testing.T) { acceptDirectoryStop(t, cloud, slapd, node) })
	t.Run("directory hangs", func(t *testing.T) { acceptDirectoryHang(t, cloud, slapd, node) })
	t.Run("links drop", func(t *testing.T) { acceptDroppedLinks(t, cloud) })

	node.interrupt()
	node.wait(patience)
	if node.status() != exitOK {
		t.Errorf("run ended with %d:\n%s", node.status(), node.stderr)
	}
}

func acceptLogins(t *testing.T, cloud *sandbox.Cloud) {
	for _, i := range []int{1, 42, acceptUsers} {
		r := login(t, cloud, lab.User(i), lab.Password(i), "")
		direct, nested := lab.Groups(i)
		want := slices.Sorted(slices.Values(append(direct, nested...)))
		if diff := cmp.Diff(want, slices.Sorted(slices.Values(texts(r.Profile["groups"])))); diff != "" {
			t.Errorf("groups of %s: %s", lab.User(i), diff)
		}
		if r.Profile["id"] != lab.User(i) {
			t.Errorf("the id of %s is %v", lab.User(i), r.Profile["id"])
		}
	}
	for _, password := range []string{"not-the-password", lab.Password(43)} {
		r := login(t, cloud, lab.User(42), password, "WrongPassword")
		if r.Profile["id"] != lab.User(42) || r.Profile["nickname"] != "User 00042" {
			t.Errorf("the refusal carries %v, want the mapped profile of %s", r.Profile, lab.User(42))
		}
		if r.Profile["cn"] != nil || r.Profile["userPassword"] != nil {
			t.Errorf("the refusal carries the raw entry: %v", r.Profile)
		}
	}
	if r := login(t, cloud, "nobody-at-all", "x", "WrongUsername"); r.Profile["username"] != "nobody-at-all" {
		t.Errorf("the refusal of an unknown user carries %v", r.Profile)
	}
	for _, name := range lab.Hostile {
		login(t, cloud, name, lab.SpecialPassword, "")
	}
	login(t, cloud, lab.User(42), "", "WrongPassword") // OpenLDAP would refuse such a bind, others take it for anonymous
}

func acceptSearches(t *testing.T, cloud *sandbox.Cloud) {
	for _, limit := range []int{1, 7, 1000, 2500} {
		if r := ask(t, cloud, "search_users", sandbox.Request{Limit: limit}); r.Err != nil || len(r.Users) != limit {
			t.Errorf("search for all with limit %d: %d users, %+v", limit, len(r.Users), r.Err)
		}
		want := min(limit, 10) // user04200 to user04209
		if r := ask(t, cloud, "search_users", sandbox.Request{Search: "user0420", Limit: limit}); r.Err != nil || len(r.Users) != want {
			t.Errorf("search for user0420 with limit %d: %d users, want %d, %+v", limit, len(r.Users), want, r.Err)
		}
	}
	if r := ask(t, cloud, "search_users", sandbox.Request{Search: "no one is called this"}); r.Err != nil || r.Users == nil || len(r.Users) != 0 {
		t.Errorf("search for nobody: %v, %+v; want an empty list", r.Users, r.Err)
	}
	all := ask(t, cloud, "list_groups", sandbox.Request{})
	if all.Err != nil || !slices.Contains(all.Groups, "company") || !slices.Contains(all.Groups, "team-039") || len(all.Groups) < 70 {
		t.Errorf("list_groups: %d groups, %+v", len(all.Groups), all.Err)
	}
	if r := ask(t, cloud, "list_groups", sandbox.Request{Limit: 5}); r.Err != nil || len(r.Groups) != 5 {
		t.Errorf("list_groups with limit 5: %d groups, %+v", len(r.Groups), r.Err)
	}
}

func acceptPasswordChange(t *testing.T, cloud *sandbox.Cloud) {
	const user, fresh = 77, "Fresh-Passwörd-77"
	name := lab.User(user)
	change := func(password string) reply {
		return ask(t, cloud, "change_password", sandbox.Request{Username: name, Password: password})
	}
	if r := change("short"); r.Err == nil || r.Err.Name != "PasswordComplexityError" {
		t.Errorf("a password too short: %+v, want PasswordComplexityError", r.Err)
	}
	login(t, cloud, name, lab.Password(user), "")
	if r := change(fresh); r.Err != nil || r.Profile["id"] != name {
		t.Errorf("change: %+v, %v", r.Err, r.Profile)
	}
	login(t, cloud, name, lab.Password(user), "WrongPassword")
	login(t, cloud, name, fresh, "")
	if r := ask(t, cloud, "change_password", sandbox.Request{Username: "nobody-at-all", Password: fresh}); r.Err == nil || r.Err.Name != "WrongUsername" {
		t.Errorf("change for an unknown user: %+v", r.Err)
	}
}

// loginWorks waits until logins work, without touching the connector.
func loginWorks(t *testing.T, cloud *sandbox.Cloud) {
	t.Helper()
	var last reply
	lab.Eventually(t, "logins to work again", func() bool {
		var err error
		last, err = tryAsk(cloud, "authenticate_user", sandbox.Request{Username: lab.User(5), Password: lab.Password(5)})
		return err == nil && last.Err == nil
	})
	if !strings.Contains(fmt.Sprint(last.Profile["emails"]), lab.User(5)+"@lab.test") {
		t.Errorf("the profile is %v", last.Profile)
	}
}

// unexpected checks that a login is answered, and by no refusal: the user is
// not to be told that the password is wrong because the directory is down.
func unexpected(t *testing.T, cloud *sandbox.Cloud, node *invocation) {
	t.Helper()
	r := ask(t, cloud, "authenticate_user", sandbox.Request{Username: lab.User(5), Password: lab.Password(5)})
	if r.Err == nil || r.Err.Message != "Unexpected Error" || r.Err.Name != "" || r.Profile != nil {
		t.Errorf("the answer is %+v, %v, want Unexpected Error without name and profile", r.Err, r.Profile)
	}
	if node.ended() {
		t.Fatalf("the connector ended with %d:\n%s", node.status(), node.stderr)
	}
}

// A breakable directory server can be killed, started again and made to hang.
type breakable interface {
	Stop()
	Start()
	Pause()
	Resume()
}

func acceptDirectoryStop(t *testing.T, cloud *sandbox.Cloud, server breakable, node *invocation) {
	server.Stop()
	for range 3 {
		unexpected(t, cloud, node)
	}
	server.Start()
	loginWorks(t, cloud)
}

func acceptDirectoryHang(t *testing.T, cloud *sandbox.Cloud, server breakable, node *invocation) {
	server.Pause()
	t.Cleanup(server.Resume)
	unexpected(t, cloud, node)
	server.Resume()
	loginWorks(t, cloud)
}

func acceptDroppedLinks(t *testing.T, cloud *sandbox.Cloud) {
	for range 2 {
		before := map[string]bool{}
		for _, a := range cloud.Agents() {
			before[a.ID] = true
		}
		cloud.DropAgents()
		awaitAgents(t, cloud, "the agent to come back", func(agents []sandbox.Agent) bool {
			return slices.ContainsFunc(agents, func(a sandbox.Agent) bool { return !before[a.ID] })
		})
		loginWorks(t, cloud)
	}
}
