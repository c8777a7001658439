package main

import (
	"runtime"

	"ad-ldap-connector/pkg/config"
	"ad-ldap-connector/pkg/directory"
	"ad-ldap-connector/pkg/home"
	"ad-ldap-connector/pkg/service"
)

// checkSecrets refuses a store that this machine has not, before anything is
// asked.
func (o *installAnswers) checkSecrets(c config.Config) error {
	store := c.Agent.Secrets
	if o.noService && store == config.InSystemd {
		return &hinted{usagef("SECRETS systemd needs a service that systemd starts, and --no-service makes none"),
			"without one, set SECRETS to systemd in the environment of a unit of your own: connector help secrets"}
	}
	if !o.noService && store == config.InKeyring {
		return &hinted{usagef("%s", keyringOfAPerson), "set SECRETS to " + storeOfServices() + "; or provision with --no-service what you start yourself"}
	}
	if err := home.CheckStore(store); err != nil {
		return &usageError{err}
	}
	return nil
}

// keyringOfAPerson is why no service is given a keyring.
const keyringOfAPerson = "SECRETS keyring is opened by a person who logs in, and a service starts without one"

// storeOfServices is what serves a service of this system instead.
func storeOfServices() string {
	switch runtime.GOOS {
	case "linux":
		return config.InSystemd
	case "windows":
		return config.InDPAPI
	}
	return config.InFile
}

// needsCredential reports whether the service has its password from systemd.
func needsCredential(c config.Config) bool {
	d := c.Directory
	return c.Agent.Secrets == config.InSystemd && d.BindMethod == string(directory.Simple) && d.BindUser != ""
}

// credentials are what the service in h is to be handed by systemd.
func credentials(h *home.Home, c config.Config) []service.Credential {
	if !needsCredential(c) {
		return nil
	}
	file, encrypted := h.Credential(home.BindSecret)
	return []service.Credential{{Name: home.BindSecret, File: file, Encrypted: encrypted}}
}

// leavesStore says, of a home that is to be replaced, that its password is in a
// store and the next one will not be: an archive has it sealed.
func leavesStore(h *home.Home) []string {
	c, err := h.Config()
	if err != nil || !c.Stored() || c.FromEnv("SECRETS") {
		return nil
	}
	store := c.Agent.Secrets
	return []string{"SECRETS was " + store + " here; the archive's password is in config.json, until \"connector config set SECRETS " + store + "\" moves it."}
}
