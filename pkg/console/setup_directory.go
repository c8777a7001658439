package console

import (
	"context"
	"slices"
	"strings"

	"ad-ldap-connector/pkg/doctor"
)

// A directoryPage is the template's.
type directoryPage struct {
	Draft      string
	Connection Connection
	Discovered Discovery
	Fields     []Field
	Faults     []Fault
	First      findingsPage
}

func (c *console) directoryForm(v *visit, b *beginning, id string, faults []Fault) directoryPage {
	a := b.answers
	kinds := Field{Name: "preset", Label: "Kind of directory", Kind: "select", Help: "Chooses the searches for users and groups.",
		Choices: []Choice{{"", "find out", a.Preset == ""}}, Fault: faultAt(faults, "preset")}
	for _, p := range c.options.Configuration.Presets {
		kinds.Choices = append(kinds.Choices, Choice{p, presetLabel(p), p == a.Preset})
	}
	return directoryPage{Draft: id, Connection: b.connection, Discovered: b.discovered, Faults: faults, First: b.first.page(v, id), Fields: []Field{
		{Name: "url", Label: "Directory servers", Key: "LDAP_URL", Kind: "text", Value: a.URL, Required: true, Wide: true, Fault: faultAt(faults, "url"),
			Placeholder: "ldaps://dc1.corp.example", Help: "ldaps://HOST, or srvs://DOMAIN for all servers of a domain; ldap:// is in clear."},
		{Name: "user", Label: "Service account", Key: "LDAP_BIND_USER", Kind: "text", Value: a.User, Fault: faultAt(faults, "user"),
			Placeholder: "CN=svc-connector,OU=Services,DC=corp,DC=example", Help: `Its DN, user@corp.example or CORP\user; it needs to read users and groups, no more.`},
		{Name: "password", Label: "Password", Key: passwordKey, Kind: "password", Set: a.Password != "", Fault: faultAt(faults, "password"),
			Help: "Of the service account. It is sealed with this connector's key, and is not shown again."},
		{Name: "base", Label: "Base DN", Key: "LDAP_BASE", Kind: "text", Value: a.BaseDN, Wide: true, Fault: faultAt(faults, "base"),
			Placeholder: "DC=corp,DC=example", Help: "Users are searched below it. Left empty, the directory is asked."},
		kinds,
		{Name: "starttls", Label: "Protect ldap:// by StartTLS", Key: "LDAP_STARTTLS", Kind: "checkbox", Checked: a.StartTLS, Fault: faultAt(faults, "starttls")},
		{Name: "anonymous", Label: "Search without an account", Key: "ANONYMOUS_SEARCH_ENABLED", Kind: "checkbox", Checked: a.Anonymous},
	}}
}

func (c *console) showDirectory(v *visit) error {
	b, id := c.beginning(v)
	defer b.mu.Unlock()
	if b.first == nil {
		return c.begunAgain(v)
	}
	b.first.wait(v.ctx(), firstLook)
	return v.show("setup_directory", c.directoryForm(v, b, id, nil))
}

func (c *console) showFirstFindings(v *visit) error {
	b, id := c.beginning(v)
	defer b.mu.Unlock()
	if b.first == nil {
		return notFound()
	}
	b.first.wait(v.ctx(), firstLook)
	return v.part("setup_directory", "checks", b.first.page(v, id))
}

func (c *console) takeDirectory(v *visit) error {
	b, id := c.beginning(v)
	defer b.mu.Unlock()
	s := c.options.Configuration.Setup
	if b.first == nil || s == nil {
		return c.begunAgain(v)
	}
	form := func(name string) string { return strings.TrimSpace(v.r.PostFormValue(name)) }
	a := &b.answers
	a.URL, a.BaseDN, a.User = form("url"), form("base"), form("user")
	if typed := v.r.PostFormValue("password"); typed != "" {
		a.Password = typed
	}
	a.Preset = ""
	if p := form("preset"); slices.Contains(c.options.Configuration.Presets, p) {
		a.Preset = p
	}
	a.StartTLS, a.Anonymous = form("starttls") != "", form("anonymous") != ""
	var faults []Fault
	if a.URL == "" {
		faults = append(faults, Fault{"url", "name a server: ldaps://dc1.corp.example"})
	}
	if !a.Anonymous && a.User == "" {
		faults = append(faults, Fault{"user", "name the service account, or search without one"})
	}
	if !a.Anonymous && a.User != "" && a.Password == "" {
		faults = append(faults, Fault{"password", "type the password of the service account"})
	}
	if len(faults) == 0 {
		found, err := s.Complete(v.ctx(), a)
		if err != nil {
			faults = append(faults, wrong(err, "url"))
		} else if a.BaseDN == "" {
			faults = append(faults, Fault{"base", "the directory does not say; write the base DN of the users"})
		}
		b.discovered = found
	}
	if len(faults) > 0 {
		return v.showFaulty("setup_directory", c.directoryForm(v, b, id, faults))
	}
	answers := *a
	b.checks = watch(func(ctx context.Context, seen func(doctor.Entry)) (bool, error) { return s.Check(ctx, answers, seen) })
	return v.redirect("/configuration/agree?draft=" + id)
}

// An agreePage is the template's.
type agreePage struct {
	Draft      string
	Connection Connection
	Answers    []changedKey
	Checks     findingsPage
}

func (c *console) showAgree(v *visit) error {
	b, id := c.beginning(v)
	defer b.mu.Unlock()
	if b.checks == nil {
		return c.begunAgain(v)
	}
	b.checks.wait(v.ctx(), firstLook)
	a := b.answers
	account := a.User
	if a.Anonymous && account == "" {
		account = "none: the directory is searched anonymously"
	}
	p := agreePage{Draft: id, Connection: b.connection, Checks: b.setupFindings(v, id), Answers: []changedKey{
		{Key: "LDAP_URL", Now: a.URL}, {Key: "LDAP_BASE", Now: a.BaseDN}, {Key: "LDAP_BIND_USER", Now: account}, {Key: "Kind of directory", Now: presetLabel(a.Preset)},
	}}
	return v.show("setup_agree", p)
}

// setupFindings are those of all answers, with the form that begins.
func (b *beginning) setupFindings(v *visit, id string) findingsPage {
	p := b.checks.page(v, id)
	p.Action, p.Button, p.Anyway = "/configuration/install", "Set up", "Set up although checks have failed"
	p.Back, p.Again = "/configuration/directory?draft="+id, "/configuration/agree?draft="+id
	return p
}

func (c *console) showSetupFindings(v *visit) error {
	b, id := c.beginning(v)
	defer b.mu.Unlock()
	if b.checks == nil {
		return notFound()
	}
	b.checks.wait(v.ctx(), firstLook)
	return v.part("setup_agree", "checks", b.setupFindings(v, id))
}
