package main

import (
	"context"
	"crypto/rsa"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"ad-ldap-connector/pkg/config"
	"ad-ldap-connector/pkg/keys"
	"ad-ldap-connector/pkg/tenant"
)

func newKeysCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "keys",
		Short:   "Show and renew the key pair that the tenant knows this connector by",
		Example: "  connector keys show\n  sudo connector keys renew",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usagef("%q is not something keys can do; try: connector keys --help", args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newKeysShow(a), newKeysRenew(a))
	return cmd
}

// A keysReport is the key pair as "keys show" tells of it.
type keysReport struct {
	Thumbprint  string    `json:"thumbprint"`
	Subject     string    `json:"subject"`
	NotBefore   time.Time `json:"notBefore"`
	NotAfter    time.Time `json:"notAfter"`
	DaysLeft    int       `json:"daysLeft"` // whole ones; below zero once it has ended
	KeyType     string    `json:"keyType"`
	Registered  *bool     `json:"registered"`  // null: not asked, or the tenant did not say
	Sealed      []string  `json:"sealed"`      // the keys of config.json that the private key opens
	Interrupted string    `json:"interrupted"` // the certificate of a renewal that was cut off
}

func newKeysShow(a *app) *cobra.Command {
	offline := false
	cmd := &cobra.Command{
		Use:     "show",
		Short:   "Show the certificate, how long it lasts, and whether the tenant knows it",
		Example: "  connector keys show\n  connector keys show --offline -o json",
		Args:    noArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.showKeys(cmd.Context(), offline) },
	}
	cmd.Flags().BoolVar(&offline, "offline", false, "do not ask the tenant")
	return cmd
}

func (a *app) showKeys(ctx context.Context, offline bool) error {
	h, c, err := a.loadConfig()
	if err != nil {
		return err
	}
	pair, err := h.Keys(c)
	if err != nil {
		return err
	}
	r := reportKeys(pair, time.Now())
	broken := false
	if sealed := string(c.Directory.BindCredentials); sealed != "" {
		if _, err := pair.Open(sealed); err == nil {
			r.Sealed = append(r.Sealed, "LDAP_BIND_CREDENTIALS")
		} else {
			broken = true
		}
	}
	t, err := homeTransport(h, c.Network, a.environ)
	if err != nil {
		return err
	}
	p := newProvisioner(h, t)
	if r.Interrupted, err = p.Interrupted(pair); err != nil {
		a.say("note: %v", err)
	}
	if !offline && c.Tenant.Ticket != "" {
		if r.Registered, err = knownTo(ctx, p.Tenant, c, pair); err != nil {
			a.say("the tenant was not heard: %v", err)
		}
	}
	if a.json() {
		return a.print(r)
	}
	return a.textKeys(r, broken)
}

func reportKeys(pair *keys.Pair, now time.Time) keysReport {
	cert := pair.Certificate
	left := cert.NotAfter.Sub(now)
	r := keysReport{
		Thumbprint: pair.Thumbprint(), Subject: cert.Subject.String(), NotBefore: cert.NotBefore.UTC(), NotAfter: cert.NotAfter.UTC(),
		DaysLeft: int(left / (24 * time.Hour)), KeyType: cert.PublicKeyAlgorithm.String(), Sealed: []string{},
	}
	if left < 0 {
		r.DaysLeft-- // a certificate that ended an hour ago has not 0 days left
	}
	if key, ok := cert.PublicKey.(*rsa.PublicKey); ok {
		r.KeyType += fmt.Sprintf(" %d", key.N.BitLen())
	}
	return r
}

// knownTo asks the tenant whether it knows a pair; nil when it does not list
// what it knows.
func knownTo(ctx context.Context, client *tenant.Client, c config.Config, pair *keys.Pair) (*bool, error) {
	ticket, err := tenant.ParseTicket(string(c.Tenant.Ticket))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	conn, err := client.Connection(ctx, ticket)
	if err != nil || conn.Thumbprints == nil {
		return nil, err
	}
	known := conn.Knows(pair.Thumbprint())
	return &known, nil
}

func (a *app) textKeys(r keysReport, broken bool) error {
	said := "not asked, or the tenant did not say"
	if r.Registered != nil {
		said = map[bool]string{true: "yes", false: "no"}[*r.Registered]
	}
	left := fmt.Sprintf("%d days left", r.DaysLeft)
	if r.DaysLeft < 0 {
		left = "it has ended"
	}
	sealed := strings.Join(r.Sealed, ", ")
	if sealed == "" {
		sealed = "nothing"
	}
	err := a.text("thumbprint  %s\nsubject     %s\nvalid       %s to %s, %s\nkey         %s\nregistered  %s\nseals       %s\n",
		r.Thumbprint, visible(r.Subject), r.NotBefore.Format(time.DateOnly), r.NotAfter.Format(time.DateOnly), left, r.KeyType, said, sealed)
	if broken {
		a.say("LDAP_BIND_CREDENTIALS does not open with this key: set LDAP_BIND_PASSWORD anew, or bring the former key back from backups/")
	}
	if r.Interrupted != "" {
		a.say("a renewal was cut off before %s was in its place; finish it: connector keys renew", r.Interrupted)
	}
	if r.Registered != nil && !*r.Registered {
		a.say("the tenant does not list this certificate; see: connector help keys-and-certificates")
	}
	if time.Until(r.NotAfter) < certificateWarns {
		a.say("renew it: connector keys renew (the same private key goes on; connector help keys-and-certificates)")
	}
	return err
}
