package doctor

import (
	"context"

	"github.com/shirou/gopsutil/v3/host"
)

// cgroups: macOS has no such limits.
func cgroups() cgroupLimit { return cgroupLimit{} }

// quotaOf: what is free says all that is known.
func quotaOf(*Disk) {}

func thisSystem(ctx context.Context) (System, error) {
	_, _, version, err := host.PlatformInformationWithContext(ctx)
	return System{Name: "macOS " + version, ID: "macos", Version: version}, err
}

func thisManager(ctx context.Context) (Manager, error) {
	return Manager{Name: firstProcess(ctx)}, nil
}

func thisTimeService(ctx context.Context) (TimeService, error) {
	found, err := running(ctx, []string{"timed", "ntpd", "chronyd"})
	return TimeService{Running: found, Start: [][]string{{"systemsetup", "-setusingnetworktime", "on"}}}, err
}
