package service

import (
	"slices"
	"strings"
	"testing"
)

const shownTwo = `Type=simple
ExecStart={ path=/usr/bin/node ; argv[]=/usr/bin/node server.js ; ignore_errors=no ; start_time=[n/a] ; stop_time=[n/a] ; pid=0 ; code=(null) ; status=0/0 }
WorkingDirectory=!/opt/auth0-adldap
Id=ad-ldap.service
LoadState=loaded
ActiveState=active
UnitFileState=enabled

Type=notify
ExecStart={ path=/bin/a ; argv[]=/bin/a one ; ignore_errors=no ; pid=0 }
ExecStart={ path=/bin/b ; argv[]=/bin/b ; x ; ignore_errors=yes ; pid=0 }
Id=two.service
ActiveState=failed

ActiveState=active
`

func TestShows(t *testing.T) {
	all := parseShows([]byte(shownTwo))
	if len(all) != 2 || all[0]["ExecStart"] != "/usr/bin/node server.js" || all[1]["ExecStart"] != "/bin/a one; /bin/b ; x" {
		t.Fatalf("%q", all)
	}
	if !all[0].runs() || all[1].runs() || !all[0].startsWithSystem() || all[1].startsWithSystem() {
		t.Errorf("%v", all)
	}
	names := unitNames([]byte("a.service enabled enabled\n  b@x.service loaded active running B\nt@.service static -\n-x.service\nc.timer\n\n"))
	if want := []string{"a.service", "b@x.service"}; !slices.Equal(names, want) {
		t.Errorf("%q", names)
	}
}

// Which services run in a folder, and which have only to do with it.
func TestRunsIn(t *testing.T) {
	const dir = "/opt/auth0-adldap"
	for name, tt := range map[string]struct {
		s           shown
		script, cwd string
		want        string
	}{
		"the documented unit":       {s: shown{"WorkingDirectory": dir, "ExecStart": "/usr/bin/node server.js"}, want: dir},
		"a folder that may lack":    {s: shown{"WorkingDirectory": "!" + dir, "ExecStart": "/usr/bin/node server.js"}, want: dir},
		"its console":               {s: shown{"WorkingDirectory": dir + "/admin/", "ExecStart": "/usr/bin/node server.js"}, want: dir + "/admin"},
		"the program's path":        {s: shown{"ExecStart": "/usr/bin/node --max-http-header-size=16384 " + dir + "/server.js"}, want: dir + "/server.js"},
		"a shell":                   {s: shown{"ExecStart": "/bin/sh -c cd " + dir + " && exec node server.js"}, want: dir},
		"a script of its own":       {s: shown{"ExecStart": dir + "/start.sh --now"}, want: dir + "/start.sh"},
		"a wrapper":                 {s: shown{"ExecStart": "/usr/local/bin/start-connector"}, cwd: dir, want: dir},
		"a script of old":           {s: shown{"ExecStart": "/etc/init.d/adldap start"}, script: "#!/bin/sh\ncd '" + dir + "'\nnodejs server.js &\n", want: dir},
		"no folder":                 {s: shown{"ExecStart": "/usr/bin/node server.js"}},
		"another folder":            {s: shown{"WorkingDirectory": dir + "-2", "ExecStart": "/usr/bin/node " + dir + "-2/server.js"}},
		"a backup":                  {s: shown{"ExecStart": "/usr/bin/tar czf /srv/x.tgz " + dir, "Type": "simple"}},
		"a backup that works there": {s: shown{"ExecStart": "/usr/bin/tar czf /srv/x.tgz .", "WorkingDirectory": dir, "Type": "oneshot"}},
		"home":                      {s: shown{"WorkingDirectory": "~"}},
		"nothing":                   {},
	} {
		got := tt.s.runsIn(tt.script, tt.cwd, func(p string) bool { return within([]string{dir}, p) })
		if got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

func TestRestoreRefusesOtherPlaces(t *testing.T) {
	for _, p := range []string{"/etc/passwd", "etc/systemd/system/x.service", "/etc/systemd/system/../../passwd", "/etc/systemd/systematic/x", ""} {
		if err := (Kept{Path: p}).putBack(); err == nil || !strings.Contains(err.Error(), "is no place for a unit") {
			t.Errorf("%q: %v", p, err)
		}
	}
}

func FuzzShows(f *testing.F) {
	f.Add([]byte(shownTwo), "#!/bin/sh\ncd /opt/x; node server.js\n")
	f.Add([]byte("Id=a\nExecStart={ argv[]= ; ignore_errors=\n\n\n"), "/")
	f.Fuzz(func(t *testing.T, out []byte, script string) {
		unitNames(out)
		for _, s := range parseShows(out) {
			dir := s.runsIn(script, "", func(string) bool { return true })
			if dir != "" && !strings.HasPrefix(dir, "/") {
				t.Fatalf("%q", dir)
			}
		}
		mentions(script, "/opt/x")
	})
}
