package keys_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha1"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"slices"
	"strings"
	"testing"

	"ad-ldap-connector/pkg/keys"
)

// What each bad file gets: an error that names the part, says what is wrong
// with it, and quotes none of it.
func TestParseRefuses(t *testing.T) {
	cert, key := generate(t).PEM()
	otherCert, otherKey := generate(t).PEM()
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ecDER, err := x509.MarshalPKCS8PrivateKey(ec)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(key)
	with := func(kind string, der []byte, headers map[string]string) []byte {
		return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der, Headers: headers})
	}
	encrypted := map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": "AES-256-CBC,00"}
	flipped := bytes.Clone(block.Bytes)
	flipped[0] ^= 0xff
	const c, k, p = "read the certificate: ", "read the private key: ", "read the key pair: "
	for name, tt := range map[string]struct {
		cert, key []byte
		want      string
	}{
		"the key of another":        {cert, otherKey, p + "the private key does not belong to the certificate"},
		"the certificate of other":  {otherCert, key, p + "the private key does not belong"},
		"no certificate":            {nil, key, c + "it is empty"},
		"blank certificate":         {[]byte(" \r\n"), key, c + "it is empty"},
		"no key":                    {cert, nil, k + "it is empty"},
		"certificate is garbage":    {[]byte("hello"), key, c + "it is not PEM"},
		"key is garbage":            {cert, []byte("hello"), k + "it is not PEM"},
		"key is DER":                {cert, block.Bytes, k + "it is not PEM"},
		"swapped":                   {key, cert, c + "a private key lies beside it"},
		"key beside certificate":    {slices.Concat(cert, key), key, c + "a private key lies beside it"},
		"certificate for a key":     {cert, cert, k + `it is a PEM of "CERTIFICATE", not of a PRIVATE KEY`},
		"request for a certificate": {with("CERTIFICATE REQUEST", block.Bytes, nil), key, c + `it is a PEM of "CERTIFICATE REQUEST"`},
		"several keys":              {cert, slices.Concat(key, otherKey), k + "there are several"},
		"same key twice":            {cert, slices.Concat(key, key), k + "there are several"},
		"encrypted PKCS#1":          {cert, with("RSA PRIVATE KEY", block.Bytes, encrypted), k + "it is encrypted with a passphrase"},
		"encrypted PKCS#8":          {cert, with("ENCRYPTED PRIVATE KEY", block.Bytes, nil), k + "it is encrypted with a passphrase"},
		"elliptic key":              {cert, with("PRIVATE KEY", ecDER, nil), k + "it is no key of RSA"},
		"elliptic key by its name":  {cert, with("EC PRIVATE KEY", ecDER, nil), k + "it is no key of RSA"},
		"damaged certificate":       {with("CERTIFICATE", []byte("x"), nil), key, c + "x509: "},
		"damaged PKCS#1":            {cert, with("RSA PRIVATE KEY", flipped, nil), k + "its content is damaged"},
		"damaged PKCS#8":            {cert, with("PRIVATE KEY", flipped, nil), k + "its content is damaged"},
		"cut short":                 {cert, key[:len(key)-20], k + "its PEM is damaged or cut short"},
		"a line lost its dashes":    {cert[1:], key, c + "it is not PEM"},
		"one key and half another":  {cert, slices.Concat(key, otherKey[:200]), k + "its PEM is damaged"},
		"byte order mark":           {cert, append([]byte("\xef\xbb\xbf"), key...), k + "it begins with a byte order mark"},
		"line ends written out":     {cert, bytes.ReplaceAll(key, []byte("\n"), []byte(`\n`)), k + `it is one line with \n written out`},
		"UTF-16":                    {cert, utf16(key), k + "it is not PEM"},
		"too short a key":           {cert, smallKey(t), k + "it has 512 bits"},
		"huge certificate":          {bytes.Repeat(cert, 100), key, c + "it is larger than 65536 bytes"},
		"huge key":                  {cert, slices.Concat(key, bytes.Repeat([]byte("\n"), 1<<20)), k + "it is larger than 16384 bytes"},
	} {
		pair, err := keys.Parse(tt.cert, tt.key)
		if pair != nil || err == nil {
			t.Errorf("%s: accepted", name)
			continue
		}
		if !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%s: error is %q, want %q", name, err, tt.want)
		}
		checkSilent(t, name, err, key)
	}
}

// checkSilent fails when the error quotes any part of the key.
func checkSilent(t *testing.T, name string, err error, key []byte) {
	t.Helper()
	for line := range strings.Lines(string(key)) {
		if line = strings.TrimSpace(line); len(line) > 8 && !strings.HasPrefix(line, "-----") && strings.Contains(err.Error(), line[:8]) {
			t.Errorf("%s: the error shows the key: %q", name, err)
		}
	}
}

// A certificate as the existing connector makes it, CA:TRUE, with a stray name
// and a year's validity, is taken as it is: the tenant has pinned it.
func TestParseTakesForeignCertificates(t *testing.T) {
	pair := generate(t)
	template := *pair.Certificate
	template.IsCA, template.KeyUsage = true, x509.KeyUsageCertSign|x509.KeyUsageDigitalSignature
	template.NotAfter = noon.AddDate(-1, 0, 0)
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, pair.Signer.Public(), pair.Signer)
	if err != nil {
		t.Fatal(err)
	}
	_, key := pair.PEM()
	legacy, err := keys.Parse(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), key)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha1.Sum(der)
	if got, want := legacy.Thumbprint(), hex.EncodeToString(sum[:]); got != want {
		t.Errorf("thumbprint is %s, want %s", got, want)
	}
}

func FuzzParse(f *testing.F) {
	pair, err := keys.Generate("corp-ad", "corp.example", noon)
	if err != nil {
		f.Fatal(err)
	}
	cert, key := pair.PEM()
	f.Add(cert, key)
	f.Add(key, cert)
	f.Add(cert[:300], key[:300])
	f.Add([]byte("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"), []byte("-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n"))
	f.Fuzz(func(t *testing.T, cert, key []byte) {
		pair, err := keys.Parse(cert, key)
		if (pair == nil) == (err == nil) {
			t.Fatalf("pair %v and error %v", pair, err)
		}
		if err != nil {
			return
		}
		if c, k := pair.PEM(); !bytes.Equal(c, cert) || !bytes.Equal(k, key) {
			t.Fatal("the bytes changed")
		}
		sealed, err := pair.Seal("secret")
		if err != nil {
			t.Fatal(err)
		}
		if s, err := pair.Open(sealed); s != "secret" || err != nil {
			t.Fatal(errors.Join(errors.New("does not open what it sealed"), err))
		}
	})
}

// smallKey is a key of 512 bits, which the library no longer makes.
func smallKey(t *testing.T) []byte {
	t.Helper()
	t.Setenv("GODEBUG", "rsa1024min=0")
	return newKey(t, 512)
}

func utf16(b []byte) []byte {
	var wide []byte
	for _, c := range b {
		wide = append(wide, c, 0)
	}
	return wide
}
