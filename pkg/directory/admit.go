package directory

import (
	"context"
	"fmt"
	"slices"

	"github.com/go-ldap/ldap/v3"
)

// Admit binds as the service account, once, and returns a no as an
// *identity.Refusal, as Client.Bind does for users: a directory's password
// policy tells a locked account from a wrong password. A method without a
// password is tried as Bind tries it.
func (i *Inspector) Admit(ctx context.Context, url string) error {
	if i.c.o.Method != Simple || i.c.o.BindUser == "" {
		return i.Bind(ctx, url)
	}
	s, err := i.server(url)
	if err != nil {
		return err
	}
	cn, err := i.c.try(ctx, s, i.c.dial)
	if err != nil {
		return err
	}
	defer func() { cn.kill() }()
	// One that says nothing to strangers may have a policy all the same. The
	// control is not critical: who does not know it passes it over (RFC 4511,
	// section 4.1.11).
	controls := []ldap.Control{ldap.NewControlBeheraPasswordPolicy()}
	dse, err := readRootDSE(ctx, cn)
	if err == nil && dse != nil && !slices.Contains(dse.GetEqualFoldAttributeValues("supportedControl"), policyOID) {
		controls = nil
	}
	if lost(err) { // some hang up on the question
		cn.kill()
		if cn, err = i.c.try(ctx, s, i.c.dial); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeoutCause(ctx, i.c.o.Timeout, overdue(i.c.o.Timeout))
	defer cancel()
	doing := "bind as " + i.c.o.BindUser
	answer, err := alone(ctx, cn, func(l *ldap.Conn) (*ldap.SimpleBindResult, error) {
		return l.SimpleBind(ldap.NewSimpleBindRequest(i.c.o.BindUser, string(i.c.o.BindPassword), controls))
	})
	said := noPolicy
	if answer != nil {
		said = policyOf(answer.Controls)
	}
	if refusal := refusedBind(said, err); refusal != nil {
		return fmt.Errorf("%s at %s: %w", doing, s.url, refusal)
	}
	if err != nil {
		return fault(doing, s.url, inTime(ctx, err))
	}
	return nil
}
