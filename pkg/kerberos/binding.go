package kerberos

import (
	"bytes"
	"crypto"
	"crypto/md5" // RFC 4121 has no other here
	"crypto/x509"
	"encoding/binary"

	_ "crypto/sha256" // linked for crypto.Hash
	_ "crypto/sha512"
)

// A Binding says what is asked of tokens that come over TLS which ends here
// (RFC 5929, tls-server-end-point; Extended Protection for Authentication).
type Binding string

// The bindings there are.
const (
	BindingNone    Binding = "none"    // nothing
	BindingAllow   Binding = "allow"   // one that names a TLS connection must name ours
	BindingRequire Binding = "require" // and must name one
)

// A binding is what a token for a TLS connection holds: GSS-API's channel
// bindings, and their MD5 hash.
type binding struct {
	data []byte // gss_channel_bindings' application data
	hash [md5.Size]byte
}

// bindingsOf returns the binding for each certificate.
func bindingsOf(certificates [][]byte) (all []binding) {
	for _, der := range certificates {
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			continue // nothing was shown that does not parse
		}
		h := endPointHash(cert.SignatureAlgorithm).New()
		h.Write(der)
		all = append(all, bindingOf(h.Sum(nil)))
	}
	return all
}

// bindingOf is the binding for a certificate of that hash. The addresses are
// absent (RFC 4121, section 4.1.1.2).
func bindingOf(certificate []byte) binding {
	data := append([]byte("tls-server-end-point:"), certificate...)
	packed := binary.LittleEndian.AppendUint32(make([]byte, 16), uint32(len(data)))
	return binding{data, md5.Sum(append(packed, data...))}
}

// endPointHash is the hash of RFC 5929, section 4.1: the signature's, but none
// of the weak ones.
func endPointHash(a x509.SignatureAlgorithm) crypto.Hash {
	switch a {
	case x509.SHA384WithRSA, x509.ECDSAWithSHA384, x509.SHA384WithRSAPSS:
		return crypto.SHA384
	case x509.SHA512WithRSA, x509.ECDSAWithSHA512, x509.SHA512WithRSAPSS:
		return crypto.SHA512
	}
	return crypto.SHA256
}

// bound judges the hash that a token holds. Without any binding of ours there
// is no TLS here, or it is not to be looked at.
func (b Binding) bound(hash []byte, ours []binding) error {
	if len(ours) == 0 || b == BindingNone {
		return nil
	}
	if len(hash) != md5.Size || bytes.Equal(hash, make([]byte, md5.Size)) {
		if b == BindingRequire {
			return deny(WrongBinding, "it names none, and KERBEROS_CHANNEL_BINDING requires one")
		}
		return nil
	}
	for _, o := range ours {
		if bytes.Equal(hash, o.hash[:]) {
			return nil
		}
	}
	return deny(WrongBinding, "it names another certificate")
}
