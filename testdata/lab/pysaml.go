package lab

import (
	"bytes"
	"os/exec"
	"testing"
)

// pysamlPath is what Debian's python3-pysaml2 brings.
const pysamlPath = "/usr/lib/python3/dist-packages/saml2/__init__.py"

// metadataReader prints what pysaml2 makes of metadata: a line for the entity,
// and for each role, key, and element that is not of SAML.
const metadataReader = `
import sys
from saml2 import md
entity = md.entity_descriptor_from_string(sys.stdin.buffer.read())
if entity is None:
    sys.exit("it is no EntityDescriptor")
entity.verify()
print("entity", entity.entity_id)
def walk(e):
    print("{%s}%s" % (e.namespace, e.tag), *["%s=%s" % a for a in sorted(e.attributes.items())], e.text or "")
    for child in e.children:
        walk(child)
for role in entity.role_descriptor:
    print("role", role.protocol_support_enumeration, *["%s=%s" % a for a in sorted(role.extension_attributes.items())])
    for key in role.key_descriptor:
        print("key", key.use, key.key_info.x509_data[0].x509_certificate.text)
    for e in role.extension_elements:
        walk(e)
`

// ReadMetadata has pysaml2, a reader of SAML that shares nothing with what wrote
// it, read and judge metadata, and returns what it understood. The error says
// what it holds against it.
func ReadMetadata(t testing.TB, metadata []byte) (understood string, err error) {
	t.Helper()
	need(t, "python3-pysaml2", pysamlPath)
	cmd := exec.CommandContext(t.Context(), "/usr/bin/python3", "-c", metadataReader)
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(metadata), &out, &errs
	if err := cmd.Run(); err != nil {
		return errs.String(), err
	}
	return out.String(), nil
}
