package doctor

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"
)

var contentChecks = []Check{
	{
		ID: "directory.bind", Title: "The service account may bind", Severity: Blocks,
		Needs:   []ID{"directory.reach", "tls.directory"},
		Probe:   probeBind,
		Remedy:  "Check the service account: its name, its password, and that it is neither locked nor expired.",
		Command: "connector config secret set LDAP_BIND_PASSWORD --value-file password.txt",
	},
	{
		ID: "directory.search", Title: "The base DN is there", Severity: Blocks,
		Needs:  []ID{"directory.bind"},
		Probe:  probeBase,
		Remedy: "Set LDAP_BASE to a DN that the directory holds and that the service account may read.",
	},
	{
		ID: "directory.users", Title: "Users are found, and found again by name", Severity: Blocks,
		Needs:   []ID{"directory.search"},
		Probe:   probeUsers,
		Remedy:  "Correct LDAP_BASE, LDAP_SEARCH_ALL_QUERY or LDAP_USER_BY_NAME, or give the service account the right to read users.",
		Command: "connector search users --trace",
	},
	{
		ID: "directory.groups", Title: "A user's groups can be read", Severity: Warns,
		Needs:   []ID{"directory.users"},
		Probe:   probeGroups,
		Remedy:  "Correct LDAP_BASE_GROUPS or LDAP_SEARCH_GROUPS, or give the service account the right to read groups.",
		Command: "connector search groups --trace",
	},
	{
		ID: "directory.paging", Title: "Long lists come in pages", Severity: Warns,
		Needs:  []ID{"directory.search"},
		Probe:  probePaging,
		Remedy: "Allow paged results (RFC 2696) to the service account, or raise the server's size limit for it.",
	},
	{
		ID: "directory.referrals", Title: "No users lie beyond what is asked", Severity: Warns,
		Needs:  []ID{"directory.search"},
		Probe:  probeReferrals,
		Remedy: "List the hosts in LDAP_REFERRAL_HOSTS if users there are to log in, or waive this check.",
	},
}

var accountChecks = []Check{
	{
		ID: "account.rights", Title: "The service account has no more rights than it needs", Severity: Warns,
		Needs:  []ID{"directory.bind"},
		Probe:  probeRights,
		Remedy: "Take the service account out of the groups that are named: to read users, and where write-back is on to reset their passwords, is all it needs.",
	},
	{
		ID: "account.password", Title: "The service account's password lasts a while yet", Severity: Warns,
		Needs:   []ID{"directory.bind"},
		Probe:   probeAccountPassword,
		Remedy:  "Set a new password for the service account, there and here.",
		Command: "connector config secret set LDAP_BIND_PASSWORD --value-file password.txt",
	},
}

// noContent is why nothing can be asked of what the directory holds.
func (e *Env) noContent() string {
	if e.Directory.Reach != nil && e.Config.Directory.BaseDN == "" {
		return "LDAP_BASE is not set"
	}
	return noDirectory
}

func probeBind(ctx context.Context, e *Env) Outcome {
	if e.Directory.Bind == nil {
		return Skip(e.noContent())
	}
	good, _, err := e.Directory.reached(ctx)
	if err != nil {
		return failure(err)
	}
	if len(good) == 0 {
		return Skip("no server could be asked")
	}
	who := "anonymously"
	if user := e.Config.Directory.BindUser; user != "" {
		who = "as " + user
	}
	// One server is enough: they hold the same accounts, and each refusal
	// brings the account nearer to being locked.
	At(ctx, "the bind at %s", good[0].URL)
	if err := e.Directory.Bind(ctx, good[0]); err != nil {
		return failure(err)
	}
	return Pass(who + " at " + good[0].URL)
}

func probeBase(ctx context.Context, e *Env) Outcome {
	if e.Directory.Base == nil {
		return Skip(e.noContent())
	}
	At(ctx, "the search of %s", e.Config.Directory.BaseDN)
	if _, err := e.Directory.Base(ctx); err != nil {
		return failure(err)
	}
	return Pass(e.Config.Directory.BaseDN)
}

func probeUsers(ctx context.Context, e *Env) Outcome {
	if e.Directory.Users == nil {
		return Skip(e.noContent())
	}
	At(ctx, "the search for users below %s", e.Config.Directory.BaseDN)
	u, err := e.Directory.Users(ctx)
	switch {
	case err != nil:
		return failure(err)
	case u.Found == 0:
		return Fail(fmt.Sprintf("no entry below %s matches LDAP_SEARCH_ALL_QUERY %s", e.Config.Directory.BaseDN, e.Config.Directory.SearchAllFilter))
	case u.Name == "":
		return Fail(fmt.Sprintf("%s has none of the attributes by which LDAP_USER_BY_NAME %s finds users", u.DN, e.Config.Directory.UserFilter))
	case !u.Same:
		return Fail(fmt.Sprintf("LDAP_USER_BY_NAME %s does not find %s by the name %s, or not it alone", e.Config.Directory.UserFilter, u.DN, u.Name))
	}
	return Pass(u.Name + " is " + u.DN)
}

func probeGroups(ctx context.Context, e *Env) Outcome {
	switch {
	case e.Directory.Groups == nil:
		return Skip(e.noContent())
	case !e.Config.Groups.Enabled:
		return Skip("GROUPS is off")
	}
	At(ctx, "the search for a user")
	u, err := e.Directory.Users(ctx)
	if err != nil || u.DN == "" {
		return Skip("there is no user whose groups could be read")
	}
	At(ctx, "the groups of %s", u.DN)
	n, err := e.Directory.Groups(ctx, u.DN)
	if err != nil {
		return failure(err)
	}
	return Pass(u.DN + " is in " + count(n, "group", "groups"))
}

func probePaging(ctx context.Context, e *Env) Outcome {
	if e.Directory.Pages == nil {
		return Skip(e.noContent())
	}
	At(ctx, "the pages of a search below %s", e.Config.Directory.BaseDN)
	n, err := e.Directory.Pages(ctx)
	switch {
	case err != nil:
		return failure(err)
	case n == 0:
		return Fail("the server does not know paged results; lists longer than its size limit are cut")
	}
	return Pass(count(n, "page", "pages"))
}

func probeReferrals(ctx context.Context, e *Env) Outcome {
	if e.Directory.Base == nil {
		return Skip(e.noContent())
	}
	At(ctx, "the search of %s", e.Config.Directory.BaseDN)
	references, err := e.Directory.Base(ctx)
	if err != nil {
		return failure(err)
	}
	var beyond []string
	for _, ref := range references {
		dn := ref
		if u, err := url.Parse(ref); err == nil {
			dn = strings.TrimPrefix(u.Path, "/")
		}
		beyond = append(beyond, dn+" is at "+hostOf(ref)+", which is not asked")
	}
	if len(beyond) > 0 {
		return Fail(strings.Join(beyond, "\n"))
	}
	return Pass("the directory refers to no other place where users may be")
}

// ownEntry reads the service account's entry. Where there is none to judge, it
// says why.
func (e *Env) ownEntry(ctx context.Context) (a Account, instead Outcome, ok bool) {
	switch {
	case e.Directory.Account == nil:
		return a, Skip(e.noContent()), false
	case e.Config.Directory.BindUser == "":
		return a, Skip("there is no service account: searches are anonymous"), false
	}
	At(ctx, "the entry of %s", e.Config.Directory.BindUser)
	a, err := e.Directory.Account(ctx)
	if err != nil {
		return a, failure(err), false
	}
	return a, Outcome{}, true
}

func probeRights(ctx context.Context, e *Env) Outcome {
	a, instead, ok := e.ownEntry(ctx)
	switch {
	case !ok:
		return instead
	case a.DN == "":
		return Skip("the service account's own entry was not found")
	case len(a.Powerful) > 0:
		return Fail(a.DN + " is in " + strings.Join(a.Powerful, ", "))
	}
	return Pass("in no group of administrators")
}

// When a service account's password is spoken of: two weeks before it ends,
// and when it has been the same for a year.
const (
	accountWarns = 14 * 24 * time.Hour
	accountOld   = 365 * 24 * time.Hour
)

func probeAccountPassword(ctx context.Context, e *Env) Outcome {
	a, instead, ok := e.ownEntry(ctx)
	switch {
	case !ok:
		return instead
	case a.Set.IsZero() && a.Expires.IsZero():
		return Skip("the directory does not say when the password was set, or ends")
	}
	day := func(t time.Time) string { return t.UTC().Format(time.DateOnly) }
	now := e.now()
	if left := a.Expires.Sub(now); !a.Expires.IsZero() && left < accountWarns {
		return Outcome{
			Status: Failed, Observed: "until " + day(a.Expires), Required: "14 days before the end",
			Detail: "the password ends in " + count(max(int(left.Hours()/24), 0), "day", "days") + "; no login passes after that",
		}
	}
	if age := now.Sub(a.Set); !a.Set.IsZero() && age > accountOld {
		return Outcome{
			Status: Failed, Observed: "set on " + day(a.Set), Required: "not older than a year",
			Detail: "it has been the same for " + count(int(age.Hours()/24), "day", "days"),
		}
	}
	if a.Expires.IsZero() {
		return Pass("set on " + day(a.Set) + ", does not end")
	}
	return Pass("until " + day(a.Expires))
}
