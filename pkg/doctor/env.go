package doctor

import (
	"context"
	"crypto/x509"
	"time"

	"ad-ldap-connector/pkg/config"
)

// An Env is all that probes may touch. Whoever runs the checks fills it in;
// a func or fact that is left out means that what asks for it does not apply.
// Probes run at the same time, so the funcs must bear that.
type Env struct {
	OS  string           // as in GOOS; the checks of other systems are skipped
	Now func() time.Time // nil: time.Now

	// Config holds the values that apply: the defaults, the home's file, the
	// environment and the flags, each above the one before. Where the home's
	// file does not parse, config.valid says so, and its values are not here.
	Config config.Config

	Home      Home      // config.*, agent.*
	Host      Host      // host.*
	Clocks    Clocks    // time.*
	Network   Network   // network.*, tls.tenant, agent.registered
	Directory Directory // directory.*, tls.directory, account.*
	SignIn    SignIn    // kerberos.*, signin.*

	// Hide takes the secrets that are known here out of a text. Every text of
	// a finding goes through it, should a peer's answer quote one.
	Hide func(string) string
}

func (e *Env) now() time.Time {
	if e.Now == nil {
		return time.Now()
	}
	return e.Now()
}

func (e *Env) hide(text string) string {
	if e.Hide == nil {
		return text
	}
	return e.Hide(text)
}

// A Home is what the checks may ask of the connector's own files. All funcs
// are nil when there is no home yet.
type Home struct {
	Dir string // for messages

	// Load returns the configuration that is to be checked: the home's, or an
	// install's candidate.
	Load func() (config.Config, error)
	// Exposed names the files and folders that others than the owner can read
	// or write, and how: "certs/cert.key: mode 0644".
	Exposed func() ([]string, error)
	// Tighten takes that away.
	Tighten func() error
	// Certificate returns the agent's certificate, once its private key is
	// known to belong to it. The error is an fs.ErrNotExist when there is no
	// key pair yet.
	Certificate func() (*x509.Certificate, error)
	// Sealed reports whether LDAP_BIND_CREDENTIALS is what counts; Unseal
	// opens it with the private key and drops what is in it.
	Sealed bool
	Unseal func() error
	// Mapper starts the profile mapper and ends it again; it returns what does
	// the mapping, "native" or the script's name.
	Mapper func(context.Context) (string, error)
	// Neighbours returns the other installations on this host.
	Neighbours func(context.Context) ([]Neighbour, error)
	// OtherTicket reports that the ticket that was given is not the one that
	// this home was installed with.
	OtherTicket bool
	// Waivers returns what is wrong with waivers.json; nil when there is none.
	Waivers func() error
}

// A Neighbour is another installation of the connector on this host.
type Neighbour struct {
	Dir, Connection, Realm string
}
