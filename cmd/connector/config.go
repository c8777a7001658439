package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"ad-ldap-connector/pkg/config"
	"ad-ldap-connector/pkg/home"
)

func newConfigCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "config",
		Short:   "Show, check and change the configuration",
		Example: "  connector config show\n  connector config set LDAP_URL ldaps://dc1.corp.example",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usagef("%q is not something config can do; try: connector config --help", args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newConfigShow(a), newConfigGet(a), newConfigSet(a), newConfigUnset(a), newConfigValidate(a), newConfigSchema(a), newConfigSecret(a))
	return cmd
}

// A Setting is one key as "config show" has it.
type setting struct {
	Key    string `json:"key"`
	Value  any    `json:"value"`
	Source string `json:"source"` // default, file or environment
}

func (a *app) loadConfig() (*home.Home, config.Config, error) {
	h, err := a.openHome()
	if err != nil {
		return nil, config.Config{}, err
	}
	c, err := h.Config()
	return h, c, err
}

// reveals reports whether secrets may be shown: only to somebody who asked for
// it and sits at a terminal, never to a file or a pipe.
func (a *app) reveals(asked bool) (bool, error) {
	if asked && !isTerminal(a.stdout) {
		return false, usagef("--reveal shows secrets on a terminal only")
	}
	return asked, nil
}

func shown(v any, reveal bool) any {
	if s, ok := v.(config.Secret); ok && reveal {
		return string(s)
	}
	return v
}

func newConfigShow(a *app) *cobra.Command {
	reveal := false
	cmd := &cobra.Command{
		Use: "show", Short: "Show every key with its value and where it comes from",
		Example: "  connector config show -o json",
		Args:    noArgs,
		RunE: func(*cobra.Command, []string) error {
			reveal, err := a.reveals(reveal)
			if err != nil {
				return err
			}
			_, c, err := a.loadConfig()
			if err != nil {
				return err
			}
			settings := []setting{}
			for _, k := range config.Keys() {
				v, set := c.Get(k.Name)
				s := setting{Key: k.Name, Value: shown(v, reveal), Source: c.Source(k.Name)}
				if set || s.Source != "default" {
					settings = append(settings, s)
				}
			}
			if a.json() {
				return a.print(map[string]any{"settings": settings})
			}
			for _, s := range settings {
				value, err := json.Marshal(s.Value)
				if err != nil {
					return err
				}
				if err := a.text("%-12s %-44s %s\n", s.Source, s.Key, value); err != nil {
					return err
				}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&reveal, "reveal", false, "show secrets, on a terminal only")
	return cmd
}

func newConfigGet(a *app) *cobra.Command {
	reveal := false
	cmd := &cobra.Command{
		Use: "get KEY", Short: "Print the value of one key",
		Example: "  connector config get LDAP_URL",
		Args:    exactArgs(1, "name one key: connector config get LDAP_URL"),
		RunE: func(_ *cobra.Command, args []string) error {
			reveal, err := a.reveals(reveal)
			if err != nil {
				return err
			}
			_, c, err := a.loadConfig()
			if err != nil {
				return err
			}
			v, ok := c.Get(args[0])
			if !ok {
				return fmt.Errorf("%s is not set", args[0])
			}
			if text, isText := v.(string); isText && !a.json() {
				return a.text("%s\n", text)
			}
			return a.print(shown(v, reveal))
		},
	}
	cmd.Flags().BoolVar(&reveal, "reveal", false, "show a secret, on a terminal only")
	return cmd
}

func newConfigSet(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "set KEY VALUE|-", Short: "Set one key in config.json",
		Long:    "A VALUE of - is read from standard input, so that a secret need not be an argument.",
		Example: "  connector config set GROUPS_CACHE_SECONDS 300\n  connector config set LDAP_BIND_PASSWORD - < password.txt",
		Args:    exactArgs(2, "name a key and its value: connector config set LDAP_URL ldaps://dc1.corp.example"),
		RunE: func(cmd *cobra.Command, args []string) error {
			key, value := args[0], args[1]
			if value == "-" {
				from := secretFlags{name: "value", stdin: true}
				text, err := from.read(a.input())
				if err != nil {
					return err
				}
				value = text
			}
			if key == "SECRETS" {
				return a.changeStore(cmd.Context(), value)
			}
			return a.changeConfig(key, func(c *config.Config) error { return c.Set(key, value) })
		},
	}
}

func newConfigUnset(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "unset KEY", Short: "Take one key out of config.json",
		Example: "  connector config unset LDAP_BASE_GROUPS",
		Args:    exactArgs(1, "name one key: connector config unset LDAP_BASE_GROUPS"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if args[0] == "SECRETS" {
				return a.changeStore(cmd.Context(), config.InFile)
			}
			return a.changeConfig(args[0], func(c *config.Config) error { return c.Unset(args[0]) })
		},
	}
}

// changeConfig changes the file and says when the environment hides the change.
func (a *app) changeConfig(key string, change func(*config.Config) error) error {
	h, c, err := a.loadConfig()
	if err != nil {
		return err
	}
	if c.EnvOnly() {
		return errEnvOnly
	}
	if (key == bindPasswordKey || key == sealedKey) && c.Agent.Secrets != config.InFile {
		return &hinted{usagef("SECRETS is %s: config.json is not to have the password", c.Agent.Secrets), "connector config secret set " + bindPasswordKey}
	}
	if err := change(&c); err != nil {
		return &usageError{err}
	}
	if err := h.SaveConfig(c); err != nil {
		return err
	}
	if c.FromEnv(key) {
		a.say("the environment sets %s as well, and has the last word", key)
	}
	a.say("a running connector takes this up when it is restarted or gets SIGHUP")
	return nil
}

func newConfigValidate(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "validate", Short: "Check the configuration and name every fault at once",
		Example: "  connector config validate -o json",
		Args:    noArgs,
		RunE: func(*cobra.Command, []string) error {
			_, c, err := a.loadConfig()
			if err != nil {
				return err
			}
			faults := faultsOf(c.Validate())
			warnings := append([]string{}, c.Warnings()...)
			if a.json() {
				if err := a.print(map[string]any{"valid": len(faults) == 0, "faults": faults, "warnings": warnings}); err != nil {
					return err
				}
			} else {
				for _, w := range warnings {
					a.say("warning: %s", w)
				}
				for _, f := range faults {
					if err := a.text("%s\n", f.Error()); err != nil {
						return err
					}
				}
			}
			if len(faults) > 0 {
				if !a.json() && len(faults) > 1 {
					a.say("%d faults", len(faults))
				}
				return exitError(exitFault)
			}
			a.say("valid")
			return nil
		},
	}
}

// faultsOf takes a joined error apart.
func faultsOf(err error) []*config.FieldError {
	faults := []*config.FieldError{}
	if err == nil {
		return faults
	}
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range many.Unwrap() {
			faults = append(faults, faultsOf(e)...)
		}
		return faults
	}
	var f *config.FieldError
	if !errors.As(err, &f) {
		f = &config.FieldError{Problem: strings.TrimSpace(err.Error())}
	}
	return append(faults, f)
}

func newConfigSchema(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "schema", Short: "Print the JSON Schema of config.json",
		Example: "  connector config schema > config.schema.json",
		Args:    noArgs,
		RunE:    func(*cobra.Command, []string) error { return a.text("%s\n", config.Schema()) },
	}
}
