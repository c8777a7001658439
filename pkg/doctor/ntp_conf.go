package doctor

import (
	"io/fs"
	"net"
	"path"
	"slices"
	"strings"
)

// ntpConfigs are the files that say which servers the time services ask.
var ntpConfigs = []struct {
	pattern string
	parse   func(data string) []string
}{
	{"etc/systemd/timesyncd.conf", parseTimesyncd},
	{"etc/systemd/timesyncd.conf.d/*.conf", parseTimesyncd},
	{"run/systemd/timesyncd.conf.d/*.conf", parseTimesyncd},
	{"usr/lib/systemd/timesyncd.conf.d/*.conf", parseTimesyncd},
	{"run/systemd/netif/state", parseTimesyncd}, // what DHCP has told
	{"etc/chrony/chrony.conf", parseNTPConf},
	{"etc/chrony.conf", parseNTPConf},
	{"etc/chrony/conf.d/*.conf", parseNTPConf},
	{"etc/chrony.d/*.conf", parseNTPConf},
	{"etc/chrony/sources.d/*.sources", parseNTPConf},
	{"run/chrony-dhcp/*.sources", parseNTPConf},
	{"etc/ntpsec/ntp.conf", parseNTPConf},
	{"etc/ntpsec/ntp.d/*.conf", parseNTPConf},
	{"etc/ntp.conf", parseNTPConf},
	{"etc/openntpd/ntpd.conf", parseNTPConf},
}

// serversIn returns the time servers that the files of a machine name. Root is
// its file system. What cannot be read names none.
func serversIn(root fs.FS) (all []TimeServer) {
	known := map[string]bool{}
	for _, c := range ntpConfigs {
		files, _ := fs.Glob(root, c.pattern) // the patterns are well-formed
		for _, file := range files {
			data, err := fs.ReadFile(root, file)
			if err != nil {
				continue
			}
			for _, s := range servers(path.Join("/", file), false, c.parse(string(data))) {
				if !known[s.Address] && len(all) < mostServers {
					known[s.Address] = true
					all = append(all, s)
				}
			}
		}
	}
	return all
}

// parseTimesyncd reads NTP= and FallbackNTP= of timesyncd.conf(5). An empty NTP=
// takes back what stood above. Fallbacks count when there is nothing else.
func parseTimesyncd(data string) []string {
	var first, fallback []string
	for line := range strings.Lines(data) {
		key, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		if !ok {
			continue
		}
		list := &first
		switch strings.TrimSpace(key) {
		case "NTP":
		case "FallbackNTP":
			list = &fallback
		default:
			continue
		}
		if strings.TrimSpace(value) == "" {
			*list = nil
		}
		for _, word := range strings.Fields(value) {
			if address, ok := serverAddress(word, ""); ok {
				*list = append(*list, address)
			}
		}
	}
	if len(first) > 0 {
		return first
	}
	return fallback
}

// parseNTPConf reads the lines "server HOST", "pool HOST", "peer HOST" and
// "servers HOST" of chrony.conf(5), ntp.conf(5) and ntpd.conf(5).
func parseNTPConf(data string) (hosts []string) {
	for line := range strings.Lines(data) {
		f := strings.Fields(line)
		if len(f) < 2 || !slices.Contains([]string{"server", "servers", "pool", "peer"}, strings.ToLower(f[0])) {
			continue
		}
		port := ""
		if i := slices.Index(f, "port"); i > 1 && i+1 < len(f) {
			port = f[i+1]
		}
		words := f[1:]
		if strings.HasPrefix(words[0], "-") { // ntpd: -4 or -6
			words = words[1:]
		}
		if len(words) == 0 || strings.HasPrefix(words[0], "127.127.") { // ntpd: a clock of this machine
			continue
		}
		if address, ok := serverAddress(words[0], port); ok {
			hosts = append(hosts, address)
		}
	}
	return hosts
}

// serverAddress checks a host as a file has it, and adds the port.
func serverAddress(host, port string) (string, bool) {
	host = strings.Trim(host, `"'`)
	bare := strings.Trim(host, "[]")
	if bare == "" || len(bare) > 253 || strings.ContainsFunc(bare, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune("/\\@#?*\"'<>|=,;()[]{}", r) }) {
		return "", false
	}
	number := port == "" || !strings.ContainsFunc(port, func(r rune) bool { return r < '0' || r > '9' })
	switch {
	case !number || len(port) > 5:
		return "", false
	case port != "":
		return net.JoinHostPort(bare, port), true
	case strings.Contains(bare, ":") && net.ParseIP(bare) != nil:
		return "[" + bare + "]", true
	case strings.Contains(bare, ":"):
		return "", false // neither of them takes a port here
	}
	return bare, true
}

// parseW32Time reads NtpServer of the Windows time service: "HOST,0x9 HOST2".
func parseW32Time(value string) (hosts []string) {
	for _, word := range strings.Fields(value) {
		host, _, _ := strings.Cut(word, ",")
		if address, ok := serverAddress(host, ""); ok {
			hosts = append(hosts, address)
		}
	}
	return hosts
}
