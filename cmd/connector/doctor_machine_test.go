package main

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ad-ldap-connector/pkg/config"
	"ad-ldap-connector/pkg/doctor"
	"ad-ldap-connector/pkg/home"
	"ad-ldap-connector/pkg/sandbox"
	"ad-ldap-connector/testdata/lab"
)

// TestDoctorComparesThreeClocks holds this machine's clock against a tenant's
// and a time server's, right and wrong.
func TestDoctorComparesThreeClocks(t *testing.T) {
	t.Parallel()
	const ms, s = time.Millisecond, time.Second
	for name, tt := range map[string]struct {
		tenant, ntp time.Duration
		want        map[doctor.ID]string // how it came out, and what it says
		status      int
	}{
		"all are right": {
			0, 200 * ms,
			map[doctor.ID]string{"time.servers": "passed: 127.0.0.1:", "time.ntp": "passed: ", "time.tenant": "passed: ", "time.drift": "passed: "}, 0,
		},
		"ours drifts": {
			2 * s, 2 * s,
			map[doctor.ID]string{"time.ntp": "passed: ", "time.tenant": "passed: ", "time.drift": "failed: |this machine's clock is wrong"}, 4,
		},
		"ours is wrong": {
			30 * s, 30 * s,
			map[doctor.ID]string{
				"time.ntp": "failed: |clock skew detected: |the time server and the tenant agree: this machine's clock is wrong", "time.tenant": "failed: |clock skew detected",
				"time.drift": "skipped: ",
			}, 3,
		},
		"the time server's is wrong": {
			0, -time.Hour,
			map[doctor.ID]string{"time.ntp": "failed: 1h0m0s ahead of|this machine and the tenant agree: the time server's clock is wrong|Have the time server set right", "time.tenant": "passed: "}, 3,
		},
		"the tenant's is wrong": {
			-20 * s, 0,
			map[doctor.ID]string{"time.ntp": "passed: ", "time.tenant": "failed: |clock skew detected: |the tenant's clock is wrong|a proxy or a pretend tenant"}, 3,
		},
	} {
		t.Run(name, func(t *testing.T) {
			cloud, err := sandbox.StartCloud(sandbox.CloudOptions{
				State: filepath.Join(t.TempDir(), "tenant"), Now: func() time.Time { return time.Now().Add(tt.tenant) },
			})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = cloud.Close() }) // the test has ended
			server, _ := lab.FakeNTP(t, lab.NTPAnswer{Stratum: 2, Offset: tt.ntp})
			d, status := askDoctorIn(t, []string{"SSL_CA_PATH=" + cloud.CAFile()}, "--home", t.TempDir(), "--only", "time", "--fail-on-warnings",
				"--tenant", strings.TrimPrefix(cloud.URL(), "https://"), "--ntp-server", server)
			if status != tt.status {
				t.Errorf("status %d, want %d", status, tt.status)
			}
			for id, want := range tt.want {
				text := says(found(t, d, id))
				beginning, parts, _ := strings.Cut(want, "|")
				if !strings.HasPrefix(text, beginning) {
					t.Errorf("%s: %s; want %s", id, text, beginning)
				}
				for part := range strings.SplitSeq(parts, "|") {
					if !strings.Contains(text, part) {
						t.Errorf("%s: %s; want %q", id, text, part)
					}
				}
			}
		})
	}
}

// TestDoctorAsksTheDirectorysClock checks whom doctor guesses to be a time
// server, and that it is no fault when it is none.
func TestDoctorAsksTheDirectorysClock(t *testing.T) {
	target, err := (&app{stderr: discard, home: filepath.Join(t.TempDir(), "none")}).openTarget(targetFlags{ldapURLs: []string{"ldaps://127.0.0.1:636", "ldap://[::1]"}})
	if err != nil {
		t.Fatal(err)
	}
	clocks := target.clocksEnv()
	servers, err := clocks.Servers(t.Context())
	if err != nil || len(servers) == 0 {
		t.Fatalf("%v, %v", servers, err)
	}
	if s := servers[0]; s.From == "LDAP_URL" && (s.Address != "127.0.0.1" || !s.Guessed || len(servers) != 2) {
		t.Errorf("%+v", servers)
	}
	if clocks.Tenant != nil {
		t.Error("a tenant that nobody has named")
	}
	for _, host := range []string{"acme.example", "acme.example:8443", "::1", "[::1]:8443"} {
		if target.tenant = host; target.clocksEnv().Tenant == nil {
			t.Errorf("%s has no clock", host)
		}
	}
}

func TestFixedPorts(t *testing.T) {
	for _, tt := range []struct{ file, want string }{
		{`{}`, "127.0.0.1:8357 (CONSOLE_ADDR)"},
		{`{"CONSOLE_ADDR": "127.0.0.1:0"}`, ""},
		{`{"PORT": 443, "KERBEROS_AUTH": true, "CONSOLE_ADDR": "[::1]:9"}`, "[::1]:9 (CONSOLE_ADDR)"}, // of PORT speaks signin.port
	} {
		c, err := config.Parse([]byte(tt.file))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, p := range fixedPorts(c) {
			got = append(got, p.Address+" ("+p.Key+")")
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%s: %v, want %s", tt.file, got, tt.want)
		}
	}
}

// TestDoctorNamesWhoHoldsAPort has the console's port taken by this process,
// and then by nobody.
func TestDoctorNamesWhoHoldsAPort(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	environ := []string{"CONSOLE_ADDR=" + l.Addr().String()}
	d, status := askDoctorIn(t, environ, "--home", t.TempDir(), "--only", "host.ports", "--fail-on-warnings")
	if text := says(found(t, d, "host.ports")); status != 4 || !strings.Contains(text, "the console (CONSOLE_ADDR): ") || !strings.Contains(text, "listens there") {
		t.Errorf("%d: %s", status, text)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if d, status := askDoctorIn(t, environ, "--home", t.TempDir(), "--only", "host.ports", "--fail-on-warnings"); status != 0 {
		t.Error(says(found(t, d, "host.ports")))
	}
}

// TestDoctorKnowsItsOwnPort has a connector of this home, and one of another,
// answer at the console's port.
func TestDoctorKnowsItsOwnPort(t *testing.T) {
	var id atomic.Value
	id.Store("mine")
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"instance": "`+id.Load().(string)+`"}`)
	}))
	t.Cleanup(s.Close)
	address := s.Listener.Addr().String()
	h, err := home.Open(t.TempDir(), nil)
	if err == nil {
		err = errors.Join(h.Create(), h.SaveState("instance", instance{ID: "mine"}), h.SaveState("run", running{Console: address}))
	}
	if err != nil {
		t.Fatal(err)
	}
	look := func() (string, int) {
		d, status := askDoctorIn(t, []string{"CONSOLE_ADDR=" + address}, "--home", h.Dir(), "--only", "host.ports", "--fail-on-warnings")
		return says(found(t, d, "host.ports")), status
	}
	if text, status := look(); status != 0 || !strings.Contains(text, address+" is held by this connector, which runs") {
		t.Errorf("%d: %s", status, text)
	}
	id.Store("another")
	if text, status := look(); status != 4 || !strings.Contains(text, "listens there") {
		t.Errorf("%d: %s", status, text)
	}
}

// TestDoctorLooksAtThisMachine runs the whole group for real: it takes less
// than a second where nothing hangs, and changes nothing.
func TestDoctorLooksAtThisMachine(t *testing.T) {
	d, status := askDoctorIn(t, []string{"CONSOLE_ADDR=127.0.0.1:0"}, "--home", filepath.Join(t.TempDir(), "none"), "--only", "host")
	for _, e := range d.Checks {
		if text := says(e); strings.Contains(text, "is broken") || strings.Contains(text, "did not end") || strings.Contains(text, "does not answer") {
			t.Errorf("%s: %s", e.ID, text)
		}
	}
	if status != 0 && status != 3 || len(d.Checks) < 9 {
		t.Errorf("status %d, %d checks", status, len(d.Checks))
	}
	t.Logf("it took %d ms", d.TookMs)
}

func TestDoctorStartsATimeService(t *testing.T) {
	var said bytes.Buffer
	a := &app{stderr: &said, home: filepath.Join(t.TempDir(), "none")}
	target, err := a.openTarget(targetFlags{})
	if err != nil {
		t.Fatal(err)
	}
	execute := a.hostEnv(target).Execute
	program := requireProgram(t, "sh")
	if err := execute(t.Context(), []string{program, "-c", "true"}); err != nil || !strings.Contains(said.String(), "running: "+program) {
		t.Errorf("%v, %s", err, &said)
	}
	if err := execute(t.Context(), []string{program, "-c", "echo no such unit >&2; exit 5"}); err == nil || !strings.Contains(err.Error(), "exit status 5: no such unit") {
		t.Error(err)
	}
	if err := execute(t.Context(), []string{filepath.Join(t.TempDir(), "missing")}); err == nil {
		t.Error("what is not there ran")
	}
}
