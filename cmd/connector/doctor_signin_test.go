package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	pkcs12 "software.sslmate.com/src/go-pkcs12"

	"ad-ldap-connector/pkg/config"
	"ad-ldap-connector/pkg/doctor"
	"ad-ldap-connector/pkg/home"
	"ad-ldap-connector/pkg/keys"
	"ad-ldap-connector/testdata/lab"
)

// signInFindings examines a home whose sign-in is set up so.
func signInFindings(t *testing.T, c config.Config, h *home.Home, environ ...string) map[doctor.ID]doctor.Finding {
	t.Helper()
	a := &app{stdin: strings.NewReader(""), stdout: new(transcript), stderr: new(transcript), environ: environ, home: h.Dir()}
	tr, err := newTransport(c.Network, environ)
	if err != nil {
		t.Fatal(err)
	}
	target := &target{
		home: h, configured: true, config: c, load: func() (config.Config, error) { return c, nil },
		waiverErr: os.ErrNotExist, transport: tr, secrets: new(secrets),
	}
	defer target.Close()
	checks, err := doctor.Select(doctor.Checks, []string{"kerberos", "signin"}, []string{"host", "time", "network", "config", "agent"})
	if err != nil {
		t.Fatal(err)
	}
	all := map[doctor.ID]doctor.Finding{}
	for _, f := range doctor.Run(t.Context(), a.doctorEnv(target), checks, nil, nil).Findings {
		all[f.Check.ID] = f
	}
	return all
}

// A signInWant is how one check is to come out, and what it is to say.
type signInWant struct {
	id     doctor.ID
	status doctor.Status
	says   string
}

func (e signInWant) in(t *testing.T, what string, all map[doctor.ID]doctor.Finding) {
	t.Helper()
	f := all[e.id]
	if text := strings.Join([]string{f.Observed, f.Required, f.Detail, f.Remedy, f.Command}, " | "); f.Status != e.status || !strings.Contains(text, e.says) {
		t.Errorf("%s: %s %s: %s; want %s and %q", what, e.id, f.Status, text, e.status, e.says)
	}
}

// keyedHome is a home with a key pair and nothing else.
func keyedHome(t *testing.T) (*home.Home, *keys.Pair) {
	t.Helper()
	h, err := home.Open(filepath.Join(t.TempDir(), "home"), nil)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := keys.Generate("corp", "corp.example", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{h.Create(), h.SaveKeys(pair)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return h, pair
}

// metadata is what a sign-in with this certificate tells, in the form of the
// existing connector.
func metadata(c *x509.Certificate) string {
	return `<EntityDescriptor><RoleDescriptor xsi:type="fed:SecurityTokenServiceType"><X509Certificate>` + base64.StdEncoding.EncodeToString(c.Raw) + `</X509Certificate></RoleDescriptor></EntityDescriptor>`
}

// TestDoctorSignInReach has SERVER_URL lead to a balancer, and to much else.
func TestDoctorSignInReach(t *testing.T) {
	t.Parallel()
	h, pair := keyedHome(t)
	_, other := keyedHome(t)
	dir := t.TempDir()
	ca := lab.NewCA(t, dir)
	certFile, keyFile := ca.Certify(t, dir, "balancer", func(c *x509.Certificate) { c.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)} })
	cert, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	serve := func(secure bool, guard tls.ClientAuthType, status int, body string) string {
		s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != metadataPath {
				status = http.StatusNotFound
			}
			w.WriteHeader(status)
			_, _ = fmt.Fprint(w, body)
		}))
		s.Config.ErrorLog = nil
		if secure {
			s.TLS = &tls.Config{Certificates: []tls.Certificate{cert}, ClientAuth: guard}
			s.StartTLS()
		} else {
			s.Start()
		}
		t.Cleanup(s.Close)
		return s.URL
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := "http://" + l.Addr().String()
	_ = l.Close()
	pfx, err := pkcs12.Modern.Encode(cert.PrivateKey, mustParse(t, cert.Certificate[0]), nil, "word")
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs := metadata(pair.Certificate), metadata(other.Certificate)
	for name, tt := range map[string]struct {
		url     string
		trusted bool
		want    signInWant
	}{
		"nobody":            {nobody, true, signInWant{"signin.reach", doctor.Failed, "connection refused"}},
		"no name":           {"http://nosuchhost.invalid", true, signInWant{"signin.reach", doctor.Failed, "nosuchhost.invalid"}},
		"ours":              {serve(false, 0, 200, ours), true, signInWant{"signin.reach", doctor.Passed, "the agent's certificate"}},
		"behind TLS":        {serve(true, 0, 200, ours), true, signInWant{"signin.reach", doctor.Passed, "the agent's certificate"}},
		"not trusted":       {serve(true, 0, 200, ours), false, signInWant{"signin.reach", doctor.Failed, "certificate"}},
		"another's":         {serve(false, 0, 200, theirs), true, signInWant{"signin.reach", doctor.Failed, "another key pair"}},
		"another program":   {serve(false, 0, 200, "<html>"), true, signInWant{"signin.reach", doctor.Failed, "another program"}},
		"balancer alone":    {serve(false, 0, 503, "no server"), true, signInWant{"signin.reach", doctor.Failed, "status 503"}},
		"a redirection":     {serve(false, 0, 302, ours), true, signInWant{"signin.reach", doctor.Failed, "status 302"}},
		"wants a user's":    {serve(true, tls.RequireAnyClientCert, 200, ours), true, signInWant{"signin.reach", doctor.Passed, "asks for a user's"}},
		"asks for a user's": {serve(true, tls.RequestClientCert, 200, ours), true, signInWant{"signin.reach", doctor.Passed, "the agent's certificate"}},
	} {
		c := config.Default()
		c.Tenant.ClientCertificates, c.Tenant.ServerURL = true, tt.url
		c.SignIn.PFX, c.SignIn.PFXPassword, c.SignIn.Port = config.Secret(base64.StdEncoding.EncodeToString(pfx)), "word", 0
		if tt.trusted {
			c.Network.CAPath = ca.File
		}
		tt.want.in(t, name, signInFindings(t, c, h))
	}
}

func mustParse(t *testing.T, der []byte) *x509.Certificate {
	t.Helper()
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestDoctorPFX opens real PKCS#12 files, and what is none.
func TestDoctorPFX(t *testing.T) {
	t.Parallel()
	h, _ := keyedHome(t)
	dir := t.TempDir()
	ca := lab.NewCA(t, dir)
	archive := func(name string, change func(*x509.Certificate)) string {
		certFile, keyFile := ca.Certify(t, dir, name, func(c *x509.Certificate) {
			c.DNSNames = []string{name}
			if change != nil {
				change(c)
			}
		})
		cert, err := tls.LoadX509KeyPair(certFile, keyFile)
		if err != nil {
			t.Fatal(err)
		}
		pfx, err := pkcs12.Modern.Encode(cert.PrivateKey, mustParse(t, cert.Certificate[0]), nil, "pass-word-1")
		if err != nil {
			t.Fatal(err)
		}
		return base64.StdEncoding.EncodeToString(pfx)
	}
	const name = "login.corp.example"
	good := archive(name, nil)
	for what, tt := range map[string]struct {
		pfx, password string
		trusted       bool
		want          signInWant
	}{
		"good":         {good, "pass-word-1", true, signInWant{"signin.certificate", doctor.Passed, name}},
		"in lines":     {good[:70] + "\r\n" + good[70:] + "\n", "pass-word-1", true, signInWant{"signin.certificate", doctor.Passed, name}},
		"not trusted":  {good, "pass-word-1", false, signInWant{"signin.certificate", doctor.Failed, "ends at " + name}},
		"wrong word":   {good, "pass-word-2", true, signInWant{"signin.certificate", doctor.Failed, "Set SSL_KEY_PASSWORD"}},
		"no base64":    {"-----BEGIN", "pass-word-1", true, signInWant{"signin.certificate", doctor.Failed, "not base64"}},
		"no PKCS#12":   {"AAAA", "pass-word-1", true, signInWant{"signin.certificate", doctor.Failed, "open SSL_PFX"}},
		"expired":      {archive(name, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }), "pass-word-1", true, signInWant{"signin.certificate", doctor.Failed, "ended on"}},
		"another name": {archive("www.corp.example", nil), "pass-word-1", true, signInWant{"signin.certificate", doctor.Failed, "www.corp.example"}},
	} {
		c := config.Default()
		c.Tenant.ClientCertificates, c.Tenant.ServerURL = true, "https://"+name+":1"
		c.SignIn.PFX, c.SignIn.PFXPassword = config.Secret(tt.pfx), config.Secret(tt.password)
		if tt.trusted {
			c.Network.CAPath = ca.File
		}
		all := signInFindings(t, c, h)
		tt.want.in(t, what, all)
		if f := all["signin.certificate"]; strings.Contains(f.Detail+f.Observed, "pass-word") {
			t.Errorf("%s: the finding shows the password", what)
		}
	}
}
