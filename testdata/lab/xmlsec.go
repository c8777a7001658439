package lab

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// CheckXML has xmlsec1 verify the signature in a document, which must bring the
// one certificate that is trusted. Its error says what xmlsec1 holds against it.
// The id attribute is one of the element, "AssertionID" of "urn:...:Assertion".
func CheckXML(t testing.TB, document, certPEM []byte, attribute, element string) error {
	t.Helper()
	const program = "/usr/bin/xmlsec1"
	need(t, "xmlsec1", program)
	dir := t.TempDir()
	doc, cert := filepath.Join(dir, "document.xml"), filepath.Join(dir, "certificate.pem")
	for name, data := range map[string][]byte{doc: document, cert: certPEM} {
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out, err := exec.CommandContext(t.Context(), program, "--verify", "--trusted-pem", cert,
		"--id-attr:"+attribute, element, doc).CombinedOutput()
	if err != nil {
		return fmt.Errorf("xmlsec1: %w: %s", err, out)
	}
	return nil
}
