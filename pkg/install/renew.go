package install

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"ad-ldap-connector/pkg/config"
	"ad-ldap-connector/pkg/keys"
	"ad-ldap-connector/pkg/tenant"
)

// A Renewal exchanges the certificate of a home, and with NewKey its private key
// too.
type Renewal struct {
	Provisioner
	NewKey bool
	// Reload makes the connector that runs in the home read it again, and
	// returns when the hub has accepted it with the pair; nil: none runs.
	Reload func(ctx context.Context, pair *keys.Pair) error
	Note   func(text string) // learns what the operator should know; nil: nobody does

	work renewing
}

// renewing is what the steps of a renewal learn, and share.
type renewing struct {
	ticket      tenant.Ticket
	conn        tenant.Connection
	c           config.Config // as the home had it
	former, new *keys.Pair
	config      []byte         // config.json before
	begun       *renewalRecord // what an earlier one left
	answer      config.Config  // with what the tenant said to the registration
	unknown     bool           // whether the tenant knows the new certificate is not known
}

// renewalState is the state that a renewal under way keeps.
const renewalState = "renewal"

// A renewalRecord is kept from before the tenant is told of another certificate
// until that is in its place: a renewal that was cut off goes on with the same
// one, and the tenant need not take yet another.
type renewalRecord struct {
	Begun                 time.Time
	From, To              string // thumbprints
	NewKey                bool
	Certificate, PrivateK string // PEM; it lies beside certs/cert.key, under the same mode
}

// Interrupted returns the thumbprint of the certificate that a renewal which was
// cut off would have put in the place of pair's; "" when there is none.
func (p *Provisioner) Interrupted(pair *keys.Pair) (string, error) {
	r, err := p.interrupted(pair)
	if r == nil {
		return "", err
	}
	return r.To, nil
}

func (p *Provisioner) interrupted(pair *keys.Pair) (*renewalRecord, error) {
	var r renewalRecord
	switch err := p.Home.LoadState(renewalState, &r); {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	case r.From != pair.Thumbprint():
		return nil, nil // it came to its end, or the pair has been replaced since
	}
	return &r, nil
}

// Plan returns the plan of a renewal. The home is untouched until the tenant has
// taken both certificates: a crash before leaves a connector that works with the
// former one.
func (r *Renewal) Plan() Plan {
	plan := Plan{
		{Name: "read-keys", Says: "Read the key pair, and open what is sealed with it", Check: true, Do: r.read},
		{Name: "ask-tenant", Says: "Ask the tenant which certificates it knows", Check: true, Do: r.ask},
		{Name: "make-certificate", Says: r.makes(), Check: true, Do: r.make},
		{Name: "keep-renewal", Says: "Keep what is begun, for a renewal that is cut off", Do: r.keep, Undo: r.forget,
			Tidy: func() { _ = r.Home.RemoveState(renewalState) }}, // one that stays is known by its thumbprints to be over
		{Name: "register-certificates", Says: "Register the new certificate beside the former one", Do: r.tell, Undo: r.untell},
		{Name: "replace-keys", Says: "Replace the key pair and the configuration", Do: r.replace, Undo: r.restore},
	}
	if r.Reload != nil {
		plan = append(plan, Step{Name: "reload-connector", Says: "Have the running connector take the new pair, and wait until the hub accepts it",
			Do: func(ctx context.Context) error { return r.Reload(ctx, r.work.new) }})
	}
	return plan
}

func (r *Renewal) makes() string {
	if r.NewKey {
		return "Make a new private key and its certificate"
	}
	return "Make a new certificate for the same private key"
}

func (r *Renewal) read(context.Context) (err error) {
	w := &r.work
	if w.c, err = r.Home.Config(); err != nil {
		return err
	}
	if w.c.EnvOnly() || w.c.Keys.Certificate != "" || w.c.Keys.Key != "" {
		return &elsewhereError{}
	}
	if w.former, err = r.Home.Keys(w.c); err != nil {
		return err
	}
	if w.config, err = os.ReadFile(r.Home.Path("config.json")); err != nil {
		return err
	}
	if _, err := r.sealed(w.c, w.former); err != nil {
		return err
	}
	if w.ticket, err = tenant.ParseTicket(string(w.c.Tenant.Ticket)); err != nil {
		return err
	}
	w.begun, err = r.interrupted(w.former)
	return err
}

func (r *Renewal) ask(ctx context.Context) (err error) {
	w := &r.work
	if w.conn, err = r.Tenant.Connection(ctx, w.ticket); err != nil {
		return err
	}
	if w.c.Tenant.Connection != "" && !serves(w.c.Tenant, w.conn) {
		return &OtherConnectionError{Have: w.c.Tenant.Connection + " of " + w.c.Tenant.Realm, Want: w.conn.Name + " of " + w.conn.Realm}
	}
	return nil
}

func (r *Renewal) make(context.Context) (err error) {
	w := &r.work
	if b := w.begun; b != nil && b.NewKey == r.NewKey {
		if w.new, err = keys.Parse([]byte(b.Certificate), []byte(b.PrivateK)); err == nil && w.new.Thumbprint() == b.To {
			r.note("going on with the certificate " + b.To + " of the renewal that was cut off on " + b.Begun.UTC().Format(time.DateTime) + " UTC")
			return nil
		}
		w.begun = nil // it is damaged, and only saved a certificate
	}
	if r.NewKey {
		w.new, err = r.generate(w.conn)
	} else {
		w.new, err = w.former.Renew(r.Now())
	}
	return err
}

func (r *Renewal) keep(context.Context) error {
	cert, key := r.work.new.PEM()
	return r.Home.SaveState(renewalState, renewalRecord{
		Begun: r.Now(), From: r.work.former.Thumbprint(), To: r.work.new.Thumbprint(), NewKey: r.NewKey,
		Certificate: string(cert), PrivateK: string(key),
	})
}

// forget ends the record, unless the tenant may know the certificate: the next
// renewal then goes on with it.
func (r *Renewal) forget(context.Context) error {
	if r.work.unknown {
		r.note("the tenant may list the certificate " + r.work.new.Thumbprint() + ", which nothing uses yet; the next renewal goes on with it")
		return nil
	}
	return r.Home.RemoveState(renewalState)
}

func (r *Renewal) tell(ctx context.Context) error {
	w := &r.work
	w.answer = w.c
	w.unknown = true
	note, err := r.register(ctx, w.ticket, &w.answer, w.new, w.former.Certificate)
	if err != nil {
		return &renewalError{error: err, former: w.former.Thumbprint(), newKey: r.NewKey}
	}
	if note != "" {
		r.note(note)
	}
	return nil
}

// untell has the tenant hold to the former certificate alone, as far as it
// lets go of one, and finds out whether it did.
func (r *Renewal) untell(ctx context.Context) error {
	w := &r.work
	lists := func() (bool, error) {
		conn, err := r.Tenant.Connection(ctx, w.ticket)
		return conn.Knows(w.new.Thumbprint()), err
	}
	listed, err := lists()
	if err == nil && listed {
		if _, err = r.register(ctx, w.ticket, &config.Config{}, w.former); err == nil {
			listed, err = lists()
		}
	}
	// That the tenant knows one more is no harm: it is for a key of ours.
	w.unknown = err != nil || listed
	return nil //nolint:nilerr // unknown says it
}

func (r *Renewal) replace(context.Context) error {
	w := &r.work
	// The file is read again: somebody may have changed a setting meanwhile.
	c, err := r.Home.Config()
	if err != nil {
		return err
	}
	if w.config, err = os.ReadFile(r.Home.Path("config.json")); err != nil {
		return err
	}
	if now, err := r.Home.Keys(c); err != nil || now.Thumbprint() != w.former.Thumbprint() {
		return errors.Join(errors.New("another key pair has come into the home meanwhile"), err)
	}
	password, err := r.sealed(c, w.former)
	if err != nil {
		return err
	}
	if r.NewKey {
		if c.Directory.BindPassword == "" {
			c.Directory.BindPassword = config.Secret(password)
		}
		if err := sealPassword(&c, w.new); err != nil {
			return err
		}
	}
	c.Tenant.SentThumbprint, c.Tenant.SigningKey = w.answer.Tenant.SentThumbprint, w.answer.Tenant.SigningKey
	text, err := c.Encode()
	if err != nil {
		return err
	}
	backup, err := r.Home.ReplaceKeys(w.new, text)
	if err == nil && backup != "" {
		r.note("the former key pair and configuration are kept in " + backup)
	}
	return err
}

// restore brings the former files back, and a running connector to them.
func (r *Renewal) restore(ctx context.Context) error {
	w := &r.work
	have, err := r.Home.Keys(w.c)
	if err != nil || have.Thumbprint() != w.new.Thumbprint() {
		return err // it did not come that far
	}
	if _, err := r.Home.ReplaceKeys(w.former, w.config); err != nil || r.Reload == nil {
		return err
	}
	if err := r.Reload(ctx, w.former); err != nil {
		r.note("the running connector was not seen to take the former pair back: " + err.Error())
	}
	return nil
}

// sealed opens what config.json holds sealed: the service account's password,
// "" if there is none.
func (r *Renewal) sealed(c config.Config, pair *keys.Pair) (string, error) {
	if c.Directory.BindCredentials == "" || c.Directory.BindPassword != "" {
		return "", nil
	}
	if r.NewKey && c.Source("LDAP_BIND_CREDENTIALS") == "environment" {
		return "", errors.New("LDAP_BIND_CREDENTIALS comes from the environment, where it cannot be sealed with a new key")
	}
	password, err := pair.Open(string(c.Directory.BindCredentials))
	if err != nil && r.NewKey {
		return "", fmt.Errorf("open LDAP_BIND_CREDENTIALS, to seal it with the new key: %w", err)
	}
	return password, nil
}

func (r *Renewal) note(text string) {
	if r.Note != nil {
		r.Note(text)
	}
}

// A renewalError is a tenant's refusal of another certificate, or its silence.
type renewalError struct {
	error
	former string
	newKey bool
}

func (e *renewalError) Unwrap() error { return e.error }

// Hint says what can be done.
func (e *renewalError) Hint() string {
	var answer *tenant.Error
	if !errors.As(e.error, &answer) || answer.Cause != tenant.CauseStatus {
		var h interface{ Hint() string }
		if errors.As(e.error, &h) {
			return h.Hint()
		}
		return ""
	}
	hint := "the tenant holds to the certificate that it was given first, " + e.former +
		"; the connector goes on with that one, and nothing was changed here"
	if e.newKey {
		hint += "; a new key needs the connection's certificate to be removed at the tenant, or a new connection"
	}
	return hint
}

// An elsewhereError says that the key pair is not among the home's files.
type elsewhereError struct{}

func (*elsewhereError) Error() string {
	return "the key pair is not in certs/: AUTH_CERT and AUTH_CERT_KEY have it, or the configuration is the environment alone"
}

// Hint says where it is to be renewed.
func (*elsewhereError) Hint() string {
	return "exchange it where those are set; connector help keys-and-certificates"
}
