package lab

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const opensslPath = "/usr/bin/openssl"

// A PKI is an authority that OpenSSL keeps, for users' certificates.
type PKI struct {
	Dir    string
	CAFile string // its own certificate, PEM
	Dates  string // for openssl ca: when the next certificate holds; "" is now and a year
	// Issuer is another authority that issued this one, or nil.
	Issuer *PKI

	t testing.TB
}

// NewPKI makes an authority, below another one unless that is nil.
func NewPKI(t testing.TB, name string, issuer *PKI) *PKI {
	t.Helper()
	need(t, "openssl", opensslPath)
	p := &PKI{Dir: t.TempDir(), Issuer: issuer, t: t}
	p.CAFile = p.path("ca.pem")
	p.write("index.txt", "")
	p.write("crlnumber", "01\n")
	p.write("ca.conf", fmt.Sprintf(`[ca]
default_ca = d
[d]
database = %[1]s/index.txt
rand_serial = yes
crlnumber = %[1]s/crlnumber
new_certs_dir = %[1]s
certificate = %[1]s/ca.pem
private_key = %[1]s/ca.key
default_md = sha256
default_days = 365
default_crl_days = 7
policy = anything
unique_subject = no
[anything]
countryName = optional
organizationName = optional
organizationalUnitName = optional
commonName = optional
emailAddress = optional
domainComponent = optional
[req]
distinguished_name = none
string_mask = utf8only
[none]
[root]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign, digitalSignature
subjectKeyIdentifier = hash
`, p.Dir))
	if issuer == nil {
		p.openssl(append([]string{"req", "-config", p.path("ca.conf"), "-new", "-x509", "-extensions", "root", "-days", "3650", "-subj", name,
			"-keyout", p.path("ca.key"), "-out", p.CAFile}, newKey...)...)
		return p
	}
	cert, key := issuer.Issue(name, "basicConstraints = critical, CA:TRUE\nkeyUsage = critical, keyCertSign, cRLSign\nsubjectKeyIdentifier = hash")
	for from, to := range map[string]string{cert: p.CAFile, key: p.path("ca.key")} {
		data, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

var newKey = []string{"-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"}

func (p *PKI) path(name string) string { return filepath.Join(p.Dir, name) }

func (p *PKI) write(name, text string) {
	p.t.Helper()
	if err := os.WriteFile(p.path(name), []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

func (p *PKI) openssl(args ...string) {
	p.t.Helper()
	out, err := exec.CommandContext(p.t.Context(), opensslPath, args...).CombinedOutput()
	if err != nil {
		p.t.Fatalf("openssl %v: %v\n%s", args, err, out)
	}
}

// UserExtensions are those of an everyday user's certificate.
const UserExtensions = "keyUsage = critical, digitalSignature\nextendedKeyUsage = clientAuth"

// Issue issues a certificate for a subject (/CN=jane) with extensions as in
// OpenSSL's files, and returns the files of it and of its key.
func (p *PKI) Issue(subject, extensions string) (certFile, keyFile string) {
	p.t.Helper()
	name := fmt.Sprintf("%d", time.Now().UnixNano())
	certFile, keyFile = p.path(name+".crt"), p.path(name+".key")
	p.write(name+".ext", "[ext]\n"+extensions+"\n")
	p.openssl(append([]string{"req", "-config", p.path("ca.conf"), "-new", "-utf8", "-subj", subject, "-keyout", keyFile, "-out", p.path(name + ".csr")}, newKey...)...)
	p.openssl(append([]string{"ca", "-config", p.path("ca.conf"), "-batch", "-notext", "-utf8", "-preserveDN", "-in", p.path(name + ".csr"), "-out", certFile,
		"-extfile", p.path(name + ".ext"), "-extensions", "ext"}, strings.Fields(p.Dates)...)...)
	return certFile, keyFile
}

// Revoke takes a certificate back. Whoever looks at the database knows at once,
// and who looks at lists with the next one.
func (p *PKI) Revoke(certFile string) {
	p.t.Helper()
	p.openssl("ca", "-config", p.path("ca.conf"), "-revoke", certFile, "-crl_reason", "keyCompromise")
}

// CRL writes a revocation list, valid for so long, and returns its file.
func (p *PKI) CRL(valid time.Duration) string {
	p.t.Helper()
	file := p.path(fmt.Sprintf("%d.crl", time.Now().UnixNano()))
	p.openssl("ca", "-config", p.path("ca.conf"), "-gencrl", "-crlsec", fmt.Sprint(int(valid.Seconds())), "-out", file)
	return file
}

// OCSP serves the answers of OpenSSL's responder for the authority, signed with
// a certificate of its own, and returns where, and what stops it. OpenSSL's own
// server listens on all addresses, so this one listens for it.
func (p *PKI) OCSP(signerExtensions string) (url string, stop func()) {
	p.t.Helper()
	cert, key := p.Issue("/CN=responder", signerExtensions)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(io.LimitReader(r.Body, 1<<16))
		name := p.path(fmt.Sprintf("%d.ocsp", time.Now().UnixNano()))
		if err == nil {
			err = os.WriteFile(name+"q", body, 0o600)
		}
		if err == nil {
			err = exec.CommandContext(r.Context(), opensslPath, "ocsp", "-index", p.path("index.txt"), "-CA", p.CAFile, "-rsigner", cert, "-rkey", key,
				"-nmin", "5", "-reqin", name+"q", "-respout", name).Run()
		}
		answer, readErr := os.ReadFile(name)
		if err = errors.Join(err, readErr); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/ocsp-response")
		_, _ = w.Write(answer) // who asked may have left
	}))
	p.t.Cleanup(s.Close)
	return s.URL, s.Close
}
