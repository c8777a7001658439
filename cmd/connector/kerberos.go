package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"ad-ldap-connector/pkg/config"
	"ad-ldap-connector/pkg/directory"
)

// inHome is the path of a file that is named absolutely or from the home.
func (t *transport) inHome(name string) string {
	if name == "" || filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(t.dir, name)
}

// kerberos says where Kerberos's files are: as configured, or where its own
// programs look for them. Nothing is read here.
func (t *transport) kerberos(d config.Directory) directory.Kerberos {
	if d.BindMethod != string(directory.GSSAPI) {
		return directory.Kerberos{}
	}
	k := directory.Kerberos{Keytab: t.inHome(d.Keytab), Config: t.inHome(d.Krb5Conf)}
	if k.Config == "" { // the variable may name several: the first counts
		k.Config, _, _ = strings.Cut(lookup(t.environ, "KRB5_CONFIG"), string(filepath.ListSeparator))
	}
	// Caches of other kinds than files belong to a login session, which a
	// service has none of.
	k.Cache = strings.TrimPrefix(lookup(t.environ, "KRB5CCNAME"), "FILE:")
	if k.Cache == "" {
		k.Cache = filepath.Join(os.TempDir(), fmt.Sprintf("krb5cc_%d", os.Getuid()))
	}
	return k
}
