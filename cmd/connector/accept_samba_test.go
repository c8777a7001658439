package main

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ad-ldap-connector/pkg/sandbox"
	"ad-ldap-connector/testdata/lab"
)

// TestAcceptSamba is the life of a connector on an Active Directory domain
// controller, seen from the tenant: it is recognised, and set up by itself.
func TestAcceptSamba(t *testing.T) {
	t.Parallel()
	dc := lab.Samba(t, lab.SambaOptions{})
	cloud := startCloud(t)
	c := newCLI(t)
	authorities := ""
	for _, file := range []string{cloud.CAFile(), dc.CAFile} {
		pem, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		authorities += string(pem)
	}
	ca, ticket, password := c.file("ca.pem", authorities), c.file("ticket", cloud.Ticket()+"\n"), c.file("password", dc.BindPassword+"\n")
	install := func(url string) *invocation {
		return c.run("install", "--no-service", "--non-interactive", "--ticket-file", ticket, "--ca-file", ca,
			"--ldap-url", url, "--ldap-bind-user", dc.BindUser, "--ldap-bind-password-file", password)
	}
	// In clear it does not let the service account in, and what helps is said.
	if out := install(dc.URL); out.status() == exitOK || !strings.Contains(out.stderr.String(), "takes no passwords in clear: use ldaps://") {
		t.Errorf("install in clear ended with %d:\n%s", out.status(), out.stderr)
	}
	out := install(dc.TLSURL)
	if want := "directory: settings for samba"; out.status() != exitOK || !strings.Contains(out.stderr.String(), want) {
		t.Fatalf("install ended with %d and says %q, want %q in it", out.status(), out.stderr, want)
	}
	if got := strings.TrimSpace(c.must("config", "get", "LDAP_BASE").stdout.String()); got != dc.BaseDN {
		t.Errorf("LDAP_BASE is %q, want %q", got, dc.BaseDN)
	}
	for _, key := range []string{"ENABLE_WRITE_BACK", "ENABLE_ACTIVE_DIRECTORY_UNICODE_PASSWORD", "AUTO_UNLOCK_ON_PASSWORD_CHANGE"} {
		c.must("config", "set", key, "true")
	}
	node := c.start("run", "--home", c.home)
	awaitAgent(t, cloud)

	t.Run("logins", func(t *testing.T) { sambaLogins(t, cloud) })
	t.Run("refusals", func(t *testing.T) { sambaRefusals(t, cloud) })
	t.Run("searches", func(t *testing.T) { sambaSearches(t, cloud) })
	t.Run("password", func(t *testing.T) { sambaPasswords(t, cloud) })
	t.Run("directory stops", func(t *testing.T) { acceptDirectoryStop(t, cloud, dc, node) })
	t.Run("directory hangs", func(t *testing.T) { acceptDirectoryHang(t, cloud, dc, node) })

	node.interrupt()
	node.wait(patience)
	if node.status() != exitOK {
		t.Errorf("run ended with %d:\n%s", node.status(), node.stderr)
	}
}

// everybodys are the groups of everybody, by way of the primary group.
var everybodys = []string{"Domain Users", "Users"}

func sambaGroups(t *testing.T, r reply, want ...string) {
	t.Helper()
	want = slices.Sorted(slices.Values(slices.Concat(want, everybodys)))
	if diff := cmp.Diff(want, slices.Sorted(slices.Values(texts(r.Profile["groups"])))); diff != "" {
		t.Errorf("groups of %v: %s", r.Profile["nickname"], diff)
	}
}

func sambaLogins(t *testing.T, cloud *sandbox.Cloud) {
	for _, i := range []int{1, 42, lab.ADUsers} {
		r := login(t, cloud, lab.User(i), lab.Password(i), "")
		direct, nested := lab.Groups(i)
		sambaGroups(t, r, slices.Concat(direct, nested)...)
		if id, _ := r.Profile["id"].(string); len(id) != 36 || r.Profile["nickname"] != lab.User(i) || r.Profile["sAMAccountName"] != lab.User(i) {
			t.Errorf("the profile of %s is %v", lab.User(i), r.Profile)
		}
	}
	sambaGroups(t, login(t, cloud, "loopuser", lab.SpecialPassword, ""), "Grp (with) *stars*, commas", "loop-a", "loop-b")
	// The group in the middle gives no rights in Windows, and yet leads on.
	sambaGroups(t, login(t, cloud, "viadist", lab.SpecialPassword, ""), "leaf", "mid", "top")
	r := login(t, cloud, "tangled", lab.TangledPassword, "")
	sambaGroups(t, r, "leaf", "mid", "top", lab.TangledName)
	if r.Profile["displayName"] != lab.TangledName {
		t.Errorf("the name of %q came as %v", lab.TangledName, r.Profile["displayName"])
	}
	for _, name := range []string{"jd()e", "o'brien", "jürgen", "#hash", "white space", "a$$b", "a$`b", "{0}", "(&)", "😀"} {
		login(t, cloud, name, lab.SpecialPassword, "")
	}
	login(t, cloud, "unipw", "pässwörd-😀", "")
}

// Each refusal is told by the name that the tenant knows, and with the profile.
func sambaRefusals(t *testing.T, cloud *sandbox.Cloud) {
	for user, want := range map[string]string{
		lab.LockedUser: "AccountLocked", lab.DisabledUser: "AccountDisabled", lab.ExpiredUser: "AccountExpired",
		lab.StaleUser: "PasswordExpired", lab.MustChangeUser: "PasswordChangeRequired",
		// It has no names for these.
		lab.HoursUser: "WrongPassword", lab.WorkstationUser: "WrongPassword",
	} {
		r := login(t, cloud, user, lab.SpecialPassword, want)
		if r.Profile["nickname"] != user || r.Profile["unicodePwd"] != nil || r.Profile["userAccountControl"] != nil {
			t.Errorf("the refusal carries %v, want the mapped profile of %s", r.Profile, user)
		}
		wrong := "WrongPassword" // who does not know the password learns no more
		if user == lab.LockedUser {
			wrong = want
		}
		login(t, cloud, user, "wrong-Passw0rd", wrong)
	}
	login(t, cloud, lab.User(42), "", "WrongPassword")
	login(t, cloud, lab.User(42), lab.Password(43), "WrongPassword")
	for _, name := range []string{"nobody-at-all", "*", "a*b", lab.User(42) + ")(cn=*"} {
		if r := login(t, cloud, name, lab.SpecialPassword, "WrongUsername"); r.Profile["username"] != name {
			t.Errorf("the refusal of the unknown %q carries %v", name, r.Profile)
		}
	}
}

func sambaSearches(t *testing.T, cloud *sandbox.Cloud) {
	if r := ask(t, cloud, "search_users", sandbox.Request{Limit: 7}); r.Err != nil || len(r.Users) != 7 {
		t.Errorf("search for all with limit 7: %d users, %+v", len(r.Users), r.Err)
	}
	all := ask(t, cloud, "search_users", sandbox.Request{Limit: 1000})
	if all.Err != nil || len(all.Users) < lab.ADUsers+len(lab.Hostile)+len(lab.SambaCode) {
		t.Errorf("search for all: %d users, %+v", len(all.Users), all.Err)
	}
	// By any of a user's names, from the start: what Active Directory calls
	// ambiguous name resolution.
	for text, want := range map[string]string{"user00042": lab.User(42), "given42": lab.User(42), "number00042": lab.User(42), "MÜLLER": "tangled"} {
		r := ask(t, cloud, "search_users", sandbox.Request{Search: text, Limit: 10})
		if r.Err != nil || len(r.Users) != 1 || r.Users[0]["nickname"] != want {
			t.Errorf("search for %q: %v, %+v; want %s", text, r.Users, r.Err, want)
		}
	}
	if r := ask(t, cloud, "search_users", sandbox.Request{Search: "User 0004", Limit: 50}); r.Err != nil || len(r.Users) != 10 {
		t.Errorf("search for User 0004: %d users, %+v", len(r.Users), r.Err)
	}
	groups := ask(t, cloud, "list_groups", sandbox.Request{})
	for _, name := range []string{"company", "team-039", "mid", lab.TangledName, "Domain Admins"} {
		if groups.Err != nil || !slices.Contains(groups.Groups, name) {
			t.Errorf("list_groups: no %s among %d, %+v", name, len(groups.Groups), groups.Err)
		}
	}
	if r := ask(t, cloud, "list_groups", sandbox.Request{Limit: 5}); r.Err != nil || len(r.Groups) != 5 {
		t.Errorf("list_groups with limit 5: %d groups, %+v", len(r.Groups), r.Err)
	}
}

func sambaPasswords(t *testing.T, cloud *sandbox.Cloud) {
	const fresh = "Fresh-Passwörd-😀"
	change := func(name, password, want string) {
		t.Helper()
		r := ask(t, cloud, "change_password", sandbox.Request{Username: name, Password: password})
		if want == "" && (r.Err != nil || r.Profile["nickname"] != name) || want != "" && (r.Err == nil || r.Err.Name != want) {
			t.Errorf("change for %s: %+v, %v, want %q", name, r.Err, r.Profile, want)
		}
	}
	for _, weak := range []string{"Sh0rt!", "onlysmallletters", ""} {
		change("chpw", weak, "PasswordComplexityError")
	}
	login(t, cloud, "chpw", "old-Passw0rd", "")
	change("chpw", fresh, "")
	login(t, cloud, "chpw", "old-Passw0rd", "WrongPassword")
	login(t, cloud, "chpw", fresh, "")
	change("locked1", fresh, "InsufficientAccessRightsError")
	login(t, cloud, "locked1", lab.SpecialPassword, "")
	change("nobody-at-all", fresh, "WrongUsername")
	// A new password ends each of these states, and leaves the others.
	for _, user := range []string{lab.LockedUser, lab.StaleUser, lab.MustChangeUser} {
		change(user, fresh, "")
		login(t, cloud, user, fresh, "")
	}
	change(lab.DisabledUser, fresh, "")
	login(t, cloud, lab.DisabledUser, fresh, "AccountDisabled")
}
