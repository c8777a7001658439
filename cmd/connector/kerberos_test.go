package main

import (
	"path/filepath"
	"testing"

	"ad-ldap-connector/pkg/config"
	"ad-ldap-connector/pkg/directory"
)

// Kerberos's files are looked for where its own programs do, after what is
// configured, and only when the service account binds by it.
func TestKerberosFiles(t *testing.T) {
	home := t.TempDir()
	elsewhere := filepath.Join(t.TempDir(), "x")
	for name, c := range map[string]struct {
		d       config.Directory
		environ []string
		want    directory.Kerberos
	}{
		"another method": {config.Directory{BindMethod: "simple", Keytab: "k"}, []string{"KRB5CCNAME=/c"}, directory.Kerberos{}},
		"in the home":    {config.Directory{Keytab: "k", Krb5Conf: "c"}, []string{"KRB5CCNAME=cc", "KRB5_CONFIG=no"}, directory.Kerberos{Keytab: filepath.Join(home, "k"), Config: filepath.Join(home, "c"), Cache: "cc"}},
		"absolute":       {config.Directory{Keytab: elsewhere, Krb5Conf: elsewhere}, []string{"KRB5CCNAME=FILE:/cc"}, directory.Kerberos{Keytab: elsewhere, Config: elsewhere, Cache: "/cc"}},
		"the environment": {config.Directory{}, []string{"KRB5CCNAME=cc", "KRB5_CONFIG=first" + string(filepath.ListSeparator) + "second"},
			directory.Kerberos{Config: "first", Cache: "cc"}},
	} {
		if c.d.BindMethod == "" {
			c.d.BindMethod = "gssapi"
		}
		tr := &transport{dir: home, environ: c.environ}
		if got := tr.kerberos(c.d); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
	tr := &transport{dir: home}
	if got := tr.kerberos(config.Directory{BindMethod: "gssapi"}); got.Cache == "" || got.Config != "" {
		t.Errorf("by default: %+v", got)
	}
}
