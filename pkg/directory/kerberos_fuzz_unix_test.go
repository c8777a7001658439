//go:build unix

package directory

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What lies in files that others write, or comes from a server, is an error at
// worst: no panic, no quoting of keys, no memory without end.
func FuzzKeytab(f *testing.F) {
	f.Add([]byte{5, 2})
	f.Add([]byte("\x05\x02\x00\x00\x7f\xffplanted-Secret"))
	f.Add([]byte("\x05\x02\x00\x00\x00\x38\x00\x01\x00\x08LAB.TEST\x00\x03svc\x00\x00\x00\x01\x00\x00\x00\x00\x02\x00\x12\x00\x10planted-Secret!!\x00\x00\x00\x02"))
	f.Fuzz(func(t *testing.T, text []byte) {
		table, err := parseKeytab(text)
		if (table == nil) == (err == nil) {
			t.Fatalf("%v, %v", table == nil, err)
		}
		if err != nil && len(err.Error()) > 40 {
			t.Errorf("the error quotes: %q", err)
		}
	})
}

func FuzzCredentialCache(f *testing.F) {
	f.Add([]byte{5, 4, 0, 0})
	f.Add([]byte("\x05\x03\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00\x08LAB.TEST\x00\x00\x00\x03svc"))
	f.Add([]byte("\x05\x04\x00\x0c\x00\x01\x00\x08\xff\xff\xff\xff\x00\x00\x00\x00\x00\x00\x00\x01\x7f\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := parseCache(text)
		if (c == nil) == (err == nil) {
			t.Fatalf("%v, %v", c, err)
		}
		if c != nil && len(c.ticket)+len(c.key.KeyValue) > len(text) {
			t.Errorf("more came out than went in")
		}
	})
}

func FuzzWrapToken(f *testing.F) {
	f.Add([]byte("\x05\x04\x05\xff\x00\x0c\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x07\x01\x00\x00123456789012"))
	f.Add([]byte("\x05\x04\x05\xff\x00\x0c\x00\x0c\x00\x00\x00\x00\x00\x00\x00\x00123456789012\x07\x01\x00\x00"))
	f.Fuzz(func(t *testing.T, input []byte) {
		token, err := unwrapped(input)
		if err == nil && len(token.Payload)+len(token.CheckSum)+16 != len(input) {
			t.Errorf("%d octets became %d and %d", len(input), len(token.Payload), len(token.CheckSum))
		}
	})
}

func FuzzKrb5Conf(f *testing.F) {
	f.Add("[libdefaults]\ndefault_realm = LAB.TEST\n[realms]\nLAB.TEST = {\nkdc = kdc1\nkdc = kdc2:89\n}\n[domain_realm]\n.lab.test = LAB.TEST\n")
	f.Add("[realms]\n}\n{\n= {")
	f.Add("[libdefaults]\nclockskew = x\n")
	f.Add("[realms]\nA = {\nkdc\n}\n")
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "include") {
			t.Skip("it may name any file of this machine")
		}
		path := filepath.Join(t.TempDir(), "krb5.conf")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if conf, err := readKrb5Conf(path); (conf == nil) == (err == nil) {
			t.Errorf("%v, %v", conf, err)
		}
	})
}

// Both rotations of one token are the same token.
func TestUnwrapped(t *testing.T) {
	const head = "\x05\x04\x05\xff\x00\x0c\x00"
	for name, text := range map[string]string{
		"MIT Kerberos": head + "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x07\x01\x00\x00123456789012",
		"Windows":      head + "\x0c\x00\x00\x00\x00\x00\x00\x00\x00123456789012\x07\x01\x00\x00",
		"once around":  head + "\x1c\x00\x00\x00\x00\x00\x00\x00\x00123456789012\x07\x01\x00\x00",
	} {
		token, err := unwrapped([]byte(text))
		if err != nil || string(token.Payload) != "\x07\x01\x00\x00" || string(token.CheckSum) != "123456789012" {
			t.Errorf("%s: %+v, %v", name, token, err)
		}
	}
	for name, text := range map[string]string{
		"empty": "", "short": head, "encrypted": "\x05\x04\x07" + strings.Repeat("\x00", 30), "from a client": "\x05\x04\x04" + strings.Repeat("\x00", 30),
		"checksum too long": "\x05\x04\x05\xff\xff\xff" + strings.Repeat("\x00", 30), "nothing in it": "\x05\x04\x05\xff" + strings.Repeat("\x00", 12),
	} {
		if token, err := unwrapped([]byte(text)); err == nil {
			t.Errorf("%s: %+v", name, token)
		}
	}
}

// Realms, included files, the first value, and what the library's own reader
// stumbles over.
func TestKrb5Conf(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("krb5.conf.d/sssd", "[domain_realm]\n.corp.test = CORP.TEST\n")
	write("krb5.conf.d/extra.conf", "[libdefaults]\n  default_realm = LATER.TEST\n  ticket_lifetime = 1 fortnight\n[realms]\n  OTHER.TEST = {\n    kdc = other\n  }\n")
	write("krb5.conf.d/.hidden.conf", "nonsense")
	write("krb5.conf.d/README.txt", "nonsense")
	path := write("krb5.conf", "# comment\nmodule /x:y\n[libdefaults]\n\tdefault_realm = CORP.TEST # ours\n  noaddresses = maybe\n  odd\n[appdefaults]\n pam = {\n x = y\n }\n"+
		"[realms]\n  CORP.TEST = {\n    kdc = dc1.corp.test\n    kdc = dc2.corp.test:89\n    auth_to_local = RULE:[1:$1]\n  }\n"+
		"includedir "+filepath.Join(dir, "krb5.conf.d")+"/\nincludedir /nowhere/at/all\n")
	conf, err := readKrb5Conf(path)
	if err != nil {
		t.Fatal(err)
	}
	kdcs := map[string]string{}
	for _, r := range conf.Realms {
		kdcs[r.Realm] = strings.Join(r.KDC, " ")
	}
	if conf.LibDefaults.DefaultRealm != "CORP.TEST" || kdcs["CORP.TEST"] != "dc1.corp.test:88 dc2.corp.test:89" || kdcs["OTHER.TEST"] != "other:88" ||
		conf.ResolveRealm("dc1.corp.test") != "CORP.TEST" || !conf.LibDefaults.DNSLookupKDC {
		t.Errorf("%q, %q, %q", conf.LibDefaults.DefaultRealm, kdcs, conf.ResolveRealm("dc1.corp.test"))
	}
	loop := write("loop.conf", "include "+filepath.Join(dir, "loop.conf")+"\n")
	if _, err := readKrb5Conf(loop); err != nil {
		t.Error(err)
	}
}
