package service

import (
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew")

// The files that service managers read are the same wherever they are made.
func TestText(t *testing.T) {
	plain := Unit{
		Name: "auth0-adldap", Description: "AD LDAP Connector", Program: "/opt/auth0/ad-ldap/connector", Args: []string{"service", "run"},
		Home: "/opt/auth0/ad-ldap", User: "auth0-adldap", Watchdog: 30 * time.Second,
	}
	odd := Unit{
		Name: "auth0-adldap-2", Description: `100% & <more>`, Program: "/home/al ice/con%nector",
		Args: []string{"service", "run", `a "b" \c`, "$HOME %h", "", "<&>", ";"}, Home: "/root/conn ector", User: "auth0-adldap-2",
		Writable: []string{"/srv/log$s", "/tmp/spool"}, Environment: "/etc/auth0/conn ector.env", Ports: []int{8357, 443},
	}
	secret := plain
	secret.Credentials = []Credential{{"ldap-bind-password", "/opt/auth0/ad-ldap/secrets/ldap-bind-password.cred", true}}
	older := plain
	older.Credentials = []Credential{{"ldap-bind-password", "/srv/100% a/secrets/ldap-bind-password", false}}
	for file, text := range map[string]string{
		"secret-257.service": systemd{version: 257}.text(secret),
		"older-249.service":  systemd{version: 249}.text(older),
		"plain-252.service":  systemd{version: 252}.text(plain),
		"plain-257.service":  systemd{version: 257}.text(plain),
		"odd-386.service":    systemd{version: 252, narrowed: true}.text(odd),
		"plain.plist":        plist(plain),
		"odd.plist":          plist(odd),
	} {
		golden := filepath.Join("testdata", file)
		if *update {
			if err := os.WriteFile(golden, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(strings.ReplaceAll(string(want), "\r\n", "\n"), text); diff != "" {
			t.Errorf("%s (-want +got):\n%s", golden, diff)
		}
	}
}

// What a property list says comes back as it went in.
func FuzzPlist(f *testing.F) {
	f.Add("service run", "<&>\"'")
	f.Fuzz(func(t *testing.T, program, arg string) {
		if strings.ContainsFunc(program+arg, isControl) {
			return
		}
		var strs []string
		d := xml.NewDecoder(strings.NewReader(plist(Unit{Program: program, Args: []string{arg}})))
		for in := false; ; {
			token, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			switch token := token.(type) {
			case xml.StartElement:
				if in = token.Name.Local == "string"; in {
					strs = append(strs, "")
				}
			case xml.EndElement:
				in = false
			case xml.CharData:
				if in {
					strs[len(strs)-1] += string(token)
				}
			}
		}
		if len(strs) < 3 || strs[1] != program && hasOnlyXML(program) || strs[2] != arg && hasOnlyXML(arg) {
			t.Fatalf("%q, %q became %q", program, arg, strs)
		}
	})
}

// hasOnlyXML is false for what XML has no characters for.
func hasOnlyXML(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r == 0xfffe || r == 0xffff || r == 0xfffd })
}

// No word of a command line is more or less than it was, nor leaves its line.
func FuzzCommand(f *testing.F) {
	f.Add("/usr/bin/connector", `a "b" \c`)
	f.Add("/usr/%n/$x", `;`)
	f.Add("/", `$$ %% \`)
	f.Fuzz(func(t *testing.T, program, arg string) {
		if strings.ContainsFunc(program+arg, isControl) || strings.ContainsAny(program, `"'\:`) {
			return
		}
		words, ok := unquote(command(program, []string{arg, "end"}))
		if !ok || len(words) != 3 || words[0] != program || strings.ReplaceAll(words[1], "$$", "$") != arg || words[2] != "end" {
			t.Fatalf("%q, %q became %q", program, arg, words)
		}
		if single := strings.ReplaceAll(words[1], "$$", ""); strings.Contains(single, "$") {
			t.Fatalf("%q has a variable", words[1])
		}
	})
}

// unquote reads a command line as systemd.service(5) has it: quoted words,
// escapes, specifiers.
func unquote(line string) (words []string, ok bool) {
	for rest := line; rest != ""; {
		if rest[0] != '"' {
			return nil, false
		}
		var b strings.Builder
		i := 1
		for ; i < len(rest) && rest[i] != '"'; i++ {
			switch rest[i] {
			case '\\':
				i++
				if i == len(rest) || rest[i] != '\\' && rest[i] != '"' {
					return nil, false
				}
			case '%':
				i++
				if i == len(rest) || rest[i] != '%' {
					return nil, false
				}
			}
			b.WriteByte(rest[i])
		}
		if i == len(rest) {
			return nil, false
		}
		words = append(words, b.String())
		rest = strings.TrimPrefix(rest[i+1:], " ")
	}
	return words, true
}

// What no service manager could take is refused, all of it at once.
func TestCheck(t *testing.T) {
	if err := testUnit("right").check(); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		spoil func(*Unit)
		says  string
	}{
		"no name":               {func(u *Unit) { u.Name = "" }, "no name for a service"},
		"path for a name":       {func(u *Unit) { u.Name = "a/b" }, "no name for a service"},
		"option for a name":     {func(u *Unit) { u.Name = "--force" }, "no name for a service"},
		"template name":         {func(u *Unit) { u.Name = "a@b" }, "no name for a service"},
		"dotted end":            {func(u *Unit) { u.Name = "a." }, "no name for a service"},
		"long name":             {func(u *Unit) { u.Name = strings.Repeat("a", 81) }, "no name for a service"},
		"lines":                 {func(u *Unit) { u.Description = "a\nExecStart=/bin/sh" }, "control character"},
		"joined lines":          {func(u *Unit) { u.Description = `a\` }, "backslash"},
		"bad user":              {func(u *Unit) { u.User = "no user" }, "user"},
		"no program":            {func(u *Unit) { u.Program = "" }, "absolute path"},
		"relative program":      {func(u *Unit) { u.Program = "connector" }, "absolute path"},
		"no home":               {func(u *Unit) { u.Home = "" }, "absolute path"},
		"winding home":          {func(u *Unit) { u.Home += "/../x" }, "absolute path"},
		"lines in a path":       {func(u *Unit) { u.Home += "\n" }, "character"},
		"quotes in a path":      {func(u *Unit) { u.Home += `"` }, "character"},
		"space at the end":      {func(u *Unit) { u.Environment = u.Home + "/a " }, "character"},
		"relative folder":       {func(u *Unit) { u.Writable = []string{"log"} }, "absolute path"},
		"lines in argument":     {func(u *Unit) { u.Args = []string{"run", "a\x00b"} }, "argument 2 has"},
		"no text":               {func(u *Unit) { u.Args = []string{"a\xff"} }, "argument 1 has"},
		"colon in a credential": {func(u *Unit) { u.Credentials = []Credential{{"a:b", u.Home, true}} }, "no name for a credential"},
		"a secret elsewhere":    {func(u *Unit) { u.Credentials = []Credential{{"a", "b", true}} }, "absolute path"},
		"port 0":                {func(u *Unit) { u.Ports = []int{0} }, "0 is no port"},
		"port 65536":            {func(u *Unit) { u.Ports = []int{65536} }, "65536 is no port"},
		"half a second":         {func(u *Unit) { u.Watchdog = time.Second / 2 }, "no whole seconds"},
		"negative watchdog":     {func(u *Unit) { u.Watchdog = -time.Second }, "no whole seconds"},
	} {
		u := testUnit("right")
		c.spoil(&u)
		if err := u.check(); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	all := testUnit("right")
	all.Name, all.Ports, all.Watchdog = "", []int{0}, -1
	if err := all.check(); strings.Count(err.Error(), "\n") != 2 {
		t.Errorf("not all faults: %v", err)
	}
}

// The first service has the name that monitoring knows.
func TestName(t *testing.T) {
	want := []string{"auth0-adldap", "auth0-adldap-second"}
	if runtime.GOOS == "windows" {
		want = []string{"Auth0 ADLDAP", "Auth0 ADLDAP second"}
	}
	for i, instance := range []string{"", "second"} {
		if got := Name(instance); got != want[i] || checkName(got) != nil {
			t.Errorf("%q: %q, %v", instance, got, checkName(got))
		}
	}
}
