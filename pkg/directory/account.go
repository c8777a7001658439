package directory

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"
)

// An Account is the service account's own entry.
type Account struct {
	DN       string   // "" when it was not found
	Powerful []string // its groups with far-reaching rights, by name
	Set      time.Time
	Expires  time.Time // of the password; zero when never, or not said
}

// powerful are the well-known groups (MS-DTYP, section 2.4.2.4) whose members
// rule more than a service account that reads users should, by the last part of
// their identifiers.
var powerful = map[string]string{
	"512": "Domain Admins", "518": "Schema Admins", "519": "Enterprise Admins", "520": "Group Policy Creator Owners",
	"526": "Key Admins", "527": "Enterprise Key Admins",
	"544": "Administrators", "548": "Account Operators", "549": "Server Operators", "551": "Backup Operators",
}

// Account reads the service account's own entry, as that account.
func (i *Inspector) Account(ctx context.Context) (Account, error) {
	if i.c.o.BindUser == "" {
		return Account{}, nil
	}
	cn, err := i.c.openService(ctx)
	if err != nil {
		return Account{}, err
	}
	defer cn.kill()
	ctx, cancel := context.WithTimeoutCause(ctx, i.c.o.Timeout, overdue(i.c.o.Timeout))
	defer cancel()
	own, err := i.ownEntry(ctx, cn)
	if err != nil {
		return Account{}, fault("read the entry of "+i.c.o.BindUser, cn.server.url, err)
	}
	if own == nil {
		return Account{}, nil
	}
	a := Account{DN: own.DN}
	for _, dn := range own.GetEqualFoldAttributeValues("memberOf") {
		if name := commonName(dn); slices.Contains(powerfulNames, strings.ToLower(name)) {
			a.Powerful = append(a.Powerful, name)
		}
	}
	for _, id := range i.tokens(ctx, cn, own.DN) {
		name, known := powerful[id[strings.LastIndexByte(id, '-')+1:]]
		if known && !slices.Contains(a.Powerful, name) {
			a.Powerful = append(a.Powerful, name)
		}
	}
	slices.Sort(a.Powerful)
	number := func(name string) int64 {
		n, _ := strconv.ParseInt(own.GetEqualFoldAttributeValue(name), 10, 64) // 0 says nothing
		return n
	}
	a.Set = fileTime(number("pwdLastSet"))
	a.Expires = fileTime(number("msDS-UserPasswordExpiryTimeComputed"))
	if changed, err := time.Parse("20060102150405Z", own.GetEqualFoldAttributeValue("pwdChangedTime")); err == nil {
		a.Set = changed
	}
	return a, nil
}

// powerfulNames are the groups of administrators that other directories have by
// name alone.
var powerfulNames = []string{
	"domain admins", "enterprise admins", "schema admins", "administrators", "account operators", "server operators", "backup operators",
	"admins", "trust admins", "directory administrators", "lldap_admin",
}

// ownEntry finds the entry of the service account by the name it binds with.
func (i *Inspector) ownEntry(ctx context.Context, cn *conn) (*ldap.Entry, error) {
	for _, req := range i.ownSearches(ctx, cn) {
		found, err := alone(ctx, cn, func(l *ldap.Conn) (*ldap.SearchResult, error) { return l.Search(req) })
		a, err := answered(cn, found, err)
		if _, _, no := result(err); no {
			continue // it may not see itself
		}
		if err != nil {
			return nil, err
		}
		if len(a.entries) == 1 {
			return a.entries[0], nil
		}
	}
	return nil, nil //nolint:nilnil // it may see itself or not
}

// ownSearches are the ways to find the service account. It may lie beside the
// users, so that the whole directory is asked.
func (i *Inspector) ownSearches(ctx context.Context, cn *conn) []*ldap.SearchRequest {
	who := i.c.o.BindUser
	attributes := []string{"memberOf", "pwdLastSet", "msDS-UserPasswordExpiryTimeComputed", "pwdChangedTime"}
	if dn, err := ldap.ParseDN(who); err == nil && len(dn.RDNs) > 0 {
		return []*ldap.SearchRequest{ldap.NewSearchRequest(who, ldap.ScopeBaseObject, ldap.NeverDerefAliases, 1, 0, false, "(objectClass=*)", attributes, nil)}
	}
	root := i.root(ctx, cn)
	var searches []*ldap.SearchRequest
	if _, name, ok := strings.Cut(who, `\`); ok {
		return append(searches, i.c.request(root, must("(sAMAccountName={0})").With(name), 2, attributes...))
	}
	searches = append(searches, i.c.request(root, must("(userPrincipalName={0})").With(who), 2, attributes...))
	// Active Directory makes up a principal name for accounts that have none.
	name, _, _ := strings.Cut(who, "@")
	return append(searches, i.c.request(root, must("(sAMAccountName={0})").With(name), 2, attributes...))
}

// root is the DN below which all of the directory's entries are.
func (i *Inspector) root(ctx context.Context, cn *conn) string {
	dse, err := readRootDSE(ctx, cn)
	if err != nil || dse == nil || baseOf(dse) == "" {
		return i.c.o.BaseDN
	}
	return baseOf(dse)
}

// tokens returns the identifiers of all groups of dn, where the directory counts
// them (MS-ADTS, section 3.1.1.4.5.19), and nothing elsewhere.
func (i *Inspector) tokens(ctx context.Context, cn *conn, dn string) []string {
	found, err := alone(ctx, cn, func(l *ldap.Conn) (*ldap.SearchResult, error) {
		return l.Search(ldap.NewSearchRequest(dn, ldap.ScopeBaseObject, ldap.NeverDerefAliases, 1, 0, false, "(objectClass=*)", []string{"tokenGroups"}, nil))
	})
	if err != nil || len(found.Entries) == 0 {
		return nil
	}
	var ids []string
	for _, raw := range found.Entries[0].GetEqualFoldRawAttributeValues("tokenGroups") {
		if id, ok := sid(raw); ok {
			ids = append(ids, id)
		}
	}
	return ids
}

// commonName returns the first value of a DN.
func commonName(text string) string {
	dn, err := ldap.ParseDN(text)
	if err != nil || len(dn.RDNs) == 0 || len(dn.RDNs[0].Attributes) == 0 {
		return ""
	}
	return dn.RDNs[0].Attributes[0].Value
}
