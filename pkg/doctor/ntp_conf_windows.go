package doctor

import (
	"context"
	"strings"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"
)

// errRefused is what a host says that has nobody on a port.
const errRefused = windows.WSAECONNRESET

// configuredServers returns the time servers that this machine asks. A member
// of a domain asks its domain controllers (Type NT5DS), which stand nowhere.
func configuredServers(context.Context) ([]TimeServer, error) {
	const key = `SYSTEM\CurrentControlSet\Services\W32Time\Parameters`
	k, err := registry.OpenKey(registry.LOCAL_MACHINE, key, registry.QUERY_VALUE)
	if err != nil {
		return nil, nil //nolint:nilerr // a machine without the service is configured with none
	}
	defer func() { _ = k.Close() }() // it was only read
	kind, _, _ := k.GetStringValue("Type")
	if !strings.EqualFold(kind, "NTP") && !strings.EqualFold(kind, "AllSync") {
		return nil, nil
	}
	value, _, _ := k.GetStringValue("NtpServer")
	return servers("the Windows time service", false, parseW32Time(value)), nil
}
