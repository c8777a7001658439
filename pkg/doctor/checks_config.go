package doctor

import (
	"context"
	"errors"
	"io/fs"
	"strings"
)

var configChecks = []Check{
	{
		ID: "config.valid", Title: "The configuration is valid", Severity: Blocks,
		Probe:  probeConfig,
		Remedy: "Mend the settings that are named.", Command: "connector config validate",
	},
	{
		ID: "config.warnings", Title: "No setting is weak or has lost its meaning", Severity: Warns,
		Needs:   []ID{"config.valid"},
		Probe:   probeWarnings,
		Remedy:  "Look at each setting that is named, and change it or waive this check.",
		Command: "connector config show",
	},
	{
		ID: "config.permissions", Title: "Only the connector's account reads its files", Severity: Warns,
		Probe:   probePermissions,
		Remedy:  "Keep other users out of the connector's files.",
		Command: "connector doctor --only config.permissions --fix",
		Fix:     &Fix{Says: "Keep other users out of the connector's files", Do: func(_ context.Context, e *Env) error { return e.Home.Tighten() }},
	},
	{
		ID: "config.waivers", Title: "The waivers of the home can be read", Severity: Warns,
		Probe:   probeWaivers,
		Remedy:  "Mend the entries that are named in waivers.json in the home; the others hold.",
		Command: "connector doctor --list",
	},
	{
		ID: "config.mapper", Title: "The profile mapper works", Severity: Blocks,
		Needs:   []ID{"config.valid"},
		Probe:   probeMapper,
		Remedy:  "Mend the script where the error says, and try it on a user.",
		Command: "connector profile USER",
	},
}

// noHome is why much does not apply before an installation.
const noHome = "nothing is installed here yet"

// asOwner is the remedy where the files are closed to whoever asks.
const asOwner = "Run doctor as the account that the connector runs as, or as root or administrator."

func probeConfig(_ context.Context, e *Env) Outcome {
	if e.Home.Load == nil {
		return Skip(noHome)
	}
	c, err := e.Home.Load()
	if err == nil {
		err = c.Validate()
	}
	if errors.Is(err, fs.ErrPermission) {
		return Outcome{Status: Failed, Detail: err.Error(), Remedy: asOwner}
	}
	if err != nil {
		return Fail(err.Error())
	}
	return Pass("no faults")
}

func probeWarnings(_ context.Context, e *Env) Outcome {
	if e.Home.Load == nil {
		return Skip(noHome)
	}
	c, err := e.Home.Load()
	if err != nil {
		return Fail(err.Error())
	}
	if w := c.Warnings(); len(w) > 0 {
		return Fail(strings.Join(w, "\n"))
	}
	return Pass("no warnings")
}

func probePermissions(_ context.Context, e *Env) Outcome {
	if e.Home.Exposed == nil {
		return Skip(noHome)
	}
	exposed, err := e.Home.Exposed()
	if errors.Is(err, fs.ErrPermission) {
		return Skip("this account has no access itself")
	}
	if err != nil {
		return Fail(err.Error())
	}
	if len(exposed) > 0 {
		return Outcome{
			Status: Failed, Detail: strings.Join(exposed, "\n"), Required: "access for their owner alone",
			Observed: "others have access to " + count(len(exposed), "file or folder", "files and folders"),
		}
	}
	return Pass("nobody else has access to " + e.Home.Dir)
}

func probeWaivers(_ context.Context, e *Env) Outcome {
	if e.Home.Waivers == nil {
		return Skip("there is no waivers.json")
	}
	if err := e.Home.Waivers(); err != nil {
		return Fail(err.Error())
	}
	return Pass("")
}

func probeMapper(ctx context.Context, e *Env) Outcome {
	if e.Home.Mapper == nil {
		return Skip(noHome)
	}
	At(ctx, "starting the profile mapper")
	name, err := e.Home.Mapper(ctx)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Outcome{
			Status: Failed, Detail: err.Error(), Command: "connector config unset PROFILE_MAPPER_FILE",
			Remedy: "Put the script where PROFILE_MAPPER_FILE says, or unset it to use the default mapping.",
		}
	case err != nil:
		return Fail(err.Error())
	}
	return Pass(name)
}
