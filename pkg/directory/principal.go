package directory

import (
	"context"
	"slices"
	"strconv"

	"github.com/go-ldap/ldap/v3"
)

// A Holder is an account with a service principal name, and what the domain
// controller uses for its service tickets.
type Holder struct {
	DN       string
	KVNO     uint32 // the version of its key (msDS-KeyVersionNumber); 0 = not told
	EncTypes uint32 // msDS-SupportedEncryptionTypes, in the bits of MS-KILE, section 2.2.7; 0 = not told
}

// holdersMost is more accounts than anybody wants to read about.
const holdersMost = 10

// Holders returns the accounts that have a service principal name, as the
// service account sees them: those of the whole domain, a few at the most.
// Known is false where the directory is none that has such names.
func (i *Inspector) Holders(ctx context.Context, spn string) (holders []Holder, known bool, err error) {
	cn, err := i.c.openService(ctx)
	if err != nil {
		return nil, false, err
	}
	defer cn.kill()
	ctx, cancel := context.WithTimeoutCause(ctx, i.c.o.Timeout, overdue(i.c.o.Timeout))
	defer cancel()
	dse, err := readRootDSE(ctx, cn)
	if err != nil {
		return nil, false, fault("read the root DSE", cn.server.url, err)
	}
	if dse == nil || !slices.Contains([]string{"ad", "samba"}, describeServer(dse).Preset) {
		return nil, false, nil
	}
	base := baseOf(dse)
	if base == "" {
		base = i.c.o.BaseDN
	}
	req := i.c.request(base, must("(servicePrincipalName={0})").With(spn), holdersMost, "msDS-KeyVersionNumber", "msDS-SupportedEncryptionTypes")
	found, err := alone(ctx, cn, func(l *ldap.Conn) (*ldap.SearchResult, error) { return l.Search(req) })
	a, err := answered(cn, found, err)
	if err != nil {
		return nil, true, fault("search for "+spn, cn.server.url, err)
	}
	for _, e := range a.entries {
		number := func(name string) uint32 {
			n, _ := strconv.ParseUint(e.GetEqualFoldAttributeValue(name), 10, 32) // 0 says nothing
			return uint32(n)
		}
		holders = append(holders, Holder{DN: e.DN, KVNO: number("msDS-KeyVersionNumber"), EncTypes: number("msDS-SupportedEncryptionTypes")})
	}
	return holders, true, nil
}
