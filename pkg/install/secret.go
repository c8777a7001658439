package install

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"ad-ldap-connector/pkg/config"
	"ad-ldap-connector/pkg/home"
)

// keepPassword is the step that puts the service account's password into the
// store of SECRETS, where that is not the configuration itself. What the store
// had before comes back when the plan is undone.
func (w *work) keepPassword() Plan {
	store := w.c.Agent.Secrets
	password := string(w.c.Directory.BindPassword)
	if store == config.InFile || password == "" {
		return nil
	}
	before := ""
	// The configuration that is written has no password, whether or not this has
	// something to do.
	kept := func() { w.c.Directory.BindPassword, w.c.Directory.BindCredentials = "", "" }
	return Plan{{Name: "keep-password", Says: fmt.Sprintf("Keep the service account's password in the store %s", store),
		Done: func(context.Context) (bool, error) {
			if !w.Home.Exists() {
				return false, nil
			}
			have, err := w.Home.StoredSecret(store, home.BindSecret)
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				w.note(err.Error() + "; it is replaced")
			}
			if before = have; have != password {
				return false, nil
			}
			kept()
			return true, nil
		},
		Do: func(context.Context) error {
			err := w.Home.StoreSecret(store, home.BindSecret, password)
			if err == nil {
				kept()
			}
			return err
		},
		Undo: func(context.Context) error {
			if before != "" {
				return w.Home.StoreSecret(store, home.BindSecret, before)
			}
			return w.Home.RemoveSecret(store, home.BindSecret)
		}}}
}

// forgetStore takes away what a store had before the password came back into the
// configuration. What stays serves nobody, and does no harm.
func (w *work) forgetStore() {
	if w.c.Agent.Secrets == config.InFile {
		_ = w.Home.RemoveSecrets() // see above
	}
}
