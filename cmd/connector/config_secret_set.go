package main

import (
	"context"
	"errors"
	"fmt"
	"os/signal"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"ad-ldap-connector/pkg/config"
	"ad-ldap-connector/pkg/directory"
	"ad-ldap-connector/pkg/home"
	"ad-ldap-connector/pkg/identity"
)

func newSecretSet(a *app) *cobra.Command {
	var value secretFlags
	offline := false
	cmd := &cobra.Command{
		Use: "set KEY", Short: "Change a secret, try it first, and have the running connector take it",
		Long: `The value comes from the terminal, a file or standard input, and is never an
argument. LDAP_BIND_PASSWORD is tried first: the service account binds with it
once. A refusal ends the command with 6, and the former one stays. It is then
kept where SECRETS says, in one write: whatever stops the command, the former
password or this one is there and opens. A running connector takes it without
dropping a login, and the command ends when that one is bound with it. Other
secrets are kept in config.json. See connector help secrets.`,
		Example: `  sudo connector config secret set LDAP_BIND_PASSWORD
  sudo connector config secret set LDAP_BIND_PASSWORD --value-file password.txt
  connector config secret set SSL_KEY_PASSWORD --value-stdin < pfx-password.txt`,
		Args: exactArgs(1, "name one secret: connector config secret set LDAP_BIND_PASSWORD"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.setSecret(cmd.Context(), args[0], value, offline)
		},
	}
	value.add(cmd.Flags(), "value", "the secret")
	cmd.Flags().BoolVar(&offline, "offline", false, "do not try the password at the directory")
	return cmd
}

// A secretResult is the JSON of a secret that was changed.
type secretResult struct {
	Result string `json:"result"` // kept
	Key    string `json:"key"`
	Kept   string `json:"kept"`  // file, systemd, dpapi or keyring
	Tried  bool   `json:"tried"` // the directory took it
	Live   bool   `json:"live"`  // a running connector has it
	Next   string `json:"next"`  // what is left to do, or ""
}

func (a *app) setSecret(ctx context.Context, key string, value secretFlags, offline bool) error {
	ctx, stop := signal.NotifyContext(ctx, hangups...)
	defer stop()
	if key == sealedKey {
		return &hinted{usagef("%s is written by the connector", key), "set the password itself: connector config secret set " + bindPasswordKey}
	}
	if !settable(key) {
		return &hinted{usagef("%s is no secret of the configuration", key), "those are listed by: connector config secret list"}
	}
	h, c, err := a.loadConfig()
	if err != nil {
		return err
	}
	if err := ownedByEnvironment(c, key); err != nil {
		return err
	}
	if key == bindPasswordKey {
		if err := a.checkBindPassword(ctx, h, c); err != nil {
			return err
		}
	}
	text, err := a.secret(value, "value")
	if err != nil {
		return err
	}
	r := secretResult{Result: "kept", Key: key, Kept: config.InFile}
	if key == bindPasswordKey {
		err = a.rotate(ctx, h, c, text, offline, &r)
	} else {
		err = a.setOther(ctx, h, c, key, text, &r)
	}
	if err != nil {
		return err
	}
	if a.json() {
		return a.print(r)
	}
	a.say("kept: %s in the store %s", key, r.Kept)
	if r.Next != "" {
		a.say("next: %s", r.Next)
	}
	return nil
}

// ownedByEnvironment refuses to change what the environment has the last word on.
func ownedByEnvironment(c config.Config, key string) error {
	if c.EnvOnly() {
		return errEnvOnly
	}
	keys := []string{key}
	if key == bindPasswordKey {
		keys = append(keys, sealedKey)
	}
	for _, k := range keys {
		if v, _ := c.Get(k); c.FromEnv(k) && v != config.Secret("") {
			return &hinted{fmt.Errorf("the environment sets %s, and has the last word", k), "change it where it is set, or take it out there"}
		}
	}
	return nil
}

var errEnvOnly = errors.New("OVERRIDE_CONFIG=false: the configuration comes from the environment, and config.json is not used")

// checkBindPassword refuses before anybody is asked for a password that could
// not be kept or has no use.
func (a *app) checkBindPassword(ctx context.Context, h *home.Home, c config.Config) error {
	d := c.Directory
	if d.BindMethod != string(directory.Simple) {
		return fmt.Errorf("LDAP_BIND_METHOD is %s: the service account has no password", d.BindMethod)
	}
	if d.BindUser == "" {
		return &hinted{errors.New("LDAP_BIND_USER is not set: whose password it is is not known"), "connector config set LDAP_BIND_USER svc@corp.example"}
	}
	if c.Agent.Secrets != config.InFile {
		return a.mayStore(ctx, h, c.Agent.Secrets)
	}
	if _, err := h.Keys(c); err != nil {
		return &hinted{fmt.Errorf("seal the password: %w", err), "run \"connector install\", which makes the key pair"}
	}
	return nil
}

// rotate tries another password of the service account, keeps it, and has the
// running connector take it.
func (a *app) rotate(ctx context.Context, h *home.Home, c config.Config, password string, offline bool, r *secretResult) error {
	if !offline {
		if err := a.tryPassword(ctx, h, c, password); err != nil {
			return &hinted{fmt.Errorf("nothing was changed: %w", err), hintOr(err, "the former password stays; --offline keeps one without trying it")}
		}
		r.Tried = true
		a.say("tried: %s is let in", visible(c.Directory.BindUser))
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	// Typing and trying take their time, in which others may have written.
	now, err := h.Config()
	if err == nil && now.Directory.BindUser != c.Directory.BindUser {
		err = errors.New("LDAP_BIND_USER was changed meanwhile; nothing was changed here")
	}
	if err != nil {
		return err
	}
	c = now
	r.Kept = c.Agent.Secrets
	next, err := a.keepPassword(ctx, h, c, c.Agent.Secrets, password)
	if err != nil {
		return err
	}
	if next != "" {
		r.Next = next
		return nil
	}
	r.Live, r.Next, err = a.makeLive(ctx, h, true)
	return err
}

func hintOr(err error, hint string) string {
	if had := hintOf(err); had != "" {
		return had + "; " + hint
	}
	return hint
}

// tryPassword binds as the service account with another password, once: each
// try counts for a lockout. Servers that cannot be reached are passed over.
func (a *app) tryPassword(ctx context.Context, h *home.Home, c config.Config, password string) error {
	if err := directoryFaults(c); err != nil {
		return err
	}
	t, err := homeTransport(h, c.Network, a.environ)
	if err != nil {
		return err
	}
	o, err := directoryOptions(c, password, t, a.log(), nil)
	if err != nil {
		return err
	}
	i := directory.Inspect(o)
	defer func() { _ = i.Close() }() // nothing was left to send
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	servers, err := i.Servers(ctx)
	if err != nil {
		return err
	}
	var unreached []error
	for _, s := range servers {
		if _, err := i.Reach(ctx, s.URL); err != nil {
			unreached = append(unreached, err)
			continue
		}
		err := i.Admit(ctx, s.URL)
		var refusal *identity.Refusal
		if errors.As(err, &refusal) && refusedAccount[refusal.Reason] != "" {
			return &hinted{err, refusedAccount[refusal.Reason]}
		}
		return err
	}
	return errors.Join(unreached...)
}

// setOther keeps any other secret, in config.json: the connector writes some of
// them itself, and the existing one reads them there.
func (a *app) setOther(ctx context.Context, h *home.Home, c config.Config, key, text string, r *secretResult) (err error) {
	if err := c.Set(key, text); err != nil {
		return &usageError{err}
	}
	for _, f := range faultsOf(c.Validate()) {
		if f.Key == key {
			return &usageError{f}
		}
	}
	if err := h.SaveConfig(c); err != nil {
		return err
	}
	r.Live, r.Next, err = a.makeLive(ctx, h, false)
	return err
}

// liveTime bounds how long a running connector may take to read its home again
// and to bind.
const liveTime = time.Minute

// makeLive has the connector that runs in h read its home again, and waits until
// it has, bound to the directory if that is what counts. Next is what somebody
// has to do where it cannot be told.
func (a *app) makeLive(ctx context.Context, h *home.Home, bound bool) (live bool, next string, err error) {
	if !h.Locked() {
		a.say("no connector runs here; the next one that does takes it")
		return false, "", nil
	}
	begin := time.Now()
	if !a.reloadRunning(ctx, h) {
		return false, "restart the running connector, which goes on with the former one until then", nil
	}
	ctx, cancel := context.WithTimeout(ctx, liveTime)
	defer cancel()
	said := "it does not answer"
	for {
		if s, err := a.askRunning(ctx, h); err == nil {
			fresh, detail := boundSince(s, begin, bound)
			if fresh {
				a.say("the running connector has it")
				return true, "", nil
			}
			said = detail
		}
		select {
		case <-ctx.Done():
			if !errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
				return false, "", ctx.Err()
			}
			return false, "", &hinted{fmt.Errorf("it is kept, but the running connector was not seen to take it within %s: %s", liveTime, visible(said)),
				"connector status says how it fares, connector logs why"}
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// boundSince reports whether a running connector has read its home since begin
// and, if that counts, reached the directory since; or else what it says of it.
func boundSince(s status, begin time.Time, bound bool) (yes bool, detail string) {
	for _, p := range s.Parts {
		if p.Name != "directory" {
			continue
		}
		if !p.Since.After(begin) {
			return false, "it has not read its home again yet"
		}
		return !bound || p.Health == "ok", strings.TrimSpace(p.Detail)
	}
	return false, "it does not say how the directory fares"
}
