package sandbox

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"
)

const (
	cloudCALife     = 10 * 365 * 24 * time.Hour
	cloudServerLife = 90 * 24 * time.Hour
	// A certificate is replaced this long before it ends, so that a client
	// never meets one in its last minute.
	cloudRenewal = 24 * time.Hour
)

// cloudCA is the sandbox's certificate authority. Its name constraints let it
// vouch for this machine's loopback names only: a root that somebody added to
// a trust store while trying things out cannot be turned against them.
type cloudCA struct {
	file        string
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey

	mu     sync.Mutex
	server *tls.Certificate
}

// openCloudCA reads ca.pem and ca.key of the folder, and makes them when there
// is no ca.pem or it has ended. A damaged pair is an error, never replaced:
// somebody may have been told to trust it.
func openCloudCA(folder string, now func() time.Time) (*cloudCA, error) {
	ca := &cloudCA{file: filepath.Join(folder, "ca.pem")}
	certificate, err := os.ReadFile(ca.file)
	if errors.Is(err, fs.ErrNotExist) {
		return ca, ca.make(folder, now())
	}
	if err != nil {
		return nil, fmt.Errorf("read the sandbox's certificate authority: %w", err)
	}
	if err := ca.parse(folder, certificate); err != nil {
		return nil, fmt.Errorf("read the sandbox's certificate authority: %w (remove %s to make another)", err, ca.file)
	}
	if now().After(ca.certificate.NotAfter.Add(-cloudRenewal)) {
		return ca, ca.make(folder, now())
	}
	return ca, nil
}

func (ca *cloudCA) parse(folder string, certificate []byte) error {
	block, _ := pem.Decode(certificate)
	if block == nil {
		return errors.New("ca.pem holds no PEM block")
	}
	var err error
	if ca.certificate, err = x509.ParseCertificate(block.Bytes); err != nil {
		return fmt.Errorf("parse ca.pem: %w", err)
	}
	data, err := os.ReadFile(filepath.Join(folder, "ca.key"))
	if err != nil {
		return err
	}
	if block, _ = pem.Decode(data); block == nil {
		return errors.New("ca.key holds no PEM block")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return fmt.Errorf("parse ca.key: %w", err)
	}
	var ok bool
	if ca.key, ok = key.(*ecdsa.PrivateKey); !ok || !ca.key.PublicKey.Equal(ca.certificate.PublicKey) {
		return errors.New("ca.key does not belong to ca.pem")
	}
	return nil
}

func (ca *cloudCA) make(folder string, now time.Time) (err error) {
	if ca.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return fmt.Errorf("make the sandbox's certificate authority: %w", err)
	}
	template := &x509.Certificate{
		Subject:                     pkix.Name{CommonName: "Connector sandbox, not for production", Organization: []string{"Connector sandbox"}},
		NotBefore:                   now.Add(-time.Hour), // clocks differ
		NotAfter:                    now.Add(cloudCALife),
		IsCA:                        true,
		BasicConstraintsValid:       true,
		MaxPathLenZero:              true,
		KeyUsage:                    x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		PermittedDNSDomainsCritical: true,
		PermittedDNSDomains:         []string{"localhost"},
		PermittedIPRanges: []*net.IPNet{
			{IP: net.IPv4(127, 0, 0, 0).To4(), Mask: net.CIDRMask(8, 32)},
			{IP: net.IPv6loopback, Mask: net.CIDRMask(128, 128)},
		},
	}
	der, err := signCloudCertificate(template, template, ca.key, ca.key)
	if err != nil {
		return err
	}
	if ca.certificate, err = x509.ParseCertificate(der); err != nil {
		return fmt.Errorf("make the sandbox's certificate authority: %w", err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(ca.key)
	if err != nil {
		return fmt.Errorf("make the sandbox's certificate authority: %w", err)
	}
	// The key first: a ca.key without a ca.pem is replaced at the next start.
	if err := writeCloudFile(folder, "ca.key", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})); err != nil {
		return err
	}
	return writeCloudFile(folder, "ca.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func (ca *cloudCA) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(ca.certificate)
	return pool
}

// serverCertificate makes a certificate when there is none or it ends soon. It
// lives in memory: nobody needs to know it between two starts.
func (ca *cloudCA) serverCertificate(now time.Time) (*tls.Certificate, error) {
	ca.mu.Lock()
	defer ca.mu.Unlock()
	if ca.server != nil && now.Before(ca.server.Leaf.NotAfter.Add(-cloudRenewal)) && now.After(ca.server.Leaf.NotBefore) {
		return ca.server, nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make the sandbox's server certificate: %w", err)
	}
	der, err := signCloudCertificate(&x509.Certificate{
		Subject:     pkix.Name{CommonName: "localhost", Organization: []string{"Connector sandbox"}},
		NotBefore:   now.Add(-time.Hour),
		NotAfter:    now.Add(cloudServerLife),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:    []string{"localhost", ProxiedName},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}, ca.certificate, key, ca.key)
	if err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("make the sandbox's server certificate: %w", err)
	}
	ca.server = &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
	return ca.server, nil
}

func signCloudCertificate(template, parent *x509.Certificate, key, signer *ecdsa.PrivateKey) ([]byte, error) {
	serial := make([]byte, 16)
	rand.Read(serial) // never fails: the program ends when the system has no randomness
	template.SerialNumber = new(big.Int).SetBytes(bytes.TrimLeft(serial, "\x00"))
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		return nil, fmt.Errorf("sign the certificate of %s: %w", template.Subject.CommonName, err)
	}
	return der, nil
}
