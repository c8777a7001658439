package clientcert

import (
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ad-ldap-connector/testdata/lab"
)

func TestParseRules(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]Rule{
		"":                 nil,
		" ;\n":             nil,
		"SID; upn\ncn":     {{Field: SID}, {Field: UPN}, {Field: CommonName}},
		"cn=(uid={0})":     {{CommonName, "(uid={0})"}},
		"email = (m={0});": {{Email, "(m={0})"}},
	} {
		got, err := ParseRules(text)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%q: %v, (-want +got):\n%s", text, err, diff)
		}
	}
	for _, text := range []string{"dn", "cn;cn", "cn=", "cn=uid", "cn=(uid=x)", "=(uid={0})", "cn,upn"} {
		if got, err := ParseRules(text); err == nil {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func TestParseAuthorities(t *testing.T) {
	t.Parallel()
	root := lab.NewPKI(t, "/CN=Root", nil)
	user, key := root.Issue("/CN=jane", lab.UserExtensions)
	read := func(file string) string {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	ca := read(root.CAFile)
	if all, err := ParseAuthorities([]string{ca + "some words\n" + ca, ca}); err != nil || len(all) != 3 {
		t.Errorf("%d, %v", len(all), err)
	}
	for name, texts := range map[string][]string{
		"nothing": nil, "empty": {ca, ""}, "a user's": {read(user)}, "a key": {ca + read(key)},
		"rubbish": {"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"},
	} {
		if all, err := ParseAuthorities(texts); err == nil || strings.Contains(err.Error(), "PRIVATE KEY-----") {
			t.Errorf("%s: %d, %v", name, len(all), err)
		}
	}
}

func TestParseHeader(t *testing.T) {
	t.Parallel()
	root := lab.NewPKI(t, "/CN=Root", nil)
	file, _ := root.Issue("/CN=jane", lab.UserExtensions)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	b64 := base64.StdEncoding.EncodeToString(block.Bytes)
	escaped := url.PathEscape(string(text))
	for name, value := range map[string]string{
		"RFC 9440": ":" + b64 + ":", "HAProxy": b64, "nginx": escaped, "AWS": strings.ReplaceAll(escaped, "%2B", "+"),
		"Apache": strings.ReplaceAll(string(text), "\n", " "), "old nginx": strings.ReplaceAll(string(text), "\n", "\n\t"),
		"Traefik": b64 + "," + b64, "Envoy": `By=a;Hash=b;Cert="x",By=c;Hash=468e;Cert="` + escaped + `";Subject="CN=jane"`,
	} {
		chain, err := ParseHeader(value)
		if err != nil || len(chain) == 0 || chain[0].Subject.CommonName != "jane" {
			t.Errorf("%s: %d, %v", name, len(chain), err)
		}
	}
	for _, none := range []string{"", " ", "(null)", "-"} {
		if chain, err := ParseHeader(none); chain != nil || err != nil {
			t.Errorf("%q: %v, %v", none, chain, err)
		}
	}
	for name, value := range map[string]string{
		"words": "jane", "percent": "%zz", "cut": string(text[:200]), "half": ":" + b64[:100] + ":", "large": strings.Repeat("A", 70<<10),
		"many": strings.Repeat(b64+",", 12) + b64, "Envoy without end": `Cert="` + escaped, "empty PEM": pemBegin + pemEnd,
	} {
		if chain, err := ParseHeader(value); err == nil {
			t.Errorf("%s: %v", name, chain)
		} else {
			denied(t, err, Malformed)
		}
	}
}

func TestWindowsName(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{"Corp": "Corp", "Corp, Inc": `"Corp, Inc"`, `a"b`: `"a""b"`, " x": `" x"`, "": `""`} {
		if got := quoted(value); got != want {
			t.Errorf("%q: %s, want %s", value, got, want)
		}
	}
}

func FuzzHeader(f *testing.F) {
	f.Add(":AAAA:")
	f.Add(`Hash=x;Cert="-----BEGIN%20CERTIFICATE-----AAAA-----END CERTIFICATE-----"`)
	f.Add(pemBegin + " AAAA " + pemEnd)
	f.Fuzz(func(t *testing.T, value string) {
		if chain, err := ParseHeader(value); err != nil && chain != nil || len(chain) > maxChain {
			t.Errorf("%v, %v", chain, err)
		}
	})
}

func FuzzNames(f *testing.F) {
	f.Add([]byte{0x30, 0x10, 0xa0, 0x0e, 0x06, 0x03, 0x2a, 0x03, 0x04, 0xa0, 0x07, 0x0c, 0x05, 'j', 'a', 'n', 'e', 's'})
	f.Add([]byte{0x30, 0x80})
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, oid := range []asn1.ObjectIdentifier{oidUPN, oidObjectSID, {1, 2, 3, 4}} {
			for _, v := range otherNames(data, oid) {
				if len(v) > len(data) {
					t.Errorf("%q of %x", v, data)
				}
			}
		}
		windowsName(data)
	})
}

func FuzzRules(f *testing.F) {
	f.Add("sid;upn=(a={0})\ncn")
	f.Fuzz(func(t *testing.T, text string) {
		rules, err := ParseRules(text)
		if err != nil && rules != nil || len(rules) > len(filters) {
			t.Errorf("%v, %v", rules, err)
		}
	})
}

func FuzzCRL(f *testing.F) {
	f.Add([]byte("-----BEGIN X509 CRL-----\nMAA=\n-----END X509 CRL-----\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if c, err := parseCRL(data); (c == nil) == (err == nil) {
			t.Errorf("%v, %v", c, err)
		}
	})
}

func FuzzOCSP(f *testing.F) {
	root := lab.NewPKI(f, "/CN=Root", nil)
	file, _ := root.Issue("/CN=jane", lab.UserExtensions)
	chain := load(f, file, root.CAFile)
	f.Add([]byte{0x30, 0x03, 0x0a, 0x01, 0x06}) // unauthorized
	f.Add([]byte{0x30, 0x80})
	now := time.Now()
	f.Fuzz(func(t *testing.T, data []byte) {
		defer func() { _ = recover() }() // as remember does: its parser is not ours
		if s, _, err := readOCSP(data, chain[0], chain[1], now); s != unknown || err == nil {
			t.Errorf("%x says %d, %v", data, s, err)
		}
	})
}
