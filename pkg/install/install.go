// Package install changes the machine: it installs the connector as a plan of
// steps that can be undone, and keeps a home in line with its tenant.
package install

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http/httptrace"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"ad-ldap-connector/pkg/config"
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
}

// caName is the file that an install keeps its extra authorities in.
const caName = "installed.pem"

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

// New returns the plan that provisions a home. The steps share what they learn
// through locals of New. What cannot be undone, telling the tenant, comes after
// all that is likely to fail.
func New(o Options) Plan {
	var (
		conn  tenant.Connection
		pair  *keys.Pair
		made  bool // this plan made the home
		known bool // the tenant has registered the key pair, or may have
		c     = o.Config
	)
	// None: there is nothing to bring back.
	before, _ := os.ReadFile(o.Home.Path("config.json"))
	beforeCA, _ := os.ReadFile(o.Home.Path("ca", caName))
	plan := Plan{
		{Name: "redeem-ticket", Says: "Redeem the ticket", Check: true,
			Do: func(ctx context.Context) (err error) {
				if conn, err = o.Tenant.Connection(ctx, o.Ticket); err != nil {
					return err
				}
				if err := o.other(c, conn); err != nil {
					return err
				}
				apply(&c, conn, o.Hostname)
				c.Tenant.Ticket = config.Secret(o.Ticket.Reveal())
				if o.CA != nil {
					c.Network.CAPath = o.Home.Path("ca")
				}
				return c.Validate()
			}},
		{Name: "check-clock", Says: "Compare clocks with the tenant", Check: true,
			Do: o.checkClock},
		{Name: "check-directory", Says: "Bind to the directory and search it", Check: true,
			Do: func(ctx context.Context) error { return o.Directory(ctx, c) }},
		{Name: "check", Says: "Check this machine and the network", Check: true,
			Do: func(ctx context.Context) error { return o.Gate(ctx, c) }},
		{Name: "create-home", Says: "Create the home " + o.Home.Dir(),
			Done: func(context.Context) (bool, error) { return o.Home.Exists(), nil },
			Do:   func(context.Context) error { made = true; return o.Home.Create() },
			Undo: func(context.Context) error {
				if !made {
					return nil
				}
				if known {
					return errors.New("the home stays, because the key pair does")
				}
				return o.Home.Remove()
			}},
		{Name: "keep-ca", Says: "Keep the certificate authorities",
			Done: func(context.Context) (bool, error) {
				have, err := os.ReadFile(o.Home.Path("ca", caName))
				return o.CA == nil || err == nil && string(have) == string(o.CA), nil
			},
			Do: func(context.Context) error { return o.Home.SaveCA(caName, o.CA) },
			Undo: func(context.Context) error {
				if beforeCA != nil {
					return o.Home.SaveCA(caName, beforeCA)
				}
				return o.Home.RemoveCA(caName)
			}},
		{Name: "generate-keys", Says: "Generate the key pair",
			Done: func(context.Context) (done bool, err error) {
				pair, err = o.Home.Keys(c)
				if errors.Is(err, fs.ErrNotExist) {
					return false, nil
				}
				return err == nil, err
			},
			Do: func(context.Context) (err error) {
				if pair, err = o.generate(conn); err != nil {
					return err
				}
				return o.Home.SaveKeys(pair)
			},
			Undo: func(context.Context) error {
				if known {
					return errors.New("the key pair stays, because the tenant has registered it or may have; run the same command again")
				}
				return o.Home.RemoveKeys()
			}},
		{Name: "write-mapper", Says: "Write the profile mapper",
			Done: func(context.Context) (bool, error) { script, _, err := o.Home.Mapper(c); return script != "", err },
			Do:   func(context.Context) error { return o.Home.SaveMapper(o.Mapper) },
			Undo: func(context.Context) error { return o.Home.RemoveMapper() }},
		{Name: "write-config", Says: "Write the configuration",
			Done: func(context.Context) (bool, error) {
				if err := sealPassword(&c, pair); err != nil {
					return false, err
				}
				return o.same(c)
			},
			Do:   func(context.Context) error { return o.Home.SaveConfig(c) },
			Undo: func(context.Context) error { return o.Home.RestoreConfig(before) }},
		{Name: "register-agent", Says: "Register with the tenant",
			Done: func(context.Context) (bool, error) {
				return c.Tenant.SentThumbprint == pair.Thumbprint() && c.Tenant.SigningKey != "" && serves(o.Config.Tenant, conn), nil
			},
			Do: func(ctx context.Context) error {
				sent := new(atomic.Bool)
				note, err := o.register(watchSending(ctx, sent), o.Ticket, &c, pair)
				if note != "" && o.Note != nil {
					o.Note(note)
				}
				known = err == nil || sent.Load() && !o.refused(ctx, err, pair)
				return err
			}},
		{Name: "record-registration", Says: "Record the tenant's signing key",
			Done: func(context.Context) (bool, error) { return o.same(c) },
			Do:   func(context.Context) error { return o.Home.SaveConfig(c) }},
	}
	return slices.DeleteFunc(plan, func(s Step) bool { return s.Name == "check" && o.Gate == nil })
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
	have, err := os.ReadFile(o.Home.Path("config.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil && string(have) == string(want), err
}

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
