package console

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"ad-ldap-connector/pkg/doctor"
)

// A Setup makes a connector of a home that is none yet, by the code of
// "connector install --no-service".
type Setup struct {
	// Redeem asks the tenant what the ticket is for. Wrong says at which answer
	// the fault lies, if at one.
	Redeem func(ctx context.Context, a Answers) (Connection, error)
	// Complete fills in what DNS and the directory know: servers, kind, base DN.
	Complete func(ctx context.Context, a *Answers) (Discovery, error)
	// Check has the doctor look at these answers; the first time, before there is
	// a directory, at the machine and the way to the tenant.
	Check func(ctx context.Context, a Answers, seen func(doctor.Entry)) (blocked bool, err error)
	// Install does the plan, and says how its steps go.
	Install func(ctx context.Context, a Answers, say func(SetupStep)) error
}

// Answers are what a first set-up needs to know.
type Answers struct {
	Ticket, Proxy, CA                  string // CA: PEM
	URL, BaseDN, User, Password        string
	Preset                             string
	Anonymous, StartTLS, DespiteChecks bool
}

// A Connection is what a ticket is for.
type Connection struct {
	Name, Realm, Tenant string
	Domains             []string
}

// A SetupStep is a step of the plan: Event is doing, done, already, undone or
// stuck.
type SetupStep struct{ Name, Says, Event, Err string }

// A WrongAnswer is an error that lies with one answer.
type WrongAnswer struct {
	Field string // ticket, proxy, ca, url, base, user, password
	Err   error
}

func (e *WrongAnswer) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *WrongAnswer) Unwrap() error { return e.Err }

// setupTakes bounds the plan: the steps have bounds of their own.
const setupTakes = 5 * time.Minute

// A beginning is a first set-up that is under way.
type beginning struct {
	mu sync.Mutex

	answers    Answers
	connection Connection
	discovered Discovery
	first      *checking // of the machine and the way to the tenant
	checks     *checking // of all
	plan       *planning // nil: not agreed to yet
}

func (c *console) setup() []route {
	return []route{
		{pattern: "POST /configuration/ticket", do: c.takeTicket, body: formBody, within: time.Minute},
		{pattern: "GET /configuration/directory", do: c.showDirectory, within: time.Minute},
		{pattern: "POST /configuration/directory", do: c.takeDirectory, within: time.Minute},
		{pattern: "GET /configuration/agree", do: c.showAgree},
		{pattern: "GET /configuration/first-findings", do: c.showFirstFindings, script: true},
		{pattern: "GET /configuration/setup-findings", do: c.showSetupFindings, script: true},
		{pattern: "POST /configuration/install", do: c.install},
		{pattern: "GET /configuration/progress", do: c.showProgress},
		{pattern: "GET /configuration/steps", do: c.showSteps, script: true},
	}
}

// beginning returns the set-up that a request is about, locked, or one that is
// nothing.
func (c *console) beginning(v *visit) (b *beginning, id string) {
	id = v.r.FormValue("draft")
	b, ok := v.session.drafts.get(id).(*beginning)
	if !ok {
		b = &beginning{}
	}
	b.mu.Lock()
	return b, id
}

// begunAgain is for a set-up that is not known, or over.
func (c *console) begunAgain(v *visit) error {
	v.flash(flashWarn, "The set-up was begun elsewhere, or is no longer kept. Nothing was lost on the machine.")
	return v.redirect("/configuration")
}

// A ticketPage is the template's.
type ticketPage struct {
	Ticket Field
	More   []Field
	Open   bool
	Faults []Fault
}

func ticketForm(a Answers, faults []Fault) ticketPage {
	p := ticketPage{
		Ticket: Field{Name: "ticket", Label: "Ticket URL", Key: "PROVISIONING_TICKET", Kind: "password", Required: true, Wide: true,
			Placeholder: "https://TENANT/p/ad/XXXXXXXX", Help: "From the connection's page in the tenant's dashboard. It is a secret, and is not shown again.", Fault: faultAt(faults, "ticket")},
		More: []Field{
			{Name: "proxy", Label: "HTTP proxy", Key: "HTTP_PROXY", Kind: "password", Fault: faultAt(faults, "proxy"), Set: a.Proxy != "",
				Help: "Where the tenant is reached through one: http://[USER:PASSWORD@]HOST:PORT. It may hold a password, and is not shown again."},
			{Name: "ca", Label: "Certificate authorities", Kind: "textarea", Rows: 4, Wide: true, Value: a.CA, Fault: faultAt(faults, "ca"),
				Help: "Certificates to trust besides the system's, as PEM: of a proxy that looks into TLS, or of the directory's own authority."},
		},
		Faults: faults,
	}
	p.Open = p.More[0].Fault != "" || p.More[1].Fault != "" || a.Proxy != "" || a.CA != ""
	return p
}

func (c *console) showTicket(v *visit) error {
	return v.show("setup_ticket", ticketForm(Answers{}, nil))
}

func (c *console) takeTicket(v *visit) error {
	s := c.options.Configuration.Setup
	if s == nil {
		return v.redirect("/configuration")
	}
	form := func(name string) string { return strings.TrimSpace(v.r.PostFormValue(name)) }
	b := &beginning{answers: Answers{Ticket: form("ticket"), Proxy: form("proxy"), CA: form("ca")}}
	conn, err := s.Redeem(v.ctx(), b.answers)
	if err != nil {
		v.audit("configuration.ticket", "refused", "PROVISIONING_TICKET")
		return v.showFaulty("setup_ticket", ticketForm(b.answers, []Fault{wrong(err, "ticket")}))
	}
	v.audit("configuration.ticket", "accepted", "PROVISIONING_TICKET")
	b.connection = conn
	first := b.answers
	b.first = watch(func(ctx context.Context, seen func(doctor.Entry)) (bool, error) { return s.Check(ctx, first, seen) })
	if b.discovered, err = s.Complete(v.ctx(), &b.answers); err != nil {
		b.discovered = Discovery{} // there is a form to say it in
	}
	return v.redirect("/configuration/directory?draft=" + v.session.drafts.put(b))
}

// wrong is an error as the fault of a field.
func wrong(err error, field string) Fault {
	if w := (*WrongAnswer)(nil); errors.As(err, &w) {
		field = w.Field
	}
	return Fault{Field: field, Text: spoken(err)}
}

// spoken is an error with its advice, for people.
func spoken(err error) string {
	text := err.Error()
	if h := interface{ Hint() string }(nil); errors.As(err, &h) && h.Hint() != "" {
		text += "; " + h.Hint()
	}
	return text
}
