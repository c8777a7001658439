package doctor

import (
	"math"
	"strings"
	"testing"
	"testing/fstest"
)

// tree is a file system of these files.
func tree(files map[string]string) fstest.MapFS {
	all := fstest.MapFS{}
	for name, text := range files {
		all[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return all
}

const (
	mountV2     = "24 20 0:22 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
	mountMemory = "30 20 0:26 / /sys/fs/cgroup/memory rw,nosuid - cgroup cgroup rw,memory\n"
	mountCPU    = "31 20 0:27 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid - cgroup cgroup rw,cpu,cpuacct\n"
)

func TestCgroups(t *testing.T) {
	for _, tt := range []struct {
		name  string
		files map[string]string
		want  cgroupLimit
	}{
		{"no Linux", nil, cgroupLimit{}},
		{
			"version 2, without limits", map[string]string{
				"proc/self/cgroup": "0::/user.slice\n", "proc/self/mountinfo": mountV2,
				"sys/fs/cgroup/user.slice/memory.max": "max\n", "sys/fs/cgroup/user.slice/cpu.max": "max 100000\n",
			},
			cgroupLimit{},
		},
		{
			"version 2, the service's", map[string]string{
				"proc/self/cgroup": "0::/system.slice/connector.service\n", "proc/self/mountinfo": "1 0 8:1 / / rw - ext4 /dev/sda rw\n" + mountV2,
				"sys/fs/cgroup/system.slice/connector.service/memory.max": "536870912\n", "sys/fs/cgroup/system.slice/connector.service/cpu.max": "150000 100000\n",
				"sys/fs/cgroup/system.slice/memory.max": "max\n",
			},
			cgroupLimit{536870912, "/sys/fs/cgroup/system.slice/connector.service/memory.max", 1.5, "/sys/fs/cgroup/system.slice/connector.service/cpu.max"},
		},
		{
			"version 2, a tighter one above", map[string]string{
				"proc/self/cgroup": "0::/a/b\n", "proc/self/mountinfo": mountV2,
				"sys/fs/cgroup/a/b/memory.max": "2000\n", "sys/fs/cgroup/a/memory.max": "1000\n", "sys/fs/cgroup/a/cpu.max": "50000 100000\n", "sys/fs/cgroup/a/b/cpu.max": "200000 100000",
			},
			cgroupLimit{1000, "/sys/fs/cgroup/a/memory.max", 0.5, "/sys/fs/cgroup/a/cpu.max"},
		},
		{
			"version 2, in a container", map[string]string{
				"proc/self/cgroup": "0::/\n", "proc/self/mountinfo": mountV2, "sys/fs/cgroup/memory.max": "1073741824\n",
			},
			cgroupLimit{memory: 1 << 30, memoryBy: "/sys/fs/cgroup/memory.max"},
		},
		{
			"version 2, entered from outside", map[string]string{
				"proc/self/cgroup": "0::/../../other\n", "proc/self/mountinfo": mountV2, "sys/fs/cgroup/memory.max": "1073741824\n",
			},
			cgroupLimit{memory: 1 << 30, memoryBy: "/sys/fs/cgroup/memory.max"},
		},
		{
			"version 1", map[string]string{
				"proc/self/cgroup": "9:name=systemd:/\n4:memory:/docker/abc\n2:cpu,cpuacct:/docker/abc\n0::/\n", "proc/self/mountinfo": mountMemory + mountCPU,
				"sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes": "805306368\n", "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
				"sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_quota_us": "100000\n", "sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_period_us": "100000\n",
				"sys/fs/cgroup/cpu,cpuacct/docker/cpu.cfs_quota_us": "-1\n", "sys/fs/cgroup/cpu,cpuacct/docker/cpu.cfs_period_us": "100000\n",
			},
			cgroupLimit{805306368, "/sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes", 1, "/sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_quota_us"},
		},
		{
			"version 1, mounted from the container's group", map[string]string{
				"proc/self/cgroup":                           "4:memory:/docker/abc\n",
				"proc/self/mountinfo":                        "30 20 0:26 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n",
				"sys/fs/cgroup/memory/memory.limit_in_bytes": "805306368\n",
			},
			cgroupLimit{memory: 805306368, memoryBy: "/sys/fs/cgroup/memory/memory.limit_in_bytes"},
		},
		{
			"nonsense", map[string]string{
				"proc/self/cgroup": "0\n::\n0::/a\n", "proc/self/mountinfo": "\n - \n1 2 3 4 - cgroup2 a b\n" + mountV2,
				"sys/fs/cgroup/a/memory.max": "much\n", "sys/fs/cgroup/a/cpu.max": "1\n", "sys/fs/cgroup/memory.max": "-5\n", "sys/fs/cgroup/cpu.max": "5 0\n",
			},
			cgroupLimit{},
		},
	} {
		if got := readCgroups(tree(tt.files)); got != tt.want {
			t.Errorf("%s: %+v, want %+v", tt.name, got, tt.want)
		}
	}
}

func FuzzCgroups(f *testing.F) {
	f.Add("0::/a/b\n", mountV2+mountMemory, "1000\n", "5 10\n")
	f.Add("4:memory,cpu:/../x\n", mountMemory+mountCPU, "max", "-1")
	f.Fuzz(func(t *testing.T, own, mounts, memory, cpu string) {
		files := map[string]string{"proc/self/cgroup": own, "proc/self/mountinfo": mounts}
		for _, dir := range []string{"sys/fs/cgroup/", "sys/fs/cgroup/a/", "sys/fs/cgroup/memory/", "sys/fs/cgroup/cpu,cpuacct/"} {
			for _, name := range []string{"memory.max", "memory.limit_in_bytes"} {
				files[dir+name] = memory
			}
			for _, name := range []string{"cpu.max", "cpu.cfs_quota_us", "cpu.cfs_period_us"} {
				files[dir+name] = cpu
			}
		}
		l := readCgroups(tree(files))
		if (l.memory > 0) != (l.memoryBy != "") || (l.cores > 0) != (l.coresBy != "") || l.cores < 0 || math.IsInf(l.cores, 0) || math.IsNaN(l.cores) {
			t.Errorf("%+v", l)
		}
	})
}

func TestOSRelease(t *testing.T) {
	s := parseOSRelease([]byte("# a comment\nPRETTY_NAME=\"Some \\\"Linux\\\" 4\"\nID='some'\nVERSION_ID=4.2\nSUPPORT_END=2027-05-13\nbroken\n=x\n"))
	if s.Name != `Some "Linux" 4` || s.ID != "some" || s.Version != "4.2" || s.Ends.Format("2006-01-02") != "2027-05-13" {
		t.Errorf("%+v", s)
	}
	if s := parseOSRelease(nil); s.Name != "Linux" || s.ID != "linux" || s.Version != "" || !s.Ends.IsZero() {
		t.Errorf("%+v", s)
	}
}

func FuzzOSRelease(f *testing.F) {
	f.Add("ID=debian\nVERSION_ID=\"12\"\n")
	f.Add("ID=\"\\\n\"'\nSUPPORT_END=never")
	f.Fuzz(func(t *testing.T, text string) {
		s := parseOSRelease([]byte(text))
		if s.Name == "" || s.ID == "" || strings.ContainsAny(s.Name+s.ID+s.Version, "\n") {
			t.Errorf("%+v", s)
		}
		supportEnds(s) // it must not stumble
	})
}
