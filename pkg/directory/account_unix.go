//go:build unix

package directory

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jcmturner/gokrb5/v8/config"
	"github.com/jcmturner/gokrb5/v8/credentials"
	"github.com/jcmturner/gokrb5/v8/keytab"
	"github.com/jcmturner/gokrb5/v8/types"
)

// An account is a principal of Kerberos, with what is known of its world.
type account struct {
	name   types.PrincipalName
	realm  string
	keytab *keytab.Keytab // nil when its ticket comes from a cache
	config *config.Config
}

func (a *account) String() string { return a.name.PrincipalNameString() + "@" + a.realm }

func (a *account) credentials() *credentials.Credentials {
	return credentials.NewFromPrincipalName(a.name, a.realm).WithKeytab(a.keytab)
}

// readAccount finds the keys of BindUser.
func readAccount(o Options) (*account, error) {
	conf, err := readKrb5Conf(o.Kerberos.Config)
	if err != nil {
		return nil, err
	}
	path := o.Kerberos.Keytab
	fail := func(err error, hint string) (*account, error) {
		return nil, &kerberosError{doing: "read the keytab " + path, err: pathless(err), hint: hint}
	}
	text, err := readSmall(path)
	if err != nil {
		return fail(err, "LDAP_KEYTAB is the path of a file that the connector's account may read")
	}
	table, err := parseKeytab(text)
	if err != nil {
		return fail(err, "make the keytab anew, by ktutil, kadmin's ktadd or ktpass")
	}
	a := &account{keytab: table, config: conf}
	a.name, a.realm = types.ParseSPNString(o.BindUser)
	if a.realm == "" {
		a.realm = conf.LibDefaults.DefaultRealm
	}
	if err := a.choose(); err != nil {
		return fail(err, "write LDAP_BIND_USER as in the keytab, svc@REALM (klist -k shows its principals), or put the account's keys into it")
	}
	return a, nil
}

// choose finds the account's entries in its keytab. Realms are compared without
// regard to case, since a userPrincipalName's domain is often in lower case.
func (a *account) choose() error {
	var others []string
	var kinds []int32
	want := a.name.PrincipalNameString()
	realm := ""
	for _, e := range a.keytab.Entries {
		name := strings.Join(e.Principal.Components, "/")
		if full := name + "@" + e.Principal.Realm; !slices.Contains(others, full) {
			others = append(others, full)
		}
		if name == want && (a.realm == "" || strings.EqualFold(e.Principal.Realm, a.realm)) && (realm == "" || realm == e.Principal.Realm) {
			realm = e.Principal.Realm
			kinds = append(kinds, e.Key.KeyType)
		}
	}
	if realm == "" {
		const most = 10
		if len(others) > most {
			others = append(others[:most], "...")
		}
		return fmt.Errorf("it has no key of %s, but of %s", a, strings.Join(others, ", "))
	}
	a.realm = realm
	// Only what the keytab has is asked for: a KDC chooses among that.
	d := &a.config.LibDefaults
	d.DefaultTktEnctypeIDs = slices.DeleteFunc(slices.Clone(d.DefaultTktEnctypeIDs), func(kind int32) bool { return !slices.Contains(kinds, kind) })
	if len(d.DefaultTktEnctypeIDs) == 0 {
		return fmt.Errorf("its keys of %s are of encryption types %v, none of which is in use", a, kinds)
	}
	return nil
}

// parseKeytab reads a keytab. The library's own errors quote it, keys and all,
// and so none of them gets out.
func parseKeytab(text []byte) (table *keytab.Keytab, err error) {
	defer func() {
		if recover() != nil {
			table, err = nil, errNoKeytab
		}
	}()
	table = keytab.New()
	if table.Unmarshal(text) != nil {
		return nil, errNoKeytab
	}
	if len(table.Entries) == 0 {
		return nil, errors.New("there is no key in it")
	}
	return table, nil
}

var errNoKeytab = errors.New("it is not a keytab")

// fromCache takes the ticket that somebody else got.
func fromCache(o Kerberos, now time.Time) (*login, error) {
	conf, err := readKrb5Conf(o.Config)
	if err != nil {
		return nil, err
	}
	fail := func(err error) (*login, error) {
		return nil, &kerberosError{doing: "read the credential cache " + o.Cache, err: pathless(err),
			hint: "set LDAP_KEYTAB, or have kinit or k5start keep that file fresh for the connector's account"}
	}
	if o.Cache == "" {
		return nil, &kerberosError{doing: "log in to Kerberos", err: errors.New("there is neither a keytab nor a credential cache"), hint: "set LDAP_KEYTAB"}
	}
	text, err := readSmall(o.Cache)
	if err != nil {
		return fail(err)
	}
	cache, err := parseCache(text)
	if err != nil {
		return fail(err)
	}
	a := &account{name: cache.name, realm: cache.realm, config: conf}
	if cache.ticket == nil {
		return fail(fmt.Errorf("there is no ticket of %s in it", a))
	}
	t := &ticket{key: cache.key, end: cache.end}
	if err := t.Unmarshal(cache.ticket); err != nil {
		return fail(errors.New("its ticket cannot be read"))
	}
	if !t.good(now) {
		return fail(fmt.Errorf("the ticket of %s in it ended at %s", a, t.end.UTC().Format(time.DateTime)))
	}
	return &login{account: a, tgt: t, services: map[string]*ticket{}}, nil
}

// pathless is a file's error without its name, which is said already.
func pathless(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// kdcs returns the addresses of a realm's KDCs: those of krb5.conf or, where it
// names none, those of DNS (RFC 4120, section 7.2.3.2).
func (a *account) kdcs(ctx context.Context, realm string) ([]string, error) {
	for _, r := range a.config.Realms {
		if r.Realm == realm && len(r.KDC) > 0 {
			return r.KDC, nil
		}
	}
	if !a.config.LibDefaults.DNSLookupKDC {
		return nil, fmt.Errorf("krb5.conf names no KDC of %s, and dns_lookup_kdc is off", realm)
	}
	_, found, err := net.DefaultResolver.LookupSRV(ctx, "kerberos", "tcp", realm)
	if err != nil {
		return nil, fmt.Errorf("krb5.conf names no KDC of %s, and %w", realm, inTime(ctx, err))
	}
	var all []string
	for _, s := range found {
		all = append(all, net.JoinHostPort(strings.TrimSuffix(s.Target, "."), strconv.Itoa(int(s.Port))))
	}
	return all, nil
}
