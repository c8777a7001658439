package sandbox

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"
)

const (
	trustSpace = "http://schemas.xmlsoap.org/ws/2005/02/trust"
	samlSpace  = "urn:oasis:names:tc:SAML:1.0:assertion"
)

// asserted is what an assertion says, once its signature has been verified.
type asserted struct {
	ID      string
	Issuer  string
	Subject string
	Method  string
	Proved  string
	Claims  map[string][]string
}

// readResult judges a wresult as a tenant does that believes nobody: one
// assertion, signed as a whole by a registered certificate, for us, and now.
// Only what the signature covers is read. It knows nothing of what made it.
func readResult(result string, registered [][]byte, audience string, now time.Time) (asserted, error) {
	doc := etree.NewDocument()
	if err := doc.ReadFromString(result); err != nil {
		return asserted{}, fmt.Errorf("read the wresult: %w", err)
	}
	root := doc.Root()
	if !isElement(root, trustSpace, "RequestSecurityTokenResponse") {
		return asserted{}, errors.New("the wresult is no RequestSecurityTokenResponse")
	}
	assertion, err := only(root, trustSpace, "RequestedSecurityToken")
	if err == nil {
		assertion, err = only(assertion, samlSpace, "Assertion")
	}
	if err != nil {
		return asserted{}, err
	}
	var roots []*x509.Certificate
	for _, der := range registered {
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			return asserted{}, fmt.Errorf("read a registered certificate: %w", err)
		}
		roots = append(roots, cert)
	}
	verify := dsig.NewDefaultValidationContext(&dsig.MemoryX509CertificateStore{Roots: roots})
	verify.IdAttribute, verify.Clock = "AssertionID", dsig.NewFakeClockAt(now)
	signed, err := verify.Validate(assertion.Copy())
	if err == nil {
		err = exactBase64(assertion)
	}
	if err != nil {
		return asserted{}, fmt.Errorf("verify the assertion's signature: %w", err)
	}
	return readAssertion(signed, audience, now)
}

// exactBase64 refuses texts of a signature whose last letter could be another one
// and mean the same. They forge nothing; but then one octet of an assertion has
// changed, and nobody has seen it.
func exactBase64(assertion *etree.Element) error {
	for _, name := range []string{"DigestValue", "SignatureValue", "X509Certificate"} {
		for _, e := range assertion.FindElements("./Signature//" + name) {
			if _, err := base64.StdEncoding.Strict().DecodeString(e.Text()); err != nil {
				return fmt.Errorf("read the %s: %w", name, err)
			}
		}
	}
	return nil
}

func readAssertion(e *etree.Element, audience string, now time.Time) (asserted, error) {
	a := asserted{ID: e.SelectAttrValue("AssertionID", ""), Issuer: e.SelectAttrValue("Issuer", ""), Claims: map[string][]string{}}
	conditions, err := only(e, samlSpace, "Conditions")
	if err != nil {
		return asserted{}, err
	}
	if err := inTime(conditions, now); err != nil {
		return asserted{}, err
	}
	if to := conditions.FindElement("./AudienceRestrictionCondition/Audience"); to == nil || to.Text() != audience {
		return asserted{}, fmt.Errorf("the assertion is not for %s", audience)
	}
	says, err := only(e, samlSpace, "AttributeStatement")
	if err != nil {
		return asserted{}, err
	}
	proof, err := only(e, samlSpace, "AuthenticationStatement")
	if err != nil {
		return asserted{}, err
	}
	a.Method, a.Proved = proof.SelectAttrValue("AuthenticationMethod", ""), proof.SelectAttrValue("AuthenticationInstant", "")
	for _, statement := range []*etree.Element{says, proof} {
		name := statement.FindElement("./Subject/NameIdentifier")
		if name == nil || name.Text() == "" || a.Subject != "" && a.Subject != name.Text() {
			return asserted{}, errors.New("the assertion's statements do not name one subject")
		}
		a.Subject = name.Text()
	}
	for _, at := range says.FindElements("./Attribute") {
		name := at.SelectAttrValue("AttributeNamespace", "") + "/" + at.SelectAttrValue("AttributeName", "")
		for _, v := range at.FindElements("./AttributeValue") {
			a.Claims[name] = append(a.Claims[name], v.Text())
		}
	}
	return a, nil
}

func inTime(conditions *etree.Element, now time.Time) error {
	begins, err := time.Parse(time.RFC3339, conditions.SelectAttrValue("NotBefore", ""))
	if err != nil {
		return fmt.Errorf("read NotBefore: %w", err)
	}
	ends, err := time.Parse(time.RFC3339, conditions.SelectAttrValue("NotOnOrAfter", ""))
	if err != nil {
		return fmt.Errorf("read NotOnOrAfter: %w", err)
	}
	if now.Before(begins) || !now.Before(ends) {
		return fmt.Errorf("the assertion is from %s until %s, and it is %s", begins, ends, now.UTC())
	}
	return nil
}

func isElement(e *etree.Element, space, tag string) bool {
	return e != nil && e.Tag == tag && e.NamespaceURI() == space
}

// only returns the one child of that name.
func only(parent *etree.Element, space, tag string) (found *etree.Element, err error) {
	for _, e := range parent.ChildElements() {
		if !isElement(e, space, tag) {
			continue
		}
		if found != nil {
			return nil, fmt.Errorf("there is more than one %s", tag)
		}
		found = e
	}
	if found == nil {
		return nil, fmt.Errorf("there is no %s", tag)
	}
	return found, nil
}

// text shows an assertion to people.
func (a asserted) text() string {
	text, err := json.MarshalIndent(struct {
		Issuer  string              `json:"issuer"`
		Subject string              `json:"subject"`
		Method  string              `json:"method"`
		Proved  string              `json:"proved"`
		Claims  map[string][]string `json:"claims"`
	}{a.Issuer, a.Subject, a.Method, a.Proved, a.Claims}, "", "  ")
	if err != nil {
		return err.Error()
	}
	return string(text)
}
