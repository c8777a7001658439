package lab

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// cgroupMounts is where the hierarchies lie in which systemd keeps its services,
// by how /proc/self/cgroup names them.
var cgroupMounts = map[string][]string{
	"name=systemd": {"/sys/fs/cgroup/systemd"},
	"":             {"/sys/fs/cgroup/unified", "/sys/fs/cgroup"},
}

// cgroups makes the control groups that this machine alone is in. By itself
// systemd-nspawn puts each machine into the group "payload" beside its own
// process: two machines at a time would be in one, and a service that one of
// them stops would take the group of its namesake in the other.
func (m *Machine) cgroups() (folders []string) {
	data, _ := os.ReadFile("/proc/self/cgroup") // without it there are none
	for line := range strings.Lines(string(data)) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3) // 9:name=systemd:/user.slice
		if len(fields) != 3 {
			continue
		}
		for _, mount := range cgroupMounts[fields[1]] {
			folder := filepath.Join(mount, fields[2])
			if _, err := os.Stat(filepath.Join(folder, "cgroup.procs")); err != nil {
				continue
			}
			if folder = filepath.Join(folder, m.name); os.MkdirAll(folder, 0o755) == nil { //nolint:gosec // as the kernel's
				folders = append(folders, folder)
			}
			break
		}
	}
	return folders
}

// leaveCgroups removes the control groups of a machine that has ended.
func (m *Machine) leaveCgroups() {
	for _, folder := range m.cgroups() {
		var all []string
		_ = filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				all = append(all, path)
			}
			return nil
		})
		for _, one := range slices.Backward(all) {
			_ = os.Remove(one) // what is left is empty, and weighs nothing
		}
	}
}
