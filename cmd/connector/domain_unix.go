//go:build unix

package main

import (
	"cmp"
	"io"
	"os"
	"strings"
)

// hostDomains returns the domains this host may belong to, likeliest first:
// its Kerberos realm, the domains that it was joined to, the search list of its
// resolver, then the rest of its own name.
func hostDomains(environ []string) []string {
	krb5, _, _ := strings.Cut(cmp.Or(lookup(environ, "KRB5_CONFIG"), "/etc/krb5.conf"), ":")
	domains := settingsOf(smallFile(krb5), "libdefaults", "default_realm")
	domains = append(domains, settingsOf(smallFile("/etc/sssd/sssd.conf"), "sssd", "domains")...) // realmd writes it
	for line := range strings.Lines(smallFile("/etc/resolv.conf")) {
		if f := strings.Fields(line); len(f) > 1 && (f[0] == "search" || f[0] == "domain") {
			domains = append(domains, f[1:]...)
		}
	}
	return likely(append(domains, nameDomain()...))
}

// smallFile returns the beginning of a system's file; "" when it cannot be read,
// which only leaves one guess fewer.
func smallFile(name string) string {
	info, err := os.Stat(name)
	if err != nil || !info.Mode().IsRegular() {
		return ""
	}
	f, err := os.Open(name)
	if err != nil {
		return ""
	}
	defer func() { _ = f.Close() }() // it was only read
	data, err := io.ReadAll(io.LimitReader(f, 64<<10))
	if err != nil {
		return ""
	}
	return string(data)
}

// settingsOf returns the values of a setting in a section of a file of the form
// "[section]", "name = value, value".
func settingsOf(text, section, name string) []string {
	in := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if after, ok := strings.CutPrefix(line, "["); ok {
			in, _, _ = strings.Cut(after, "]")
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		if ok && in == section && strings.TrimSpace(key) == name {
			return strings.FieldsFunc(value, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' })
		}
	}
	return nil
}
