package service

import (
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestShow(t *testing.T) {
	for name, c := range map[string]struct {
		out  string
		want Status
	}{
		"nothing":   {"", Status{State: None}},
		"no words":  {"garbage\n\n=\n", Status{State: None}},
		"not there": {"LoadState=not-found\nActiveState=inactive\nMainPID=0\n", Status{State: None}},
		"runs": {
			"ActiveEnterTimestamp=@1700000000\nMainPID=42\nNRestarts=3\nResult=success\nStatusText=a=b\nLoadState=loaded\nActiveState=active\nUnitFileState=enabled\n",
			Status{State: Running, Enabled: true, PID: 42, Restarts: 3, Since: time.Unix(1700000000, 0), Detail: "a=b"},
		},
		"old systemd": {
			"ActiveEnterTimestamp=Tue 2023-11-14 22:13:20 UTC\nMainPID=42\nLoadState=loaded\nActiveState=active\nUnitFileState=disabled\n",
			Status{State: Running, PID: 42},
		},
		"waits after a failure": {
			"LoadState=loaded\nActiveState=activating\nSubState=auto-restart\nResult=exit-code\nExecMainStatus=7\nUnitFileState=enabled\n",
			Status{State: Starting, Enabled: true, Detail: "systemd: exit-code 7"},
		},
		"ends":    {"LoadState=loaded\nActiveState=deactivating\nMainPID=1\nUnitFileState=enabled\n", Status{State: Stopping, Enabled: true, PID: 1}},
		"failed":  {"LoadState=loaded\nActiveState=failed\nResult=watchdog\n", Status{State: Stopped, Detail: "systemd: watchdog"}},
		"numbers": {"LoadState=loaded\nActiveState=active\nMainPID=-1\nNRestarts=99999999999999999999\nActiveEnterTimestamp=@-5\n", Status{State: Running}},
	} {
		if diff := cmp.Diff(c.want, parseShow([]byte(c.out)).status()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func FuzzShow(f *testing.F) {
	f.Add([]byte("LoadState=loaded\nActiveState=active\nMainPID=1\nActiveEnterTimestamp=@1\n"))
	f.Add([]byte("state = running\n\tpid = 12\nlast exit code = 3\n"))
	f.Fuzz(func(t *testing.T, out []byte) {
		for _, st := range []Status{parseShow(out).status(), parsePrint(string(out))} {
			if st.State == "" || st.PID < 0 || st.Restarts < 0 || st.Since.Unix() < 0 && !st.Since.IsZero() {
				t.Fatalf("%+v", st)
			}
		}
		if v := parseVersion(out); v < 0 {
			t.Fatal(v)
		}
	})
}

func TestVersion(t *testing.T) {
	for out, want := range map[string]int{
		"systemd 252 (252.39-1~deb12u2)\n+PAM +AUDIT\n": 252,
		"systemd 257 (257.8)":                           257,
		"systemd v258":                                  258,
		"systemd":                                       0,
		"":                                              0,
		"systemd -5":                                    0,
	} {
		if got := parseVersion([]byte(out)); got != want {
			t.Errorf("%q: %d", out, got)
		}
	}
}

func TestPrint(t *testing.T) {
	for out, want := range map[string]Status{
		"system/x = {\n\tstate = running\n\tpid = 12\n\truns = 3\n\tlast exit code = 9\n\tsub = {\n\t\tpid = 99\n\t}\n}\n": {State: Running, Enabled: true, PID: 12, Restarts: 2},
		"system/x = {\n\tstate = not running\n\truns = 0\n\tlast exit code = (never exited)\n}\n":                          {State: Stopped, Enabled: true},
		"\tstate = waiting\n\tlast exit code = 78: EX_CONFIG\n":                                                            {State: Stopped, Enabled: true, Detail: "launchd: last exit code 78: EX_CONFIG"},
		"": {State: Stopped, Enabled: true},
	} {
		if diff := cmp.Diff(want, parsePrint(out)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", out, diff)
		}
	}
}

// Where no service manager is, the error says what there is, and what to do.
func TestElsewhere(t *testing.T) {
	for name, c := range map[string]struct {
		files      map[string]string
		env        map[string]string
		says, hint string
	}{
		"nothing known": {nil, nil, "the connector knows runs here", "--no-service"},
		"another init":  {map[string]string{"proc/1/comm": "runit\n"}, nil, "the first process is runit", "--no-service"},
		"Docker":        {map[string]string{"proc/1/comm": "tini\n", ".dockerenv": ""}, nil, "the first process is tini, in a container (Docker)", "container's command"},
		"Podman":        {map[string]string{"run/.containerenv": ""}, nil, "in a container (Podman)", "container's command"},
		"Kubernetes":    {map[string]string{".dockerenv": ""}, map[string]string{"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, "(Kubernetes)", "container's command"},
		"lxc":           {map[string]string{"proc/1/environ": "A=b\x00container=lxc\x00"}, nil, "in a container (lxc)", "container's command"},
	} {
		root := fstest.MapFS{}
		for file, text := range c.files {
			root[file] = &fstest.MapFile{Data: []byte(text)}
		}
		err := whatElse(root, func(key string) (string, bool) { v, ok := c.env[key]; return v, ok })
		if !strings.HasSuffix(err.Error(), c.says) || !strings.Contains(err.Hint(), c.hint) {
			t.Errorf("%s: %s (%s)", name, err, err.Hint())
		}
	}
}
