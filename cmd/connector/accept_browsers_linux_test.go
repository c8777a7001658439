package main

import (
	"encoding/json"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"ad-ldap-connector/pkg/home"
	"ad-ldap-connector/pkg/sandbox"
	"ad-ldap-connector/testdata/lab"
)

// portal is the name that users know the sign-in by.
const portal = "portal.corp.example.test"

// A signInGround is a node that serves browsers over TLS, with Kerberos and
// certificates on, a domain controller as its directory, and a pretend tenant.
type signInGround struct {
	*kerberosLab
	node  *cli
	cloud *sandbox.Cloud
	base  string // SERVER_URL
	start string // the tenant's page that sends browsers there
	root  *lab.PKI
	cert  []byte // the agent's, PEM
	log   *transcript

	mu     sync.Mutex
	posted []string // each wresult
}

// newSignInGround sets a node up as the guides say, for users who know it by a
// name. The domain controller may be several tests'.
func (l *kerberosLab) newSignInGround(t *testing.T, name string) *signInGround {
	t.Helper()
	own := *l
	own.t = t
	g := &signInGround{kerberosLab: &own, node: newCLI(t), root: lab.NewPKI(t, "/CN=Corp Root", nil)}
	cloud, err := sandbox.StartCloud(sandbox.CloudOptions{
		State: filepath.Join(t.TempDir(), "tenant"), Timeout: patience, Kerberos: true, CertAuth: true,
		Posted: func(wresult string) {
			g.mu.Lock()
			defer g.mu.Unlock()
			g.posted = append(g.posted, wresult)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cloud.Close() }) // the test has ended
	g.cloud, g.start = cloud, cloud.URL()+"/login/browser?connection=sandbox"

	keytab := filepath.Join(g.node.dir, "http.keytab")
	account, _, _ := strings.Cut("svc-"+name, ".")
	l.Tool("user", "create", account, "Svc-Portal-Passw0rd1")
	l.Tool("spn", "add", "HTTP/"+name, account)
	l.Modify("dn: CN=" + account + ",CN=Users," + l.BaseDN + "\nchangetype: modify\nreplace: msDS-SupportedEncryptionTypes\nmsDS-SupportedEncryptionTypes: 24\n")
	l.Tool("domain", "exportkeytab", keytab, "--principal=HTTP/"+name)

	c, port := g.node, strconv.Itoa(lab.FreePort(t))
	g.base = "https://" + name + ":" + port
	cert, key := g.root.Issue("/CN="+name, "subjectAltName=DNS:"+name+"\nextendedKeyUsage=serverAuth")
	c.must("install", "--no-service", "--non-interactive", "--skip", "host.disk", "--ticket-file", c.file("ticket.txt", cloud.Ticket()),
		"--ca-file", c.file("ca.pem", readFile(t, cloud.CAFile())+readFile(t, l.CAFile)),
		"--ldap-url", l.TLSURL, "--ldap-bind-user", l.BindUser, "--ldap-bind-password-file", c.file("password.txt", l.BindPassword))
	c.configure(map[string]any{
		"PORT": port, "SERVER_URL": g.base, "TLS_CERT": cert, "TLS_KEY": key, "KERBEROS_KEYTAB": keytab, "CA_CERT": readFile(t, g.root.CAFile),
	})
	h, err := home.Open(c.home, nil)
	if err != nil {
		t.Fatal(err)
	}
	settings, err := h.Config()
	if err != nil {
		t.Fatal(err)
	}
	pair, err := h.Keys(settings)
	if err != nil {
		t.Fatal(err)
	}
	g.cert, _ = pair.PEM()
	g.log = c.start("run", "--home", c.home).stderr
	awaitAgent(t, cloud)
	awaitMetadata(t, g.base, net.JoinHostPort("127.0.0.1", port))
	return g
}

// configure writes settings into the home's file, as with an editor.
func (c *cli) configure(settings map[string]any) {
	c.t.Helper()
	name := filepath.Join(c.home, "config.json")
	all := map[string]any{}
	if err := json.Unmarshal([]byte(readFile(c.t, name)), &all); err != nil {
		c.t.Fatal(err)
	}
	maps.Copy(all, settings)
	if err := os.WriteFile(name, []byte(jsonOf(c.t, all)), 0o600); err != nil {
		c.t.Fatal(err)
	}
}

// awaitMetadata waits until a sign-in, which is at an address, listens.
func awaitMetadata(t *testing.T, base, address string) {
	t.Helper()
	way := unguarded(address)
	defer way.CloseIdleConnections()
	lab.Eventually(t, "sign-in to listen", func() bool {
		res, err := (&http.Client{Transport: way}).Get(base + metadataPath)
		if err != nil {
			return false
		}
		_ = res.Body.Close() // it is not read
		return res.StatusCode == http.StatusOK
	})
}

// verified has xmlsec1 verify what browsers have brought to the tenant since.
func (g *signInGround) verified(t *testing.T, say string) {
	t.Helper()
	g.mu.Lock()
	posted := g.posted
	g.posted = nil
	g.mu.Unlock()
	for _, wresult := range posted {
		if err := lab.CheckXML(t, []byte(wresult), g.cert, "AssertionID", "urn:oasis:names:tc:SAML:1.0:assertion:Assertion"); err != nil {
			t.Errorf("%s: %v\n%s", say, err, wresult)
		}
	}
	if len(posted) == 0 {
		t.Errorf("%s: no assertion came", say)
	}
}

// acceptBrowsers signs users in by all four ways, each at a workplace that is
// set up as the guides say: with a ticket, with a certificate, and with neither.
func (l *kerberosLab) acceptBrowsers(t *testing.T) {
	g := l.newSignInGround(t, portal)
	at := workplace{hosts: []string{portal}, policies: policiesFor(portal)}
	check := func(says, name, method string) {
		t.Helper()
		if want := "Signed in: " + name + " (" + method + ")"; says != want {
			t.Errorf("the tenant says %q, want %q", says, want)
		}
		g.verified(t, method)
	}

	domain := at
	domain.environ = g.login(lab.User(4), lab.Password(4))
	check(signInByTicket(t, domain.chromium(t), g.start), "User 00004", "1510")

	card := at
	card.cert, card.key = g.root.Issue("/O=Corp/CN="+lab.User(5), lab.UserExtensions)
	check(signInByCertificate(t, card.chromium(t), g.start), "User 00005", "2246")

	// Who has neither is asked for both by the same node, and gets the form.
	none := at
	none.environ = []string{"KRB5_CONFIG=" + l.KRB5Config, "KRB5CCNAME=FILE:" + filepath.Join(t.TempDir(), "nothing")}
	guest := none.chromium(t)
	check(signInByForm(t, guest, g.start, lab.User(6), lab.Password(6)), "User 00006", "password")
	signOut(t, guest, g.base)
	check(signInDirectly(t, guest, g.start, g.base, lab.User(7), lab.Password(7)), "User 00007", "password")

	for _, secret := range []string{lab.Password(6), lab.Password(7), "wresult", "YII", "connector-session"} {
		if strings.Contains(g.log.String(), secret) {
			t.Errorf("%s is in the log", secret)
		}
	}
}
