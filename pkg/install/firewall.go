package install

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"ad-ldap-connector/pkg/config"
)

// A Firewall lets others reach a port of this machine.
type Firewall interface {
	// Name is what people call it: "firewalld", "ufw".
	Name() string

	// Allowed reports whether others may reach the port, by our rule or by
	// one that somebody else made, and whether no rule of ours lets them reach
	// another.
	Allowed(ctx context.Context, r Rule) (bool, error)

	// Allow makes our rule what r says. It is idempotent, and makes none where
	// somebody else's does it already.
	Allow(ctx context.Context, r Rule) error

	// Withdraw takes back what Allow made under the rule's name, whatever port
	// that was, and nothing else. It is idempotent.
	Withdraw(ctx context.Context, r Rule) error

	// Ports are those that our rules of this name let others reach.
	Ports(ctx context.Context, name string) ([]int, error)
}

// A Rule lets others connect to a TCP port.
type Rule struct {
	Name    string // the service's
	Port    int
	Program string // absolute: who listens there; not every firewall asks
}

// SystemFirewall returns the firewall that is active on this machine; nil where
// there is none, or none that can be given rules.
func SystemFirewall(ctx context.Context) (Firewall, error) { return systemFirewall(ctx) }

// BareRules says in words that this machine filters packets by rules that
// nobody but who wrote them should edit; "" where it does not, or does not tell.
func BareRules(ctx context.Context, port int) string {
	by := bareFilter(ctx)
	if by == "" {
		return ""
	}
	return fmt.Sprintf("this machine filters packets by %s rules of its own, which were left alone; let browsers in at TCP port %d there", by, port)
}

// allowFirewall returns the step that lets browsers reach PORT, where the
// tenant has a login that needs them to. C is the configuration as the steps
// before it made it; firewall finds the machine's.
func allowFirewall(c *config.Config, name, program string, firewall func(context.Context) (Firewall, error), note func(string)) Step {
	var (
		wall   Firewall
		before []int // what our rules were
		was    = c.Tenant.FirewallRuleCreated
		rule   = func() Rule { return Rule{Name: name, Port: c.SignIn.Port, Program: program} }
	)
	return Step{
		Name: "allow-firewall", Says: "Let browsers reach the sign-in through the firewall",
		Done: func(ctx context.Context) (done bool, err error) {
			if !browsersCome(*c) {
				return true, nil
			}
			if wall, err = firewall(ctx); err != nil {
				return false, err
			}
			if wall == nil {
				if text := BareRules(ctx, c.SignIn.Port); text != "" && note != nil {
					note(text)
				}
				return true, nil
			}
			if before, err = wall.Ports(ctx, name); err != nil {
				return false, err
			}
			if done, err = wall.Allowed(ctx, rule()); done {
				c.Tenant.FirewallRuleCreated = true
			}
			return done, err
		},
		Do: func(ctx context.Context) error {
			err := wall.Allow(ctx, rule())
			c.Tenant.FirewallRuleCreated = err == nil
			return err
		},
		Undo: func(ctx context.Context) error {
			c.Tenant.FirewallRuleCreated = was
			err := wall.Withdraw(ctx, rule())
			for _, port := range before {
				err = errors.Join(err, wall.Allow(ctx, Rule{Name: name, Port: port, Program: program}))
			}
			return err
		},
	}
}

// withdrawFirewall returns the step that takes back what allowFirewall's rule of
// that name let others reach. A firewall that cannot be asked is in nobody's way
// where no rule was made.
func withdrawFirewall(name, program string, made bool, firewall func(context.Context) (Firewall, error)) Step {
	var (
		wall   Firewall
		before []int
	)
	return Step{
		Name: "withdraw-firewall", Says: "Take the rule out of the firewall",
		Done: func(ctx context.Context) (done bool, err error) {
			if wall, err = firewall(ctx); err == nil && wall != nil {
				before, err = wall.Ports(ctx, name)
			}
			if err != nil && !made && ctx.Err() == nil {
				return true, nil
			}
			return err == nil && len(before) == 0, err
		},
		Do: func(ctx context.Context) error {
			return wall.Withdraw(ctx, Rule{Name: name, Port: before[0], Program: program})
		},
		Undo: func(ctx context.Context) error {
			var left []error
			for _, port := range before {
				left = append(left, wall.Allow(ctx, Rule{Name: name, Port: port, Program: program}))
			}
			return errors.Join(left...)
		},
	}
}

// browsersCome reports whether anybody is to reach PORT from elsewhere. A web
// server in front is reached in its place.
func browsersCome(c config.Config) bool {
	return (c.Tenant.Kerberos || c.Tenant.ClientCertificates) && c.SignIn.Port != 0 && !c.SignIn.KerberosFrontend
}

// ruleName is what all firewalls take, and no program mistakes for a flag.
var ruleName = regexp.MustCompile(`^[A-Za-z0-9](?:[A-Za-z0-9_ -]{0,61}[A-Za-z0-9])?$`)

func checkRuleName(name string) error {
	if !ruleName.MatchString(name) || strings.Contains(name, "  ") {
		return fmt.Errorf("%q is no name for a rule of a firewall", name)
	}
	return nil
}

// check keeps what a firewall's program could take for something else away
// from it.
func (r Rule) check() error {
	if err := checkRuleName(r.Name); err != nil {
		return err
	}
	if r.Port < 1 || r.Port > 65535 {
		return fmt.Errorf("%d is no TCP port", r.Port)
	}
	return nil
}

func (r Rule) port() string { return strconv.Itoa(r.Port) }

// A FirewallError is what a firewall's program answered.
type FirewallError struct {
	Doing    string // "let others reach TCP port 4000"
	Firewall string
	Err      error

	hint string
}

func (e *FirewallError) Error() string { return e.Doing + " by " + e.Firewall + ": " + e.Err.Error() }

func (e *FirewallError) Unwrap() error { return e.Err }

// Hint says what to do.
func (e *FirewallError) Hint() string { return e.hint }

// portsOf reads ports as firewalls list them, "4000/tcp 5000-5010/tcp", for
// whether port is among them.
func portsOf(list []string, port int) bool {
	return slices.ContainsFunc(list, func(p string) bool {
		span, ok := strings.CutSuffix(p, "/tcp")
		if !ok {
			return false
		}
		first, last, _ := strings.Cut(span, "-")
		if last == "" {
			last = first
		}
		from, errFrom := strconv.ParseUint(first, 10, 16)
		to, errTo := strconv.ParseUint(last, 10, 16)
		return errFrom == nil && errTo == nil && from <= uint64(port) && uint64(port) <= to
	})
}

// numbers are the single ports of such a list.
func numbers(list []string) (ports []int) {
	for _, p := range list {
		if span, ok := strings.CutSuffix(p, "/tcp"); ok {
			if n, err := strconv.ParseUint(span, 10, 16); err == nil && n > 0 {
				ports = append(ports, int(n))
			}
		}
	}
	return ports
}

// only reports whether no port is there but this one.
func only(ports []int, port int) bool {
	return !slices.ContainsFunc(ports, func(p int) bool { return p != port })
}
