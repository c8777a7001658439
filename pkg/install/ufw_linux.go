package install

import (
	"context"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// ufw knows our rule by its comment, which is the rule's name.
type ufw struct{ run runner }

func (ufw) Name() string { return "ufw" }

// A ufwRule lets everybody reach a port.
type ufwRule struct {
	limited bool   // to some connections in half a minute
	port    string // "4000/tcp", or "4000" for all protocols
	comment string
}

// ufwLine is a rule as "ufw show added" prints it, in the shortest form that it
// has. Rules for some addresses alone, or for several ports, have another.
var ufwLine = regexp.MustCompile(`^ufw (allow|limit) ([0-9]{1,5}(?:/tcp)?)(?: comment '([^']*)')?$`)

// parseUFW reads what "ufw show added" prints.
func parseUFW(text string) (rules []ufwRule) {
	for line := range strings.Lines(text) {
		if m := ufwLine.FindStringSubmatch(strings.TrimSpace(line)); m != nil {
			rules = append(rules, ufwRule{limited: m[1] == "limit", port: m[2], comment: m[3]})
		}
	}
	return rules
}

func (f ufw) rules(ctx context.Context) ([]ufwRule, error) {
	out, err := f.run(ctx, "show", "added")
	return parseUFW(out), err
}

// ports are those of the rules that are ours.
func (ufw) ports(rules []ufwRule, name string) []int {
	var list []string
	for _, rule := range rules {
		if rule.comment == name && !rule.limited {
			list = append(list, rule.port)
		}
	}
	return numbers(list)
}

// allows reports whether everybody may reach the port.
func allows(rules []ufwRule, r Rule) bool {
	return slices.ContainsFunc(rules, func(rule ufwRule) bool {
		return strings.TrimSuffix(rule.port, "/tcp") == r.port()
	})
}

func (f ufw) Allowed(ctx context.Context, r Rule) (bool, error) {
	if err := r.check(); err != nil {
		return false, err
	}
	rules, err := f.rules(ctx)
	if err != nil {
		return false, refused("look for the rule for TCP port "+r.port(), f.Name(), err)
	}
	return allows(rules, r) && only(f.ports(rules, r.Name), r.Port), nil
}

func (f ufw) Allow(ctx context.Context, r Rule) error {
	if err := r.check(); err != nil {
		return err
	}
	return refused("let others reach TCP port "+r.port(), f.Name(), f.allow(ctx, r))
}

func (f ufw) allow(ctx context.Context, r Rule) error {
	rules, err := f.rules(ctx)
	if err != nil {
		return err
	}
	for _, port := range f.ports(rules, r.Name) {
		if port != r.Port {
			if err := f.remove(ctx, r.Name, port); err != nil {
				return err
			}
		}
	}
	if allows(rules, r) {
		return nil // ufw would take another's rule for ours, and give it our comment
	}
	_, err = f.run(ctx, "allow", "proto", "tcp", "from", "any", "to", "any", "port", r.port(), "comment", r.Name)
	return err
}

func (f ufw) remove(ctx context.Context, name string, port int) error {
	_, err := f.run(ctx, "delete", "allow", "proto", "tcp", "from", "any", "to", "any", "port", strconv.Itoa(port), "comment", name)
	return err
}

func (f ufw) Withdraw(ctx context.Context, r Rule) error {
	if err := checkRuleName(r.Name); err != nil {
		return err
	}
	rules, err := f.rules(ctx)
	for _, port := range f.ports(rules, r.Name) {
		if err == nil {
			err = f.remove(ctx, r.Name, port)
		}
	}
	return refused("take back the rule "+r.Name, f.Name(), err)
}

func (f ufw) Ports(ctx context.Context, name string) ([]int, error) {
	rules, err := f.rules(ctx)
	return f.ports(rules, name), refused("look for the rule "+name, f.Name(), err)
}
