package install

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"ad-ldap-connector/pkg/config"
	"ad-ldap-connector/pkg/home"
	"ad-ldap-connector/pkg/keys"
	"ad-ldap-connector/pkg/tenant"
)

// A Provisioner brings a home in line with its tenant: it redeems the ticket,
// makes the key pair when there is none, seals a clear-text bind password, and
// registers the agent. The runtime does this at every start, because what the
// tenant decides may have changed since the last one.
type Provisioner struct {
	Home     *home.Home
	Tenant   *tenant.Client
	Version  string // the agent's, told to the tenant
	Hostname string // names SERVER_URL when the operator did not
	Now      func() time.Time
}

// A Result is what provisioning came to: the configuration as the home now
// holds it, and the key pair.
type Result struct {
	Config config.Config
	Keys   *keys.Pair
	Notes  []string // what the operator should know: "the tenant sent no signing key"
}

// refreshes bounds how often a refresh begins anew because somebody else has
// written meanwhile.
const refreshes = 3

// Refresh provisions the home. Whatever it learned before a failure is kept in
// Result, so that the caller can go on with what was there. What others write
// while the tenant is asked is not lost: it begins anew then.
func (p *Provisioner) Refresh(ctx context.Context) (r Result, err error) {
	for range refreshes {
		r, err = p.refresh(ctx)
		if !errors.Is(err, home.ErrOtherConfig) {
			break
		}
	}
	return r, err
}

func (p *Provisioner) refresh(ctx context.Context) (Result, error) {
	s := saver{home: p.Home}
	c, err := s.read()
	if err != nil {
		return Result{}, err
	}
	r := Result{Config: c}
	r.Keys, err = p.Home.Keys(c)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return r, err
	}
	if r.Keys != nil && c.Directory.BindPassword != "" {
		// A clear-text password goes whether or not the tenant answers.
		if err := errors.Join(sealPassword(&r.Config, r.Keys), s.save(r.Config, r.Keys)); err != nil {
			return r, err
		}
	}
	ticket, err := tenant.ParseTicket(string(c.Tenant.Ticket))
	if err != nil {
		return r, err
	}
	conn, err := p.Tenant.Connection(ctx, ticket)
	if err != nil {
		return r, err
	}
	apply(&r.Config, conn, p.Hostname)
	if r.Keys == nil {
		if r.Keys, err = p.generate(conn); err != nil {
			return r, err
		}
		if err := p.Home.SaveKeys(r.Keys); err != nil {
			r.Keys = nil
			return r, err
		}
	}
	if err := sealPassword(&r.Config, r.Keys); err != nil {
		return r, err
	}
	// Saved before the tenant is told, so that a certificate it has pinned is
	// never one that this home forgot.
	if err := s.save(r.Config, r.Keys); err != nil {
		return r, err
	}
	note, err := p.register(ctx, ticket, &r.Config, r.Keys)
	if err != nil {
		return r, err
	}
	if note != "" {
		r.Notes = append(r.Notes, note)
	}
	return r, s.save(r.Config, r.Keys)
}

func (p *Provisioner) generate(conn tenant.Connection) (*keys.Pair, error) {
	domain := ""
	if len(conn.Domains) > 0 {
		domain = conn.Domains[0]
	}
	return keys.Generate(conn.Name, domain, p.Now())
}

// register tells the tenant of the agent and keeps its answer in c.
func (p *Provisioner) register(ctx context.Context, ticket tenant.Ticket, c *config.Config, pair *keys.Pair, also ...*x509.Certificate) (note string, err error) {
	key, err := p.Tenant.Register(ctx, ticket, tenant.Registration{
		Certificate: pair.Certificate, Also: also,
		SignIn:  strings.TrimRight(c.Tenant.ServerURL, "/") + "/wsfed",
		Version: p.Version,
	})
	if err != nil {
		return "", err
	}
	if key == "" && (c.Tenant.SigningKey != "" || c.Tenant.SentThumbprint == "") { // said when it is new
		note = "the tenant sent no signing key; the requests of its hub are verified by the keys that it publishes"
	}
	c.Tenant.SentThumbprint = pair.Thumbprint()
	c.Tenant.SigningKey = config.Secret(key)
	return note, nil
}

// apply takes over what the tenant decides (the existing connector writes the
// same keys at each start) and fills in what the operator left open.
func apply(c *config.Config, conn tenant.Connection, hostname string) {
	t := &c.Tenant
	former := t.Realm
	if t.Connection != "" && !serves(*t, conn) {
		// What another connection said does not count here: its signing key
		// must not be believed, and nobody has registered with this one yet.
		t.SigningKey, t.SentThumbprint = "", ""
		if t.SiteName == t.Connection { // nobody chose it
			t.SiteName = ""
		}
	}
	t.Hub, t.Connection, t.Realm = conn.Hub, conn.Name, conn.Realm
	t.PostURLs = splitURLs(conn.PostURL)
	t.Issuer = conn.Domains
	t.Kerberos, t.ClientCertificates = conn.Kerberos, conn.ClientCertificates
	if t.SiteName == "" {
		t.SiteName = conn.Name
	}
	if former != "" && former != conn.Realm {
		// Profiles go where the key of the realm's name says: a former one's
		// would only mislead who reads the file. An unknown key is no error.
		_ = c.Unset(former)
	}
	if t.ServerURL == "" {
		t.ServerURL = "http://" + hostname + ":" + strconv.Itoa(c.SignIn.Port)
	}
}

// serves reports whether t is about conn.
func serves(t config.Tenant, conn tenant.Connection) bool {
	return t.Connection == conn.Name && t.Realm == conn.Realm
}

// sealPassword replaces a clear-text bind password by its sealed form. A value
// that comes from the environment is sealed as well, as it always was.
func sealPassword(c *config.Config, pair *keys.Pair) error {
	if c.Directory.BindPassword == "" || c.Agent.Secrets != config.InFile && c.FromEnv("LDAP_BIND_PASSWORD") {
		return nil // what is not to be in the file is not put there from elsewhere
	}
	if c.Directory.BindCredentials != "" {
		// The same password is not sealed anew: that would change the file at
		// each start, and with it every node's export.
		if open, err := pair.Open(string(c.Directory.BindCredentials)); err == nil && open == string(c.Directory.BindPassword) {
			c.Directory.BindPassword = ""
			return nil
		}
	}
	sealed, err := pair.Seal(string(c.Directory.BindPassword))
	if err != nil {
		return fmt.Errorf("seal the bind password: %w", err)
	}
	c.Directory.BindCredentials, c.Directory.BindPassword = config.Secret(sealed), ""
	return nil
}
