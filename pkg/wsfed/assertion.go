package wsfed

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"
)

// An assertion is what the tenant is told of a user, as SAML 1.1. The names,
// their order and the signature's algorithms are the existing connector's.
type assertion struct {
	id       string // an XML name, never used before
	issuer   string
	audience string
	issued   time.Time
	begins   time.Time
	ends     time.Time
	method   Method
	proved   time.Time // when the user was
	subject  subject
}

const (
	samlSpace  = "urn:oasis:names:tc:SAML:1.0:assertion"
	trustSpace = "http://schemas.xmlsoap.org/ws/2005/02/trust"
	signSpace  = "http://www.w3.org/2000/09/xmldsig#"
	exclusive  = "http://www.w3.org/2001/10/xml-exc-c14n#"
	enveloped  = "http://www.w3.org/2000/09/xmldsig#enveloped-signature"
	rsaSHA256  = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
	digest256  = "http://www.w3.org/2001/04/xmlenc#sha256"
	nameFormat = "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified"
	bearer     = "urn:oasis:names:tc:SAML:1.0:cm:bearer" //nolint:gosec // a name, no secret
)

// instant is a time as the existing connector writes it.
func instant(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// newID returns an assertion's id: 128 bits that nobody can guess.
func newID() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // crypto/rand.Read never fails
	return "_" + hex.EncodeToString(b)
}

// resource makes a URI of an issuer or audience that is none.
func resource(s string) string {
	for _, known := range []string{"http:/", "https:", "urn:"} {
		if strings.HasPrefix(s, known) {
			return s
		}
	}
	return "urn:" + s
}

func (a assertion) element() element {
	who := element{name: "saml:Subject", children: []element{
		{name: "saml:NameIdentifier", attributes: []attribute{{"Format", nameFormat}}, text: a.subject.name},
		{name: "saml:SubjectConfirmation", children: []element{{name: "saml:ConfirmationMethod", text: bearer}}},
	}}
	says := element{name: "saml:AttributeStatement", children: []element{who}}
	for _, c := range a.subject.claims {
		cut := strings.LastIndex(c.name, "/")
		at := element{name: "saml:Attribute", attributes: []attribute{
			{"AttributeNamespace", c.name[:max(cut, 0)]}, {"AttributeName", c.name[cut+1:]},
		}}
		for _, v := range c.values {
			at.children = append(at.children, element{name: "saml:AttributeValue", text: v})
		}
		says.children = append(says.children, at)
	}
	return element{
		name: "saml:Assertion", space: samlSpace,
		attributes: []attribute{
			{"MajorVersion", "1"}, {"MinorVersion", "1"}, {"AssertionID", a.id},
			{"IssueInstant", instant(a.issued)}, {"Issuer", resource(a.issuer)},
		},
		children: []element{
			{
				name:       "saml:Conditions",
				attributes: []attribute{{"NotBefore", instant(a.begins)}, {"NotOnOrAfter", instant(a.ends)}},
				children: []element{{name: "saml:AudienceRestrictionCondition", children: []element{
					{name: "saml:Audience", text: resource(a.audience)},
				}}},
			},
			says,
			{
				name:       "saml:AuthenticationStatement",
				attributes: []attribute{{"AuthenticationMethod", string(a.method)}, {"AuthenticationInstant", instant(a.proved)}},
				children:   []element{who},
			},
		},
	}
}

// A signer signs with the agent's key pair, whose certificate the tenant has.
type signer struct {
	key         crypto.Signer
	certificate *x509.Certificate
}

func newSigner(key crypto.Signer, certificate *x509.Certificate) (*signer, error) {
	if key == nil || certificate == nil {
		return nil, errors.New("there is no key pair to sign with")
	}
	if _, ok := key.Public().(*rsa.PublicKey); !ok {
		return nil, errors.New("the agent's key is not of RSA, which the tenant expects")
	}
	return &signer{key, certificate}, nil
}

func (s *signer) text() string { return base64.StdEncoding.EncodeToString(s.certificate.Raw) }

// sign returns the assertion with its signature as the last child.
func (s *signer) sign(a assertion) (element, error) {
	e := a.element()
	sum := sha256.Sum256([]byte(e.String()))
	algorithm := func(name, uri string) element {
		return element{name: name, attributes: []attribute{{"Algorithm", uri}}}
	}
	signed := element{name: "SignedInfo", children: []element{
		algorithm("CanonicalizationMethod", exclusive),
		algorithm("SignatureMethod", rsaSHA256),
		{name: "Reference", attributes: []attribute{{"URI", "#" + a.id}}, children: []element{
			{name: "Transforms", children: []element{algorithm("Transform", enveloped), algorithm("Transform", exclusive)}},
			algorithm("DigestMethod", digest256),
			{name: "DigestValue", text: base64.StdEncoding.EncodeToString(sum[:])},
		}},
	}}
	// Where it stands the namespace is its parent's; alone, as it is signed, it
	// declares that itself.
	alone := signed
	alone.space = signSpace
	sum = sha256.Sum256([]byte(alone.String()))
	value, err := s.key.Sign(rand.Reader, sum[:], crypto.SHA256)
	if err != nil {
		return element{}, fmt.Errorf("sign the assertion: %w", err)
	}
	e.children = append(e.children, element{name: "Signature", space: signSpace, children: []element{
		signed,
		{name: "SignatureValue", text: base64.StdEncoding.EncodeToString(value)},
		{name: "KeyInfo", children: []element{{name: "X509Data", children: []element{{name: "X509Certificate", text: s.text()}}}}},
	}})
	return e, nil
}

// result is the whole wresult: the assertion in the answer of WS-Trust.
func (s *signer) result(a assertion, context string) (string, error) {
	signed, err := s.sign(a)
	if err != nil {
		return "", err
	}
	return element{
		name: "t:RequestSecurityTokenResponse", space: trustSpace, attributes: []attribute{{"Context", context}},
		children: []element{{name: "t:RequestedSecurityToken", children: []element{signed}}},
	}.String(), nil
}
