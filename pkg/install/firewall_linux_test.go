package install

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"ad-ldap-connector/testdata/lab"
)

// inMachine says which firewall of this machine may be used: TestFirewalls runs
// these tests in a machine of its own.
const inMachine = "INSTALL_TEST_FIREWALL"

// Real firewalls let others in, and do so no longer.
func TestFirewalls(t *testing.T) {
	m := lab.Boot(t, "firewalld", "ufw", "iproute2", "nftables")
	program := filepath.Join(t.TempDir(), "test")
	build := exec.CommandContext(t.Context(), "go", "test", "-c", "-o", program, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	const there = "/srv/test"
	m.Copy(program, there)
	// A neighbour, who is on another network than the machine's own programs.
	m.Run("/bin/sh", "-ec", `ip netns add neighbour
ip link add here type veth peer name there netns neighbour
ip addr add 10.9.0.1/24 dev here && ip link set here up
ip -n neighbour addr add 10.9.0.2/24 dev there && ip -n neighbour link set there up`)
	for _, firewall := range []struct{ name, begin, end string }{
		{"firewalld", "systemctl start firewalld", "systemctl stop firewalld"},
		{"ufw", "ufw --force enable", "ufw --force disable"},
		{"none", "nft add table inet t; nft add chain inet t in '{ type filter hook input priority 0; policy accept; }'; nft add rule inet t in tcp dport 22 accept", "nft flush ruleset"},
	} {
		t.Run(firewall.name, func(t *testing.T) {
			if firewall.name != "firewalld" {
				m.Run("systemctl", "stop", "firewalld") // it is on from the beginning
			}
			m.Run("/bin/sh", "-c", firewall.begin)
			t.Cleanup(func() { m.Run("/bin/sh", "-c", firewall.end) })
			before := m.Look()
			for _, part := range []string{"conformance", "reach", "foreign"} { // a call of its own has its own time
				out, err := m.Try("env", inMachine+"="+firewall.name, there, "-test.run=^TestFirewallHere$/^"+part+"$", "-test.v")
				if err != nil || !strings.Contains(out, "--- PASS: TestFirewallHere") {
					t.Fatalf("%v\n%s", err, out)
				}
			}
			m.Run("/bin/sh", "-c", "rm -f /etc/firewalld/zones/public.xml*") // made for the foreign rule
			after := m.Look()
			for _, l := range []lab.Look{before, after} {
				for what := range l {
					if strings.Contains(what, "/zones/public.xml") {
						delete(l, what)
					}
				}
			}
			lab.WantSame(t, before, after)
		})
	}
}

// TestFirewallHere runs in the machine.
func TestFirewallHere(t *testing.T) {
	name := os.Getenv(inMachine)
	if name == "" {
		return // it runs in a machine of its own, by TestFirewalls
	}
	f, err := SystemFirewall(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if name == "none" {
		if text := BareRules(t.Context(), 4000); f != nil || !strings.Contains(text, "nftables") || !strings.Contains(text, "4000") {
			t.Errorf("%v, %q", f, text)
		}
		return
	}
	if f == nil || f.Name() != name {
		t.Fatalf("found %v", f)
	}
	shell := func(script string) {
		t.Helper()
		if out, err := exec.CommandContext(t.Context(), "/bin/sh", "-ec", script).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", script, err, out)
		}
	}
	undo := ""
	t.Run("conformance", func(t *testing.T) {
		conform(t, f, "/opt/x/bin/connector", func(port int) {
			if name == "ufw" {
				shell(fmt.Sprintf("ufw allow %d/tcp", port))
				undo = fmt.Sprintf("ufw delete allow %d/tcp", port)
				return
			}
			both := func(words string) string {
				return fmt.Sprintf("firewall-cmd %s=%d/tcp; firewall-cmd --permanent %s=%d/tcp", words, port, words, port)
			}
			shell(both("--add-port"))
			undo = both("--remove-port")
		})
		shell(undo)
	})
	t.Run("reach", func(t *testing.T) { reach(t, f, shell) })
	t.Run("foreign", func(t *testing.T) { foreignNames(t, f, shell) })
}

// reach proves that a neighbour comes in while the rule is there, and only then.
func reach(t *testing.T, f Firewall, shell func(string)) {
	l, err := net.Listen("tcp", "10.9.0.1:4000")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = fmt.Fprintln(c, "hello") // the neighbour says what came
			_ = c.Close()
		}
	}()
	knock := func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		out, _ := exec.CommandContext(ctx, "ip", "netns", "exec", "neighbour", "bash", "-c", "exec 3<>/dev/tcp/10.9.0.1/4000 && head -1 <&3").Output()
		return string(out) == "hello\n"
	}
	r := Rule{Name: "auth0-adldap", Port: 4000, Program: "/opt/x/bin/connector"}
	if knock() {
		t.Fatal("it is open from the beginning")
	}
	if err := f.Allow(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	lab.Eventually(t, "the neighbour to come in", knock)
	if f.Name() == "firewalld" {
		shell("firewall-cmd --reload")
	} else {
		shell("ufw reload")
	}
	if ok, err := f.Allowed(t.Context(), r); !ok || err != nil {
		t.Errorf("after a reload: %t, %v", ok, err)
	}
	lab.Eventually(t, "the neighbour to come in after a reload", knock)
	if err := f.Withdraw(t.Context(), Rule{Name: r.Name}); err != nil {
		t.Fatal(err)
	}
	lab.Eventually(t, "the door to shut", func() bool { return !knock() })
}

// foreignNames leaves rules alone that bear our name, and are not ours.
func foreignNames(t *testing.T, f Firewall, shell func(string)) {
	r := Rule{Name: "auth0-adldap", Port: 4000}
	if f.Name() == "ufw" {
		shell("ufw limit 4000/tcp comment auth0-adldap; ufw allow proto tcp from 10.0.0.0/8 to any port 4005 comment auth0-adldap")
		if err := f.Withdraw(t.Context(), r); err != nil {
			t.Error(err)
		}
		out, err := exec.CommandContext(t.Context(), "ufw", "show", "added").Output()
		if err != nil || strings.Count(string(out), "auth0-adldap") != 2 {
			t.Errorf("%v: %s", err, out)
		}
		shell("ufw delete limit 4000/tcp; ufw delete allow proto tcp from 10.0.0.0/8 to any port 4005")
		return
	}
	shell("firewall-cmd --permanent --new-service=auth0-adldap; firewall-cmd --permanent --service=auth0-adldap --set-description=mine")
	for what, err := range map[string]error{"Allow": f.Allow(t.Context(), r), "Withdraw": f.Withdraw(t.Context(), r)} {
		if err == nil || !strings.Contains(err.Error(), "is not the connector's") {
			t.Errorf("%s: %v", what, err)
		}
	}
	shell("firewall-cmd --permanent --delete-service=auth0-adldap; rm /etc/firewalld/services/*.old")
}

func TestParseZones(t *testing.T) {
	const text = `public (default, active)
  target: default
  icmp-block-inversion: no
  interfaces: eth0
  services: auth0-adldap dhcpv6-client ssh
  ports: 8080/tcp 4000-4010/udp
  forward: yes
  rich rules: 
	rule port port="4000" protocol="tcp" accept
	rule family="ipv4" source address="10.0.0.0/8" reject

trusted
  target: ACCEPT
  services: 
  rich rules: 
`
	zones := parseZones(text)
	z := zones["public"]
	if len(zones) != 2 || len(z.services) != 3 || !slices.Equal(z.ports, []string{"8080/tcp", "4000-4010/udp"}) || len(z.rich) != 2 || z.rich[0] != richRule("4000") {
		t.Errorf("%+v", zones)
	}
	if tr := zones["trusted"]; len(tr.services)+len(tr.ports)+len(tr.rich) != 0 {
		t.Errorf("%+v", tr)
	}
}

func TestParseUFW(t *testing.T) {
	const text = `Added user rules (see 'ufw status' for running firewall):
ufw allow 4001/tcp comment 'auth0-adldap'
ufw allow from 10.0.0.0/8 to any port 4002 proto tcp comment 'auth0-adldap'
ufw limit 4003
ufw deny out 25
ufw allow 80,443/tcp comment 'a b'
ufw deny 4009/tcp comment 'auth0-adldap'
ufw allow 4010/udp
ufw allow in on eth0 to any port 4011
`
	rules := parseUFW(text)
	for port, want := range map[int]bool{4001: true, 4002: false, 4003: true, 25: false, 80: false, 4009: false, 4010: false, 4011: false} {
		if got := allows(rules, Rule{Port: port}); got != want {
			t.Errorf("%d: %t", port, got)
		}
	}
	if got := (ufw{}).ports(rules, "auth0-adldap"); !slices.Equal(got, []int{4001}) {
		t.Error(got)
	}
}

func FuzzFirewallAnswers(f *testing.F) {
	f.Add("public\n  services: ssh\n  ports: 1/tcp\n  rich rules: \n\trule x\n")
	f.Add("ufw allow 4000/tcp comment 'x'\nENABLED=yes\n")
	f.Add(`{"nftables":[{"chain":{"hook":"input","policy":"drop"}},{"rule":null}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		for _, z := range parseZones(text) {
			z.opens(Rule{Name: "x", Port: 4000}, z.ports)
		}
		for _, r := range parseUFW(text) {
			if r.port == "" {
				t.Errorf("a rule without a port: %q", text)
			}
		}
		ufwEnabled(text)
		nftFilters([]byte(text))
	})
}

func TestUFWEnabled(t *testing.T) {
	for conf, want := range map[string]bool{
		"ENABLED=yes\n": true, "# ENABLED=yes\nENABLED=no\n": false, "ENABLED=\"Yes\"": true, "": false, "ENABLED=no\nENABLED=yes": true,
	} {
		if ufwEnabled(conf) != want {
			t.Errorf("%q", conf)
		}
	}
}

func TestNFTFilters(t *testing.T) {
	const chain = `{"chain":{"family":"ip","table":"filter","name":"INPUT","handle":1,"type":"filter","hook":"input","prio":0,"policy":"accept"}}`
	rule := func(chain string) string {
		return `{"rule":{"family":"ip","table":"filter","chain":"` + chain + `","handle":4,"expr":[{"accept":null}]}}`
	}
	for listing, want := range map[string]bool{
		"": false, "{": false, `{"nftables":[]}`: false, `{"nftables":[{"metainfo":{"version":"1.0.6"}},` + chain + `]}`: false,
		`{"nftables":[` + chain + `,` + rule("INPUT") + `]}`: true, `{"nftables":[` + chain + `,` + rule("OUTPUT") + `]}`: false,
		`{"nftables":[` + strings.Replace(chain, "accept", "drop", 1) + `]}`: true, `{"nftables":[` + strings.Replace(chain, "input", "forward", 1) + `,` + rule("INPUT") + `]}`: false,
	} {
		if got := nftFilters([]byte(listing)); got != want {
			t.Errorf("%s: %t", listing, got)
		}
	}
}

// A program that talks without end, or never ends, is not waited for.
func TestRunTool(t *testing.T) {
	sh := runTool("/bin/sh")
	if out, err := sh(t.Context(), "-c", "echo $LC_ALL; echo oops >&2"); out != "C\n" || err != nil {
		t.Errorf("%q, %v", out, err)
	}
	if _, err := sh(t.Context(), "-c", "echo oops >&2; exit 7"); status(err) != 7 || !strings.HasSuffix(err.Error(), "exit status 7: oops") {
		t.Error(err)
	}
	if out, err := sh(t.Context(), "-c", "yes | head -c 3000000"); !errors.Is(err, errTooLong) || len(out) > toolSays {
		t.Errorf("%d octets, %v", len(out), err)
	}
	if _, err := runFor(time.Second, "/bin/sh")(t.Context(), "-c", "exec sleep 300"); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	if _, err := runTool("/nonexistent")(t.Context()); err == nil || status(err) != -1 {
		t.Error(err)
	}
}
