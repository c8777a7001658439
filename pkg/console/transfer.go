package console

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"ad-ldap-connector/pkg/doctor"
)

// A Transfer makes archives of this node and takes in others', by the code of
// "connector export" and "connector import".
type Transfer struct {
	// Export returns the archive, encrypted unless the passphrase is "", and the
	// name that it has on a disk.
	Export func(passphrase string) (name string, data []byte, err error)
	// Open reads an archive and says what it would change; nothing is changed.
	// It is an ErrPassphrase when one is needed, or another.
	Open func(data []byte, passphrase string) (*Arrival, error)
	// Undo puts back what the last import has replaced.
	Undo func(ctx context.Context, replace bool) (refused string, err error)
	// Last says what Undo would put back; nil: there is nothing.
	Last func() (*LastImport, error)
}

// An Arrival is an archive that was read.
type Arrival struct {
	Connection string
	Notes      []string
	Changes    []SettingChange // secrets are told by fingerprints
	Foreign    string          // what is to be agreed to: it is of another connection; "" it is not
	// Prove tries what it brings: the mapper compiles; with ask, the tenant knows
	// the ticket and the directory lets it in.
	Prove func(ctx context.Context, ask bool) error
	// Replace does it, all or nothing.
	Replace func(ctx context.Context) (backup, refused string, err error)
}

// A SettingChange is a key that has one value here and another in the archive.
type SettingChange struct{ Key, Here, There string }

// A LastImport is what can be undone.
type LastImport struct {
	When       time.Time
	Connection string // that comes back
	Backup     string
	Renewed    bool // the key pair has been exchanged since
}

// ErrPassphrase says that an archive does not open.
var ErrPassphrase = errors.New("the passphrase does not open it")

const (
	largestArchive  = 16 << 20
	shortPassphrase = 12
	importTakes     = 90 * time.Second
)

func (c *console) transfer() []route {
	if c.options.Transfer == nil {
		return []route{{pattern: "GET /export", do: func(v *visit) error {
			return unavailable(v, "There is no home whose archive could be made.")
		}}}
	}
	return []route{
		{pattern: "GET /export", do: c.showTransfer},
		{pattern: "POST /export", do: c.export, within: time.Minute},
		{pattern: "POST /export/upload", do: c.receiveArchive, body: largestArchive + usualBody, within: importTakes},
		{pattern: "GET /export/review", do: c.showArrival},
		{pattern: "POST /export/import", do: c.importArchive, within: importTakes + time.Minute},
		{pattern: "POST /export/undo", do: c.undoImport, within: importTakes},
	}
}

// A transferPage is the template's.
type transferPage struct {
	Faults     []Fault
	Passphrase Field
	Again      Field
	Sure       Field
	Archive    Field
	Opens      Field
	Last       *LastImport
	Exportable bool
}

func (c *console) transferPage(faults ...Fault) transferPage {
	last, err := c.options.Transfer.Last()
	if err != nil {
		faults = append(faults, Fault{"", "The last import cannot be undone: " + spoken(err)})
	}
	return transferPage{
		Faults: faults, Last: last, Exportable: c.options.Transfer.Export != nil,
		Passphrase: Field{Name: "passphrase", Label: "Passphrase", Kind: "password", Fault: faultAt(faults, "passphrase"),
			Help: "Several words. It is asked for on the next node; nobody can open the archive without it."},
		Again: Field{Name: "again", Label: "Passphrase, again", Kind: "password", Fault: faultAt(faults, "again")},
		Sure: Field{Name: "sure", Label: "I know that whoever has the file can be this connector", Kind: "checkbox", Fault: faultAt(faults, "sure"),
			Help: "The file holds the private key and, sealed with it, the service account's password."},
		Archive: Field{Name: "archive", Label: "Archive", Kind: "file", Fault: faultAt(faults, "archive"),
			Help: "Of this console, of connector export, or of the former connector. Choose the file, or drop it here."},
		Opens: Field{Name: "opens", Label: "Passphrase", Kind: "password", Fault: faultAt(faults, "opens"), Help: "Only if the archive is encrypted."},
	}
}

func (c *console) showTransfer(v *visit) error { return c.putTransfer(v) }

func (c *console) putTransfer(v *visit, faults ...Fault) error {
	p := c.transferPage(faults...)
	if len(faults) > 0 {
		return v.showFaulty("transfer", p)
	}
	return v.show("transfer", p)
}

// export answers with the archive.
func (c *console) export(v *visit) error {
	if c.options.Transfer.Export == nil {
		return notFound()
	}
	form, kind := v.r.PostForm, "encrypted"
	passphrase := form.Get("passphrase")
	switch {
	case form.Get("how") == "plain":
		kind, passphrase = "plain", ""
		if form.Get("sure") == "" {
			return c.putTransfer(v, Fault{"sure", "Confirm that the private key is to leave this machine unencrypted."})
		}
	case len([]rune(passphrase)) < shortPassphrase:
		return c.putTransfer(v, Fault{"passphrase", fmt.Sprintf("Type at least %d characters: whoever has the file can try shorter ones.", shortPassphrase)})
	case passphrase != form.Get("again"):
		return c.putTransfer(v, Fault{"again", "The two are not the same."})
	}
	name, data, err := c.options.Transfer.Export(passphrase)
	if err != nil {
		v.audit("export", "fault", kind)
		return err
	}
	v.audit("export", "accepted", kind)
	return v.download(name, "application/octet-stream", data)
}

// An arriving is an upload that waits to be agreed to.
type arriving struct {
	mu sync.Mutex
	*Arrival
	checks *checking
}

func (c *console) receiveArchive(v *visit) error {
	_, data, err := v.file("archive")
	switch {
	case err != nil:
		return err
	case len(data) == 0:
		return c.putTransfer(v, Fault{"archive", "Choose the archive first."})
	case len(data) > largestArchive:
		return c.putTransfer(v, Fault{"archive", "It is larger than " + size(largestArchive) + ", and no archive of a connector."})
	}
	arrival, err := c.options.Transfer.Open(data, v.r.PostFormValue("opens"))
	if errors.Is(err, ErrPassphrase) {
		return c.putTransfer(v, Fault{"opens", spoken(err) + "; choose the file again, too"})
	}
	if err != nil {
		v.audit("import", "refused")
		return c.putTransfer(v, Fault{"archive", spoken(err)})
	}
	a := &arriving{Arrival: arrival}
	a.checks = watch(func(ctx context.Context, seen func(doctor.Entry)) (bool, error) {
		err := arrival.Prove(ctx, true)
		e := doctor.Entry{ID: "import", Title: "The mapper compiles; tenant and directory answer", Status: doctor.Passed}
		if err != nil {
			e.Severity, e.Status, e.Detail = doctor.Blocks, doctor.Failed, spoken(err)
		}
		seen(e)
		return err != nil, nil
	})
	return v.redirect("/export/review?draft=" + v.session.drafts.put(a))
}

// An arrivalPage is the template's.
type arrivalPage struct {
	Draft   string
	Arrival *Arrival
	Checks  findingsPage
}

func (c *console) arriving(v *visit) (a *arriving, id string, ok bool) {
	id = v.r.FormValue("draft")
	a, ok = v.session.drafts.get(id).(*arriving)
	if !ok {
		v.flash(flashWarn, "The archive is no longer kept. Nothing was changed.")
		return nil, id, false
	}
	return a, id, true
}

func (c *console) showArrival(v *visit) error {
	a, id, ok := c.arriving(v)
	if !ok {
		return v.redirect("/export")
	}
	a.checks.wait(v.ctx(), 2*firstLook)
	return v.show("transfer_review", arrivalPage{id, a.Arrival, a.checks.page(v, id)})
}

func (c *console) importArchive(v *visit) error {
	a, id, ok := c.arriving(v)
	if !ok {
		return v.redirect("/export")
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	again := "/export/review?draft=" + id
	form := v.r.PostForm
	if a.Foreign != "" && form.Get("foreign") == "" {
		v.flash(flashWarn, "Nothing was changed: confirm that this connector is to serve another connection.")
		return v.redirect(again)
	}
	a.checks.wait(v.ctx(), importTakes)
	if blocked, ended := a.checks.verdict(); !ended || blocked {
		if form.Get("offline") == "" {
			v.flash(flashWarn, "Nothing was changed: tenant and directory have not answered well.")
			return v.redirect(again)
		}
		if err := a.Prove(v.ctx(), false); err != nil {
			v.flash(flashBad, "Nothing was changed: "+spoken(err))
			return v.redirect(again)
		}
	}
	backup, refused, err := a.Replace(v.ctx())
	if err != nil {
		v.audit("import", "fault")
		return err
	}
	v.audit("import", "accepted", a.Connection)
	v.session.drafts.drop(id)
	text := "Imported. What was there is kept in " + backup + "; the import can be undone below."
	if backup == "" {
		text = "Imported."
	}
	c.tookUp(v, text, refused)
	return v.redirect("/export")
}

func (c *console) tookUp(v *visit, text, refused string) {
	if refused != "" {
		v.flash(flashBad, text+" The running connector goes on as before: "+refused)
		return
	}
	v.flash(flashOK, text)
}

func (c *console) undoImport(v *visit) error {
	if v.r.PostFormValue("sure") == "" {
		return c.putTransfer(v, Fault{"", "Confirm that the last import is to be undone."})
	}
	refused, err := c.options.Transfer.Undo(v.ctx(), v.r.PostFormValue("replace") != "")
	if err != nil {
		v.audit("import.undo", "fault")
		return c.putTransfer(v, Fault{"", spoken(err)})
	}
	v.audit("import.undo", "accepted")
	c.tookUp(v, "What was there before the last import is back.", refused)
	return v.redirect("/export")
}
