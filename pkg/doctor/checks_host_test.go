package doctor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// fact returns a func of Host that tells v, or fails.
func fact[T any](v T, err error) func(context.Context) (T, error) {
	return func(context.Context) (T, error) { return v, err }
}

var errSilent = errors.New("WMI: cannot load field")

func TestMachineChecks(t *testing.T) {
	arch := func(machine, program string) Env {
		return Env{Host: Host{Arch: fact(Arch{machine, program}, nil)}}
	}
	cores := func(c Cores) Env { return Env{Host: Host{Cores: fact(c, nil)}} }
	memory := func(m Memory) Env { return Env{Host: Host{Memory: fact(m, nil)}} }
	const mib = 1 << 20
	try(t, []trial{
		{"64 bit", "host.arch", arch("x86_64", "amd64"), Passed, "x86-64 |"},
		{"32 bit", "host.arch", arch("i686", "386"), Passed, "x86 |"},
		{"32 on 64", "host.arch", arch("x86_64", "386"), Passed, "x86-64, running the program for x86"},
		{"arm64", "host.arch", arch("aarch64", "arm64"), Failed, "it works on arm64, outside the documented requirements"},
		{"emulated", "host.arch", arch("arm64", "amd64"), Failed, "arm64, running the program for x86-64"},
		{"another", "host.arch", arch("riscv64", "riscv64"), Failed, "riscv64"},
		{"silent", "host.arch", Env{Host: Host{Arch: fact(Arch{}, errSilent)}}, Skipped, "not known: WMI"},
		{"not asked", "host.arch", Env{}, Skipped, "not looked at"},

		{"two", "host.cores", cores(Cores{Machine: 2, Usable: 2}), Passed, "2 cores"},
		{"one", "host.cores", cores(Cores{Machine: 1, Usable: 1}), Failed, "one is enough to work; two are recommended"},
		{"may use one", "host.cores", cores(Cores{Machine: 8, Usable: 1}), Failed, "8 cores, of which this process may use 1"},
		{"a container", "host.cores", cores(Cores{Machine: 8, Usable: 8, Limit: 1.5, LimitBy: "/cpu.max"}), Failed, "the time of 1.5 cores"},
		{"half a core", "host.cores", cores(Cores{Machine: 8, Usable: 8, Limit: .5, LimitBy: "/cpu.max"}), Failed, "the machine has 8 cores; the limit is /cpu.max"},
		{"of many", "host.cores", cores(Cores{Machine: 256, Usable: 256, Limit: 127.25, LimitBy: "/cpu.max"}), Passed, "the time of 127.25 cores"},
		{"a wide limit", "host.cores", cores(Cores{Machine: 2, Usable: 2, Limit: 4, LimitBy: "/cpu.max"}), Passed, "2 cores"},
		{"silent", "host.cores", Env{Host: Host{Cores: fact(Cores{}, errSilent)}}, Skipped, "not known"},

		{"enough", "host.memory", memory(Memory{Machine: 4096 * mib}), Passed, "4.0 GiB"},
		{"sold as 2 GB", "host.memory", memory(Memory{Machine: 1878 * mib}), Passed, "1.8 GiB"},
		{"little", "host.memory", memory(Memory{Machine: 800 * mib}), Failed, "800 MiB | 2 GB"},
		{"a small container", "host.memory", memory(Memory{Machine: 64 << 30, Limit: 512 * mib, LimitBy: "/memory.max"}), Failed, "512 MiB, the limit of a container"},
		{"where the limit is", "host.memory", memory(Memory{Machine: 64 << 30, Limit: 512 * mib, LimitBy: "/memory.max"}), Failed, "the machine has 64.0 GiB; the limit is /memory.max"},
		{"a wide container", "host.memory", memory(Memory{Machine: 64 << 30, Limit: 2 << 30, LimitBy: "/memory.max"}), Passed, "2.0 GiB, the limit"},
		{"a limit above the machine", "host.memory", memory(Memory{Machine: 1 << 30, Limit: 8 << 30}), Failed, "1.0 GiB | 2 GB"},
		{"silent", "host.memory", Env{Host: Host{Memory: fact(Memory{}, errSilent)}}, Skipped, "not known"},
	})
}

func TestDiskCheck(t *testing.T) {
	n := func(n uint64) *uint64 { return &n }
	disk := func(change func(*Disk)) Env {
		d := Disk{Path: "/opt", Type: "ext4", Total: 100e9, Free: 80e9, Entries: n(1e6)}
		change(&d)
		return Env{Host: Host{Disk: fact(d, nil)}}
	}
	try(t, []trial{
		{"room", "host.disk", disk(func(*Disk) {}), Passed, "80.0 GB free at /opt"},
		{"just enough", "host.disk", disk(func(d *Disk) { d.Free = 500e6 }), Passed, "500 MB free"},
		{"full", "host.disk", disk(func(d *Disk) { d.Free = 499e6 }), Failed, "499 MB free at /opt | 500 MB | ext4, 100.0 GB in all"},
		{"none at all", "host.disk", disk(func(d *Disk) { d.Free = 0 }), Failed, "0.0 kB free"},
		{"read-only", "host.disk", disk(func(d *Disk) { d.ReadOnly = true }), Failed, "/opt is on a read-only file system"},
		{"no files left", "host.disk", disk(func(d *Disk) { d.Entries = n(3) }), Failed, "3 more files can be made"},
		{"files not counted", "host.disk", disk(func(d *Disk) { d.Entries = nil }), Passed, "80.0 GB"},
		{"quota", "host.disk", disk(func(d *Disk) { d.QuotaLeft, d.QuotaOf = n(10e6), "svc's" }), Failed, "10 MB left of svc's quota at /opt"},
		{"a wide quota", "host.disk", disk(func(d *Disk) { d.QuotaLeft, d.QuotaOf = n(10e9), "svc's" }), Passed, "80.0 GB"},
		{"silent", "host.disk", Env{Host: Host{Disk: fact(Disk{}, errSilent)}}, Skipped, "not known"},
		{"not asked", "host.disk", Env{}, Skipped, "not looked at"},
	})
}

func TestSystemChecks(t *testing.T) {
	day := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	env := func(os string, s System) Env {
		return Env{OS: os, Now: func() time.Time { return day }, Host: Host{System: fact(s, nil)}}
	}
	windows := func(name, version string, server bool) Env {
		return env("windows", System{Name: name, ID: "windows", Version: version, Server: server})
	}
	linux := func(id, version string) Env {
		return env("linux", System{Name: "Some Linux", ID: id, Version: version, Kernel: "6.1.0-18-amd64"})
	}
	try(t, []trial{
		{"Linux", "host.os", linux("debian", "12"), Passed, "kernel 6.1.0-18-amd64"},
		{"an old kernel", "host.os", env("linux", System{Name: "CentOS 6", Kernel: "2.6.32-754.el6.x86_64"}), Failed, "kernel 2.6.32"},
		{"the oldest", "host.os", env("linux", System{Name: "x", Kernel: "3.2"}), Passed, "3.2"},
		{"no number", "host.os", env("linux", System{Name: "x", Kernel: "custom"}), Skipped, `"custom"`},
		{"Server 2008 R2", "host.os", windows("Windows Server 2008 R2", "6.1.7601", true), Failed, "the documented minimum, Windows 7 or Server 2008 R2, is older"},
		{"Server 2012 R2", "host.os", windows("Windows Server 2012 R2", "6.3.9600", true), Failed, "10.0.14393"},
		{"before 1607", "host.os", windows("Windows 10", "10.0.10586.0", false), Failed, "10.0.14393"},
		{"Server 2016", "host.os", windows("Windows Server 2016", "10.0.14393.0", true), Passed, "Windows Server 2016 (10.0.14393.0)"},
		{"Server 2025", "host.os", windows("Windows Server 2025", "10.0.26100.1", true), Passed, "2025"},
		{"a later one", "host.os", windows("Windows 13", "11.0.1", false), Passed, "13"},
		{"macOS", "host.os", env("darwin", System{Name: "macOS 14.5", Version: "14.5"}), Passed, "outside the documented requirements"},
		{"old macOS", "host.os", env("darwin", System{Name: "macOS 11.7", Version: "11.7"}), Failed, "macOS 12"},
		{"silent", "host.os", Env{OS: "linux", Host: Host{System: fact(System{}, errSilent)}}, Skipped, "not known"},

		{"supported", "host.os-support", linux("debian", "12"), Passed, "until 2028-06-30"},
		{"a point release", "host.os-support", linux("rhel", "9.4"), Passed, "until 2032-05-31"},
		{"ended", "host.os-support", linux("debian", "11"), Failed, "got security updates until 2026-08-31"},
		{"bought for longer", "host.os-support", linux("ubuntu", "20.04"), Failed, "Ubuntu Pro"},
		{"not in the table", "host.os-support", linux("nixos", "26.05"), Skipped, "not known here"},
		{"10 is not 1", "host.os-support", linux("debian", "1"), Skipped, "not known here"},
		{"rolling", "host.os-support", linux("debian", ""), Skipped, "not known here"},
		{"its own word", "host.os-support", env("linux", System{Name: "F", ID: "debian", Version: "12", Ends: day.AddDate(0, 0, -2)}), Failed, "2026-11-20"},
		{"the last day", "host.os-support", env("linux", System{Name: "F", ID: "f", Ends: day.Truncate(24 * time.Hour)}), Passed, "2026-11-22"},
		{"Server 2012 R2", "host.os-support", windows("Server", "6.3.9600", true), Failed, "2023-10-10"},
		{"Server 2022", "host.os-support", windows("Server", "10.0.20348.1", true), Passed, "2031-10-14"},
		{"Windows 10", "host.os-support", windows("Windows 10", "10.0.19045.2", false), Failed, "2025-10-14"},
		{"silent", "host.os-support", Env{Host: Host{System: fact(System{}, errSilent)}}, Skipped, "not known"},
	})
}

func TestSupportTablesAreDays(t *testing.T) {
	for id, table := range linuxSupport {
		for _, line := range table {
			if until, _ := supportEnds(System{ID: id, Version: line.version}); until.Format(time.DateOnly) != line.until {
				t.Errorf("%s %s: %s, want %s", id, line.version, until, line.until)
			}
		}
	}
	for _, server := range []bool{true, false} {
		table := windowsSupport
		if server {
			table = windowsServerSupport
		}
		for _, line := range table {
			if until, _ := supportEnds(System{ID: "windows", Version: line.version, Server: server}); until.Format(time.DateOnly) != line.until {
				t.Errorf("Windows %s: %s, want %s", line.version, until, line.until)
			}
		}
	}
}

func TestServiceChecks(t *testing.T) {
	manager := func(m Manager) Env { return Env{Host: Host{Manager: fact(m, nil)}} }
	yes, no := true, false
	service := func(s TimeService) Env { return Env{Host: Host{TimeService: fact(s, nil)}} }
	try(t, []trial{
		{"systemd", "host.service-manager", manager(Manager{Name: "systemd"}), Passed, "systemd"},
		{"systemd in a container", "host.service-manager", manager(Manager{"systemd", "lxc"}), Passed, "systemd"},
		{"Windows", "host.service-manager", manager(Manager{Name: "the Service Control Manager"}), Passed, "Service Control Manager"},
		{"macOS", "host.service-manager", manager(Manager{Name: "launchd"}), Passed, "launchd"},
		{"a container", "host.service-manager", manager(Manager{"connector", "Docker"}), Skipped, `run with "connector run"`},
		{"another", "host.service-manager", manager(Manager{Name: "runit"}), Failed, "the first process of this machine is runit"},
		{"none", "host.service-manager", manager(Manager{}), Failed, "none"},
		{"silent", "host.service-manager", Env{Host: Host{Manager: fact(Manager{}, errSilent)}}, Skipped, "not known"},

		{"runs", "host.time-service", service(TimeService{Running: []string{"chronyd"}}), Passed, "chronyd"},
		{"runs, not yet", "host.time-service", service(TimeService{Running: []string{"chronyd"}, Synchronised: &no}), Passed, "not synchronised yet"},
		{"the kernel says so", "host.time-service", service(TimeService{Synchronised: &yes}), Passed, "the kernel says"},
		{"a container", "host.time-service", service(TimeService{Synchronised: &no, Container: "Docker"}), Skipped, "the host's"},
		{"installed", "host.time-service", service(TimeService{Start: [][]string{{"systemctl", "enable", "--now", "chrony.service"}}}), Failed, "systemctl enable --now chrony.service"},
		{"none", "host.time-service", service(TimeService{Synchronised: &no}), Failed, "Install a time service"},
		{"silent", "host.time-service", Env{Host: Host{TimeService: fact(TimeService{}, errSilent)}}, Skipped, "not known"},
	})
}

func TestPortCheck(t *testing.T) {
	console := Port{"the console", "CONSOLE_ADDR", "127.0.0.1:8357"}
	signin := Port{"sign-in in the browser", "PORT", ":443"}
	env := func(listen map[string]error, ours bool, held string, ports ...Port) Env {
		return Env{Host: Host{
			Ports:  ports,
			Listen: func(_ context.Context, address string) error { return listen[address] },
			Ours:   func(_ context.Context, address string) bool { return ours && address == console.Address },
			Holder: func(context.Context, string) (string, error) {
				if held == "" {
					return "", errSilent
				}
				return held, nil
			},
		}}
	}
	taken, reserved := fmt.Errorf("listen: %w", ErrTaken), fmt.Errorf("listen: %w", ErrReserved)
	c, s := console.Address, signin.Address
	try(t, []trial{
		{"free", "host.ports", env(nil, false, "", console), Passed, "127.0.0.1:8357 is free"},
		{"ours", "host.ports", env(map[string]error{c: taken}, true, "", console), Passed, "held by this connector"},
		{"taken", "host.ports", env(map[string]error{c: taken}, false, "node (process 7)", console), Failed, "127.0.0.1:8357, the console (CONSOLE_ADDR): node (process 7) listens there"},
		{"taken by whom", "host.ports", env(map[string]error{c: taken}, false, "", console), Failed, "a program that this user may not see"},
		{"one of two", "host.ports", env(map[string]error{s: taken}, true, "httpd (process 8)", console, signin), Failed, ":443, sign-in in the browser (PORT): httpd"},
		{"not ours alone", "host.ports", env(map[string]error{c: taken, s: taken}, true, "httpd (process 8)", console, signin), Failed, "1 port is taken"},
		{"no address", "host.ports", env(map[string]error{c: errors.New("no such address")}, false, "", console), Failed, "no such address"},
		{"reserved", "host.ports", env(map[string]error{s: reserved}, false, "", signin), Skipped, "run doctor as the administrator"},
		{"reserved beside free", "host.ports", env(map[string]error{s: reserved}, false, "", console, signin), Passed, "run doctor as the administrator"},
		{"none", "host.ports", env(nil, false, ""), Skipped, "no fixed port"},
		{"not asked", "host.ports", Env{}, Skipped, "not looked at"},
	})
}

func TestTimeServiceIsStarted(t *testing.T) {
	c, err := Lookup("host.time-service")
	if err != nil {
		t.Fatal(err)
	}
	var ran []string
	execute := func(_ context.Context, words []string) error {
		if ran = append(ran, strings.Join(words, " ")); words[0] == "broken" {
			return errSilent
		}
		return nil
	}
	two := TimeService{Start: [][]string{{"sc.exe", "config"}, {"net", "start"}}}
	for _, tt := range []struct {
		name    string
		host    Host
		ran     string
		problem string
	}{
		{"starts", Host{TimeService: fact(two, nil), Execute: execute}, "sc.exe config; net start", ""},
		{"stops at the first fault", Host{TimeService: fact(TimeService{Start: [][]string{{"broken", "x"}, {"net", "start"}}}, nil), Execute: execute}, "broken x", "run broken x: WMI"},
		{"none is installed", Host{TimeService: fact(TimeService{}, nil), Execute: execute}, "", "no time service is installed"},
		{"nobody may", Host{TimeService: fact(two, nil)}, "", "run it yourself: sc.exe config\nnet start"},
		{"silent", Host{TimeService: fact(two, errSilent), Execute: execute}, "", "WMI"},
	} {
		ran = nil
		err := c.Fix.Do(t.Context(), &Env{Host: tt.host})
		if strings.Join(ran, "; ") != tt.ran || (err == nil) != (tt.problem == "") || err != nil && !strings.Contains(err.Error(), tt.problem) {
			t.Errorf("%s: ran %q, %v; want %q, %q", tt.name, ran, err, tt.ran, tt.problem)
		}
	}
}

func TestTimely(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		if _, err := timely(func(context.Context) (int, error) { panic("wine") })(t.Context()); err == nil || !strings.Contains(err.Error(), "wine") {
			t.Error(err)
		}
		end := make(chan struct{})
		defer close(end)
		began := time.Now()
		_, err := timely(func(context.Context) (int, error) { <-end; return 1, nil })(t.Context())
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != factTime {
			t.Errorf("%v after %s", err, time.Since(began))
		}
		if n, err := timely(func(context.Context) (int, error) { return 7, nil })(t.Context()); n != 7 || err != nil {
			t.Error(n, err)
		}
	})
}
