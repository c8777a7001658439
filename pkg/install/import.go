package install

import (
	"context"

	"ad-ldap-connector/pkg/config"
	"ad-ldap-connector/pkg/home"
)

// importNode is the step that makes the home a node of an existing connector:
// its configuration, key pair and mapper come at once or not at all.
func (w *work) importNode() Plan {
	if w.Import == nil {
		return nil
	}
	var before *home.Snapshot // nil: nothing was replaced
	backup := ""
	return Plan{{Name: "import-node", Says: "Take the configuration, the key pair and the mapper from the archive",
		Do: func(context.Context) error {
			was, err := w.Home.Snapshot()
			if err != nil {
				return err
			}
			a := *w.Import
			w.pair = a.Pair
			if w.c.Agent.Secrets == config.InFile {
				if err := sealPassword(&w.c, w.pair); err != nil {
					return err
				}
			}
			if a.Config = w.c; w.c.Agent.Secrets != config.InFile { // the next step but one keeps it
				a.Config.Directory.BindPassword, a.Config.Directory.BindCredentials = "", ""
			}
			before = &was
			backup, err = w.Home.Replace(&a)
			return err
		},
		Undo: func(context.Context) error {
			if before == nil {
				return nil
			}
			return w.Home.TakeBack(*before, backup)
		}}}
}
