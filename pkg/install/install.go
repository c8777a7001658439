// Package install changes the machine: it installs the connector as a plan of
// steps that can be undone, and keeps a home in line with its tenant.
package install

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptrace"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"ad-ldap-connector/pkg/config"
	"ad-ldap-connector/pkg/home"
	"ad-ldap-connector/pkg/keys"
	"ad-ldap-connector/pkg/tenant"
)

// Options are the answers that an install needs.
type Options struct {
	Provisioner
	Ticket tenant.Ticket
	Config config.Config // what the operator answered, over what the home holds
	// Directory proves that the candidate can search the directory. It gets
	// the bind password in clear, because there may be no key pair yet.
	Directory func(ctx context.Context, candidate config.Config) error
	// Gate looks at the machine and the network as the candidate will need
	// them, once ticket, clock and directory have been asked and before
	// anything is changed; nil: nobody does. It gets the authorities of CA by
	// their place in the home, where they may not lie yet.
	Gate    func(ctx context.Context, candidate config.Config) error
	CA      []byte // authorities to trust besides the system's, PEM; nil: none
	Mapper  string // the script for a home that has none
	Replace bool   // the home may be pointed at another connection
	// Note learns what the operator should know although nothing failed; nil:
	// nobody does.
	Note func(text string)
	// Service is what the connector becomes on this machine; nil: only the home
	// is made, and somebody else starts what runs in it.
	Service *Service
	// Former is the Node connector in the home; nil: there is none.
	Former *Former
	// Import is the node that the home becomes a copy of, whose configuration is
	// Config; nil: there is none. Its key pair is in the archive too, and so
	// nothing of it has to stay when the plan is undone.
	Import *home.Archive
}

// CAName is the file under the home's ca/ that an install keeps its extra
// authorities in. They count besides those of SSL_CA_PATH, wherever that leads.
const CAName = home.InstalledCA

// namesCA reports whether SSL_CA_PATH is to name the folder of CAName: not when
// an operator has one. This program does without; the existing connector, to
// which one may go back, does not.
func namesCA(n config.Network) bool {
	wanted, err := regexp.Compile("(?i)" + n.CAFile)
	return n.CAPath == "" && err == nil && wanted.MatchString(CAName)
}

// maxSkew is how far this machine's clock may be from the tenant's: the agent's
// token lives a minute, and the documented limit has always been 5 s.
const maxSkew = 5 * time.Second

// An OtherConnectionError means that the home serves another connection than
// the one the ticket is for.
type OtherConnectionError struct{ Have, Want string }

func (e *OtherConnectionError) Error() string {
	return fmt.Sprintf("this home serves the connection %s; the ticket is for %s", e.Have, e.Want)
}

// Hint says how to insist.
func (e *OtherConnectionError) Hint() string {
	return "one connector serves one connection; add --replace to point this one at the other"
}

// watchSending returns a context whose request sets sent as soon as there is a
// connection to send it on. One that got no further cannot have been heard.
func watchSending(ctx context.Context, sent *atomic.Bool) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { sent.Store(true) }})
}

// refused reports whether a registration that came to err is certain not to
// have taken place: the tenant answered something else than yes, and does not
// list the certificate. The first one that it registers it holds to, so keys
// that it may know must not be thrown away for want of its answer.
func (o *Options) refused(ctx context.Context, err error, pair *keys.Pair) bool {
	var e *tenant.Error
	if !errors.As(err, &e) || !slices.Contains([]tenant.Cause{
		tenant.CauseNotFound, tenant.CauseRedirect, tenant.CauseStatus,
		tenant.CauseNotJSON, tenant.CauseTooLarge, tenant.CauseIncomplete,
	}, e.Cause) {
		return false
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTime)
	defer cancel()
	conn, err := o.Tenant.Connection(ctx, o.Ticket)
	if errors.Is(err, tenant.ErrUnknownTicket) {
		return true // with the ticket its connection is gone, and all that that knew
	}
	return err == nil && !slices.Contains(conn.Thumbprints, pair.Thumbprint())
}

// other refuses a ticket for another connection than the one the home serves.
func (o *Options) other(c config.Config, conn tenant.Connection) error {
	t := c.Tenant
	if o.Replace || t.Connection == "" || serves(t, conn) {
		return nil
	}
	return &OtherConnectionError{Have: t.Connection + " of " + t.Realm, Want: conn.Name + " of " + conn.Realm}
}

// same reports whether the home's file already says what c says.
func (o *Options) same(c config.Config) (bool, error) {
	want, err := c.Encode()
	if err != nil {
		return false, err
	}
	have, err := o.Home.ConfigText()
	return err == nil && have != nil && string(have) == string(want), err
}

// connectTime bounds how long a started connector may take to be accepted. A
// tenant's edge may need some seconds; who waits longer wants to know why.
const connectTime = time.Minute

// A ClockSkewError says how far this machine's clock is from the tenant's, in
// the words that operators search for.
type ClockSkewError struct{ Local, Tenant time.Time }

func (e *ClockSkewError) Error() string {
	return fmt.Sprintf("clock skew detected: local time %s, tenant's time %s, %s apart",
		e.Local.UTC().Format(time.RFC3339), e.Tenant.UTC().Format(time.RFC3339), e.Tenant.Sub(e.Local).Abs().Round(100*time.Millisecond))
}

// Hint says what to do.
func (e *ClockSkewError) Hint() string {
	return "let this machine set its clock by NTP (timedatectl set-ntp true; w32tm /resync)"
}

func (o *Options) checkClock(ctx context.Context) error {
	clock, err := o.Tenant.Clock(ctx, o.Ticket)
	if err != nil {
		return err
	}
	if clock.Offset.Abs() > maxSkew {
		now := o.Now()
		return &ClockSkewError{Local: now, Tenant: now.Add(clock.Offset)}
	}
	return nil
}

func splitURLs(list string) []string {
	var urls []string
	for u := range strings.SplitSeq(list, ",") {
		if u = strings.TrimSpace(u); u != "" {
			urls = append(urls, u)
		}
	}
	return urls
}
