package keys_test

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"ad-ldap-connector/pkg/keys"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func generate(t *testing.T) *keys.Pair {
	t.Helper()
	pair, err := keys.Generate("corp-ad", "corp.example", noon)
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

func TestGeneratedCertificate(t *testing.T) {
	pair := generate(t)
	c := pair.Certificate
	if got, want := c.Subject.String(), "CN=corp-ad,OU=corp.example,O=auth0/ad-ldap-connector"; got != want {
		t.Errorf("subject is %s, want %s", got, want)
	}
	if c.Issuer.String() != c.Subject.String() {
		t.Errorf("issuer is %s: the certificate is not self-signed", c.Issuer)
	}
	if err := c.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature); err != nil {
		t.Error(err)
	}
	if c.SignatureAlgorithm != x509.SHA256WithRSA {
		t.Errorf("signed with %s", c.SignatureAlgorithm)
	}
	if key, ok := pair.Signer.(*rsa.PrivateKey); !ok || key.N.BitLen() != 2048 {
		t.Errorf("key is %T", pair.Signer)
	}
	if c.IsCA || !c.BasicConstraintsValid {
		t.Error("it must say that it is no CA")
	}
	if c.KeyUsage != x509.KeyUsageDigitalSignature || len(c.ExtKeyUsage) > 0 {
		t.Errorf("key usage is %b %v", c.KeyUsage, c.ExtKeyUsage)
	}
	if n := len(c.DNSNames) + len(c.URIs) + len(c.EmailAddresses) + len(c.IPAddresses); n > 0 {
		t.Errorf("it has %d subject alternative names", n)
	}
	if want := noon.AddDate(10, 0, 0); !c.NotAfter.Equal(want) {
		t.Errorf("valid until %s, want %s", c.NotAfter, want)
	}
	if c.NotBefore.After(noon.Add(-time.Minute)) || c.NotBefore.Before(noon.AddDate(0, 0, -1)) {
		t.Errorf("valid from %s, want a little before %s", c.NotBefore, noon)
	}
	if c.SerialNumber.BitLen() < 64 || c.SerialNumber.Cmp(generate(t).Certificate.SerialNumber) == 0 {
		t.Errorf("serial %d is not random", c.SerialNumber)
	}
}

func TestGeneratedPEM(t *testing.T) {
	cert, key := generate(t).PEM()
	if !bytes.HasPrefix(key, []byte("-----BEGIN RSA PRIVATE KEY-----\n")) {
		t.Error("the key is not PKCS#1, which the existing connector expects")
	}
	if bytes.Contains(append(cert, key...), []byte("\r")) {
		t.Error("it has CR")
	}
	if _, err := keys.Parse(cert, key); err != nil {
		t.Error(err)
	}
}

func TestGenerateRefuses(t *testing.T) {
	for name, connection := range map[string]string{"an empty name": "", "a name that is no UTF-8": "\xff"} {
		if _, err := keys.Generate(connection, "corp.example", noon); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	pair, err := keys.Generate("corp-ad", "", noon)
	if err != nil {
		t.Fatal(err)
	}
	if ou := pair.Certificate.Subject.OrganizationalUnit; ou != nil {
		t.Errorf("an unknown domain became OU %q", ou)
	}
}

func TestParseKeepsBytes(t *testing.T) {
	cert, key := generate(t).PEM()
	crlf := func(b []byte) []byte { return bytes.ReplaceAll(b, []byte("\n"), []byte("\r\n")) }
	for name, pem := range map[string][2][]byte{
		"LF":                 {cert, key},
		"CRLF":               {crlf(cert), crlf(key)},
		"no final newline":   {bytes.TrimSpace(cert), bytes.TrimSpace(key)},
		"text before it":     {cert, append([]byte("Bag Attributes\n    friendlyName: ad\n"), key...)},
		"a chain":            {slices.Concat(cert, cert), key},
		"PKCS#8":             {cert, pkcs8(t, key)},
		"its cert beside it": {cert, slices.Concat(key, cert)},
	} {
		pair, err := keys.Parse(pem[0], pem[1])
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if c, k := pair.PEM(); !bytes.Equal(c, pem[0]) || !bytes.Equal(k, pem[1]) {
			t.Errorf("%s: the bytes changed", name)
		}
		if pair.Thumbprint() != generateThumbprint(cert) {
			t.Errorf("%s: thumbprint is %s", name, pair.Thumbprint())
		}
		c, _ := pair.PEM()
		c[0]++ // the caller's copy, not the pair's
		if d, _ := pair.PEM(); !bytes.Equal(d, pem[0]) {
			t.Errorf("%s: PEM gave its own bytes away", name)
		}
	}
}

func TestPairHidesItsKey(t *testing.T) {
	pair := generate(t)
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("have", "pair", pair, "in", []any{*pair})
	text, err := json.Marshal(map[string]any{"pointer": pair, "value": *pair})
	if err != nil {
		t.Fatal(err)
	}
	shown := fmt.Sprintf("%v %+v %#v %s %d %x %v %+v", pair, pair, pair, *pair, *pair, []keys.Pair{*pair}, struct{ P *keys.Pair }{pair}, map[string]keys.Pair{"a": *pair}) + log.String() + string(text)
	key := pair.Signer.(*rsa.PrivateKey)
	_, keyPEM := pair.PEM()
	block, _ := pem.Decode(keyPEM)
	for _, secret := range []string{
		key.D.String(), fmt.Sprintf("%x", key.D), key.Primes[0].String(), strings.Split(string(keyPEM), "\n")[3], fmt.Sprintf("%x", block.Bytes),
	} {
		if strings.Contains(shown, secret) {
			t.Fatalf("shows its key")
		}
	}
	if !strings.Contains(shown, pair.Thumbprint()) {
		t.Error("does not name itself")
	}
}

func generateThumbprint(cert []byte) string {
	block, _ := pem.Decode(cert)
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return err.Error()
	}
	return (&keys.Pair{Certificate: c}).Thumbprint()
}

func pkcs8(t *testing.T, pkcs1 []byte) []byte {
	t.Helper()
	block, _ := pem.Decode(pkcs1)
	key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// Another certificate for the same key keeps what is sealed, byte for byte the
// key's text, and the subject.
func TestRenewKeepsTheKey(t *testing.T) {
	v := load(t)
	for ref := range v.Keys {
		former := certify(t, v.Keys[ref])
		now := former.Certificate.NotAfter.Add(time.Hour) // one that has ended can be renewed too
		pair, err := former.Renew(now)
		if err != nil {
			t.Fatal(err)
		}
		_, before := former.PEM()
		_, after := pair.PEM()
		if !bytes.Equal(before, after) {
			t.Errorf("%s: the key's text changed", ref)
		}
		if pair.Thumbprint() == former.Thumbprint() || !bytes.Equal(pair.Certificate.RawSubject, former.Certificate.RawSubject) {
			t.Errorf("%s: thumbprint %s, subject %s", ref, pair.Thumbprint(), pair.Certificate.Subject)
		}
		if got, want := pair.Certificate.NotAfter, now.AddDate(10, 0, 0).Truncate(time.Second); !got.Equal(want) {
			t.Errorf("%s: it ends on %s, want %s", ref, got, want)
		}
		sealed, err := former.Seal("pässword")
		if err != nil {
			t.Fatal(err)
		}
		if got, err := pair.Open(sealed); err != nil || got != "pässword" {
			t.Errorf("%s: %q, %v", ref, got, err)
		}
	}
	for name, p := range map[string]*keys.Pair{"none": nil, "an empty one": {}} {
		if _, err := p.Renew(time.Now()); err == nil {
			t.Errorf("%s was renewed", name)
		}
	}
}
