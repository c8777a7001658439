package lab

import (
	"fmt"
	"path/filepath"
	"strings"
)

// sambaConf is a server's smb.conf. Every path it has is below dir.
func sambaConf(dir, address, cert, key, ca string, o SambaOptions) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("[global]")
	line("netbios name = DC1")
	line("realm = %s", sambaRealm)
	line("workgroup = %s", sambaShort)
	line("server role = active directory domain controller")
	line("server services = ldap, cldap, kdc, dns")
	line("interfaces = %s/8", address)
	line("bind interfaces only = yes")
	line("dns forwarder =") // nothing leaves this machine
	line("disable netbios = yes")
	for _, at := range [][2]string{
		{"private dir", "private"}, {"state directory", "state"}, {"cache directory", "cache"}, {"lock directory", "."},
		{"binddns dir", "bind-dns"}, {"pid directory", "run"}, {"ncalrpc dir", "run/ncalrpc"},
		{"ntp signd socket directory", "run/ntp"}, {"winbindd socket directory", "run/winbindd"}, {"log file", "log.samba"},
	} {
		line("%s = %s", at[0], filepath.Join(dir, at[1]))
	}
	if cert != "" {
		line("tls keyfile = %s", key)
		line("tls certfile = %s", cert)
		line("tls cafile = %s", ca)
	}
	strong := "yes"
	if o.PlainBinds {
		strong = "no"
	}
	line("ldap server require strong auth = %s", strong)
	line("old password allowed period = 0") // else a changed password is good for an hour more
	b.WriteString(o.Config)
	line("\n[sysvol]\npath = %s\nread only = no", filepath.Join(dir, "state", "sysvol"))
	return b.String()
}

// krb5Conf leads Kerberos clients to the server without DNS.
func krb5Conf(address string) string {
	return fmt.Sprintf(`[libdefaults]
  default_realm = %[1]s
  dns_lookup_realm = false
  dns_lookup_kdc = false
  rdns = false
  dns_canonicalize_hostname = false
  udp_preference_limit = 1465
[realms]
  %[1]s = {
    kdc = %[3]s:88
    admin_server = %[3]s:464
    kpasswd_server = %[3]s:464
  }
[domain_realm]
  .%[2]s = %[1]s
  %[2]s = %[1]s
`, sambaRealm, sambaDomain, address)
}
