package lab

import (
	"bufio"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Where Debian puts MIT Kerberos and faketime.
const (
	kdcPath      = "/usr/sbin/krb5kdc"
	kdb5Path     = "/usr/sbin/kdb5_util"
	kadminPath   = "/usr/sbin/kadmin.local"
	kinitPath    = "/usr/bin/kinit"
	faketimePath = "/usr/lib/*/faketime/libfaketime.so.1"
)

// A KDCServer is a private MIT Kerberos KDC of one realm.
type KDCServer struct {
	Realm  string
	Addr   string // address and port, TCP and UDP
	Config string // a krb5.conf that names it

	t       testing.TB
	dir     string
	process *process
}

// KDC starts a KDC that knows the principals, each with a random key, and
// returns when it answers.
func KDC(t testing.TB, principals ...string) *KDCServer {
	t.Helper()
	for program, path := range map[string]string{"krb5kdc": kdcPath, "kdb5_util": kdb5Path, "kadmin.local": kadminPath} {
		need(t, program, path)
	}
	k := &KDCServer{Realm: "LAB.TEST", t: t, dir: t.TempDir()}
	k.Config = filepath.Join(k.dir, "krb5.conf")
	k.configure(FreePort(t))
	k.run(kdb5Path, "create", "-s", "-r", k.Realm, "-P", "master-Passw0rd")
	var commands []string
	for _, p := range principals {
		commands = append(commands, "addprinc -randkey "+p)
	}
	k.Admin(commands...)
	t.Cleanup(k.Stop)
	for range 5 {
		if k.tryStart() {
			return k
		}
		t.Logf("krb5kdc does not start at %s: %s", k.Addr, k.process.said)
		k.configure(FreePort(t)) // somebody took the port first
	}
	t.Fatal("krb5kdc does not start")
	return nil
}

func (k *KDCServer) configure(port int) {
	k.t.Helper()
	k.Addr = fmt.Sprintf("127.0.0.1:%d", port)
	// Without a PAC: what this version puts there is not what Windows does.
	k.write("kdc.conf", fmt.Sprintf(`[kdcdefaults]
kdc_listen = %[1]s
kdc_tcp_listen = %[1]s
[realms]
%[2]s = {
database_name = %[3]s/principal
key_stash_file = %[3]s/stash
acl_file = %[3]s/kadm5.acl
max_life = 10h
disable_pac = true
supported_enctypes = aes256-cts-hmac-sha1-96:normal aes128-cts-hmac-sha1-96:normal
master_key_type = aes256-cts
}
[logging]
kdc = FILE:%[3]s/kdc.log
`, k.Addr, k.Realm, k.dir))
	k.write("krb5.conf", fmt.Sprintf(`[libdefaults]
default_realm = %[1]s
dns_lookup_realm = false
dns_lookup_kdc = false
rdns = false
dns_canonicalize_hostname = false
[realms]
%[1]s = {
kdc = %[2]s
}
[domain_realm]
localhost = %[1]s
`, k.Realm, k.Addr))
}

func (k *KDCServer) write(name, text string) {
	k.t.Helper()
	if err := os.WriteFile(filepath.Join(k.dir, name), []byte(text), 0o600); err != nil {
		k.t.Fatal(err)
	}
}

// Env is the environment in which programs find this KDC.
func (k *KDCServer) Env() []string {
	return append(os.Environ(), "KRB5_CONFIG="+k.Config, "KRB5_KDC_PROFILE="+filepath.Join(k.dir, "kdc.conf"))
}

func (k *KDCServer) run(name string, args ...string) {
	k.t.Helper()
	cmd := exec.CommandContext(k.t.Context(), name, args...)
	cmd.Env = k.Env()
	if out, err := cmd.CombinedOutput(); err != nil {
		k.t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
}

// Admin runs commands of kadmin.local.
func (k *KDCServer) Admin(commands ...string) {
	k.t.Helper()
	cmd := exec.CommandContext(k.t.Context(), kadminPath, "-r", k.Realm)
	cmd.Env, cmd.Stdin = k.Env(), strings.NewReader(strings.Join(commands, "\n")+"\n")
	// It ends well whatever its commands came to, and says so.
	if out, err := cmd.CombinedOutput(); err != nil || strings.Contains(string(out), "while ") {
		k.t.Fatalf("kadmin.local: %v\n%s", err, out)
	}
}

// Keytab makes a file with new keys of the principals: older keytabs of theirs
// no longer fit.
func (k *KDCServer) Keytab(principals ...string) string {
	k.t.Helper()
	path := filepath.Join(k.dir, fmt.Sprintf("%d.keytab", time.Now().UnixNano()))
	k.Admin("ktadd -k " + path + " " + strings.Join(principals, " "))
	return path
}

// Cache logs a keytab's principal in, and returns the credential cache.
func (k *KDCServer) Cache(keytab, principal, life string) string {
	k.t.Helper()
	need(k.t, "kinit", kinitPath)
	path := keytab + ".cache"
	k.run(kinitPath, "-c", "FILE:"+path, "-l", life, "-k", "-t", keytab, principal)
	return path
}

// gssPath is what Debian's python3-gssapi brings.
const gssPath = "/usr/lib/python3/dist-packages/gssapi/__init__.py"

// initiator begins a context with MIT's library, prints its token, reads the
// answer and says whether that proves the service.
const initiator = `
import base64, sys, gssapi
from gssapi.raw import ChannelBindings
name = gssapi.Name(sys.argv[1], gssapi.NameType.hostbased_service)
bindings = ChannelBindings(application_data=bytes.fromhex(sys.argv[2])) if sys.argv[2] else None
spnego = gssapi.Mechanism.from_sasl_name("SPNEGO")
ctx = gssapi.SecurityContext(name=name, usage="initiate", mech=spnego, channel_bindings=bindings,
    flags=gssapi.RequirementFlag.mutual_authentication)
print(base64.b64encode(ctx.step()).decode(), flush=True)
ctx.step(base64.b64decode(sys.stdin.readline()))
print("complete" if ctx.complete and gssapi.RequirementFlag.mutual_authentication in ctx.actual_flags else "not complete")
`

// Initiate has MIT's library, with a credential cache, make a token for a
// service (HTTP@www.lab.test) and judge the answer to it. Binding is the
// application data of its channel bindings, or nil.
func (k *KDCServer) Initiate(cache, service string, binding []byte, answer func(token string) string) (said string) {
	k.t.Helper()
	need(k.t, "python3-gssapi", gssPath)
	cmd := exec.CommandContext(k.t.Context(), "/usr/bin/python3", "-c", initiator, service, hex.EncodeToString(binding))
	cmd.Env = append(k.Env(), "KRB5CCNAME=FILE:"+cache)
	var errs output
	cmd.Stderr = &errs
	in, err := cmd.StdinPipe()
	if err != nil {
		k.t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		k.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		k.t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	token, err := lines.ReadString('\n')
	if err == nil {
		_, err = io.WriteString(in, answer(strings.TrimSpace(token))+"\n")
	}
	said, _ = lines.ReadString('\n') // nothing, when it broke off
	if waited := cmd.Wait(); err != nil || said == "" {
		return fmt.Sprint(err, waited, errs.String())
	}
	return strings.TrimSpace(said)
}

// Start starts the KDC, whose clock is off by so much.
func (k *KDCServer) Start(skew time.Duration) {
	k.t.Helper()
	var env []string
	if skew != 0 {
		found, err := filepath.Glob(faketimePath)
		if err != nil || len(found) == 0 {
			need(k.t, "faketime", faketimePath)
		}
		// Not by the program of that name: its end is not the KDC's.
		env = []string{"LD_PRELOAD=" + found[0], fmt.Sprintf("FAKETIME=%+ds", int(skew.Seconds()))}
	}
	if !k.tryStart(env...) {
		k.t.Fatalf("krb5kdc does not start again: %s", k.process.said)
	}
}

func (k *KDCServer) tryStart(env ...string) bool {
	k.t.Helper()
	cmd := exec.CommandContext(context.Background(), kdcPath, "-n", "-r", k.Realm, "-P", filepath.Join(k.dir, "pid"))
	cmd.Env = append(k.Env(), env...)
	k.process = startCommand(k.t, cmd)
	answers := false
	Eventually(k.t, "krb5kdc to answer", func() bool {
		c, err := (&net.Dialer{}).DialContext(k.t.Context(), "tcp", k.Addr)
		if answers = err == nil; answers {
			_ = c.Close()
		}
		return answers || k.process.ended()
	})
	return answers && !k.process.ended()
}

// Stop ends the KDC at once.
func (k *KDCServer) Stop() {
	if k.process != nil {
		k.process.kill()
	}
}

// Pause makes the KDC hang: it takes connections and never answers.
func (k *KDCServer) Pause() {
	k.t.Helper()
	if err := stopProcess(k.process.cmd.Process); err != nil {
		k.t.Skip(err)
	}
	Eventually(k.t, "krb5kdc to hang", func() bool { return hangs(k.process.cmd.Process) })
}

// Resume ends a Pause.
func (k *KDCServer) Resume() {
	k.t.Helper()
	if err := continueProcess(k.process.cmd.Process); err != nil {
		k.t.Fatal(err)
	}
}
