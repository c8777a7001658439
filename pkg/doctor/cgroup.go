package doctor

import (
	"bytes"
	"io/fs"
	"math"
	"path"
	"strconv"
	"strings"
)

// A cgroupLimit is what a container or service may use at most.
type cgroupLimit struct {
	memory   uint64  // octets; 0: no limit
	memoryBy string  // the file that says so
	cores    float64 // cores' time; 0: no limit
	coresBy  string
}

// readCgroups finds the limits of this process in the control groups of Linux,
// of version 1 and 2. Root is the machine's file system. A limit holds for all
// that is below it, so the smallest from the process's group upwards counts.
func readCgroups(root fs.FS) cgroupLimit {
	var l cgroupLimit
	for _, g := range cgroupDirs(root) {
		for dir := g.dir; ; dir = path.Dir(dir) {
			l.look(root, g, dir)
			if dir == g.top || len(dir) <= len(g.top) {
				break
			}
		}
	}
	return l
}

// A cgroupDir is the group of this process in one hierarchy.
type cgroupDir struct {
	v2       bool
	dir, top string // its folder, and that of the hierarchy; without a leading slash
}

// cgroupDirs finds the hierarchies that limit memory or processors.
func cgroupDirs(root fs.FS) (dirs []cgroupDir) {
	groups := map[string]string{} // by controller; "" is version 2
	own, _ := fs.ReadFile(root, "proc/self/cgroup")
	for line := range strings.Lines(string(own)) {
		f := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(f) != 3 {
			continue
		}
		for controller := range strings.SplitSeq(f[1], ",") {
			groups[controller] = f[2]
		}
	}
	mounts, _ := fs.ReadFile(root, "proc/self/mountinfo")
	for line := range strings.Lines(string(mounts)) {
		before, after, ok := strings.Cut(strings.TrimSpace(line), " - ")
		f, g := strings.Fields(before), strings.Fields(after)
		if !ok || len(f) < 5 || len(g) < 3 {
			continue
		}
		controllers := []string{""}
		switch g[0] {
		case "cgroup2":
		case "cgroup":
			controllers = strings.Split(g[2], ",")
		default:
			continue
		}
		for _, c := range controllers {
			if group, ok := groups[c]; ok && (c == "" || c == "memory" || c == "cpu") {
				top := strings.TrimPrefix(path.Clean("/"+f[4]), "/")
				dirs = append(dirs, cgroupDir{c == "", path.Join(top, below(group, f[3])), top})
			}
		}
	}
	return dirs
}

// below is a group's path from where its hierarchy is mounted. A container sees
// its own group as the top, whatever the path says that it is outside.
func below(group, mounted string) string {
	rest, ok := strings.CutPrefix(group, strings.TrimSuffix(mounted, "/"))
	if !ok || strings.Contains(rest, "..") || rest != "" && rest[0] != '/' {
		return ""
	}
	return rest
}

// look takes up the limits that one group sets.
func (l *cgroupLimit) look(root fs.FS, g cgroupDir, dir string) {
	memory := path.Join(dir, "memory.limit_in_bytes")
	if g.v2 {
		memory = path.Join(dir, "memory.max")
	}
	// Version 1 writes "no limit" as the largest number of whole pages.
	if n, ok := limitIn(root, memory); ok && n < math.MaxInt64-1<<20 && (l.memory == 0 || n < l.memory) {
		l.memory, l.memoryBy = n, "/"+memory
	}
	quota, period, file := uint64(0), uint64(0), path.Join(dir, "cpu.max")
	if g.v2 {
		data, _ := fs.ReadFile(root, file)
		if f := strings.Fields(string(data)); len(f) == 2 {
			quota, _ = strconv.ParseUint(f[0], 10, 63) // "max" is no limit
			period, _ = strconv.ParseUint(f[1], 10, 63)
		}
	} else {
		file = path.Join(dir, "cpu.cfs_quota_us") // -1 is no limit
		quota, _ = limitIn(root, file)
		period, _ = limitIn(root, path.Join(dir, "cpu.cfs_period_us"))
	}
	if quota == 0 || period == 0 {
		return
	}
	if cores := float64(quota) / float64(period); l.cores == 0 || cores < l.cores {
		l.cores, l.coresBy = cores, "/"+file
	}
}

func limitIn(root fs.FS, name string) (uint64, bool) {
	data, err := fs.ReadFile(root, name)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseUint(string(bytes.TrimSpace(data)), 10, 63)
	return n, err == nil
}
