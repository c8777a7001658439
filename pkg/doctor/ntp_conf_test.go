package doctor

import (
	"net"
	"strings"
	"testing"
)

func addresses(all []TimeServer) string {
	var names []string
	for _, s := range all {
		names = append(names, s.String())
	}
	return strings.Join(names, " ")
}

func TestConfiguredTimeServers(t *testing.T) {
	for _, tt := range []struct {
		name, want string
		files      map[string]string
	}{
		{"none", "", nil},
		{
			"timesyncd", "dc1 (/etc/systemd/timesyncd.conf) dc2 (/etc/systemd/timesyncd.conf) dc3 (/etc/systemd/timesyncd.conf.d/site.conf)",
			map[string]string{
				"etc/systemd/timesyncd.conf":             "[Time]\nNTP=dc1 dc2\n#FallbackNTP=0.debian.pool.ntp.org\nFallbackNTP=spare\n",
				"etc/systemd/timesyncd.conf.d/site.conf": "[Time]\nNTP=old\nNTP=\nNTP=dc3 dc1\n",
			},
		},
		{
			"timesyncd as it is shipped names none", "",
			map[string]string{"etc/systemd/timesyncd.conf": "[Time]\n#NTP=\n#FallbackNTP=0.debian.pool.ntp.org 1.debian.pool.ntp.org\n"},
		},
		{"timesyncd's fallback", "spare (/etc/systemd/timesyncd.conf)", map[string]string{"etc/systemd/timesyncd.conf": "[Time]\nFallbackNTP=spare\n"}},
		{"DHCP", "192.0.2.1 (/run/systemd/netif/state)", map[string]string{"run/systemd/netif/state": "OPER_STATE=routable\nNTP=192.0.2.1\n"}},
		{
			"chrony", "pool.example (/etc/chrony/chrony.conf) dc1:1123 (/etc/chrony/chrony.conf) [2001:db8::1] (/etc/chrony/chrony.conf) dc9 (/etc/chrony/sources.d/a.sources)",
			map[string]string{
				"etc/chrony/chrony.conf":         "pool pool.example iburst\n! server no\n# server no\nserver dc1 port 1123 iburst\nserver 2001:db8::1\nserver\nserverstats x\nmakestep 1 3\n",
				"etc/chrony/sources.d/a.sources": "server dc9 iburst\n",
			},
		},
		{
			"ntp", "dc1 (/etc/ntp.conf) dc2 (/etc/ntp.conf) [::1]:123 (/etc/ntp.conf)",
			map[string]string{"etc/ntp.conf": "driftfile /var/lib/ntp/drift\nserver 127.127.1.0\nserver -4 dc1 iburst\npeer dc2\nrestrict server\nserver ::1 port 123\nserver dc/3\nserver -6\n"},
		},
		{
			"at most eight", "1 (/etc/ntp.conf) 2 (/etc/ntp.conf) 3 (/etc/ntp.conf) 4 (/etc/ntp.conf) 5 (/etc/ntp.conf) 6 (/etc/ntp.conf) 7 (/etc/ntp.conf) 8 (/etc/ntp.conf)",
			map[string]string{"etc/ntp.conf": "server 1\nserver 2\nserver 3\nserver 4\nserver 5\nserver 6\nserver 7\nserver 8\nserver 9\n", "etc/openntpd/ntpd.conf": "servers pool.example\n"},
		},
	} {
		if got := addresses(serversIn(tree(tt.files))); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestW32Time(t *testing.T) {
	got := strings.Join(parseW32Time("time.windows.com,0x9 dc1.corp.example,0x1  2001:db8::1 ,0x8 a/b"), " ")
	if got != "time.windows.com dc1.corp.example [2001:db8::1]" {
		t.Error(got)
	}
}

func FuzzTimeConfig(f *testing.F) {
	f.Add("[Time]\nNTP=a b\nFallbackNTP=c\n")
	f.Add("server dc1 port 1123\npool ::1\npeer [::1]\nserver -4 x\n")
	f.Add("time.windows.com,0x9")
	f.Fuzz(func(t *testing.T, text string) {
		all := parseTimesyncd(text)
		all = append(all, parseNTPConf(text)...)
		for _, a := range append(all, parseW32Time(text)...) {
			host := a
			if h, _, err := net.SplitHostPort(a); err == nil {
				host = h
			}
			if host == "" || strings.ContainsAny(a, " \t\r\n\x00\x1b/@") {
				t.Errorf("%q", a)
			}
		}
	})
}
