package console

import (
	"context"
	"time"
)

// Update is how the program is renewed. Its service's account may not write the
// program, so that the page mostly says which command does.
type Update struct {
	// State says what there is; with check it asks the release server first.
	State func(ctx context.Context, check bool) (UpdateState, error)
	// Apply installs the latest version, and puts the present one back if it does
	// not fare as well; nil: it takes the command.
	Apply func(ctx context.Context) error
}

// An UpdateState is what is known of versions.
type UpdateState struct {
	Version string // that runs
	Latest  string // "" when it is not known
	Newer   bool   // whether Latest is
	Notes   string // what is new in it, as text
	Checked time.Time
	Fault   string // why it is not known
	Command string // that does it
	Former  string // the command that goes back to the program before, or ""
}

type updatePage struct {
	UpdateState
	Apply, Check bool
}

func (c *console) update() []route {
	return []route{
		{pattern: "GET /update", do: func(v *visit) error { return c.showUpdate(v, false) }},
		{pattern: "POST /update/check", do: func(v *visit) error { return c.showUpdate(v, true) }},
		{pattern: "GET /update/check", do: func(v *visit) error { return v.redirect("/update") }},
		{pattern: "POST /update/apply", do: c.applyUpdate, within: 10 * time.Minute},
	}
}

func (c *console) showUpdate(v *visit, check bool) error {
	p := updatePage{UpdateState: UpdateState{Version: c.options.Version, Command: "connector" + c.options.Name + " update"}}
	if u := c.options.Update; u != nil {
		state, err := u.State(v.ctx(), check)
		p.UpdateState, p.Apply, p.Check = state, u.Apply != nil, true
		if err != nil {
			p.Fault = faultText(err)
		}
		if p.Version == "" {
			p.Version = c.options.Version
		}
	}
	return v.show("update", p)
}

func (c *console) applyUpdate(v *visit) error {
	u := c.options.Update
	if u == nil || u.Apply == nil {
		v.audit("update", "refused")
		return &statusError{409, "The connector's account may not replace its own program.", "Run the command that the page shows."}
	}
	if err := u.Apply(v.ctx()); err != nil {
		v.audit("update", "fault")
		return err
	}
	v.audit("update", "accepted")
	v.flash(flashOK, "The new version runs.")
	return v.redirect("/update")
}
