package service

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// starters are files in which something else than systemd is told what to
// start.
var starters = []string{
	"etc/init.d/*", "etc/init/*.conf", "etc/rc.local", "etc/rc.d/rc.local", "etc/inittab", "etc/crontab", "etc/cron.*/*",
	"var/spool/cron/*", "var/spool/cron/crontabs/*", "etc/supervisor/conf.d/*", "etc/supervisord.conf", "etc/supervisord.d/*",
}

func strays(root, dir string, known []Former) []string {
	isKnown := func(where, unit string) bool {
		return slices.ContainsFunc(known, func(f Former) bool { return f.Where == where || unit != "" && f.Name+".service" == unit })
	}
	var said []string
	for _, pattern := range starters {
		names, _ := filepath.Glob(filepath.Join(root, pattern)) // the patterns are constant and well-formed
		for _, name := range names {
			rel := "/" + strings.TrimPrefix(strings.TrimPrefix(name, root), "/")
			info, err := os.Stat(name)
			if err != nil || !info.Mode().IsRegular() || info.Size() > 1<<20 || isKnown(rel, "") {
				continue
			}
			if data, err := os.ReadFile(name); err == nil && mentions(string(data), dir) {
				said = append(said, fmt.Sprintf("%s names %s; see to it that it does not start the former connector there.", rel, dir))
			}
		}
	}
	pids, _ := filepath.Glob(filepath.Join(root, "proc/[0-9]*"))
	for _, p := range pids {
		cwd, err := os.Readlink(filepath.Join(p, "cwd"))
		if err != nil || !within([]string{dir}, cwd) {
			continue
		}
		command, _ := os.ReadFile(filepath.Join(p, "cmdline"))
		text := strings.TrimSpace(strings.ReplaceAll(string(command), "\x00", " "))
		unit := unitOf(filepath.Join(p, "cgroup"))
		if !nodeInText.MatchString(text) || isKnown("", unit) {
			continue
		}
		sentence := fmt.Sprintf("Process %s (%s) runs in %s", filepath.Base(p), lastOf(text), dir)
		if unit != "" {
			sentence += ", started by " + unit
		}
		said = append(said, sentence+"; stop it, and what starts it.")
	}
	return said
}

// mentions reports whether a line that is no comment names the folder, or what
// is in it.
func mentions(text, dir string) bool {
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "#") && slices.ContainsFunc(pathsIn(line), func(p string) bool { return within([]string{dir}, p) }) {
			return true
		}
	}
	return false
}

// unitOf is the service that a process belongs to, by its cgroup file, or "".
func unitOf(file string) string {
	data, _ := os.ReadFile(file) // the process may have ended
	for line := range strings.Lines(string(data)) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 || parts[0] != "0" && parts[1] != "name=systemd" {
			continue
		}
		for _, part := range slices.Backward(strings.Split(parts[2], "/")) {
			if strings.HasSuffix(part, ".service") {
				return part
			}
		}
	}
	return ""
}
