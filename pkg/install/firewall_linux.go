package install

import (
	"context"
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
		if out, err := runTool(program)(ctx, "list", "chains"); err == nil && strings.Contains(out, "hook input") {
			return "nftables"
		}
	}
	if names, err := os.ReadFile("/proc/net/ip_tables_names"); err == nil && strings.Contains(string(names), "filter") {
		return "iptables"
	}
	return ""
}
