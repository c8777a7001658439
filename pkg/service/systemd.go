package service

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// ours begins every file that the connector writes for a service manager.
const ours = "Written by the connector"

// A systemd is what the text of a unit depends on beside the unit.
type systemd struct {
	version  int  // of systemd: 247 and later are known to take all that is asked
	narrowed bool // a 32-bit program, which a 64-bit system calls foreign
}

// homes are the folders that a service does not see, but for what is its own in
// them; temps are those it sees empty.
var (
	homes = []string{"/home", "/root", "/run/user"}
	temps = []string{"/tmp", "/var/tmp"}
)

// text is the unit's file. The sandbox is what "systemd-analyze security" asks
// for, but for what the connector lives by: the network, its home, and limits
// that it sets on the processes of its profile mapper.
func (s systemd) text(u Unit) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("# %s, and again when it is installed or updated.", ours)
	line("# Settings of your own belong beside it: systemctl edit %s", u.Name)
	line("[Unit]\nDescription=%s", percent(u.Description))
	line("# The network may come later: the connector waits for it.")
	line("After=network.target nss-user-lookup.target time-sync.target")
	line("# It is never given up.\nStartLimitIntervalSec=0")

	line("\n[Service]\nType=notify\nNotifyAccess=main")
	line("ExecStart=%s", command(u.Program, u.Args))
	line("ExecReload=/bin/kill -HUP $MAINPID")
	line("WorkingDirectory=%s", percent(u.Home))
	if u.Environment != "" {
		line("EnvironmentFile=-%s", percent(u.Environment))
	}
	credentials(line, u)
	line("User=%s\nGroup=%s", u.User, u.User)
	s.restart(line, u)
	sandbox(line, u)
	if s.narrowed {
		line("SystemCallArchitectures=native x86")
	} else {
		line("SystemCallArchitectures=native")
	}
	line("\n[Install]\nWantedBy=multi-user.target")
	return b.String()
}

// credentials are read when the unit starts, and stay as they are while it runs.
// A secret that is changed meanwhile comes by the folder in /run.
func credentials(line func(string, ...any), u Unit) {
	for _, c := range u.Credentials {
		load := "LoadCredential"
		if c.Encrypted {
			load = "LoadCredentialEncrypted"
		}
		line("%s=%s:%s", load, c.Name, percent(c.File))
	}
	if len(u.Credentials) > 0 {
		line("RuntimeDirectory=%s\nRuntimeDirectoryMode=0700", u.Name)
	}
}

// restart brings the service back whatever ended it, later each time where
// systemd knows how.
func (s systemd) restart(line func(string, ...any), u Unit) {
	line("Restart=always")
	if s.version >= 254 {
		line("RestartSec=1s\nRestartSteps=8\nRestartMaxDelaySec=60s")
	} else {
		line("RestartSec=3s")
	}
	if u.Watchdog > 0 {
		line("WatchdogSec=%ds\nTimeoutAbortSec=10s", int(u.Watchdog.Seconds()))
	}
	line("TimeoutStartSec=90s\nTimeoutStopSec=30s")
	line("# A dump of its memory would hold secrets.\nLimitCORE=0")
}

func sandbox(line func(string, ...any), u Unit) {
	line("UMask=0077\nNoNewPrivileges=yes")
	if u.low() {
		line("CapabilityBoundingSet=CAP_NET_BIND_SERVICE\nAmbientCapabilities=CAP_NET_BIND_SERVICE")
	} else {
		// A right over ports counts for nothing in a user namespace.
		line("CapabilityBoundingSet=\nAmbientCapabilities=\nPrivateUsers=yes")
	}
	folders(line, u)
	for _, on := range []string{
		"PrivateDevices", "PrivateIPC", "ProtectHostname", "ProtectClock", "ProtectKernelTunables", "ProtectKernelModules",
		"ProtectKernelLogs", "ProtectControlGroups", "RestrictNamespaces", "RestrictRealtime", "RestrictSUIDSGID",
		"LockPersonality", "MemoryDenyWriteExecute", "RemoveIPC",
	} {
		line("%s=yes", on)
	}
	line("ProtectProc=invisible\nProcSubset=pid\nKeyringMode=private\nDevicePolicy=closed")
	line("RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX")
	line("SystemCallFilter=@system-service\nSystemCallFilter=~@privileged @resources")
	line("# For the limits of the profile mapper, and Go's own.\nSystemCallFilter=setrlimit prlimit64")
	line("SystemCallErrorNumber=EPERM")
}

// folders lets the service see all but what belongs to people, and write to
// what is its own.
func folders(line func(string, ...any), u Unit) {
	line("ProtectSystem=strict\nPrivateTmp=yes")
	writable, bound := split(append([]string{u.Home}, u.Writable...))
	_, program := split([]string{u.Program})
	if !within(homes, append([]string{u.Program, u.Home}, u.Writable...)...) {
		line("ProtectHome=yes")
	} else {
		// ProtectHome=tmpfs would do, but gives folders that everybody may write to.
		for _, folder := range homes {
			line("TemporaryFileSystem=%s:ro,mode=755", folder)
		}
	}
	for _, p := range writable {
		line("ReadWritePaths=%s", quotePath(p))
	}
	for _, p := range bound {
		line("BindPaths=%s", quotePath(p))
	}
	for _, p := range program {
		line("BindReadOnlyPaths=%s", quotePath(p))
	}
	if len(program) == 0 && within(append([]string{u.Home}, u.Writable...), u.Program) {
		line("ReadOnlyPaths=%s", quotePath(u.Program)) // what root will run is not the service's to change
	}
}

// split tells paths that the service sees anyway from those in hidden folders.
func split(paths []string) (seen, unseen []string) {
	for _, p := range paths {
		if within(slices.Concat(homes, temps), p) {
			unseen = append(unseen, p)
		} else {
			seen = append(seen, p)
		}
	}
	return seen, unseen
}

// within reports whether any of paths is one of folders, or in it.
func within(folders []string, paths ...string) bool {
	for _, folder := range folders {
		for _, p := range paths {
			if rest, ok := strings.CutPrefix(path.Clean(p), folder); ok && (rest == "" || rest[0] == '/') {
				return true
			}
		}
	}
	return false
}

// percent keeps systemd from reading a specifier, as %n is.
func percent(s string) string { return strings.ReplaceAll(s, "%", "%%") }

// quotePath is for lists of paths, in which a backslash is itself and quotes
// have no escape: see forbiddenInPaths.
func quotePath(p string) string { return `"` + percent(p) + `"` }

// command is a command line as ExecStart takes it, with nothing in it expanded.
func command(program string, args []string) string {
	words := []string{quotePath(program)}
	for _, arg := range args {
		arg = strings.NewReplacer(`\`, `\\`, `"`, `\"`, `$`, `$$`).Replace(percent(arg))
		words = append(words, `"`+arg+`"`)
	}
	return strings.Join(words, " ")
}
