package sandbox

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const ldifSmall = "\xef\xbb\xbfversion: 1\r\n\r\n# a comment\r\n that goes on\r\n" +
	"dn: dc=lab,dc=test\r\nobjectClass: domain\r\ndc: lab\r\n\r\n" +
	"dn: ou=people,dc=lab,dc=test\nobjectClass: organizationalUnit\nou: people\n\n" +
	"dn: uid=alice,ou=people,dc=lab,dc=test\nobjectClass: inetOrgPerson\nuid: alice\ncn: Alice\n  Adams\nsn: Adams\nx-own: Mine\nuserPassword: secret-one\n\n" +
	// {SSHA} of "ssha-secret" with the salt "saltsalt"
	"dn:: dWlkPWLDtmIsb3U9cGVvcGxlLGRjPWxhYixkYz10ZXN0\nchangetype: add\nobjectClass: inetOrgPerson\nuid:: YsO2Yg==\ncn: Bob\nsn: B\nuserPassword: %s\n\n" +
	"dn: cn=staff,dc=lab,dc=test\nobjectClass: groupOfNames\ncn: staff\nmember: uid=alice,ou=people,dc=lab,dc=test\n\n" +
	"dn: cn=staff,dc=lab,dc=test\nchangetype: modify\nadd: member\nmember: uid=böb,ou=people,dc=lab,dc=test\n-\n\n" +
	"dn: uid=carol,ou=people,dc=lab,dc=test\nobjectClass: inetOrgPerson\nuid: carol\ncn: Carol\nsn: C\nuserPassword: {ARGON2}x\npwdReset: TRUE"

func TestLDIF(t *testing.T) {
	var log bytes.Buffer
	d := startDirectory(t, DirectoryOptions{
		LDIF:  strings.NewReader(fmt.Sprintf(ldifSmall, "{SSHA}CLrvCp7Ly/yTkrIp/oPRzkB/GYxzYWx0c2FsdA==")),
		Users: 10, Log: slog.New(slog.NewTextHandler(&log, nil)),
	})
	if d.BaseDN() != "dc=lab,dc=test" || d.BindUser() != "CN=connector,OU=Services,dc=lab,dc=test" {
		t.Error(d.BaseDN(), d.BindUser())
	}
	c := bindDirectory(t, d)
	for filter, want := range map[string]string{
		"(cn=alice adams)":                   "alice",
		"(x-own=mine)":                       "alice",
		"(memberOf=cn=staff,dc=lab,dc=test)": "alice|böb",
		"(uid=user00003)":                    "Dan Last00003",
	} {
		if got := names(ask(t, c, d, filter)); got != want {
			t.Errorf("%s: %s", filter, got)
		}
	}
	if err := dialDirectory(t, d).Bind("uid=alice,ou=people,dc=lab,dc=test", "secret-one"); err != nil {
		t.Error(err)
	}
	if err := dialDirectory(t, d).Bind("uid=böb,ou=people,dc=lab,dc=test", "ssha-secret"); err != nil {
		t.Error(err)
	}
	if err := dialDirectory(t, d).Bind("uid=böb,ou=people,dc=lab,dc=test", "wrong"); err == nil {
		t.Error("any password is right")
	}
	if err := dialDirectory(t, d).Bind("uid=carol,ou=people,dc=lab,dc=test", "{ARGON2}x"); err == nil {
		t.Error("the hash is the password")
	}
	if !strings.Contains(log.String(), "scheme=ARGON2") {
		t.Errorf("no warning: %s", log.String())
	}
}

func TestPasswordMatches(t *testing.T) {
	// slappasswd's own form: SHA-1 of password and salt, then the salt
	for _, tt := range []struct {
		stored, password string
		want             bool
	}{
		{"secret", "secret", true}, {"secret", "Secret", false},
		{"{SSHA}SjZhUflnJtwDPslytDUDoQDBLVRzYWx0c2FsdA==", "Passw0rd!1", true},
		{"{ssha}SjZhUflnJtwDPslytDUDoQDBLVRzYWx0c2FsdA==", "Passw0rd!1", true},
		{"{SSHA}SjZhUflnJtwDPslytDUDoQDBLVRzYWx0c2FsdA==", "passw0rd!1", false},
		{"{SSHA}", "", false}, {"{SSHA}AAAA", "", false}, {"{SSHA}***", "x", false},
		{"{MD5}x", "{MD5}x", false}, {"{x", "{x", true},
	} {
		if got := passwordMatches(tt.stored, tt.password); got != tt.want {
			t.Errorf("%s %s: %v", tt.stored, tt.password, got)
		}
	}
}

// States of accounts as a file gives them, in the attributes of either kind.
func TestLDIFStates(t *testing.T) {
	base := "dn: dc=t\nobjectClass: domain\ndc: t\n\n"
	user := func(extra string) string {
		return "dn: cn=u,dc=t\nobjectClass: user\ncn: u\nuserPassword: right-One1\n" + extra + "\n"
	}
	for extra, want := range map[string]string{
		"": "", "userAccountControl: 512\n": "", "pwdLastSet: 132000000000000000\n": "",
		"userAccountControl: 514\n":                   "533",
		"userAccountControl: 8389120\n":               "532",
		"accountExpires: 132000000000000000\n":        "701",
		"accountExpires: 9223372036854775807\n":       "",
		"accountExpires: 0\n":                         "",
		"pwdLastSet: 0\n":                             "773",
		"lockoutTime: 132000000000000000\n":           "775",
		"lockoutTime: 0\n":                            "",
		"pwdAccountLockedTime: 000001010000Z\n":       "775",
		"pwdReset: TRUE\n":                            "773",
		"userWorkstations: SOMEPC\n":                  "531",
		"logonHours:: AAAAAAAAAAAAAAAAAAAAAAAAAAAA\n": "530",
	} {
		d := startDirectory(t, DirectoryOptions{Traits: adTraits, LDIF: strings.NewReader(base + user(extra))})
		_, text := ldapCode(t, dialDirectory(t, d).Bind("cn=u,dc=t", "right-One1"))
		if want == "" && text != "" || !strings.Contains(text, want) {
			t.Errorf("%q: %q, want %q", extra, text, want)
		}
		e := ask(t, bindDirectory(t, d), d, "(&(objectCategory=person)(cn=u))", "objectGUID", "objectSid")
		if len(e) != 1 || len(e[0].GetRawAttributeValue("objectGUID")) != 16 || len(e[0].GetRawAttributeValue("objectSid")) != 28 {
			t.Errorf("identifiers: %v", e)
		}
	}
}

// A bad file is refused, with the line.
func TestLDIFRefusals(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("file-content"), 0o600); err != nil {
		t.Fatal(err)
	}
	base := "dn: dc=t\nobjectClass: domain\ndc: t\n\n"
	for name, tt := range map[string]struct{ ldif, want string }{
		"empty":                  {"", "no entries"},
		"comments only":          {"# nothing\n\n", "no entries"},
		"no LDIF":                {"<html>\n", "line 1"},
		"no dn":                  {base + "cn: x\n", "line 5: "},
		"dn only":                {base + "dn: cn=x,dc=t\n", "line 5: "},
		"bad dn":                 {base + "dn: x\ncn: x\n", "line 5: not a distinguished name"},
		"empty dn":               {"dn:: IA==\ncn: x\n", "line 1: "},
		"elsewhere":              {base + "dn: cn=x,dc=other\ncn: x\n", "line 5: "},
		"twice":                  {base + base, "line 5: "},
		"bad base64":             {base + "dn: cn=x,dc=t\ncn:: ***\n", "line 5: "},
		"bad number":             {base + "dn: cn=x,dc=t\ncn: x\nlockoutTime: soon\n", "line 5: lockoutTime"},
		"file":                   {base + "dn: cn=x,dc=t\ncn: x\ndescription:< file://" + secret + "\n", "line 7: values from a file"},
		"file, folded":           {base + "dn: cn=x,dc=t\ncn: x\ndescription:\n < file://" + secret + "\n", "line 8: values from a file"},
		"file, comment between":  {base + "dn: cn=x,dc=t\ndescription:\n#\n < file://" + secret + "\n", "line 5: "},
		"file as dn":             {"dn:< file://" + secret + "\ncn: x\n", "line 1: values from a file"},
		"file in a change":       {base + "dn: dc=t\nchangetype: modify\nadd: description\ndescription:< file://" + secret + "\n-\n", "line 8: "},
		"delete":                 {base + "dn: dc=t\nchangetype: delete\n", "line 5: "},
		"rename":                 {base + "dn: dc=t\nchangetype: moddn\nnewrdn: dc=u\n", "line 5: "},
		"change of nothing":      {base + "dn: cn=x,dc=t\nchangetype: modify\nadd: cn\ncn: y\n-\n", "line 5: "},
		"change without its end": {base + "dn: dc=t\nchangetype: modify\nadd: description\n", "line 5: "},
		"long entry":             {base + "dn: cn=x,dc=t\n" + strings.Repeat("description: "+strings.Repeat("x", 1<<20)+"\n", 9), "longer than"},
		"long line":              {base + "dn: cn=x,dc=t\ndescription: " + strings.Repeat("x", 9<<20), "longer than"},
	} {
		d, err := StartDirectory(DirectoryOptions{LDIF: strings.NewReader(tt.ldif)})
		if err == nil {
			t.Errorf("%s: started with %s", name, d.BaseDN())
			_ = d.Close() // the test has failed already
			continue
		}
		if !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "file-content") {
			t.Errorf("%s: %.200v, want %s", name, err, tt.want)
		}
	}
}

func FuzzLDIF(f *testing.F) {
	f.Add([]byte(ldifSmall))
	f.Add([]byte("dn: dc=t\ndc: t\n\ndn: dc=t\nchangetype: modify\nreplace: dc\ndc: u\n-\n"))
	f.Add([]byte("dn: dc=t\ncontrol: 1.2 true\nchangetype: add\ndc: t\n"))
	f.Add([]byte("dn: dc=t\nmember: dc=t\n#\n x\ncn;range=0-1: x\n"))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, in []byte) {
		if bytes.Contains(in, []byte(dir)) {
			t.Skip()
		}
		d := &Directory{store: newStore(10), log: slog.New(slog.DiscardHandler)}
		d.SetTraits(adTraits)
		if base, err := d.loadLDIF(bytes.NewReader(in)); err == nil && base == "" {
			t.Error("neither base nor error")
		}
	})
}
