package install

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// A registryWall is what netsh and the registry are to each other on Windows:
// netsh adds rules to it and deletes those that match all that it is told.
type registryWall struct{ values []string }

func (w *registryWall) netsh(ctx context.Context, args ...string) (string, error) {
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	if len(args) < 5 || strings.Join(args[:2], " ") != "advfirewall firewall" || args[3] != "rule" {
		return "", fmt.Errorf("no such command: %q", args)
	}
	words := map[string]string{}
	for _, a := range args[4:] {
		key, value, ok := strings.Cut(a, "=")
		if !ok || value == "" {
			return "", fmt.Errorf("%q is no setting", a)
		}
		words[key] = value
	}
	match := []string{"Dir=In", "Protocol=6", "LPort=" + words["localport"], "App=" + words["program"], "Name=" + words["name"]}
	if words["dir"] != "in" || words["protocol"] != "TCP" {
		return "", fmt.Errorf("not this: %v", words)
	}
	switch args[2] {
	case "add":
		if words["profile"] != "domain,private" || words["action"] != "allow" || words["enable"] != "yes" {
			return "", fmt.Errorf("not this: %v", words)
		}
		w.values = append(w.values, "v2.30|Action=Allow|Active=TRUE|"+match[0]+"|"+match[1]+"|Profile=Domain|Profile=Private|"+
			strings.Join(match[2:], "|")+"|Desc="+words["description"]+"|")
		return "Ok.\r\n", nil
	case "delete":
		before := len(w.values)
		w.values = slices.DeleteFunc(w.values, func(v string) bool {
			fields := strings.Split(v, "|")
			return !slices.ContainsFunc(match, func(m string) bool { return !slices.Contains(fields, m) })
		})
		if len(w.values) == before {
			return "", errors.New("exit status 1: no rules match the specified criteria")
		}
		return "Deleted 1 rule(s).\r\nOk.\r\n", nil
	}
	return "", fmt.Errorf("no such command: %q", args)
}

const winProgram = `C:\Program Files\Auth0\AD LDAP\bin\connector.exe`

// others are rules as a real Windows has them.
var others = []string{
	`v2.31|Action=Allow|Active=TRUE|Dir=In|Protocol=17|LPort=5355|App=%SystemRoot%\system32\svchost.exe|Svc=dnscache|Name=@FirewallAPI.dll,-32801|Desc=@FirewallAPI.dll,-32804|EmbedCtxt=@FirewallAPI.dll,-32752|`,
	`v2.10|Action=Allow|Active=TRUE|Dir=In|Profile=Private|App=C:\Program Files (x86)\Auth0\AD LDAP Connector\kerberos-server\KerberosProxy.exe|Name=Auth0ConnectorKerberos|`,
	`v2.31|Action=Allow|Active=TRUE|Dir=In|Protocol=6|Profile=Domain|LPort=RPC|App=%SystemRoot%\system32\svchost.exe|Name=RPC|`,
	`v2.31|Action=Allow|Active=TRUE|Dir=In|Protocol=6|LPort=4000|RA4=10.0.0.0/255.0.0.0|Name=auth0-adldap|`,
	`v2.31|Action=Block|Active=TRUE|Dir=In|Protocol=6|LPort=4000|Name=closed|`,
	`v2.31|Action=Allow|Active=FALSE|Dir=In|Protocol=6|LPort=4000|Name=off|`,
	`v2.31|Action=Allow|Active=TRUE|Dir=Out|Protocol=6|LPort=4000|Name=out|`,
	`v2.31|Action=Allow|Active=TRUE|Dir=In|Protocol=6|Profile=Private|LPort=4000|Name=half|`,
	`v2.31|Action=Allow|Active=TRUE|Dir=In|Protocol=6|LPort=4000|App=C:\other.exe|Name=another program|`,
	"", "nonsense", "v|||=|", "v2|Name",
}

func TestNetsh(t *testing.T) {
	w := &registryWall{values: slices.Clone(others)}
	f := netsh{run: w.netsh, rules: func() ([]string, error) { return w.values, nil }}
	conform(t, f, winProgram, func(port int) {
		w.values = append(w.values, fmt.Sprintf(`v2.31|Action=Allow|Active=TRUE|Dir=In|Protocol=6|LPort=%d|Name=by hand|`, port))
	})
	if got := w.values[:len(others)]; !slices.Equal(got, others) || len(w.values) != len(others)+1 {
		t.Errorf("others' rules: %q", w.values)
	}
}

// A rule of ours that somebody has turned off, or that is for the program where
// it was before, is made anew.
func TestNetshMakesAnew(t *testing.T) {
	for name, change := range map[string]func(string) string{
		"off": func(s string) string { return strings.Replace(s, "TRUE", "FALSE", 1) },
		"public": func(s string) string {
			return strings.Replace(s, "Profile=Domain|Profile=Private", "Profile=Public", 1)
		},
		"moved":   func(s string) string { return strings.Replace(s, winProgram, `D:\connector.exe`, 1) },
		"narrow":  func(s string) string { return s + "RA4=10.0.0.1|" },
		"blocked": func(s string) string { return strings.Replace(s, "Allow", "Block", 1) },
	} {
		t.Run(name, func(t *testing.T) {
			w := &registryWall{}
			f := netsh{run: w.netsh, rules: func() ([]string, error) { return w.values, nil }}
			r := Rule{Name: "Auth0 ADLDAP", Port: 4000, Program: winProgram}
			if err := f.Allow(t.Context(), r); err != nil {
				t.Fatal(err)
			}
			whole := w.values[0]
			w.values[0] = change(whole)
			if ok, err := f.Allowed(t.Context(), r); ok || err != nil {
				t.Errorf("%t, %v", ok, err)
			}
			if err := f.Allow(t.Context(), r); err != nil || !slices.Equal(w.values, []string{whole}) {
				t.Errorf("%v, %q", err, w.values)
			}
		})
	}
}

func TestNetshPrograms(t *testing.T) {
	f := netsh{run: (&registryWall{}).netsh, rules: func() ([]string, error) { return nil, nil }}
	for _, program := range []string{"", `C:\a" enable=no "b.exe`, "C:\\a\nb.exe", `%TEMP%\a.exe`, `C:\a|App=b`} {
		if err := f.Allow(t.Context(), Rule{Name: "x", Port: 4000, Program: program}); err == nil {
			t.Errorf("%q was taken", program)
		}
	}
	denied := errors.New("access is denied")
	f.rules = func() ([]string, error) { return nil, denied }
	_, err := f.Ports(t.Context(), "x")
	if !errors.Is(err, denied) || !errors.Is(f.Withdraw(t.Context(), Rule{Name: "x"}), denied) {
		t.Error(err)
	}
}

func FuzzParseWindowsRule(f *testing.F) {
	for _, text := range others {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, ok := parseWindowsRule(text)
		want := Rule{Name: "x", Port: 4000, Program: winProgram}
		if (r.says(want) || r.ours("x")) && !ok {
			t.Errorf("%q counts", text)
		}
		if r.says(want) && !strings.Contains(text, "Action=Allow") {
			t.Errorf("%q allows", text)
		}
	})
}
