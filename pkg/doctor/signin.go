package doctor

import (
	"context"
	"crypto/x509"
)

// SignIn is what the checks may ask of sign-in in the browser. A func is nil
// where it cannot be asked.
type SignIn struct {
	// Visit asks SERVER_URL for the sign-in's metadata, as a browser that
	// trusts what this machine trusts.
	Visit func(context.Context) (Answer, error)
	// Ours reports whether it is this connector's sign-in that listens on PORT.
	Ours func(context.Context) bool
	// Certificates are those of SSL_PFX, the server's own first.
	Certificates func() ([]*x509.Certificate, error)
	// Roots are the authorities that the runtime trusts; nil: the system's.
	Roots *x509.CertPool

	// Keytab reads the keys of this machine's services.
	Keytab func() (Keytab, error)
	// Holders returns the accounts that have a service principal name. An
	// error that is Unknown says that the directory does not have such names.
	Holders func(ctx context.Context, spn string) ([]Holder, error)
}

// An Answer is what came from SERVER_URL.
type Answer struct {
	Status int  // of HTTP
	Ours   bool // it shows the agent's certificate, as all nodes of a connection do
	Other  bool // it is a connector's sign-in, of another connection
	// Guarded says that the handshake showed the certificate of SSL_PFX, and
	// asked for a user's.
	Guarded bool
}

// A Keytab is a file of keys, without the keys.
type Keytab struct {
	Path  string
	Loose string // how others can reach it: "mode 0644"; "" when they cannot
	Keys  []Key
}

// A Key is one entry of a keytab.
type Key struct {
	Principal, Realm string
	KVNO             uint32 // its version; keytabs of old have it modulo 256
	EncType          int32  // RFC 3961's number
}

// A Holder is an account with a service principal name.
type Holder struct {
	DN   string
	KVNO uint32 // the version of its key; 0: not told
	// EncTypes are those that the KDC gives tickets with, in the bits of
	// msDS-SupportedEncryptionTypes (MS-KILE, section 2.2.7); 0: not told.
	EncTypes uint32
}
