package main

import (
	"slices"

	"github.com/spf13/cobra"

	"ad-ldap-connector/pkg/config"
)

// bindPasswordKey is the secret that a store may have, and that is tried before
// it is kept.
const bindPasswordKey = "LDAP_BIND_PASSWORD" //nolint:gosec // its name

// sealedKey is what becomes of it in the file.
const sealedKey = "LDAP_BIND_CREDENTIALS"

func newConfigSecret(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "secret",
		Short:   "List and change the secrets of the configuration",
		Example: "  connector config secret list\n  sudo connector config secret set LDAP_BIND_PASSWORD",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usagef("%q is not something config secret can do; try: connector config secret --help", args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newSecretList(a), newSecretSet(a))
	return cmd
}

// secretKeys are the secrets that somebody may set: not what the connector makes
// of them, nor what has no effect.
func secretKeys() (keys []config.Key) {
	for _, k := range config.Keys() {
		if k.Secret && !k.Unused && !k.EnvOnly && k.Name != sealedKey {
			keys = append(keys, k)
		}
	}
	return keys
}

// A keptSecret is one line of the list.
type keptSecret struct {
	Key    string `json:"key"`
	Set    bool   `json:"set"`
	Kept   string `json:"kept"`   // file, systemd, dpapi, keyring, environment, or "" when it is not set
	Sealed bool   `json:"sealed"` // it cannot be read where it lies
}

// whereKept says where a secret is, and never what it is.
func whereKept(c config.Config, key string) keptSecret {
	s := keptSecret{Key: key}
	is := func(name, kept string, sealed bool) bool {
		v, _ := c.Get(name)
		secret, _ := v.(config.Secret)
		if secret == "" {
			return false
		}
		if c.FromEnv(name) {
			kept = "environment"
		}
		s.Set, s.Kept, s.Sealed = true, kept, sealed
		return true
	}
	switch {
	case is(key, config.InFile, false):
	case key != bindPasswordKey:
	case is(sealedKey, config.InFile, true):
	case c.Stored():
		s.Set, s.Kept, s.Sealed = true, c.Agent.Secrets, true
	}
	return s
}

func newSecretList(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "Say which secrets are set, and where each is kept",
		Long:    "No value is shown, nor opened.",
		Example: "  connector config secret list -o json",
		Args:    noArgs,
		RunE: func(*cobra.Command, []string) error {
			_, c, err := a.loadConfig()
			if err != nil {
				return err
			}
			list := []keptSecret{}
			for _, k := range secretKeys() {
				list = append(list, whereKept(c, k.Name))
			}
			if a.json() {
				return a.print(map[string]any{"store": c.Agent.Secrets, "secrets": list})
			}
			for _, s := range list {
				how := "not set"
				switch {
				case s.Set && s.Sealed:
					how = s.Kept + ", sealed"
				case s.Set:
					how = s.Kept + ", in the clear"
				}
				if err := a.text("%-22s %s\n", s.Key, how); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

// settable reports whether a key is a secret that can be set.
func settable(key string) bool {
	return slices.ContainsFunc(secretKeys(), func(k config.Key) bool { return k.Name == key })
}
