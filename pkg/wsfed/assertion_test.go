package wsfed

import (
	"crypto"
	"crypto/tls"
	"encoding/xml"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ad-ldap-connector/pkg/identity"
	"ad-ldap-connector/testdata/lab"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const golden = "../../testdata/wsfed"

// agentPair is the pair of the golden files.
func agentPair(t testing.TB) (*signer, []byte) {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(filepath.Join(golden, "agent.pem"), filepath.Join(golden, "agent.key"))
	if err != nil {
		t.Fatal(err)
	}
	certPEM, err := os.ReadFile(filepath.Join(golden, "agent.pem"))
	if err != nil {
		t.Fatal(err)
	}
	s, err := newSigner(pair.PrivateKey.(crypto.Signer), pair.Leaf)
	if err != nil {
		t.Fatal(err)
	}
	return s, certPEM
}

// compare compares with a golden file.
func compare(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join(golden, name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

// nasty has all that a directory may hold and XML wants escaped, or cannot hold
// at all.
const nasty = `{"id":"ae8fbd21-d66c-4f78-ad8e-53ab078cee16","displayName":"Ada \"the\" <Countess> & Löve\r\nlace\t\u0000\uffff",
"name":{"familyName":"Lovelace","givenName":"Ada"},"nickname":"ada","groups":["Staff","R & D","]]>"],"emails":[{"value":["ada@corp.example","a@b"]}],
"dn":"CN=Ada\\, Countess,DC=corp","photo":{"type":"Buffer","data":[1,2]},"roles":[{"cn":"x","n":1},true,3.50,null],"empty":[],"none":null,"blank":"",
"a/b\"c\nd":"odd name","dn":"CN=Ada,DC=corp","_json":{"x":1}}`

var (
	noon   = time.Date(2026, 3, 4, 12, 0, 0, 123e6, time.UTC)
	proved = noon.Add(-time.Minute)
)

func profileOf(t testing.TB, text string) identity.Profile {
	t.Helper()
	p, err := identity.ParseProfile([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func sample(t testing.TB) assertion {
	t.Helper()
	who, err := subjectOf(profileOf(t, nasty))
	if err != nil {
		t.Fatal(err)
	}
	return assertion{
		id: "_0123456789abcdef0123456789abcdef", issuer: "corp.example", audience: "urn:auth0:corp", issued: noon,
		begins: noon.Add(-slack), ends: noon.Add(5 * time.Minute), method: ByKerberos, proved: proved, subject: who,
	}
}

func TestTheAssertionIsGolden(t *testing.T) {
	t.Parallel()
	s, certPEM := agentPair(t)
	result, err := s.result(sample(t), `{"state":"<\"&'>"}`)
	if err != nil {
		t.Fatal(err)
	}
	compare(t, "assertion.xml", result)
	if err := verify(t, result, certPEM); err != nil {
		t.Error(err)
	}
}

func verify(t testing.TB, document string, certPEM []byte) error {
	t.Helper()
	return lab.CheckXML(t, []byte(document), certPEM, "AssertionID", samlSpace+":Assertion")
}

// TestNoByteMayChange flips one in each part of an assertion: xmlsec1, which
// shares no code with what signed, must see it.
func TestNoByteMayChange(t *testing.T) {
	t.Parallel()
	s, certPEM := agentPair(t)
	result, err := s.result(sample(t), "")
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{
		"saml:Audience>urn:auth0:corp", `NotOnOrAfter="2026`, "ada@corp.example", "saml:NameIdentifier Format=\"urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified\">ae8f",
		"urn:ietf:rfc:1510", `Issuer="urn:corp`, `AuthenticationInstant="2026`, ">Staff", "SignatureValue>", "DigestValue>", "xml-exc-c14n#\"></Canon",
	} {
		at := strings.Index(result, part)
		if at < 0 {
			t.Fatalf("there is no %s", part)
		}
		at += len(part) - 1
		if strings.HasSuffix(part, ">") {
			at++ // the first of the value
		}
		forged := []byte(result)
		forged[at] ^= 1
		if err := verify(t, string(forged), certPEM); err == nil {
			t.Errorf("%s: nobody saw that %q became %q", part, result[at], forged[at])
		}
	}
	// And some that nobody chose. The last letter of base64 has bits of no meaning.
	begin, end := strings.Index(result, "<saml:Assertion "), strings.Index(result, "</saml:Assertion>")+len("</saml:Assertion>")
	for at := begin; at < end; at += (end - begin) / 48 {
		if strings.HasPrefix(result[at+1:], "=") {
			continue
		}
		forged := []byte(result)
		forged[at] ^= 1
		if err := verify(t, string(forged), certPEM); err == nil {
			t.Errorf("octet %d: nobody saw that %q became %q in %q", at-begin, result[at], forged[at], forged[max(begin, at-20):min(end, at+20)])
		}
	}
}

func TestSubjectOf(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, profile, want string // the claims without their schema, or the error
	}{
		{"order and names", `{"z":1,"id":"7","displayName":"Ada","name":{"givenName":"A","familyName":"L"},"emails":[{"value":"a@b"}],"groups":["x","y"]}`,
			"7: nameidentifier=7 emailaddress=a@b name=Ada givenname=A surname=L z=1 groups=x,y"},
		{"no id", `{"displayName":"Ada","emails":[{"value":"a@b"}]}`, "Ada: emailaddress=a@b name=Ada"},
		{"an e-mail alone", `{"emails":[{"value":"a@b"}]}`, "a@b: emailaddress=a@b"},
		{"nobody", `{"groups":["x"],"id":"","displayName":null,"emails":[]}`, "No attribute was found to generate the nameIdentifier"},
		{"groups as objects", `{"id":"7","groups":[{"cn": "x"}]}`, `7: nameidentifier=7 groups={"cn":"x"}`},
		{"a mapper's odd shapes", `{"id":7,"emails":"a@b","name":"Ada","displayName":["Ada","A."]}`, "7: nameidentifier=7 name=Ada,A."},
	} {
		s, err := subjectOf(profileOf(t, tt.profile))
		got := s.name + ":"
		for _, c := range s.claims {
			got += " " + c.name[strings.LastIndex(c.name, "/")+1:] + "=" + strings.Join(c.values, ",")
		}
		if err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%s:\n got %s\nwant %s", tt.name, got, tt.want)
		}
	}
}

func TestIDsAreNew(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for range 1000 {
		id := newID()
		if len(id) != 33 || id[0] != '_' || seen[id] {
			t.Fatalf("id %q", id)
		}
		seen[id] = true
	}
}

// TestMetadata reads it with a parser that knows nothing of how it was written.
func TestMetadata(t *testing.T) {
	t.Parallel()
	s, _ := agentPair(t)
	text := s.metadata("corp.example", "https://login.corp.example/wsfed")
	compare(t, "metadata.xml", text)
	type name = xml.Name
	var m struct {
		XMLName name   `xml:"urn:oasis:names:tc:SAML:2.0:metadata EntityDescriptor"`
		ID      string `xml:"entityID,attr"`
		Role    struct {
			Type string `xml:"http://www.w3.org/2001/XMLSchema-instance type,attr"`
			Key  struct {
				Use         string `xml:"use,attr"`
				Certificate string `xml:"KeyInfo>X509Data>X509Certificate"`
			} `xml:"urn:oasis:names:tc:SAML:2.0:metadata KeyDescriptor"`
			Claims []struct {
				URI string `xml:"Uri,attr"`
			} `xml:"ClaimTypesOffered>ClaimType"`
			Address string `xml:"PassiveRequestorEndpoint>EndpointReference>Address"`
		} `xml:"urn:oasis:names:tc:SAML:2.0:metadata RoleDescriptor"`
	}
	d := xml.NewDecoder(strings.NewReader(text))
	d.Strict = true
	if err := d.Decode(&m); err != nil {
		t.Fatal(err)
	}
	if m.ID != "corp.example" || m.Role.Type != "fed:SecurityTokenServiceType" || m.Role.Key.Use != "signing" ||
		m.Role.Key.Certificate != s.text() || len(m.Role.Claims) != 5 || m.Role.Address != "https://login.corp.example/wsfed" {
		t.Errorf("%+v", m)
	}
	if !strings.Contains(text, `xmlns:fed="http://docs.oasis-open.org/wsfed/federation/200706"`) {
		t.Error("the type's prefix is declared nowhere")
	}
}

// TestMetadataForAnotherReader has an implementation of SAML read it that shares
// nothing with this one.
func TestMetadataForAnotherReader(t *testing.T) {
	t.Parallel()
	s, _ := agentPair(t)
	understood, err := lab.ReadMetadata(t, []byte(s.metadata("corp <&> example", "https://login.corp.example/wsfed")))
	if err != nil {
		t.Fatalf("%v: %s", err, understood)
	}
	const federation = "http://docs.oasis-open.org/wsfed/federation/200706"
	for _, want := range []string{
		"entity corp <&> example\n",
		"role " + federation + " ServiceDisplayName=corp <&> example {http://www.w3.org/2001/XMLSchema-instance}type=fed:SecurityTokenServiceType",
		"key signing " + s.text() + "\n",
		"{" + federation + "}TokenType Uri=urn:oasis:names:tc:SAML:1.0:assertion",
		"{http://docs.oasis-open.org/wsfed/authorization/200706}ClaimType Optional=true Uri=" + schema + "nameidentifier",
		"{" + federation + "}PassiveRequestorEndpoint",
		"{http://www.w3.org/2005/08/addressing}Address https://login.corp.example/wsfed\n",
	} {
		if !strings.Contains(understood, want) {
			t.Errorf("it did not understand %q: %s", want, understood)
		}
	}
	if understood, err := lab.ReadMetadata(t, []byte("<EntityDescriptor/>")); err == nil {
		t.Errorf("it reads anything: %s", understood)
	}
}

func TestKeyPairsThatCannotSign(t *testing.T) {
	t.Parallel()
	if _, err := newSigner(nil, nil); err == nil {
		t.Error("no pair was taken")
	}
	s, _ := agentPair(t)
	s.key = broken{s.key}
	if _, err := s.result(sample(t), ""); !errors.Is(err, errBroken) {
		t.Errorf("err = %v", err)
	}
}
