package console

import (
	"context"
	"errors"
	"fmt"
	"time"

	"ad-ldap-connector/pkg/config"
	"ad-ldap-connector/pkg/doctor"
)

// A Configuration is how the console reads, tries and changes the settings of
// the home: by the code of "connector config", "connector doctor" and
// "connector install --no-service".
type Configuration struct {
	// Read returns the settings as they lie in the home now.
	Read func() (Reading, error)
	// Check has the doctor look at a candidate, at these checks or groups and
	// at what they need, and reports whether one that blocks has failed.
	Check func(ctx context.Context, candidate config.Config, only []string, seen func(doctor.Entry)) (blocked bool, err error)
	// Save writes a candidate that was made from a reading, and has the running
	// connector take it up. It is an ErrChanged when the file is another by now,
	// and then nothing is written. Refused says why the running connector goes
	// on as before, "" when it does not.
	Save func(ctx context.Context, candidate config.Config, from Reading) (refused string, err error)
	// Discover finds out what the directory says of itself, and DNS of it.
	Discover func(ctx context.Context, candidate config.Config) (Discovery, error)
	// Presets are the kinds of directory whose searches are known.
	Presets []string
	// Setup makes a connector of a home that is none yet; nil: it is one.
	Setup *Setup
}

// A Reading is what Read has found.
type Reading struct {
	Config config.Config
	Text   []byte // of config.json; secrets are in it
	// Elsewhere says of keys that cannot be changed here why, and by which
	// command they can.
	Elsewhere map[string]string
}

// ErrChanged says that somebody else has saved meanwhile.
var ErrChanged = errors.New("the configuration was changed meanwhile")

// A Discovery is what there is to know of a directory before one is configured.
type Discovery struct {
	URL     string   // of all its servers; "" when nothing is known
	Servers []string // as DNS names them, in their order
	BaseDN  string
	Preset  string
}

// How long the questions may take that a page waits for.
const (
	checksTake   = 90 * time.Second
	discoverTake = 30 * time.Second
	saveTakes    = 60 * time.Second
	firstLook    = 2 * time.Second // what a page waits for findings before it shows some
)

// formBody is room for a script and some certificates in a form.
const formBody = 1 << 20

func (c *console) configuration() []route {
	if c.options.Configuration == nil {
		return []route{{pattern: "GET /configuration", do: func(v *visit) error {
			return unavailable(v, "This connector has no configuration that could be changed here.")
		}}}
	}
	routes := []route{
		{pattern: "GET /configuration", do: c.showConfiguration},
		{pattern: "POST /configuration", do: c.reviewConfiguration, body: formBody},
		{pattern: "POST /configuration/discover", do: c.discoverDirectory, body: formBody, within: discoverTake + time.Minute},
		{pattern: "GET /configuration/review", do: c.showReview},
		{pattern: "GET /configuration/findings", do: c.showFindings, script: true},
		{pattern: "POST /configuration/save", do: c.saveConfiguration, within: saveTakes + 15*time.Second},
	}
	return append(routes, c.setup()...)
}

func (c *console) showConfiguration(v *visit) error {
	now, err := c.options.Configuration.Read()
	if err != nil {
		return err
	}
	if c.options.Configuration.Setup != nil {
		return c.showTicket(v)
	}
	d, id, ok := c.draft(v)
	defer d.mu.Unlock()
	if !ok {
		d.base = now
		id = v.session.drafts.put(d)
	}
	return v.show("configuration", c.form(d, id, nil))
}

// draft returns the draft of this administrator's that a request is about, or
// an empty one, locked.
func (c *console) draft(v *visit) (d *draft, id string, ok bool) {
	id = v.r.FormValue("draft")
	d, ok = v.session.drafts.get(id).(*draft)
	if !ok {
		d = &draft{}
	}
	d.mu.Lock()
	return d, id, ok
}

// posted reads the form over the draft it was made from. One that is no longer
// known was made from who knows what: it is held against what is there now.
// The draft is locked, whatever the error.
func (c *console) posted(v *visit) (d *draft, id string, err error) {
	d, id, ok := c.draft(v)
	now, err := c.options.Configuration.Read()
	if err != nil {
		return d, "", err
	}
	if !ok {
		d.base = now
		id = v.session.drafts.put(d)
	}
	d.read(v.r.PostForm, c.options.Configuration.Presets)
	if err := d.upload(v); err != nil {
		return d, "", err
	}
	d.rebase(now)
	return d, id, nil
}

// reviewConfiguration checks the form's fields, and then has the doctor look at
// what they make.
func (c *console) reviewConfiguration(v *visit) error {
	d, id, err := c.posted(v)
	defer d.mu.Unlock()
	if err != nil {
		return err
	}
	candidate, faults := d.candidate()
	if len(d.conflicts) > 0 || len(faults) > 0 {
		return v.showFaulty("configuration", c.form(d, id, faults))
	}
	if len(d.changed(candidate)) == 0 {
		v.flash(flashWarn, "Nothing was changed.")
		return v.redirect("/configuration")
	}
	d.checks = c.check(candidate, d.touches())
	return v.redirect("/configuration/review?draft=" + id)
}

func (c *console) discoverDirectory(v *visit) error {
	d, id, err := c.posted(v)
	defer d.mu.Unlock()
	if err != nil {
		return err
	}
	candidate, faults := d.candidate()
	for _, f := range faults {
		if f.Field == "LDAP_URL" || f.Field == "" {
			return v.showFaulty("configuration", c.form(d, id, faults))
		}
	}
	ctx, cancel := context.WithTimeout(v.ctx(), discoverTake)
	defer cancel()
	found, err := c.options.Configuration.Discover(ctx, candidate)
	if err != nil {
		return err
	}
	d.discovered = &found
	d.offer("LDAP_URL", found.URL)
	d.offer("LDAP_BASE", found.BaseDN)
	if d.preset == "" && !d.ownSearches() {
		d.preset = found.Preset
	}
	return v.show("configuration", c.form(d, id, nil))
}

// A reviewPage is the template's.
type reviewPage struct {
	Draft   string
	Changes []changedKey
	Checks  findingsPage
}

func (c *console) showReview(v *visit) error {
	d, id, ok := c.draft(v)
	defer d.mu.Unlock()
	if !ok || d.checks == nil {
		v.flash(flashWarn, "What was to be reviewed is no longer kept. Nothing was changed.")
		return v.redirect("/configuration")
	}
	d.checks.wait(v.ctx(), firstLook)
	candidate, _ := d.candidate()
	return v.show("configuration_review", reviewPage{id, d.changed(candidate), d.findings(v, id)})
}

// findings are those of the review, with the form that saves.
func (d *draft) findings(v *visit, id string) findingsPage {
	p := d.checks.page(v, id)
	p.Action, p.Button, p.Anyway = "/configuration/save", "Save", "Save although checks have failed"
	p.Back, p.Again = "/configuration?draft="+id, "/configuration/review?draft="+id
	return p
}

func (c *console) showFindings(v *visit) error {
	d, id, ok := c.draft(v)
	defer d.mu.Unlock()
	if !ok || d.checks == nil {
		return notFound()
	}
	d.checks.wait(v.ctx(), firstLook)
	return v.part("configuration_review", "checks", d.findings(v, id))
}

// saveConfiguration writes what was reviewed. What somebody else has saved
// meanwhile is kept: another review shows both, or the conflict.
func (c *console) saveConfiguration(v *visit) error {
	d, id, ok := c.draft(v)
	defer d.mu.Unlock()
	if !ok || d.checks == nil {
		v.flash(flashWarn, "What was to be saved is no longer kept. Nothing was changed.")
		return v.redirect("/configuration")
	}
	again := "/configuration/review?draft=" + id
	blocked, ended := d.checks.verdict()
	if !ended || blocked && v.r.PostFormValue("anyway") != "yes" {
		v.flash(flashWarn, "Nothing was saved: the checks have not passed.")
		return v.redirect(again)
	}
	candidate, faults := d.candidate()
	if len(faults) > 0 {
		return v.showFaulty("configuration", c.form(d, id, faults))
	}
	keys := names(d.changed(candidate))
	ctx, cancel := context.WithTimeout(v.ctx(), saveTakes)
	defer cancel()
	refused, err := c.options.Configuration.Save(ctx, candidate, d.base)
	if errors.Is(err, ErrChanged) {
		return c.saveOver(v, d, id)
	}
	if err != nil {
		v.audit("configuration.save", "fault", keys...)
		return err
	}
	v.audit("configuration.save", "accepted", keys...)
	v.session.drafts.drop(id)
	if refused != "" {
		v.flash(flashBad, "Saved, but the running connector goes on with the former settings: "+refused)
	} else {
		v.flash(flashOK, fmt.Sprintf("Saved: %s. The running connector has taken it up; no login was dropped.", counted(len(keys), "key")))
	}
	return v.redirect("/configuration")
}

// saveOver goes on after somebody else has saved.
func (c *console) saveOver(v *visit, d *draft, id string) error {
	now, err := c.options.Configuration.Read()
	if err != nil {
		return err
	}
	d.rebase(now)
	candidate, faults := d.candidate()
	v.audit("configuration.save", "refused", names(d.changed(candidate))...)
	if len(d.conflicts) > 0 || len(faults) > 0 {
		return v.showFaulty("configuration", c.form(d, id, faults))
	}
	v.flash(flashWarn, "Somebody else has saved meanwhile. Their changes are kept; look at yours again, over theirs.")
	d.checks = c.check(candidate, d.touches())
	return v.redirect("/configuration/review?draft=" + id)
}

// counted is a number of things, for people.
func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
