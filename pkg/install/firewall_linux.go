package install

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"strings"
)

// systemFirewall prefers firewalld: where both are installed, ufw is not used
// unless it was enabled, and whoever enabled both is warned by both.
func systemFirewall(ctx context.Context) (Firewall, error) {
	if program, err := exec.LookPath("firewall-cmd"); err == nil {
		run := runTool(program)
		switch _, err := run(ctx, "--state"); {
		case err == nil:
			return firewalld{run}, nil
		case status(err) != firewalldNotRunning:
			return nil, refused("look for a firewall", "firewalld", err)
		}
	}
	conf, err := os.ReadFile("/etc/ufw/ufw.conf")
	if program, missing := exec.LookPath("ufw"); err == nil && missing == nil && ufwEnabled(string(conf)) {
		return ufw{runTool(program)}, nil
	}
	return nil, nil
}

// ufwEnabled reads ufw.conf, as a shell would.
func ufwEnabled(conf string) (on bool) {
	for line := range strings.Lines(conf) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), "ENABLED="); ok {
			on = strings.EqualFold(strings.Trim(value, `"'`), "yes")
		}
	}
	return on
}

// bareFilter names what filters packets that come in, when it is neither of
// the firewalls above: "nftables", "iptables" or "".
func bareFilter(ctx context.Context) string {
	if program, err := exec.LookPath("nft"); err == nil {
		out, err := runTool(program)(ctx, "--json", "--terse", "list", "ruleset")
		if err == nil && nftFilters([]byte(out)) || errors.Is(err, errTooLong) {
			return "nftables"
		}
	}
	if names, err := os.ReadFile("/proc/net/ip_tables_names"); err == nil && strings.Contains(string(names), "filter") {
		return "iptables"
	}
	return ""
}

// nftFilters reads what nft lists (libnftables-json(5)), for whether packets
// that come in meet a rule, or are dropped without one. A chain that lets all
// through is what iptables leaves behind when it is asked for its rules.
func nftFilters(listing []byte) bool {
	type named struct{ Family, Table, Name, Chain, Hook, Policy string }
	var ruleset struct {
		Nftables []struct{ Chain, Rule *named }
	}
	if json.Unmarshal(listing, &ruleset) != nil {
		return false
	}
	entered := map[[3]string]bool{} // the chains that packets come to first
	for _, o := range ruleset.Nftables {
		if c := o.Chain; c != nil && c.Hook == "input" {
			if c.Policy == "drop" {
				return true
			}
			entered[[3]string{c.Family, c.Table, c.Name}] = true
		}
	}
	for _, o := range ruleset.Nftables {
		if r := o.Rule; r != nil && entered[[3]string{r.Family, r.Table, r.Chain}] {
			return true
		}
	}
	return false
}
