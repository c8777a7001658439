package home

import (
	"fmt"
	"os"
	"slices"

	ss "github.com/zalando/go-keyring/secret_service"

	"ad-ldap-connector/pkg/config"
)

// secretService is what a keyring's daemon is called on the session's bus.
const secretService = "org.freedesktop.secrets"

// checkKeyring looks for a Secret Service in the session of this account,
// running or one that the bus would start.
func (h *Home) checkKeyring() error {
	const advice = "run it in a session of the account that has gnome-keyring or KWallet; for a service set SECRETS to systemd, without one to file"
	if !hasSession() {
		return &StoreError{config.InKeyring, "this process has no D-Bus session, in which its account's keyring would be", advice}
	}
	here, err := h.asked("look for the keyring", func() (string, error) {
		s, err := ss.NewSecretService()
		if err != nil {
			return "", fmt.Errorf("the D-Bus session does not answer: %w", err)
		}
		for _, call := range []string{"ListNames", "ListActivatableNames"} {
			var names []string
			if err := s.BusObject().Call("org.freedesktop.DBus."+call, 0).Store(&names); err != nil {
				return "", fmt.Errorf("the D-Bus session does not answer: %w", err)
			}
			if slices.Contains(names, secretService) {
				return call, nil
			}
		}
		return "", nil
	})
	if err == nil && here == "" {
		err = &StoreError{config.InKeyring, "no Secret Service is in this D-Bus session", advice}
	}
	return err
}

// hangUp ends the library's connection, and so whatever waits there for an
// answer. What comes next has another one.
func hangUp() {
	if s, err := ss.NewSecretService(); err == nil {
		_ = s.Conn.Close() // what is lost with it is what it is closed for
	}
}

// hasSession reports whether there is a bus to ask. Without this look the
// library would start one, by dbus-launch.
func hasSession() bool {
	if address := os.Getenv("DBUS_SESSION_BUS_ADDRESS"); address != "" && address != "autolaunch:" {
		return true
	}
	_, err := os.Stat(fmt.Sprintf("/run/user/%d/bus", os.Getuid()))
	return err == nil
}
