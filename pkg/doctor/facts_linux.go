package doctor

import (
	"context"
	"io/fs"
	"os"
	"strings"

	"github.com/shirou/gopsutil/v3/host"
	"golang.org/x/sys/unix"
)

func cgroups() cgroupLimit { return readCgroups(os.DirFS("/")) }

func thisSystem(ctx context.Context) (System, error) {
	kernel, err := host.KernelVersionWithContext(ctx)
	if err != nil {
		return System{}, err
	}
	data, err := os.ReadFile("/etc/os-release")
	if err != nil {
		data, _ = os.ReadFile("/usr/lib/os-release") // a Linux without either is one that says nothing of itself
	}
	s := parseOSRelease(data)
	s.Kernel = kernel
	return s, nil
}

func thisManager(ctx context.Context) (Manager, error) {
	m := Manager{Container: container(os.DirFS("/"), os.LookupEnv)}
	if i, err := os.Stat("/run/systemd/system"); err == nil && i.IsDir() { // as sd_booted(3) asks
		m.Name = "systemd"
		return m, nil
	}
	m.Name = firstProcess(ctx)
	return m, nil
}

// container says what kind of container this is, or "".
func container(root fs.FS, env func(string) (string, bool)) string {
	for file, kind := range map[string]string{".dockerenv": "Docker", "run/.containerenv": "Podman"} {
		if _, err := fs.Stat(root, file); err == nil {
			return kind
		}
	}
	if data, err := fs.ReadFile(root, "run/systemd/container"); err == nil && len(data) > 0 {
		return strings.TrimSpace(string(data))
	}
	data, _ := fs.ReadFile(root, "proc/1/environ") // its owner alone may read it
	for entry := range strings.SplitSeq(string(data), "\x00") {
		if kind, ok := strings.CutPrefix(entry, "container="); ok && kind != "" {
			return kind
		}
	}
	if _, ok := env("KUBERNETES_SERVICE_HOST"); ok {
		return "Kubernetes"
	}
	return ""
}

// timePrograms are those that set clocks; timeUnits are the services that run
// them, the preferred first.
var (
	timePrograms = []string{"systemd-timesyncd", "chronyd", "ntpd", "ntpsec", "openntpd", "ptp4l", "phc2sys"}
	timeUnits    = []string{"chrony", "chronyd", "systemd-timesyncd", "ntpsec", "ntp", "ntpd", "openntpd"}
)

func thisTimeService(ctx context.Context) (TimeService, error) {
	found, err := running(ctx, timePrograms)
	if err != nil {
		return TimeService{}, err
	}
	s := TimeService{Running: found, Container: container(os.DirFS("/"), os.LookupEnv)}
	var state unix.Timex // without a mode it is only read
	if _, err := unix.Adjtimex(&state); err == nil {
		synchronised := state.Status&unix.STA_UNSYNC == 0
		s.Synchronised = &synchronised
	}
	if i, err := os.Stat("/run/systemd/system"); err == nil && i.IsDir() {
		s.Start = startUnit(os.DirFS("/"))
	}
	return s, nil
}

// startUnit returns the command that starts a time service that is installed.
func startUnit(root fs.FS) [][]string {
	for _, unit := range timeUnits {
		for _, dir := range []string{"etc/systemd/system", "usr/lib/systemd/system", "lib/systemd/system"} {
			if i, err := fs.Stat(root, dir+"/"+unit+".service"); err == nil && i.Mode().IsRegular() {
				return [][]string{{"systemctl", "enable", "--now", unit + ".service"}}
			}
		}
	}
	return nil
}
