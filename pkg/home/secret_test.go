package home

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io/fs"
	"os"
	"runtime"
	"strings"
	"testing"

	"ad-ldap-connector/pkg/config"
)

// passwords are what people and programs choose.
var passwords = []string{
	" пароль и 密码 с пробелом ", `"quotes" 'and' \backslashes\ $HOME %n {}`, strings.Repeat("long ", 800),
}

// stores are those that can be tried on this machine by this user.
func stores(t testing.TB) []string {
	t.Helper()
	found := []string{config.InFile}
	for _, store := range []string{config.InSystemd, config.InDPAPI} {
		err := CheckStore(store)
		if err == nil && (store != config.InSystemd || os.Geteuid() == 0) {
			found = append(found, store)
			continue
		}
		t.Logf("not tried here: %s: %v", store, err)
	}
	if mayUseKeyring() {
		found = append(found, config.InKeyring)
	}
	return found
}

// sessionEnv says that the session is one of the tests, and so is its keyring.
const sessionEnv = "CONNECTOR_TEST_SESSION"

// mayUseKeyring reports whether there is a keyring that is not a person's: the
// tests', or that of a Windows, which takes no harm.
func mayUseKeyring() bool { return os.Getenv(sessionEnv) != "" || runtime.GOOS == "windows" }

// most is what a store takes of a password.
func most(store, password string) string {
	if store == config.InKeyring {
		return password[:min(len(password), keyringMost)]
	}
	return password
}

// keepIn puts a password where a store has it, as the commands do.
func keepIn(t testing.TB, h *Home, store, password string) {
	t.Helper()
	c, err := h.Config()
	if err != nil {
		t.Fatal(err)
	}
	c.Agent.Secrets, c.Directory.BindCredentials = store, ""
	if store == config.InFile {
		pair, err := h.Keys(c)
		if err != nil {
			t.Fatal(err)
		}
		sealed, err := pair.Seal(password)
		if err != nil {
			t.Fatal(err)
		}
		c.Directory.BindCredentials = config.Secret(sealed)
	} else if err := h.StoreSecret(store, BindSecret, password); err != nil {
		t.Fatal(err)
	}
	if err := h.SaveConfig(c); err != nil {
		t.Fatal(err)
	}
}

func bindPassword(t testing.TB, h *Home) string {
	t.Helper()
	c, err := h.Config()
	if err != nil {
		t.Fatal(err)
	}
	password, err := h.BindPassword(c)
	if err != nil {
		t.Fatal(err)
	}
	return password
}

// hasPlain reports which file has a text in the clear, or as base64.
func hasPlain(files map[string]string, text string) string {
	for name, data := range files {
		if strings.Contains(data, text) || strings.Contains(data, base64.StdEncoding.EncodeToString([]byte(text))) {
			return name
		}
	}
	return ""
}

// Every store gives back what it was given, to whoever opens the home next, and
// shows it to nobody else. A test of one is a test of all.
func TestStores(t *testing.T) {
	for _, store := range stores(t) {
		t.Run(store, func(t *testing.T) {
			h := lay(t, configured(t))
			for _, password := range passwords {
				password = most(store, password)
				keepIn(t, h, store, password)
				h = open(t, h.Dir())
				if got := bindPassword(t, h); got != password {
					t.Errorf("%q became %q", password, got)
				}
				if name := hasPlain(filesBelow(t, h.Dir()), password); len(password) > 8 && name != "" {
					t.Errorf("%s shows the password %q", name, password)
				}
			}
			if store == config.InFile {
				return
			}
			for _, bad := range []string{"", strings.Repeat("x", maxFile), "two\nlines", "not \xff text"} {
				if h.StoreSecret(store, BindSecret, bad) == nil {
					t.Errorf("%.20q, %d octets, is taken for a password", bad, len(bad))
				}
			}
			damagedIn(t, h, store)
			storedApart(t, h, store)
		})
	}
}

// A store's file that is damaged, or another secret's, is an error without any
// of its content, and no password.
func damagedIn(t *testing.T, h *Home, store string) {
	t.Helper()
	keepIn(t, h, store, "hunter2-hunter2")
	file, data, err := h.sealed(store, BindSecret)
	if err != nil {
		t.Fatal(err)
	}
	name := secretsFolder + "/" + file
	for what, spoilt := range map[string][]byte{
		"cut":   data[:len(data)/2],
		"empty": {},
		"other": bytes.Repeat([]byte("x"), len(data)),
	} {
		if err := os.WriteFile(h.Path(secretsFolder, file), spoilt, 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := h.StoredSecret(store, BindSecret); err == nil {
			t.Errorf("%s: %s gives %q", what, name, got)
		}
	}
	if err := os.WriteFile(h.Path(secretsFolder, storeFiles(store, "other")[0]), data, 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := h.StoredSecret(store, "other"); err == nil {
		t.Errorf("the password is also the secret %q: %q", "other", got)
	}
	if err := h.RemoveSecret(store, "other"); err != nil {
		t.Fatal(err)
	}
}

// A secret that is taken out is gone, and its folder with it; what the archive
// takes to another machine has no store.
func storedApart(t *testing.T, h *Home, store string) {
	t.Helper()
	keepIn(t, h, store, "hunter2-hunter2")
	_, files := exported(t, h)
	if strings.Contains(files[configFile], "SECRETS") || !strings.Contains(files[configFile], "LDAP_BIND_CREDENTIALS") {
		t.Errorf("the archive has %s", files[configFile])
	}
	other := lay(t, files)
	if got := bindPassword(t, other); got != "hunter2-hunter2" {
		t.Errorf("on the other node the password is %q", got)
	}
	if err := h.RemoveSecret(store, BindSecret); err != nil {
		t.Fatal(err)
	}
	c, err := h.Config()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := h.BindPassword(c); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a secret that was removed: %q, %v", got, err)
	}
	if _, err := os.Lstat(h.Path(secretsFolder)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s is left: %v", secretsFolder, err)
	}
	if err := errors.Join(h.RemoveSecret(store, BindSecret), h.RemoveSecrets()); err != nil {
		t.Errorf("once more: %v", err)
	}
}

// What a machine lacks is said by its name, with what to set instead.
func TestStoresThatAreNotHere(t *testing.T) {
	h := lay(t, configured(t))
	for _, store := range []string{config.InSystemd, config.InDPAPI, "vault", config.InKeyring} {
		if store == config.InKeyring && mayUseKeyring() {
			continue
		}
		err := CheckStore(store)
		if err == nil {
			continue
		}
		var e *StoreError
		if !errors.As(err, &e) || !strings.Contains(err.Error(), store) || !strings.Contains(e.Hint(), "SECRETS") {
			t.Errorf("%s: %v", store, err)
		}
		if err := h.StoreSecret(store, BindSecret, "x"); !errors.As(err, &e) {
			t.Errorf("%s takes a secret: %v", store, err)
		}
		if _, err := h.StoredSecret(store, BindSecret); !errors.As(err, &e) {
			t.Errorf("%s gives a secret: %v", store, err)
		}
	}
	if CheckStore(config.InFile) != nil {
		t.Error("the file is everywhere")
	}
}

// What is configured itself counts before the store, which is not even asked.
func TestPasswordBeforeTheStore(t *testing.T) {
	f := configured(t)
	f[configFile] = strings.Replace(f[configFile], `"X_OWN"`, `"SECRETS": "systemd", "X_OWN"`, 1)
	h := lay(t, f)
	if got := bindPassword(t, h); got == "" {
		t.Error("LDAP_BIND_CREDENTIALS does not count")
	}
	h = open(t, h.Dir(), "LDAP_BIND_PASSWORD=of-the-environment")
	if got := bindPassword(t, h); got != "of-the-environment" {
		t.Errorf("the environment does not count: %q", got)
	}
}
