package install

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// firewalldMark is in the description of the services that we made, by which
// they are known.
const firewalldMark = "Sign-in of the AD LDAP Connector"

// What firewall-cmd ends with (firewall-cmd(1), "Exit Codes").
const (
	firewalldUnknownService = 101
	firewalldNotRunning     = 252
)

// firewalld knows our rule as a service of its own, for good, in the default
// zone. Services cannot be made known to a firewalld that runs without
// reloading it, which would drop what others added to it for the time being;
// until somebody does, a rich rule stands for ours.
type firewalld struct{ run runner }

func (firewalld) Name() string { return "firewalld" }

// A zone is what firewalld tells of one.
type zone struct{ services, ports, rich []string }

// parseZones reads what --list-all and --list-all-zones print.
func parseZones(text string) map[string]zone {
	zones := map[string]zone{}
	var name string
	inRich := false
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		key, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		switch z := zones[name]; {
		case line == "":
		case line[0] != ' ' && line[0] != '\t':
			name, _, _ = strings.Cut(line, " ") // "public (active)"
			inRich = false
			zones[name] = zone{}
		case inRich:
			z.rich = append(z.rich, strings.TrimSpace(line))
			zones[name] = z
		case key == "services":
			z.services = strings.Fields(value)
			zones[name] = z
		case key == "ports":
			z.ports = strings.Fields(value)
			zones[name] = z
		case key == "rich rules":
			inRich = true
		}
	}
	return zones
}

// richRule is the rule that stands for the service, as firewalld writes it.
func richRule(port string) string { return `rule port port="` + port + `" protocol="tcp" accept` }

// field is a line of what --info-service prints.
func field(text, name string) string {
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), name+":"); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// ports are those of our service; known says whether there is one. A service of
// that name that is not ours is an error.
func (f firewalld) ports(ctx context.Context, name string) (list []string, known bool, err error) {
	if err := checkRuleName(name); err != nil {
		return nil, false, err
	}
	out, err := f.run(ctx, "--permanent", "--verbose", "--info-service="+name)
	if status(err) == firewalldUnknownService {
		return nil, false, nil
	}
	if mark := field(out, "description"); err == nil && mark != firewalldMark && mark != "" { // "": half made
		err = errors.New("its service " + name + " is not the connector's")
	}
	return strings.Fields(field(out, "ports")), err == nil, err
}

// A firewalldState is all that counts for a rule.
type firewalldState struct {
	zone       string // the default one
	known      bool   // there is our service
	ports      []string
	live       []string // of the service, where the zone has it now
	stays, now zone
}

func (f firewalld) state(ctx context.Context, name string) (s firewalldState, err error) {
	if s.ports, s.known, err = f.ports(ctx, name); err != nil {
		return s, err
	}
	for _, side := range []struct {
		words []string
		zone  *zone
	}{{[]string{"--permanent", "--list-all"}, &s.stays}, {[]string{"--list-all"}, &s.now}} {
		zones, err := f.zones(ctx, side.words)
		if err != nil {
			return s, err
		}
		if len(zones) != 1 {
			return s, errors.New("it names no default zone")
		}
		for s.zone, *side.zone = range zones {
		}
	}
	if slices.Contains(s.now.services, name) {
		out, err := f.run(ctx, "--info-service="+name)
		if err != nil {
			return s, err
		}
		s.live = strings.Fields(field(out, "ports"))
	}
	return s, nil
}

// opens reports whether others may reach the port in this zone, where service
// has these ports.
func (z zone) opens(r Rule, service []string) bool {
	return portsOf(z.ports, r.Port) || slices.Contains(z.rich, richRule(r.port())) ||
		slices.Contains(z.services, r.Name) && portsOf(service, r.Port)
}

// clean reports whether our service lets nobody reach another port.
func (s firewalldState) clean(r Rule) bool {
	return only(numbers(s.ports), r.Port) && only(numbers(s.live), r.Port)
}

func (f firewalld) Allowed(ctx context.Context, r Rule) (bool, error) {
	if err := r.check(); err != nil {
		return false, err
	}
	s, err := f.state(ctx, r.Name)
	if err != nil {
		return false, refused("look for the rule for TCP port "+r.port(), f.Name(), err)
	}
	return s.clean(r) && s.stays.opens(r, s.ports) && s.now.opens(r, s.live), nil
}

func (f firewalld) Allow(ctx context.Context, r Rule) error {
	if err := r.check(); err != nil {
		return err
	}
	return refused("let others reach TCP port "+r.port(), f.Name(), f.allow(ctx, r))
}

func (f firewalld) allow(ctx context.Context, r Rule) error {
	s, err := f.state(ctx, r.Name)
	if err != nil {
		return err
	}
	if !s.clean(r) {
		if err := f.withdraw(ctx, Rule{Name: r.Name}); err != nil {
			return err
		}
		if s, err = f.state(ctx, r.Name); err != nil {
			return err
		}
	}
	var todo [][]string
	if !s.stays.opens(r, s.ports) {
		service := "--service=" + r.Name
		if !s.known {
			todo = append(todo, []string{"--permanent", "--new-service=" + r.Name})
		}
		todo = append(todo,
			[]string{"--permanent", service, "--set-description=" + firewalldMark},
			[]string{"--permanent", service, "--add-port=" + r.port() + "/tcp"},
			[]string{"--permanent", "--zone=" + s.zone, "--add-service=" + r.Name})
	}
	if !s.now.opens(r, s.live) {
		todo = append(todo, []string{"--zone=" + s.zone, "--add-rich-rule=" + richRule(r.port())})
	}
	for _, args := range todo {
		if _, err := f.run(ctx, args...); err != nil {
			return err
		}
	}
	return nil
}

func (f firewalld) Withdraw(ctx context.Context, r Rule) error {
	if err := checkRuleName(r.Name); err != nil {
		return err
	}
	return refused("take back the rule "+r.Name, f.Name(), f.withdraw(ctx, r))
}

// withdraw does first what holds now: it knows the ports by the service, until
// that is gone.
func (f firewalld) withdraw(ctx context.Context, r Rule) error {
	list, known, err := f.ports(ctx, r.Name)
	if err != nil {
		return err
	}
	ports := numbers(list)
	if r.Port > 0 && !slices.Contains(ports, r.Port) {
		ports = append(ports, r.Port) // where another's rule stays, there is no service
	}
	stays, err := f.zones(ctx, []string{"--permanent", "--list-all-zones"})
	if err != nil {
		return err
	}
	now, err := f.zones(ctx, []string{"--list-all-zones"})
	if err != nil {
		return err
	}
	var todo [][]string
	for name, z := range now {
		if slices.Contains(z.services, r.Name) {
			todo = append(todo, []string{"--zone=" + name, "--remove-service=" + r.Name})
		}
		for _, port := range ports {
			rich := richRule(Rule{Port: port}.port())
			if slices.Contains(z.rich, rich) && !slices.Contains(stays[name].rich, rich) { // else somebody made it to stay
				todo = append(todo, []string{"--zone=" + name, "--remove-rich-rule=" + rich})
			}
		}
	}
	for name, z := range stays {
		if slices.Contains(z.services, r.Name) {
			todo = append(todo, []string{"--permanent", "--zone=" + name, "--remove-service=" + r.Name})
		}
	}
	if known {
		todo = append(todo, []string{"--permanent", "--delete-service=" + r.Name})
	}
	for _, args := range todo {
		if _, err := f.run(ctx, args...); err != nil {
			return err
		}
	}
	if !known {
		return nil
	}
	// firewalld keeps a copy of what it deletes.
	err = os.Remove(filepath.Join("/etc/firewalld/services", r.Name+".xml.old"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func (f firewalld) zones(ctx context.Context, words []string) (map[string]zone, error) {
	out, err := f.run(ctx, words...)
	if err != nil {
		return nil, err
	}
	zones := parseZones(out)
	for name := range zones {
		if !ruleName.MatchString(name) {
			delete(zones, name)
		}
	}
	return zones, nil
}

func (f firewalld) Ports(ctx context.Context, name string) ([]int, error) {
	list, _, err := f.ports(ctx, name)
	return numbers(list), refused("look for the rule "+name, f.Name(), err)
}
