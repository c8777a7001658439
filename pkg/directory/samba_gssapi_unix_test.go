//go:build unix

package directory_test

import (
	"path/filepath"
	"strings"
	"testing"

	"ad-ldap-connector/pkg/directory"
	"ad-ldap-connector/testdata/lab"
)

// Samba, as a hardened Active Directory, insists on signed or sealed binds by
// Kerberos where there is no TLS. The error says so, and what to do instead;
// over TLS it takes them.
func TestSambaWantsSigning(t *testing.T) {
	s := lab.Samba(t, lab.SambaOptions{Config: "ldap server require strong auth = allow_sasl_over_tls\n"})
	s.Tool("spn", "add", "ldap/"+s.Host, "DC1$")
	keytab := filepath.Join(t.TempDir(), "svc.keytab")
	s.Tool("domain", "exportkeytab", keytab, "--principal="+strings.TrimSuffix(s.BindUser, "@corp.example.test"))
	over := func(url, port string) *directory.Client {
		return client(t, samba{s}, func(o *directory.Options) {
			o.URLs, o.Dial = []string{url}, dialer(s.Address+port)
			o.Method, o.BindUser, o.BindPassword = directory.GSSAPI, s.BindUser, ""
			o.Kerberos = directory.Kerberos{Keytab: keytab, Config: s.KRB5Config}
		})
	}
	url := "ldap://" + s.Host
	_, err := over(url, ":389").Find(t.Context(), lab.User(1))
	hinted(t, err, []string{"bind by Kerberos to ldap/" + s.Host + " at " + url, "strong auth required (8)"},
		[]string{"LDAP signing", "ldaps://", "LDAP_BIND_METHOD to simple"})
	if _, err := over("ldaps://"+s.Host, ":636").Find(t.Context(), lab.User(1)); err != nil {
		t.Error(err)
	}
	plain := client(t, samba{s}, func(o *directory.Options) { o.URLs, o.StartTLS = []string{s.URL}, false })
	_, err = plain.Find(t.Context(), lab.User(1))
	hinted(t, err, []string{"strong auth required (8)"}, []string{"ldaps://", "LDAP_STARTTLS"})
}
