package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"ad-ldap-connector/pkg/config"
	"ad-ldap-connector/pkg/doctor"
	"ad-ldap-connector/testdata/lab"
)

// TestDoctorKerberosOnSamba has a real domain controller issue keytabs, and its
// accounts change below them.
func TestDoctorKerberosOnSamba(t *testing.T) {
	t.Parallel()
	dc := lab.Samba(t, lab.SambaOptions{})
	h, _ := keyedHome(t)
	const spn = "HTTP/login.corp.example.test"
	account := func(name string) string { return "CN=" + name + ",CN=Users," + dc.BaseDN }
	types := func(name, value string) {
		dc.Modify("dn: " + account(name) + "\nchangetype: modify\nreplace: msDS-SupportedEncryptionTypes\nmsDS-SupportedEncryptionTypes: " + value + "\n")
	}
	for _, name := range []string{"svc-http", "old-server"} {
		dc.Tool("user", "create", name, "Svc-Http-Passw0rd1")
	}
	c := config.Default()
	c.Tenant.Kerberos, c.Tenant.ServerURL = true, "http://login.corp.example.test:4000"
	c.Directory.URLs, c.Directory.BaseDN = []string{dc.TLSURL}, dc.BaseDN
	c.Directory.BindUser, c.Directory.BindPassword = dc.BindUser, config.Secret(dc.BindPassword)
	c.Network.CAPath = dc.CAFile
	c.SignIn.Port = 0
	if err := c.ApplyPreset("samba"); err != nil {
		t.Fatal(err)
	}
	keytab := filepath.Join(t.TempDir(), "http.keytab")
	export := func() {
		t.Helper()
		if err := os.Remove(keytab); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		dc.Tool("domain", "exportkeytab", keytab, "--principal="+spn)
	}
	check := func(what string, want ...signInWant) {
		t.Helper()
		all := signInFindings(t, c, h, "KRB5_KTNAME=FILE:"+keytab)
		for _, w := range want {
			w.in(t, what, all)
		}
	}

	check("nothing is there", signInWant{"kerberos.keytab", doctor.Failed, "no such file"},
		signInWant{"kerberos.spn", doctor.Failed, "setspn -S " + spn}, signInWant{"kerberos.ticket-size", doctor.Passed, "octets for "})

	dc.Tool("spn", "add", spn, "svc-http")
	types("svc-http", "24")
	export()
	check("all is well", signInWant{"kerberos.keytab", doctor.Passed, "as " + account("svc-http") + " has it"},
		signInWant{"kerberos.spn", doctor.Passed, account("svc-http")})

	if err := os.Chmod(keytab, 0o644); err != nil {
		t.Fatal(err)
	}
	check("others can read it", signInWant{"kerberos.keytab", doctor.Failed, "mode 0644"})
	if err := os.Chmod(keytab, 0o600); err != nil {
		t.Fatal(err)
	}

	dc.Tool("user", "setpassword", "svc-http", "--newpassword=Svc-Http-Passw0rd2")
	check("the password was changed", signInWant{"kerberos.keytab", doctor.Failed, "the KDC has version"})
	export()
	check("it was made anew", signInWant{"kerberos.keytab", doctor.Passed, "version"})

	types("svc-http", "4")
	check("the account knows RC4 alone", signInWant{"kerberos.keytab", doctor.Failed, "tickets of rc4-hmac"})
	types("svc-http", "24")

	duplicate(t, dc, "dn: "+account("old-server")+"\nchangetype: modify\nadd: servicePrincipalName\nservicePrincipalName: "+spn+"\n")
	check("two have the name", signInWant{"kerberos.spn", doctor.Failed, account("old-server")},
		signInWant{"kerberos.keytab", doctor.Passed, "does not tell which key"})
}

// duplicate writes to the partition's file itself: the server that looks for
// duplicates does not see them that replication brings.
func duplicate(t *testing.T, dc *lab.SambaServer, ldif string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dc.Dir, "private", "sam.ldb.d", "DC=*.ldb"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if !strings.EqualFold(strings.TrimSuffix(filepath.Base(file), ".ldb"), dc.BaseDN) {
			continue
		}
		cmd := exec.Command("ldbmodify", "-H", file)
		cmd.Stdin = strings.NewReader(ldif)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return
	}
	t.Fatalf("no file of the partition among %v", files)
}
