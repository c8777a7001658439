package install

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"ad-ldap-connector/pkg/config"
)

// conform holds a firewall to the promises of Firewall. Foreign lets others
// reach a port by a rule that is somebody else's.
func conform(t *testing.T, f Firewall, program string, foreign func(port int)) {
	t.Helper()
	ctx := t.Context()
	const name, second = "auth0-adldap", "auth0-adldap-two"
	rule := func(name string, port int) Rule { return Rule{Name: name, Port: port, Program: program} }
	// A real firewall takes a second for some of these: what is not asked twice
	// is asked once.
	allowed := func(r Rule, want bool) {
		t.Helper()
		if ok, err := f.Allowed(ctx, r); ok != want || err != nil {
			t.Errorf("Allowed(%s, %d) = %t, %v; want %t", r.Name, r.Port, ok, err, want)
		}
	}
	ours := func(r Rule, ports ...int) {
		t.Helper()
		if got, err := f.Ports(ctx, r.Name); !slices.Equal(got, ports) || err != nil {
			t.Errorf("Ports(%s) = %v, %v; want %v", r.Name, got, err, ports)
		}
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(f.Allow(ctx, rule(name, 4000)))
	must(f.Allow(ctx, rule(name, 4000)))
	allowed(rule(name, 4000), true)
	ours(rule(name, 4000), 4000)

	must(f.Allow(ctx, rule(second, 4002)))
	must(f.Allow(ctx, rule(name, 4001))) // PORT was changed
	allowed(rule(name, 4000), false)
	allowed(rule(name, 4001), true)
	ours(rule(name, 4001), 4001)

	must(f.Withdraw(ctx, Rule{Name: name}))
	allowed(rule(name, 4001), false)
	ours(rule(second, 4002), 4002)
	must(f.Withdraw(ctx, rule(second, 4002)))

	foreign(4003)
	must(f.Allow(ctx, rule(name, 4003)))
	ours(rule(name, 4003))
	must(f.Withdraw(ctx, rule(name, 4003))) // there is nothing of ours
	allowed(rule(name, 4003), true)

	for _, bad := range []Rule{
		{"", 4000, program}, {"-x", 4000, program}, {"a;b", 4000, program}, {`a"b`, 4000, program}, {"a\nb", 4000, program}, {"a=b", 4000, program},
		{strings.Repeat("a", 64), 4000, program}, {name, 0, program}, {name, -1, program}, {name, 65536, program},
	} {
		if err := f.Allow(ctx, bad); err == nil {
			t.Errorf("Allow(%q, %d) took it", bad.Name, bad.Port)
		}
		if _, err := f.Allowed(ctx, bad); err == nil {
			t.Errorf("Allowed(%q, %d) took it", bad.Name, bad.Port)
		}
	}
	if err := f.Withdraw(ctx, Rule{Name: "--help"}); err == nil {
		t.Error("Withdraw(--help) took it")
	}
	gone, cancel := context.WithCancel(ctx)
	cancel()
	var e *FirewallError
	if err := f.Allow(gone, rule(name, 4004)); !errors.Is(err, context.Canceled) || !errors.As(err, &e) {
		t.Errorf("Allow when cancelled: %v", err)
	}
	ours(rule(name, 4004))
}

// A memory is a firewall that forgets.
type memory struct {
	ports map[string][]int
	err   error
}

func (m *memory) Name() string { return "a firewall" }
func (m *memory) Allowed(_ context.Context, r Rule) (bool, error) {
	return slices.Equal(m.ports[r.Name], []int{r.Port}), nil
}
func (m *memory) Allow(_ context.Context, r Rule) error {
	m.ports[r.Name] = []int{r.Port}
	return m.err
}
func (m *memory) Withdraw(_ context.Context, r Rule) error         { delete(m.ports, r.Name); return nil }
func (m *memory) Ports(_ context.Context, n string) ([]int, error) { return m.ports[n], nil }

func TestAllowFirewall(t *testing.T) {
	broken := errors.New("no")
	for _, test := range []struct {
		name       string
		had        []int
		change     func(*config.Config)
		fails      bool // a later step
		err        error
		want       []int
		wantStatus string
	}{
		{name: "made", want: []int{4000}, wantStatus: Did},
		{name: "certificates", change: func(c *config.Config) { c.Tenant.Kerberos, c.Tenant.ClientCertificates = false, true }, want: []int{4000}, wantStatus: Did},
		{name: "there", had: []int{4000}, want: []int{4000}, wantStatus: Already},
		{name: "there, and another step fails", had: []int{4000}, fails: true, want: []int{4000}, wantStatus: Already},
		{name: "another step fails", fails: true, wantStatus: Undone},
		{name: "moved", had: []int{5000}, want: []int{4000}, wantStatus: Did},
		{name: "moved, and another step fails", had: []int{5000}, fails: true, want: []int{5000}, wantStatus: Undone},
		{name: "half made", err: broken, wantStatus: Undone},
		{name: "no browsers", change: func(c *config.Config) { c.Tenant.Kerberos = false }, wantStatus: Already},
		{name: "any port", change: func(c *config.Config) { c.SignIn.Port = 0 }, wantStatus: Already},
		{name: "behind a web server", change: func(c *config.Config) { c.SignIn.KerberosFrontend = true }, wantStatus: Already},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := config.Default()
			c.Tenant.Kerberos, c.SignIn.Port = true, 4000
			if test.change != nil {
				test.change(&c)
			}
			wall := &memory{ports: map[string][]int{}, err: test.err}
			if test.had != nil {
				wall.ports["x"] = test.had
			}
			plan := Plan{allowFirewall(&c, "x", "/bin/x", func(context.Context) (Firewall, error) { return wall, nil }, nil)}
			if test.fails {
				plan = append(plan, Step{Name: "later", Do: func(context.Context) error { return broken }})
			}
			last := ""
			_, err := plan.Apply(t.Context(), func(e Event) {
				if e.Step.Name == "allow-firewall" {
					last = e.What
				}
			})
			if (err != nil) != (test.fails || test.err != nil) || last != test.wantStatus || !slices.Equal(wall.ports["x"], test.want) {
				t.Errorf("%s, %v, ports %v; want %s, %v", last, err, wall.ports["x"], test.wantStatus, test.want)
			}
			if c.Tenant.FirewallRuleCreated != (test.want != nil && !slices.Equal(test.want, []int{5000}) && c.Tenant.Kerberos != c.Tenant.ClientCertificates) {
				t.Errorf("FIREWALL_RULE_CREATED: %t", c.Tenant.FirewallRuleCreated)
			}
		})
	}
}

func TestAllowFirewallWithoutOne(t *testing.T) {
	c := config.Default()
	c.Tenant.Kerberos = true
	none := func(context.Context) (Firewall, error) { return nil, nil }
	if changed, err := (Plan{allowFirewall(&c, "x", "/bin/x", none, nil)}).Apply(t.Context(), func(Event) {}); changed || err != nil || c.Tenant.FirewallRuleCreated {
		t.Errorf("%t, %v", changed, err)
	}
	broken := errors.New("no")
	_, err := Plan{allowFirewall(&c, "x", "/bin/x", func(context.Context) (Firewall, error) { return nil, broken }, nil)}.Apply(t.Context(), func(Event) {})
	if !errors.Is(err, broken) {
		t.Error(err)
	}
}

// An uninstall closes what an install has opened, and opens it again when it is
// undone.
func TestWithdrawFirewall(t *testing.T) {
	broken := errors.New("no")
	for _, test := range []struct {
		name  string
		had   []int
		fails bool // a later step
		want  []int
		said  string
	}{
		{"open", []int{4000}, false, nil, Did},
		{"closed", nil, false, nil, Already},
		{"another step fails", []int{4000}, true, []int{4000}, Undone},
	} {
		wall := &memory{ports: map[string][]int{"other": {1}}}
		if test.had != nil {
			wall.ports["x"] = test.had
		}
		plan := Plan{withdrawFirewall("x", "/bin/x", true, func(context.Context) (Firewall, error) { return wall, nil })}
		if test.fails {
			plan = append(plan, Step{Name: "later", Do: func(context.Context) error { return broken }})
		}
		last := ""
		_, err := plan.Apply(t.Context(), func(e Event) {
			if e.Step.Name == "withdraw-firewall" {
				last = e.What
			}
		})
		if errors.Is(err, broken) != test.fails || last != test.said || !slices.Equal(wall.ports["x"], test.want) || len(wall.ports["other"]) != 1 {
			t.Errorf("%s: %s, %v, %v", test.name, last, err, wall.ports)
		}
	}
	silent := func(context.Context) (Firewall, error) { return nil, broken }
	for _, made := range []bool{true, false} {
		if _, err := (Plan{withdrawFirewall("x", "/bin/x", made, silent)}).Apply(t.Context(), func(Event) {}); errors.Is(err, broken) != made {
			t.Errorf("a firewall that cannot be asked, rule made %t: %v", made, err)
		}
	}
}

func TestPortsOf(t *testing.T) {
	for list, want := range map[string]bool{
		"4000/tcp": true, "4000-4000/tcp": true, "3000-5000/tcp": true, "1/tcp 4000/tcp": true,
		"": false, "4000/udp": false, "4000": false, "4001-5000/tcp": false, "/tcp": false, "-/tcp": false, "RPC/tcp": false, "3000-/tcp": false, "4000-99999/tcp": false,
	} {
		if got := portsOf(strings.Fields(list), 4000); got != want {
			t.Errorf("%q: %t", list, got)
		}
	}
}
