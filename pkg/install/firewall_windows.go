package install

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"
)

// Where the firewall of Windows keeps what it was told, and what a group policy
// tells it.
const (
	wallPolicy  = `SYSTEM\CurrentControlSet\Services\SharedAccess\Parameters\FirewallPolicy`
	groupPolicy = `SOFTWARE\Policies\Microsoft\WindowsFirewall`
)

// mostRules is more than any machine has.
const mostRules = 50_000

func systemFirewall(context.Context) (Firewall, error) {
	if !wallOn(`DomainProfile`) && !wallOn(`StandardProfile`) {
		return nil, nil
	}
	system, err := windows.GetSystemDirectory()
	if err != nil {
		return nil, refused("look for a firewall", "Windows", err)
	}
	return netsh{run: runTool(filepath.Join(system, "netsh.exe")), rules: registryRules}, nil
}

// wallOn reports whether the firewall filters in networks of this profile. What
// a group policy says comes first; the domain's is called the same in both.
func wallOn(profile string) bool {
	for _, place := range []string{groupPolicy, wallPolicy} {
		k, err := registry.OpenKey(registry.LOCAL_MACHINE, place+`\`+profile, registry.QUERY_VALUE)
		if err != nil {
			continue
		}
		on, _, err := k.GetIntegerValue("EnableFirewall")
		_ = k.Close() // it was only read
		if err == nil {
			return on != 0
		}
	}
	return false
}

// registryRules are the rules that this machine itself was given.
func registryRules() ([]string, error) {
	k, err := registry.OpenKey(registry.LOCAL_MACHINE, wallPolicy+`\FirewallRules`, registry.QUERY_VALUE)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = k.Close() }() // it was only read
	names, err := k.ReadValueNames(mostRules)
	if err != nil && len(names) == 0 {
		return nil, nil // io.EOF: there is none
	}
	var rules []string
	for _, name := range names {
		if value, _, err := k.GetStringValue(name); err == nil { // other types are nobody's rules
			rules = append(rules, value)
		}
	}
	return rules, nil
}

func bareFilter(context.Context) string { return "" }
