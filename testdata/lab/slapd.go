package lab

import (
	"context"
	"crypto/tls"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-ldap/ldap/v3"
)

// Where Debian puts OpenLDAP.
const (
	slapdPath   = "/usr/sbin/slapd"
	slapaddPath = "/usr/sbin/slapadd"
)

// SlapdOptions say what a private OpenLDAP server holds and allows.
type SlapdOptions struct {
	// Users is how many users are generated (user00001 ...), with groups.
	Users int
	// MemberOf computes memberOf, of nested groups as well.
	MemberOf bool
	// Anonymous lets anybody search; else only who is bound does anything.
	Anonymous bool
	// SizeLimit is how many entries the service account gets at once; in pages
	// it gets all. 0 means no limit.
	SizeLimit int
	// LDIF holds further entries.
	LDIF string
	// Config holds further lines for the database, Global for the server.
	Config, Global string
	// Env holds further variables of the server's environment, NAME=VALUE.
	Env []string
}

// A SlapdServer is a private OpenLDAP server. Its fields are as a client's
// configuration wants them.
type SlapdServer struct {
	URL, TLSURL            string
	BaseDN                 string
	BindUser, BindPassword string // the service account
	AdminDN, AdminPassword string // who may do anything
	CAFile                 string
	CA                     *CA

	t       testing.TB
	dir     string
	env     []string
	process *process
}

// Slapd starts an OpenLDAP server and returns when it answers.
func Slapd(t testing.TB, o SlapdOptions) *SlapdServer {
	t.Helper()
	need(t, "slapd", slapdPath)
	s := &SlapdServer{
		BaseDN: baseDN, BindUser: serviceDN, BindPassword: servicePassword,
		AdminDN: adminDN, AdminPassword: adminPassword,
		t: t, dir: t.TempDir(), env: append(os.Environ(), o.Env...),
	}
	s.CA = NewCA(t, s.dir)
	s.CAFile = s.CA.File
	cert, key := s.CA.Issue(t, "localhost", "127.0.0.1")
	write := func(name, text string) string {
		path := filepath.Join(s.dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	if err := os.Mkdir(filepath.Join(s.dir, "db"), 0o700); err != nil {
		t.Fatal(err)
	}
	write("slapd.conf", slapdConf(s.dir, cert, key, o))
	data := write("data.ldif", People(o.Users)+o.LDIF)
	add := exec.Command(slapaddPath, "-q", "-b", baseDN, "-f", s.conf(), "-l", data)
	if out, err := add.CombinedOutput(); err != nil {
		t.Fatalf("slapadd: %v\n%s", err, out)
	}
	t.Cleanup(s.Stop)
	s.startOn(5)
	return s
}

func (s *SlapdServer) conf() string { return filepath.Join(s.dir, "slapd.conf") }

// startOn starts the server on free ports, which somebody may take first.
func (s *SlapdServer) startOn(tries int) {
	s.t.Helper()
	for range tries {
		s.URL = fmt.Sprintf("ldap://127.0.0.1:%d", FreePort(s.t))
		s.TLSURL = fmt.Sprintf("ldaps://127.0.0.1:%d", FreePort(s.t))
		if s.tryStart() {
			return
		}
	}
	s.t.Fatalf("slapd does not start:\n%s", s.process.said)
}

// Start starts a stopped server again, on the same ports.
func (s *SlapdServer) Start() {
	s.t.Helper()
	if !s.tryStart() {
		s.t.Fatalf("slapd does not start again:\n%s", s.process.said)
	}
}

// tryStart starts the server and waits until it answers a bind. One that finds a
// port taken ends.
func (s *SlapdServer) tryStart() bool {
	s.t.Helper()
	// With -d it stays in the foreground.
	cmd := exec.CommandContext(context.Background(), slapdPath, "-f", s.conf(), "-h", s.URL+"/ "+s.TLSURL+"/", "-d", "0")
	cmd.Env = s.env
	s.process = startCommand(s.t, cmd)
	answers := false
	Eventually(s.t, "slapd to answer", func() bool {
		answers = s.answers()
		return answers || s.process.ended()
	})
	return answers
}

// answers also looks at the certificate: on a port that was free a moment ago
// another test's server may answer, which has the same names and passwords.
func (s *SlapdServer) answers() bool {
	d := tls.Dialer{Config: &tls.Config{RootCAs: s.CA.Pool}}
	own, err := d.DialContext(context.Background(), "tcp", strings.TrimPrefix(s.TLSURL, "ldaps://"))
	if err != nil {
		return false
	}
	_ = own.Close() // it has shown who it is
	c, err := ldap.DialURL(s.URL)
	if err != nil {
		return false
	}
	defer func() { _ = c.Close() }()
	return c.Bind(s.AdminDN, s.AdminPassword) == nil
}

// Stop ends the server at once.
func (s *SlapdServer) Stop() {
	if s.process != nil {
		s.process.kill()
	}
}

// Pause makes the server hang: it takes connections and never answers.
func (s *SlapdServer) Pause() {
	s.t.Helper()
	if err := stopProcess(s.process.cmd.Process); err != nil {
		s.t.Skip(err)
	}
	Eventually(s.t, "slapd to hang", func() bool { return hangs(s.process.cmd.Process) })
}

// Resume ends a Pause.
func (s *SlapdServer) Resume() {
	s.t.Helper()
	if err := continueProcess(s.process.cmd.Process); err != nil {
		s.t.Fatal(err)
	}
}

// slapdConf is the server's configuration.
func slapdConf(dir, cert, key string, o SlapdOptions) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	for _, schema := range []string{"core", "cosine", "inetorgperson", "nis", "dyngroup"} {
		line("include /etc/ldap/schema/%s.schema", schema)
	}
	line("pidfile %s/slapd.pid", dir)
	line("modulepath /usr/lib/ldap")
	for _, module := range []string{"back_mdb", "ppolicy", "dynlist"} {
		line("moduleload %s", module)
	}
	line("TLSCACertificateFile %s/ca.pem", dir)
	line("TLSCertificateFile %s", cert)
	line("TLSCertificateKeyFile %s", key)
	line("sizelimit unlimited")
	line("threads 8")
	if !o.Anonymous {
		line("disallow bind_anon")
		line("require authc")
	}
	b.WriteString(o.Global)
	line("database mdb")
	line("suffix %q", baseDN)
	line("rootdn %q", adminDN)
	line("rootpw %s", adminPassword)
	line("directory %s/db", dir)
	line("maxsize 1073741824")
	line("dbnosync")
	line("index objectClass eq")
	line("index uid,mail,cn,sn eq,sub")
	line("index member eq")
	if o.SizeLimit > 0 {
		line("limits dn.exact=%q size.soft=%d size.hard=%d size.pr=unlimited size.prtotal=unlimited", serviceDN, o.SizeLimit, o.SizeLimit)
	}
	line(`access to dn.subtree="ou=locked,%s" attrs=userPassword by anonymous auth by * none`, baseDN)
	line("access to attrs=userPassword by anonymous auth by dn.exact=%q write by * none", serviceDN)
	read := "users"
	if o.Anonymous {
		read = "*"
	}
	line("access to * by %s read by * none", read)
	b.WriteString(o.Config)
	if o.MemberOf {
		line("overlay dynlist")
		line("dynlist-attrset groupOfURLs memberURL member+memberOf@groupOfNames*")
	}
	line("overlay ppolicy")
	line("ppolicy_default \"cn=default,ou=policies,%s\"", baseDN)
	line("ppolicy_use_lockout")
	return b.String()
}
