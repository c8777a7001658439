package main

import (
	"encoding/base64"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jcmturner/gokrb5/v8/client"
	krb5 "github.com/jcmturner/gokrb5/v8/config"
	"github.com/jcmturner/gokrb5/v8/spnego"

	"ad-ldap-connector/pkg/config"
	"ad-ldap-connector/pkg/directory"
	"ad-ldap-connector/pkg/identity"
	"ad-ldap-connector/testdata/lab"
)

// kerberosHost is how browsers know the sign-in.
const kerberosHost = "login.corp.example.test"

// A kerberosLab is a domain controller with an account for the sign-in.
type kerberosLab struct {
	*lab.SambaServer
	t      *testing.T
	keytab string
}

func newKerberosLab(t *testing.T) *kerberosLab {
	t.Helper()
	requireProgram(t, "curl")
	l := &kerberosLab{SambaServer: lab.Samba(t, lab.SambaOptions{}), t: t, keytab: filepath.Join(t.TempDir(), "http.keytab")}
	l.Tool("user", "create", "svc-http", "Svc-Http-Passw0rd1")
	l.Tool("spn", "add", "HTTP/"+kerberosHost, "svc-http")
	l.Modify("dn: CN=svc-http,CN=Users," + l.BaseDN + "\nchangetype: modify\nreplace: msDS-SupportedEncryptionTypes\nmsDS-SupportedEncryptionTypes: 24\n")
	l.export()
	return l
}

// export makes the keytab anew, with the keys of now.
func (l *kerberosLab) export() {
	l.t.Helper()
	to := l.keytab + ".new"
	l.Tool("domain", "exportkeytab", to, "--principal=HTTP/"+kerberosHost)
	if err := os.Rename(to, l.keytab); err != nil {
		l.t.Fatal(err)
	}
}

// login gets a user's ticket, and returns the environment in which curl has it.
func (l *kerberosLab) login(user, password string, args ...string) []string {
	l.t.Helper()
	environ := []string{"KRB5_CONFIG=" + l.KRB5Config, "KRB5CCNAME=FILE:" + filepath.Join(l.t.TempDir(), "ccache")}
	cmd := exec.CommandContext(l.t.Context(), requireProgram(l.t, "kinit"), append(args, user)...)
	cmd.Env, cmd.Stdin = append(os.Environ(), environ...), strings.NewReader(password+"\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		l.t.Fatalf("kinit %s: %v\n%s", user, err, out)
	}
	return environ
}

// TestSignInByKerberos has a real domain controller issue tickets, and curl and
// browsers bring them.
func TestSignInByKerberos(t *testing.T) {
	t.Parallel()
	l := newKerberosLab(t)
	t.Run("curl", func(t *testing.T) { t.Parallel(); l.acceptCurl(t) })
	t.Run("browsers", func(t *testing.T) { t.Parallel(); l.acceptBrowsers(t) })
	t.Run("behind HAProxy", func(t *testing.T) { t.Parallel(); l.acceptBalanced(t) })
}

func (l *kerberosLab) acceptCurl(t *testing.T) {
	own := *l
	own.t, l = t, &own
	n, said, log := signInNode(t, func(c *config.Config) {
		c.SignIn.Keytab, c.SignIn.Realms = l.keytab, "OTHER.EXAMPLE; CORP.EXAMPLE.TEST=corp.example.test"
	})
	dir := l.directory()
	n.users.Directory, n.users.Policy.OmitGroups = dir, true
	tenant := signInTenant(true)
	tenant.ServerURL = "http://" + kerberosHost
	n.setSignIn(tenant, newPair(t))
	port := strings.TrimPrefix(awaitSignIn(t, said), "http://127.0.0.1:")
	base, resolve := "http://"+kerberosHost+":"+port, kerberosHost+":"+port+":127.0.0.1"
	if !strings.HasPrefix(said.String(), "ok ") || !strings.Contains(said.String(), "Kerberos by HTTP/"+kerberosHost) {
		t.Errorf("the part says %s", said)
	}
	ask := func(environ []string, args ...string) string {
		t.Helper()
		return curl(t, base, environ, append([]string{"--resolve", resolve}, args...)...)
	}
	negotiate := []string{"--negotiate", "-u", ":"}
	user := l.login(lab.User(1), lab.Password(1))
	in := ask(user, negotiate...)
	if !assertedAs(in, "User 00001") || !strings.Contains(in, "urn:ietf:rfc:1510") || !strings.Contains(in, "Www-Authenticate: Negotiate oY") {
		t.Fatalf("with a ticket: %s\n%s", in, log)
	}
	if in := ask(nil); !isForm(in) || !strings.Contains(in, "401 Unauthorized") || !strings.Contains(in, "Www-Authenticate: Negotiate\r\n") {
		t.Errorf("without one: %s", in)
	}

	l.locates(dir)
	l.rejects(log, ask)
	l.remembers(log, port)

	// An account that is disabled after its ticket was issued.
	l.Tool("user", "disable", lab.User(1))
	if in := ask(user, negotiate...); !isForm(in) || !strings.Contains(log.String(), "account_disabled") {
		t.Errorf("a disabled account: %s\n%s", in, log)
	}
	l.Tool("user", "enable", lab.User(1))

	// The password of the service's account changes, and the keytab after it.
	l.Tool("user", "setpassword", "svc-http", "--newpassword=Svc-Http-Passw0rd2")
	fresh := l.login(lab.User(2), lab.Password(2))
	if in := ask(fresh, negotiate...); !isForm(in) || !strings.Contains(log.String(), "no key of the keytab opens") {
		t.Errorf("with a keytab of before: %s\n%s", in, log)
	}
	old := l.keytab + ".old"
	if err := os.Rename(l.keytab, old); err != nil {
		t.Fatal(err)
	}
	l.export()
	merge(t, l.keytab, old)
	if in := ask(fresh, negotiate...); !assertedAs(in, "User 00002") {
		t.Errorf("with the new keytab: %s\n%s", in, log)
	}
	if in := ask(user, negotiate...); !assertedAs(in, "User 00001") {
		t.Errorf("with a ticket of before: %s\n%s", in, log)
	}
}

// locates finds a user by what certificates name users by.
func (l *kerberosLab) locates(dir *directory.Client) {
	l.t.Helper()
	user, err := dir.Find(l.t.Context(), lab.User(2))
	if err != nil {
		l.t.Fatal(err)
	}
	const strong = `X509:<I>DC=example,DC=corp,CN="Corp Users, Berlin"<SR>b7000000`
	l.Modify("dn: " + user.DN + "\nchangetype: modify\nadd: altSecurityIdentities\naltSecurityIdentities: " + strong + "\n")
	for filter, name := range map[string]string{"(objectSid={0})": user.Value("objectSid"), "(altSecurityIdentities={0})": strong, "(mail={0})": user.Value("mail")} {
		found, err := dir.Locate(l.t.Context(), identity.Place{Filter: filter}, name)
		if err != nil || found.DN != user.DN {
			l.t.Errorf("%s, %s: %v, %v", filter, name, found, err)
		}
	}
}

// rejects brings what proves nobody.
func (l *kerberosLab) rejects(log *transcript, ask func([]string, ...string) string) {
	l.t.Helper()
	ntlm := base64.StdEncoding.EncodeToString([]byte("NTLMSSP\x00\x01\x00\x00\x00\x97\x82\x08\xe2"))
	for _, tt := range []struct {
		name, token, said string
	}{
		{"NTLM", ntlm, ""},
		{"rubbish", base64.StdEncoding.EncodeToString([]byte("rubbish")), "the Kerberos token is malformed"},
		{"no base64", "!!", "it is not base64"},
		{"as large as a ticket of a thousand groups", strings.Repeat("AAAA", 12<<10), "it is not of GSS-API's form"},
	} {
		in := ask(nil, "-H", "Authorization: Negotiate "+tt.token)
		if !strings.Contains(in, "HTTP/1.1 200 OK") || !isForm(in) || strings.Contains(in, "Www-Authenticate") {
			l.t.Errorf("%s: %.2000s", tt.name, in)
		}
		if !strings.Contains(log.String(), tt.said) {
			l.t.Errorf("%s: the log does not say %q", tt.name, tt.said)
		}
	}
}

// remembers brings the same token twice, and one that a clock that is off has
// made.
func (l *kerberosLab) remembers(log *transcript, port string) {
	l.t.Helper()
	conf, err := krb5.Load(l.KRB5Config)
	if err != nil {
		l.t.Fatal(err)
	}
	kerberos := client.NewWithPassword(lab.User(3), l.Realm, lab.Password(3), conf, client.DisablePAFXFAST(true))
	if err := kerberos.Login(); err != nil {
		l.t.Fatal(err)
	}
	s := spnego.SPNEGOClient(kerberos, "HTTP/"+kerberosHost)
	if err := s.AcquireCred(); err != nil {
		l.t.Fatal(err)
	}
	first, err := s.InitSecContext()
	if err != nil {
		l.t.Fatal(err)
	}
	raw, err := first.Marshal()
	if err != nil {
		l.t.Fatal(err)
	}
	base := "http://" + net.JoinHostPort("127.0.0.1", port)
	header := "Authorization: Negotiate " + base64.StdEncoding.EncodeToString(raw)
	if in := curl(l.t, base, nil, "-H", header); !assertedAs(in, "User 00003") {
		l.t.Errorf("a ticket of another's making: %s\n%s", in, log)
	}
	if in := curl(l.t, base, nil, "-H", header); !isForm(in) || !strings.Contains(log.String(), "has been used before") {
		l.t.Errorf("the same again: %s\n%s", in, log)
	}
}

// directory is the domain controller's, as a node has it.
func (l *kerberosLab) directory() *directory.Client {
	l.t.Helper()
	c := config.Default()
	if err := c.ApplyPreset("samba"); err != nil {
		l.t.Fatal(err)
	}
	c.Directory.URLs, c.Directory.BaseDN, c.Directory.BindUser = []string{l.TLSURL}, l.BaseDN, l.BindUser
	c.Network.CAPath = filepath.Dir(l.CAFile)
	c.Network.CAFile = filepath.Base(l.CAFile)
	at, err := newTransport(c.Network, nil)
	if err != nil {
		l.t.Fatal(err)
	}
	o, err := directoryOptions(c, l.BindPassword, at, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		l.t.Fatal(err)
	}
	dir := directory.New(o)
	l.t.Cleanup(func() { _ = dir.Close() }) // nothing was left to send
	if _, err := dir.Locate(l.t.Context(), identity.Place{Filter: "(sAMAccountName={0})"}, lab.User(1)); err != nil {
		l.t.Fatal(err)
	}
	return dir
}

// merge adds the keys of another keytab to one: its entries follow a head of
// two octets.
func merge(t *testing.T, to, from string) {
	t.Helper()
	if err := os.WriteFile(to+".merged", []byte(readFile(t, to)+readFile(t, from)[2:]), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(to+".merged", to); err != nil {
		t.Fatal(err)
	}
}
