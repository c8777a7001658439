package service

import (
	"encoding/json"
	"strings"
	"testing"

	"ad-ldap-connector/testdata/lab"
)

// A formerHome is where the connector that was there before lives.
const formerHome = "/opt/auth0-adldap"

// formerThere retires services of others and brings them back, each in a
// process of its own.
func formerThere(t *testing.T, m *lab.Machine) {
	ours := unitThere("auth0-adldap")
	m.Run("sh", "-c", `mkdir -p "$1" && cp /bin/sleep "$1/node" && touch "$1/server.js"`, "sh", formerHome)
	const install = "\n[Install]\nWantedBy=multi-user.target\nAlias=connector.service\n"
	documented := "[Service]\nWorkingDirectory=" + formerHome + "\nExecStart=/bin/sleep infinity\n"
	dropIn := []string{"sh", "-c", "mkdir -p " + unitDir + "/auth0-adldap.service.d; printf '[Service]\nNice=5\n' >" + unitDir + "/auth0-adldap.service.d/override.conf"}
	link := []string{"systemctl", "link", "--quiet", formerHome + "/auth0-adldap.service"}
	for name, tt := range map[string]struct {
		unit             string // without its ending
		file, text       string
		more             []string // a command that completes it
		enabled, running bool
	}{
		"another name":  {"ad-ldap", unitDir + "/ad-ldap.service", documented + install, nil, true, true},
		"our name":      {"auth0-adldap", unitDir + "/auth0-adldap.service", documented + install, dropIn, true, true},
		"ours, stopped": {"auth0-adldap", "/usr/local/lib/systemd/system/auth0-adldap.service", documented + install, nil, true, false},
		"linked":        {"auth0-adldap", formerHome + "/auth0-adldap.service", documented + install, link, true, true},
		"wrapped":       {"wrap", unitDir + "/wrap.service", "[Service]\nExecStart=/bin/sh -c 'cd " + formerHome + "; exec ./node 1000000'\n", nil, false, true},
	} {
		m.Write(tt.file, []byte(tt.text))
		m.Run("chmod", "640", tt.file)
		if tt.more != nil {
			m.Run(tt.more...)
		}
		m.Run("systemctl", "daemon-reload")
		if tt.enabled {
			m.Run("systemctl", "enable", "--quiet", tt.unit)
		}
		if tt.running {
			m.Run("systemctl", "start", tt.unit)
		}
		before := m.Look()
		found := formersThere(t, m)
		if len(found) != 1 || found[0].Name != tt.unit || found[0].Enabled != tt.enabled || found[0].Running != tt.running {
			t.Fatalf("%s: found %+v", name, found)
		}
		kept := asText(t, found[0])
		for _, want := range []string{"changed: true\n", "changed: false\n"} {
			if got := m.Run(programThere, "retire", kept, ours.Name); got != want {
				t.Errorf("%s: retire says %q, want %q", name, got, want)
			}
		}
		if out, err := m.Try("systemctl", "is-active", tt.unit); err == nil {
			t.Errorf("%s: it still runs: %s", name, out)
		}
		if state, _ := m.Try("systemctl", "is-enabled", tt.unit); strings.TrimSpace(state) == "enabled" {
			t.Errorf("%s: it still starts with the system", name)
		}
		m.Run(programThere, "register", asJSON(t, ours))
		if found := formersThere(t, m); len(found) > 1 || len(found) == 1 && found[0].Name == ours.Name {
			t.Errorf("%s: found %+v", name, found)
		}
		if tt.unit == ours.Name {
			if out, err := m.Try(programThere, "restore", kept); err == nil || !strings.Contains(out, "is the connector's now") {
				t.Errorf("%s: brought back over ours: %s", name, out)
			}
		}
		m.Run(programThere, "remove", asJSON(t, ours))
		for range 2 {
			m.Run(programThere, "restore", kept)
		}
		lab.WantSame(t, before, m.Look())
		if state, _ := m.Try("systemctl", "is-active", tt.unit); (strings.TrimSpace(state) == "active") != tt.running {
			t.Errorf("%s: it is %s", name, state)
		}
		m.Run("systemctl", "stop", tt.unit)
		m.Run("systemctl", "disable", "--quiet", tt.unit)
		m.Run("rm", "-rf", tt.file, unitDir+"/"+tt.unit+".service.d", "/usr/local/lib/systemd")
		m.Run("systemctl", "daemon-reload")
		m.Run("systemctl", "reset-failed")
	}
	straysThere(t, m)
	m.Run("rm", "-r", formerHome)
}

// straysThere finds what is no service of systemd's.
func straysThere(t *testing.T, m *lab.Machine) {
	const unit = unitDir + "/stray.service"
	m.Write(unit, []byte("[Service]\nType=forking\nExecStart=/bin/sh -c 'cd $${DIR}; ./node 1000000 & exit'\nEnvironment=DIR="+formerHome+"\n"))
	m.Run("systemctl", "daemon-reload")
	m.Run("systemctl", "start", "stray")
	m.Write("/etc/cron.d/connector", []byte("# "+formerHome+"/x\n@reboot root cd "+formerHome+" && node server.js\n"))
	m.Write("/etc/cron.d/commented", []byte("# "+formerHome+"/x\n"))
	out := m.Run(programThere, "strays", formerHome)
	for _, want := range []string{"/etc/cron.d/connector names " + formerHome, "(./node 1000000) runs in " + formerHome + ", started by stray.service;"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in %s", want, out)
		}
	}
	if strings.Count(out, "\n") != 2 {
		t.Errorf("strays: %s", out)
	}
	m.Run("systemctl", "stop", "stray")
	m.Run("rm", "/etc/cron.d/connector", "/etc/cron.d/commented", unit)
	m.Run("systemctl", "daemon-reload")
}

func formersThere(t *testing.T, m *lab.Machine) (found []Former) {
	t.Helper()
	if err := json.Unmarshal([]byte(m.Run(programThere, "formers", formerHome)), &found); err != nil {
		t.Fatal(err)
	}
	return found
}

func asText(t *testing.T, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
