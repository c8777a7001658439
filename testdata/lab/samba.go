package lab

import (
	"context"
	"crypto/tls"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
)

// Where Debian puts Samba.
const (
	sambaPath     = "/usr/sbin/samba"
	sambaToolPath = "/usr/bin/samba-tool"
	ldbaddPath    = "/usr/bin/ldbadd"
	ldbmodifyPath = "/usr/bin/ldbmodify"
	ldbsearchPath = "/usr/bin/ldbsearch"
	// Its templates are a package of their own.
	provisionPath = "/usr/share/samba/setup/provision.ldif"
)

// The domain of every Samba server.
const (
	sambaRealm     = "CORP.EXAMPLE.TEST"
	sambaDomain    = "corp.example.test"
	sambaShort     = "CORP"
	sambaHost      = "dc1." + sambaDomain
	sambaAdmin     = "Administrator@" + sambaDomain
	sambaAdminWord = "Adm1n-Passw0rd"
	sambaService   = "svc@" + sambaDomain
	sambaServiceDN = "CN=svc,OU=service," + adBaseDN
	sambaSecret    = "Svc-Passw0rd-1"
)

// SambaOptions say what a private Active Directory domain controller holds and
// allows. The zero value is right for most tests.
type SambaOptions struct {
	// Bulk is how many users without a password are added (bulk00001 ...).
	// Each different number takes a template of its own, at some 5 ms a user.
	Bulk int
	// PlainBinds lets passwords through in clear, which it refuses else.
	PlainBinds bool
	// LDIF holds further entries.
	LDIF string
	// Config holds further lines for smb.conf's global section.
	Config string
}

// A SambaServer is a private Samba, an Active Directory domain controller. Its
// fields are as a client's configuration wants them.
type SambaServer struct {
	// URL takes no password before StartTLS, unless PlainBinds. GCURL is the
	// global catalog's, over TLS.
	URL, TLSURL, GCURL     string
	BaseDN                 string
	BindUser, BindPassword string // reads everything; sets passwords of OU=people and OU=special, and unlocks
	BindDN                 string // the DN of BindUser
	AdminUser              string // who may do anything
	AdminPassword          string
	CAFile                 string
	CA                     *CA
	Host                   string // the name in the certificate, beside the address
	Address                string // without a port
	Realm, Domain          string // of Kerberos and DNS; and the short name, CORP
	KDC, DNS               string // address and port
	KRB5Config             string // a krb5.conf for this server
	// Dir holds its files, Config is its smb.conf: for Samba's own tools.
	Dir, Config string

	t       testing.TB
	process *process
}

// Samba starts an Active Directory domain controller on a loopback address of
// its own (its ports are fixed) and returns when it answers. It is a copy of a
// template outside the repository, which the first to come makes.
func Samba(t testing.TB, o SambaOptions) *SambaServer {
	t.Helper()
	for program, path := range map[string]string{
		"samba": sambaPath, "samba-tool": sambaToolPath, "ldbadd": ldbaddPath, "ldbmodify": ldbmodifyPath,
		"ldbsearch": ldbsearchPath, "samba-ad-provision": provisionPath,
	} {
		need(t, program, path)
	}
	needRoot(t, "Samba's ports are below 1024")
	s := &SambaServer{
		BaseDN: adBaseDN, BindUser: sambaService, BindPassword: sambaSecret, BindDN: sambaServiceDN,
		AdminUser: sambaAdmin, AdminPassword: sambaAdminWord,
		Host: sambaHost, Realm: sambaRealm, Domain: sambaShort,
		t: t, Dir: sambaDir(t),
	}
	s.copyTemplate(o)
	s.CA = NewCA(t, s.Dir)
	s.CAFile = s.CA.File
	t.Cleanup(s.Stop)
	for try := range 5 {
		s.move(reserveAddress(t, sambaPorts), o)
		if try == 0 && o.LDIF != "" {
			s.add(o.LDIF)
		}
		if s.tryStart() {
			s.lockOut()
			return s
		}
		t.Logf("samba does not start at %s:\n%s", s.Address, s.process.said)
	}
	t.Fatal("samba does not start")
	return nil
}

// sambaDir makes the server's folder. A test's own is too deep for the names of
// its sockets (unix(7): 108 octets). Those that killed tests have left are
// removed.
func sambaDir(t testing.TB) string {
	t.Helper()
	const pattern, lock = "lab-samba-", "test.lock"
	left, _ := filepath.Glob(filepath.Join(os.TempDir(), pattern+"*"))
	for _, dir := range left {
		if info, err := os.Stat(dir); err != nil || time.Since(info.ModTime()) < time.Hour {
			continue
		}
		if unlock, err := lockFile(filepath.Join(dir, lock), false); err == nil {
			_ = os.RemoveAll(dir) // only space is lost
			unlock()
		}
	}
	dir, err := os.MkdirTemp("", pattern)
	if err != nil {
		t.Fatal(err)
	}
	unlock, err := lockFile(filepath.Join(dir, lock), false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = os.RemoveAll(dir) // only space is lost
		unlock()
	})
	return dir
}

// move gives the server an address.
func (s *SambaServer) move(address string, o SambaOptions) {
	s.t.Helper()
	s.Address = address
	s.URL, s.TLSURL, s.GCURL = "ldap://"+address+":389", "ldaps://"+address+":636", "ldaps://"+address+":3269"
	s.KDC, s.DNS = address+":88", address+":53"
	cert, key := s.CA.Issue(s.t, s.Host, sambaDomain, address)
	s.Config, s.KRB5Config = filepath.Join(s.Dir, "smb.conf"), filepath.Join(s.Dir, "krb5.conf")
	for file, text := range map[string]string{
		s.Config: sambaConf(s.Dir, address, cert, key, s.CAFile, o), s.KRB5Config: krb5Conf(address),
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			s.t.Fatal(err)
		}
	}
}

// Start starts a stopped server again, at the same address.
func (s *SambaServer) Start() {
	s.t.Helper()
	if !s.tryStart() {
		s.t.Fatalf("samba does not start again:\n%s", s.process.said)
	}
}

// tryStart starts the server and waits until it answers a bound search.
func (s *SambaServer) tryStart() bool {
	s.t.Helper()
	for _, left := range []string{"msg.sock", "msg.lock", "run"} { // of a killed one
		if err := os.RemoveAll(filepath.Join(s.Dir, left)); err != nil {
			s.t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(s.Dir, "run"), 0o700); err != nil {
		s.t.Fatal(err)
	}
	cmd := exec.Command(sambaPath, "-i", "-M", "single", "--configfile="+s.Config, "--debug-stdout")
	cmd.Env = s.tree().environ()
	// It ends by itself at the end of its input, and that is this process's.
	if _, err := cmd.StdinPipe(); err != nil {
		s.t.Fatal(err)
	}
	s.process = startCommand(s.t, cmd)
	answers := false
	Eventually(s.t, "samba to answer", func() bool {
		answers = s.answers()
		return answers || s.process.ended()
	})
	return answers
}

func (s *SambaServer) answers() bool {
	c, err := s.dial()
	if err != nil {
		return false
	}
	defer func() { _ = c.Close() }()
	if c.Bind(s.AdminUser, s.AdminPassword) != nil {
		return false
	}
	found, err := c.Search(ldap.NewSearchRequest("", ldap.ScopeBaseObject, ldap.NeverDerefAliases, 0, 0, false,
		"(objectClass=*)", []string{"dnsHostName"}, nil))
	return err == nil && len(found.Entries) == 1
}

func (s *SambaServer) dial() (*ldap.Conn, error) {
	config := &tls.Config{RootCAs: s.CA.Pool, ServerName: s.Host}
	c, err := ldap.DialURL(s.TLSURL, ldap.DialWithTLSConfig(config))
	if err == nil {
		c.SetTimeout(20 * time.Second)
	}
	return c, err
}

// lockOut locks LockedUser by wrong passwords, as people do it. An account that
// was locked when the template was made might be free by now.
func (s *SambaServer) lockOut() {
	s.t.Helper()
	c, err := s.dial()
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	for range sambaLockout {
		_ = c.Bind(adUserDN(LockedUser), "wrong-Passw0rd") // the last one tells
	}
	if err = c.Bind(adUserDN(LockedUser), "wrong-Passw0rd"); err == nil || !strings.Contains(err.Error(), "data 775") {
		s.t.Fatalf("%s is not locked: %v", LockedUser, err)
	}
}

// Stop ends the server at once.
func (s *SambaServer) Stop() {
	if s.process != nil {
		s.process.kill()
	}
}

// Pause makes the server hang: it takes connections and never answers.
func (s *SambaServer) Pause() {
	s.t.Helper()
	if err := stopProcess(s.process.cmd.Process); err != nil {
		s.t.Skip(err)
	}
	Eventually(s.t, "samba to hang", func() bool { return hangs(s.process.cmd.Process) })
}

// Resume ends a Pause.
func (s *SambaServer) Resume() {
	s.t.Helper()
	if err := continueProcess(s.process.cmd.Process); err != nil {
		s.t.Fatal(err)
	}
}

// Tool runs samba-tool on the server's files, which the running server sees,
// and returns what it prints.
func (s *SambaServer) Tool(args ...string) string {
	s.t.Helper()
	out, err := s.tree().tool(context.Background(), args...)
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

func (s *SambaServer) add(ldif string) {
	s.t.Helper()
	if err := s.tree().ldb(ldbaddPath, ldif); err != nil {
		s.t.Fatal(err)
	}
}

// Modify applies changes in LDIF as nobody but the server itself may, and
// without asking it. Controls are as ldbmodify has them.
func (s *SambaServer) Modify(ldif string, controls ...string) {
	s.t.Helper()
	for i, c := range controls {
		controls[i] = "--controls=" + c
	}
	if err := s.tree().ldb(ldbmodifyPath, ldif, controls...); err != nil {
		s.t.Fatal(err)
	}
}

func (s *SambaServer) tree() sambaTree { return sambaTree{dir: s.Dir, conf: s.Config} }
