package sandbox

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" // thumbprints are SHA-1 on this wire
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"regexp"
	"slices"
)

const (
	cloudRealm      = "urn:auth0:sandbox"
	cloudDomain     = "sandbox.test"
	cloudFirstName  = "sandbox"
	maxConnections  = 1000
	maxCertificates = 8
	maxRSABits      = 8192
)

var (
	// ErrUnknownConnection says that no connection has the name.
	ErrUnknownConnection = errors.New("no such connection")
	// ErrConnectionExists says that a connection has the name already.
	ErrConnectionExists = errors.New("a connection has this name already")
	// ErrOtherCertificate says that a connection holds to the certificate that
	// its first agent registered, and another one was presented.
	ErrOtherCertificate = errors.New("the connection is bound to another certificate")
	errManyCertificates = errors.New("the connection has as many certificates as it takes")
	errConnectionName   = errors.New("a connection's name has 1 to 128 letters, digits and single hyphens inside")
	errTooMany          = errors.New("the sandbox has as many connections as it takes")
)

// cloudConnection is the tenant's record of a connection. It is never changed,
// only replaced.
type cloudConnection struct {
	Name         string   `json:"name"`
	Secret       string   `json:"secret"` // the last part of the ticket
	Algorithm    string   `json:"algorithm"`
	Key          string   `json:"key"` // HS256: the secret; RS256: PKCS#8 PEM
	Kerberos     bool     `json:"kerberos"`
	CertAuth     bool     `json:"certAuth"`
	Certificates [][]byte `json:"certificates,omitempty"` // DER
	SignIn       string   `json:"signInEndpoint,omitempty"`
	Version      string   `json:"agentVersion,omitempty"`

	signer any               // what tokens to agents are signed with
	public string            // what agents verify them with
	keyID  string            // names signer among the published keys; "" for a secret
	pinned []pinnedAgentCert // Certificates, parsed
}

type pinnedAgentCert struct {
	thumbprint string
	key        *rsa.PublicKey
}

var connectionName = regexp.MustCompile(`^[a-zA-Z0-9]+(-[a-zA-Z0-9]+)*$`)

// prepare checks the record and works out its parsed forms.
func (cc *cloudConnection) prepare() error {
	if len(cc.Name) > 128 || !connectionName.MatchString(cc.Name) {
		return errConnectionName
	}
	if len(cc.Secret) < 16 {
		return errors.New("its ticket is too short")
	}
	switch cc.Algorithm {
	case "HS256":
		if len(cc.Key) < 32 {
			return errors.New("its signing key is too short")
		}
		cc.signer, cc.public, cc.keyID = []byte(cc.Key), cc.Key, ""
	case "RS256":
		key, err := parseCloudKey(cc.Key)
		if err != nil {
			return err
		}
		der, err := x509.MarshalPKIXPublicKey(key.Public())
		if err != nil {
			return fmt.Errorf("write its public key: %w", err)
		}
		sum := sha256.Sum256(der)
		cc.keyID = hex.EncodeToString(sum[:8])
		cc.signer, cc.public = key, string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	default:
		return fmt.Errorf("its signing algorithm %q is neither HS256 nor RS256", cc.Algorithm)
	}
	cc.pinned = nil
	for _, der := range cc.Certificates {
		pinned, err := parseAgentCert(der)
		if err != nil {
			return err
		}
		cc.pinned = append(cc.pinned, pinned)
	}
	return nil
}

func parseCloudKey(text string) (crypto.Signer, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, errors.New("its signing key is not PEM")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("parse its signing key: %w", err)
	}
	signer, ok := key.(*rsa.PrivateKey)
	if !ok {
		return nil, errors.New("its signing key is not RSA")
	}
	return signer, nil
}

// parseAgentCert reads a certificate as agents register it. Its validity is
// not looked at: what counts is that the key is the registered one.
func parseAgentCert(der []byte) (pinnedAgentCert, error) {
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return pinnedAgentCert{}, fmt.Errorf("parse the certificate: %w", err)
	}
	key, ok := certificate.PublicKey.(*rsa.PublicKey)
	if !ok || key.N.BitLen() < 1024 || key.N.BitLen() > maxRSABits {
		return pinnedAgentCert{}, fmt.Errorf("the certificate's key is not RSA of 1024 to %d bits", maxRSABits)
	}
	sum := sha1.Sum(der)
	return pinnedAgentCert{hex.EncodeToString(sum[:]), key}, nil
}

func (cc *cloudConnection) thumbprints() []string {
	prints := make([]string, 0, len(cc.pinned)) // [] in JSON, not null
	for _, p := range cc.pinned {
		prints = append(prints, p.thumbprint)
	}
	return prints
}

// find returns a connection by name; "" is the first one.
func (c *Cloud) find(name string) *cloudConnection {
	return c.findBy(func(cc *cloudConnection) bool { return name == "" || cc.Name == name })
}

func (c *Cloud) findBy(match func(*cloudConnection) bool) *cloudConnection {
	c.mu.Lock()
	defer c.mu.Unlock()
	if i := slices.IndexFunc(c.connections, match); i >= 0 {
		return c.connections[i]
	}
	return nil
}

func (c *Cloud) ticket(cc *cloudConnection) string { return c.url + "/p/ad/" + cc.Secret }

// NewConnection adds a connection and returns its ticket, a whole URL and a
// secret, and its realm. A name that is taken is ErrConnectionExists.
func (c *Cloud) NewConnection(name string, kerberos, certAuth bool) (ticket, realm string, err error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	cc, err := c.add(name, kerberos, certAuth)
	if err != nil {
		return "", "", fmt.Errorf("add the connection: %w", err)
	}
	return c.ticket(cc), cloudRealm, nil
}

func (c *Cloud) add(name string, kerberos, certAuth bool) (*cloudConnection, error) {
	algorithm := "HS256"
	if c.options.JWKS {
		algorithm = "RS256" // a secret cannot be published
	}
	key, err := newCloudKey(algorithm)
	if err != nil {
		return nil, err
	}
	cc := &cloudConnection{
		Name: name, Secret: rand.Text(), Algorithm: algorithm, Key: key,
		Kerberos: kerberos, CertAuth: certAuth,
	}
	if err := cc.prepare(); err != nil {
		return nil, err
	}
	if c.find(name) != nil {
		return nil, ErrConnectionExists
	}
	if len(c.connections) >= maxConnections {
		return nil, errTooMany
	}
	return cc, c.replace(append(slices.Clone(c.connections), cc))
}

// first sees to it that there is a connection, with the switches of this start.
func (c *Cloud) first() error {
	c.writing.Lock()
	defer c.writing.Unlock()
	if c.find("") == nil {
		_, err := c.add(cloudFirstName, c.options.Kerberos, c.options.CertAuth)
		return err
	}
	return c.change("", func(cc *cloudConnection) error {
		cc.Kerberos, cc.CertAuth = c.options.Kerberos, c.options.CertAuth
		return nil
	})
}

// change replaces a connection by an edited copy. The caller holds c.writing.
func (c *Cloud) change(name string, edit func(*cloudConnection) error) error {
	old := c.find(name)
	if old == nil {
		return ErrUnknownConnection
	}
	changed := *old
	if err := edit(&changed); err != nil {
		return err
	}
	if err := changed.prepare(); err != nil {
		return err
	}
	next := slices.Clone(c.connections)
	next[slices.Index(next, old)] = &changed
	return c.replace(next)
}

// Thumbprints are the SHA-1 thumbprints (lower-case hex) of the certificates a
// connection is bound to; "" is the first connection. None before an agent has
// registered, or when there is no such connection.
func (c *Cloud) Thumbprints(connection string) []string {
	if cc := c.find(connection); cc != nil {
		return cc.thumbprints()
	}
	return nil
}

// Unpin forgets the certificates of a connection, as an administrator of the
// tenant can: the next agent to register binds it anew. Links that are up stay
// up.
func (c *Cloud) Unpin(connection string) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	err := c.change(connection, func(cc *cloudConnection) error {
		cc.Certificates = nil
		return nil
	})
	if err != nil {
		return fmt.Errorf("forget the certificates of the connection: %w", err)
	}
	return nil
}

// newCloudKey makes a signing key as a connection keeps it.
func newCloudKey(algorithm string) (string, error) {
	if algorithm != "RS256" {
		return rand.Text() + rand.Text(), nil
	}
	pair, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return "", fmt.Errorf("make a signing key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(pair)
	if err != nil {
		return "", fmt.Errorf("make a signing key: %w", err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), nil
}

// SetSigning gives a connection a new signing key, "HS256" (a secret) or
// "RS256" (a key pair, whose public half agents get as PEM, or find published).
// Agents learn of a sent key when they register again, of a published one when
// they see it used.
func (c *Cloud) SetSigning(connection, algorithm string) error {
	key, err := newCloudKey(algorithm)
	if err != nil {
		return err
	}
	c.writing.Lock()
	defer c.writing.Unlock()
	err = c.change(connection, func(cc *cloudConnection) error {
		cc.Algorithm, cc.Key = algorithm, key
		return nil
	})
	if err != nil {
		return fmt.Errorf("set the signing key of the connection: %w", err)
	}
	return nil
}
