package home

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"ad-ldap-connector/pkg/config"
	"ad-ldap-connector/testdata/lab"
)

// inSession runs tests of this program in a session of the tests' own.
func inSession(t *testing.T, k *lab.Keyring, tests string) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "-test.v", "-test.run="+tests)
	cmd.Env = append(append(os.Environ(), k.Environ...), sessionEnv+"=1", killsEnv+"=6")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%s: %v\n%s", tests, err, out)
	}
	return string(out)
}

// The keyring is a store as the others are, whatever stops the process.
func TestKeyring(t *testing.T) {
	t.Parallel()
	out := inSession(t, lab.NewKeyring(t), "^(TestStores|TestRotationSurvivesKill)$/^(keyring)?$")
	if !strings.Contains(out, "--- PASS: TestStores/keyring") || !strings.Contains(out, "--- PASS: TestRotationSurvivesKill") {
		t.Error(out)
	}
}

// kept is a home in the session of the keyring.
func kept(t *testing.T) *Home {
	t.Helper()
	h := lay(t, configured(t))
	keepIn(t, h, config.InKeyring, "hunter2-hunter2")
	return h
}

// Two homes share no item, a copy of a home opens nothing, and neither removes
// what is the other's.
func TestKeyringOfEachHome(t *testing.T) {
	if os.Getenv(sessionEnv) == "" {
		t.Parallel()
		inSession(t, lab.NewKeyring(t), "^TestKeyringOfEachHome$")
		return
	}
	one, two := kept(t), kept(t)
	if err := two.StoreSecret(config.InKeyring, BindSecret, "another-password"); err != nil {
		t.Fatal(err)
	}
	if got := bindPassword(t, one) + " " + bindPassword(t, two); got != "hunter2-hunter2 another-password" {
		t.Error(got)
	}
	foreign := lay(t, filesBelow(t, one.Dir()))
	if err := os.Chmod(foreign.Path(secretsFolder), 0o700); err != nil {
		t.Fatal(err)
	}
	if got, err := foreign.StoredSecret(config.InKeyring, BindSecret); err == nil || got != "" || !strings.Contains(hintText(err), "config secret set") {
		t.Errorf("a copy opens %q: %v", got, err)
	}
	link := t.TempDir() + "/link"
	if err := errors.Join(foreign.RemoveSecrets(), os.Symlink(one.Dir(), link)); err != nil {
		t.Fatal(err)
	}
	if got := bindPassword(t, open(t, link)); got != "hunter2-hunter2" {
		t.Errorf("by a link it is %q", got)
	}
	if err := two.RemoveSecrets(); err != nil || bindPassword(t, one) != "hunter2-hunter2" {
		t.Error(err)
	}
	long := strings.Repeat("x", keyringMost+1)
	if err := one.StoreSecret(config.InKeyring, BindSecret, long); err == nil || bindPassword(t, one) != "hunter2-hunter2" {
		t.Errorf("too long: %v", err)
	}
}

func hintText(err error) string {
	var e *StoreError
	if errors.As(err, &e) {
		return e.Hint()
	}
	return ""
}

// unserved expects that a keyring which does not serve is said so in time, and
// that nothing is changed.
func unserved(t *testing.T, h *Home, why string) {
	t.Helper()
	for what, try := range map[string]func() error{
		"read":   func() error { _, err := h.StoredSecret(config.InKeyring, BindSecret); return err },
		"keep":   func() error { return h.StoreSecret(config.InKeyring, BindSecret, "planted-password") },
		"remove": func() error { return h.RemoveSecrets() },
	} {
		begin := time.Now()
		err := try()
		var e *StoreError
		if !errors.As(err, &e) || errors.Is(err, fs.ErrNotExist) || e.Hint() == "" || !strings.Contains(err.Error(), why) || strings.Contains(err.Error(), "planted-password") {
			t.Errorf("%s: %v", what, err)
		}
		if took := time.Since(begin); took > keyringTime {
			t.Errorf("%s takes %s", what, took)
		}
	}
	if _, err := os.Stat(h.Path(secretsFolder, storeFiles(config.InKeyring, BindSecret)[0])); err != nil {
		t.Errorf("what is in the keyring is forgotten: %v", err)
	}
	fresh := lay(t, configured(t))
	fresh.keyringTime = h.keyringTime
	before := filesBelow(t, fresh.Dir())
	if err := fresh.StoreSecret(config.InKeyring, BindSecret, "planted-password"); err == nil {
		t.Error("another home's is kept")
	}
	if why == hung {
		return // what may yet be kept has to be known of
	}
	if after := filesBelow(t, fresh.Dir()); len(after) != len(before) {
		t.Errorf("what was never kept leaves %v", after)
	}
	if err := fresh.RemoveSecrets(); err != nil {
		t.Errorf("what was never kept is not removed: %v", err)
	}
}

// hung is what is said of a keyring that may answer later.
const hung = "did not answer within"

// unservedKeyrings are what may become of one.
var unservedKeyrings = map[string]struct {
	why   string
	spoil func(*lab.Keyring)
}{
	"locked": {"unlock", (*lab.Keyring).Lock},
	"hangs":  {hung, (*lab.Keyring).Pause},
	"dead":   {"no Secret Service", (*lab.Keyring).Kill},
	"no-bus": {"D-Bus session does not answer", (*lab.Keyring).KillBus},
}

// A keyring that does not answer, is locked with nobody to open it, or has gone,
// is an error within its time.
func TestUnservedKeyring(t *testing.T) {
	if name := os.Getenv(sessionEnv); name != "" {
		h := kept(t)
		// The test that started this one does to the keyring what is in the name.
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		lab.Eventually(t, "the keyring to be spoilt", func() bool { _, err := os.Stat(name + ".done"); return err == nil })
		why, err := os.ReadFile(name + ".done")
		if err != nil {
			t.Fatal(err)
		}
		if string(why) == hung {
			h.keyringTime = 300 * time.Millisecond
		}
		unserved(t, h, string(why))
		if string(why) == hung {
			h.keyringTime = 0
			if err := os.WriteFile(name+".seen", nil, 0o600); err != nil {
				t.Fatal(err)
			}
			lab.Eventually(t, "the keyring to be asked again", func() bool { return bindPassword(t, h) != "" })
		}
		return
	}
	t.Parallel()
	for name, tt := range unservedKeyrings {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := lab.NewKeyring(t)
			sign := t.TempDir() + "/sign"
			self, err := os.Executable()
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(self, "-test.v", "-test.run=^TestUnservedKeyring$")
			cmd.Env = append(append(os.Environ(), k.Environ...), sessionEnv+"="+sign)
			var out strings.Builder
			cmd.Stdout, cmd.Stderr = &out, &out
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { ended <- cmd.Wait() }()
			lab.Eventually(t, "a password in the keyring", func() bool { _, err := os.Stat(sign); return err == nil || len(ended) > 0 })
			tt.spoil(k)
			if err := errors.Join(os.WriteFile(sign+".new", []byte(tt.why), 0o600), os.Rename(sign+".new", sign+".done")); err != nil {
				t.Fatal(err)
			}
			if tt.why == hung {
				lab.Eventually(t, "that to be seen", func() bool { _, err := os.Stat(sign + ".seen"); return err == nil || len(ended) > 0 })
				k.Resume()
			}
			if err := <-ended; err != nil {
				t.Errorf("%v\n%s", err, &out)
			}
		})
	}
}

// Where there is no session, that is said, and none is started.
func TestNoSession(t *testing.T) {
	if _, err := os.Stat("/run/user/0/bus"); err == nil {
		t.Log("this machine has a session")
	}
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path="+t.TempDir()+"/none")
	if err := CheckStore(config.InKeyring); err == nil || !strings.Contains(err.Error(), "D-Bus session does not answer") || !strings.Contains(hintText(err), "keyring") {
		t.Error(err)
	}
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "")
	if err := CheckStore(config.InKeyring); !hasSession() && (err == nil || !strings.Contains(err.Error(), "no D-Bus session") || !strings.Contains(hintText(err), "SECRETS")) {
		t.Error(err)
	}
}
