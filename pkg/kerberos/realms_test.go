package kerberos

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ad-ldap-connector/pkg/identity"
)

func TestParseRealms(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		text string
		want Realms
	}{
		{"", Realms{}},
		{" ; \n;", Realms{}},
		{"corp.example", Realms{"CORP.EXAMPLE": {}}},
		{"CORP.EXAMPLE; CHILD.CORP.EXAMPLE=child.corp.example\nLAB = OU=Head Office,DC=lab", Realms{
			"CORP.EXAMPLE": {}, "CHILD.CORP.EXAMPLE": {BaseDN: "DC=child,DC=corp,DC=example"}, "LAB": {BaseDN: "OU=Head Office,DC=lab"}}},
		{"OLD.EXAMPLE=(userPrincipalName={0}@old.example)", Realms{"OLD.EXAMPLE": {Filter: "(userPrincipalName={0}@old.example)"}}},
	} {
		got, err := ParseRealms(tt.text)
		if diff := cmp.Diff(tt.want, got); diff != "" || err != nil {
			t.Errorf("%q: %v, (-want +got):\n%s", tt.text, err, diff)
		}
	}
	for text, want := range map[string]string{
		"A B": "not a Kerberos realm", "=x": "not a Kerberos realm", "A=": "nothing follows", "A;a": "twice",
		"A=(cn=*)": "no place for a name", "A=two words": "neither a domain", strings.Repeat("x;", 3): "twice",
	} {
		if got, err := ParseRealms(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, %v; want %q", text, got, err, want)
		}
	}
}

func TestRealmsPlace(t *testing.T) {
	t.Parallel()
	r := Realms{"CORP.EXAMPLE": {BaseDN: "DC=corp"}}
	for _, tt := range []struct {
		realms Realms
		realm  string
		want   identity.Place
		ok     bool
	}{
		{r, "corp.example", identity.Place{BaseDN: "DC=corp"}, true},
		{r, "OWN", identity.Place{}, false},
		{nil, "OWN", identity.Place{}, true},
		{nil, "own", identity.Place{}, true},
		{nil, "OTHER", identity.Place{}, false},
		{nil, "", identity.Place{}, false},
	} {
		if at, ok := tt.realms.place(tt.realm, []string{"OWN"}); at != tt.want || ok != tt.ok {
			t.Errorf("%q of %v: %v, %t", tt.realm, tt.realms, at, ok)
		}
	}
}

func selfSigned(t testing.TB) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "www"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// TestBindingForm compares with the example of Microsoft's notes on Extended
// Protection for Authentication (Open Specifications, "NTLM and Channel Binding
// Hash").
func TestBindingForm(t *testing.T) {
	t.Parallel()
	hash, err := hex.DecodeString("E3CA49271E5089CC48CE82109F1324F41DBEDDC29A777410C738F7868C4FF405")
	if err != nil {
		t.Fatal(err)
	}
	if got := bindingOf(hash).hash; hex.EncodeToString(got[:]) != "6ea19df066da4622051f9c4f92c6df74" {
		t.Errorf("%x", got)
	}
	if b := bindingsOf([][]byte{selfSigned(t), []byte("no certificate")}); len(b) != 1 || len(b[0].data) != 21+32 {
		t.Errorf("%q", b)
	}
}

func FuzzToken(f *testing.F) {
	aes := keytabOf(f, spnName, 3, "secret", 18)
	path := f.TempDir() + "/keytab"
	write(f, path, aes)
	k := newKeytabProver(Options{Keytab: path, Skew: time.Minute, Now: time.Now, Binding: BindingAllow})
	d := newDesk(f, aes)
	f.Add(d.token(f))
	d.bare = true
	f.Add(d.token(f))
	f.Add([]byte("NTLMSSP\x00\x01"))
	f.Add([]byte{0x60, 0x80})
	f.Fuzz(func(t *testing.T, data []byte) {
		parsed, err := parseToken(base64.StdEncoding.EncodeToString(data))
		var denial *Denial
		if err != nil {
			if !errors.As(err, &denial) && !errors.Is(err, ErrNoTicket) {
				t.Errorf("%v", err)
			}
			return
		}
		if p, err := k.prove(parsed, nil); err != nil && !errors.As(err, &denial) {
			t.Errorf("%v, %v", p, err)
		}
	})
}

func FuzzRealms(f *testing.F) {
	f.Add("CORP.EXAMPLE; A=b.c\nD=(uid={0});E=OU=x")
	f.Fuzz(func(t *testing.T, text string) {
		realms, err := ParseRealms(text)
		if err != nil {
			return
		}
		for name, at := range realms {
			if name != strings.ToUpper(name) || name == "" || at.Filter != "" && !strings.Contains(at.Filter, "{0}") {
				t.Errorf("%q at %+v", name, at)
			}
		}
	})
}

func FuzzPAC(f *testing.F) {
	head, _ := hex.DecodeString("0100000000000000010000000800000018000000000000000000000000000000")
	f.Add(head)
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0})
	key := keytabOf(f, spnName, 3, "secret", 18).Entries[0].Key
	f.Fuzz(func(t *testing.T, data []byte) {
		if !soundPAC(data) {
			return
		}
		defer func() { _ = recover() }() // as accountOf does: its parser is not ours
		if name := accountOfPAC(data, key); name != "" {
			t.Errorf("a PAC that nobody signed names %q", name)
		}
	})
}
