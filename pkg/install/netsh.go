package install

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// netshMark is in the description of the rules that we made, by which they are
// known: names are not unique there.
const netshMark = "Sign-in of the AD LDAP Connector"

// netsh is the firewall of Windows. Rules are made by netsh, and read from the
// registry: what netsh prints is in the system's language. Our rule is for
// networks of the domain and for those that somebody has called private.
type netsh struct {
	run   runner                   // netsh.exe
	rules func() ([]string, error) // the values of ...\FirewallPolicy\FirewallRules
}

func (netsh) Name() string { return "the Windows firewall" }

// A windowsRule is a rule as the registry has it ([MS-FASP], section 2.2.37.1;
// [MS-GPFAS], section 2.2.2): "v2.30|Action=Allow|Dir=In|...|".
type windowsRule struct {
	name, description, program string
	ports                      []string // "4000", "5000-5010", "RPC"
	profiles                   []string // none: all
	allow, active, in, tcp     bool
	narrow                     bool // for some addresses, interfaces or users alone
}

// parseWindowsRule reads one value. What it does not know makes a rule narrow.
func parseWindowsRule(text string) (r windowsRule, ok bool) {
	parts := strings.Split(text, "|")
	if !strings.HasPrefix(parts[0], "v") {
		return r, false
	}
	for _, part := range parts[1:] {
		key, value, _ := strings.Cut(part, "=")
		switch key {
		case "":
		case "Action":
			r.allow = value == "Allow"
		case "Active":
			r.active = strings.EqualFold(value, "TRUE")
		case "Dir":
			r.in = value == "In"
		case "Protocol":
			r.tcp = value == "6"
		case "Profile":
			r.profiles = append(r.profiles, value)
		case "LPort":
			r.ports = append(r.ports, value)
		case "LPort2_10", "LPort2_20", "LPort2_24":
			r.ports = append(r.ports, value)
		case "App":
			r.program = value
		case "Name":
			r.name = value
		case "Desc":
			r.description = value
		case "EmbedCtxt", "Edge", "Defer":
		default:
			r.narrow = true
		}
	}
	return r, true
}

// ours reports whether we made it under this name.
func (r windowsRule) ours(name string) bool {
	return strings.EqualFold(r.name, name) && r.description == netshMark && r.in && r.tcp
}

// says reports whether it lets others reach what want says, where want says it.
func (r windowsRule) says(want Rule) bool {
	list := make([]string, len(r.ports))
	for i, p := range r.ports {
		list[i] = p + "/tcp"
	}
	return r.allow && r.active && r.in && r.tcp && !r.narrow && portsOf(list, want.Port) &&
		(r.program == "" || strings.EqualFold(r.program, want.Program)) &&
		(len(r.profiles) == 0 || slices.Contains(r.profiles, "Domain") && slices.Contains(r.profiles, "Private"))
}

func (f netsh) all() (rules []windowsRule, err error) {
	values, err := f.rules()
	for _, value := range values {
		if r, ok := parseWindowsRule(value); ok {
			rules = append(rules, r)
		}
	}
	return rules, err
}

// checked is Rule.check for what becomes words of netsh. It replaces variables
// of the environment in a program's path, and knows no quoting.
func (f netsh) checked(r Rule) error {
	if err := r.check(); err != nil {
		return err
	}
	if r.Program == "" || strings.ContainsFunc(r.Program, func(c rune) bool { return c < ' ' || strings.ContainsRune(`"%|<>*?`, c) }) {
		return fmt.Errorf("%q is no program that a rule can be for", r.Program)
	}
	return nil
}

func (f netsh) Allowed(_ context.Context, r Rule) (bool, error) {
	if err := f.checked(r); err != nil {
		return false, err
	}
	rules, err := f.all()
	if err != nil {
		return false, refused("look for the rule for TCP port "+r.port(), f.Name(), err)
	}
	allowed := false
	for _, rule := range rules {
		if rule.ours(r.Name) && !rule.says(r) {
			return false, nil
		}
		allowed = allowed || rule.says(r)
	}
	return allowed, nil
}

func (f netsh) Allow(ctx context.Context, r Rule) error {
	if err := f.checked(r); err != nil {
		return err
	}
	doing := "let others reach TCP port " + r.port()
	rules, err := f.all()
	if err != nil {
		return refused(doing, f.Name(), err)
	}
	there := false
	for _, rule := range rules {
		switch {
		case rule.says(r):
			there = true
		case rule.ours(r.Name):
			err = errors.Join(err, f.remove(ctx, rule))
		}
	}
	if there || err != nil {
		return refused(doing, f.Name(), err)
	}
	_, err = f.run(ctx, "advfirewall", "firewall", "add", "rule", "name="+r.Name, "description="+netshMark, "dir=in", "action=allow",
		"protocol=TCP", "localport="+r.port(), "program="+r.Program, "profile=domain,private", "enable=yes")
	return refused(doing, f.Name(), err)
}

// remove deletes the rules that have all of this one's words.
func (f netsh) remove(ctx context.Context, rule windowsRule) error {
	_, err := f.run(ctx, "advfirewall", "firewall", "delete", "rule", "name="+rule.name, "dir=in",
		"protocol=TCP", "localport="+strings.Join(rule.ports, ","), "program="+rule.program)
	return err
}

func (f netsh) Withdraw(ctx context.Context, r Rule) error {
	if err := checkRuleName(r.Name); err != nil {
		return err
	}
	rules, err := f.all()
	for _, rule := range rules {
		if rule.ours(r.Name) {
			err = errors.Join(err, f.remove(ctx, rule))
		}
	}
	return refused("take back the rule "+r.Name, f.Name(), err)
}

func (f netsh) Ports(_ context.Context, name string) (ports []int, err error) {
	if err := checkRuleName(name); err != nil {
		return nil, err
	}
	rules, err := f.all()
	for _, rule := range rules {
		if !rule.ours(name) {
			continue
		}
		for _, p := range rule.ports {
			if n, err := strconv.ParseUint(p, 10, 16); err == nil {
				ports = append(ports, int(n))
			}
		}
	}
	return ports, refused("look for the rule "+name, f.Name(), err)
}
