package doctor

import (
	"context"
	"errors"
	"strings"

	"github.com/shirou/gopsutil/v3/host"
	"golang.org/x/sys/windows"
)

// errTaken is what listening on a taken port ends with.
const errTaken = windows.WSAEADDRINUSE

// cgroups: the limit of a Windows container shows as the machine's memory.
func cgroups() cgroupLimit { return cgroupLimit{} }

// readOnlyVolume is FILE_READ_ONLY_VOLUME of GetVolumeInformation.
const readOnlyVolume = 0x00080000

func diskOf(_ context.Context, dir string) (Disk, error) {
	path, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return Disk{}, err
	}
	d := Disk{Path: dir}
	if err := windows.GetDiskFreeSpaceEx(path, &d.Free, &d.Total, nil); err != nil { // what is free for this user, quotas and all
		return Disk{}, err
	}
	volume, kind := make([]uint16, windows.MAX_PATH+1), make([]uint16, windows.MAX_PATH+1)
	var flags uint32
	if windows.GetVolumePathName(path, &volume[0], uint32(len(volume))) == nil &&
		windows.GetVolumeInformation(&volume[0], nil, 0, nil, nil, &flags, &kind[0], uint32(len(kind))) == nil {
		d.Type, d.ReadOnly = windows.UTF16ToString(kind), flags&readOnlyVolume != 0
	}
	return d, nil
}

func thisSystem(ctx context.Context) (System, error) {
	name, kind, version, err := host.PlatformInformationWithContext(ctx)
	if version == "" {
		return System{}, errors.Join(errors.New("the system does not tell"), err)
	}
	version, _, _ = strings.Cut(version, " ") // "10.0.17763.1 Build 17763.1"
	return System{Name: name, ID: "windows", Version: version, Server: strings.HasPrefix(kind, "Server")}, nil
}

func thisManager(context.Context) (Manager, error) {
	h, err := windows.OpenSCManager(nil, nil, windows.SC_MANAGER_CONNECT)
	if err != nil {
		return Manager{}, err
	}
	return Manager{Name: "the Service Control Manager"}, windows.CloseServiceHandle(h)
}

func thisTimeService(ctx context.Context) (TimeService, error) {
	found, err := running(ctx, []string{"ntpd.exe", "chronyd.exe"})
	if err != nil {
		return TimeService{}, err
	}
	s := TimeService{Running: found}
	manager, err := windows.OpenSCManager(nil, nil, windows.SC_MANAGER_CONNECT)
	if err != nil {
		return s, err
	}
	defer func() { _ = windows.CloseServiceHandle(manager) }() // it was only asked
	name, err := windows.UTF16PtrFromString("W32Time")
	if err != nil {
		return s, err
	}
	service, err := windows.OpenService(manager, name, windows.SERVICE_QUERY_STATUS)
	if errors.Is(err, windows.ERROR_SERVICE_DOES_NOT_EXIST) {
		return s, nil
	}
	if err != nil {
		return s, err
	}
	defer func() { _ = windows.CloseServiceHandle(service) }() // it was only asked
	s.Start = [][]string{{"sc.exe", "config", "w32time", "start=", "auto"}, {"net", "start", "w32time"}}
	var status windows.SERVICE_STATUS
	if err := windows.QueryServiceStatus(service, &status); err != nil {
		return s, err
	}
	if status.CurrentState == windows.SERVICE_RUNNING || status.CurrentState == windows.SERVICE_START_PENDING {
		s.Running = append(s.Running, "w32time")
	}
	return s, nil
}
