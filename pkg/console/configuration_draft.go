package console

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"net/url"
	"slices"
	"strings"
	"sync"

	"ad-ldap-connector/pkg/config"
)

// mostDrafts is how many drafts of one administrator's are kept: the tabs that
// somebody works in.
const mostDrafts = 8

// drafts are what one administrator has begun and not saved: secrets that were
// typed stay here, and are never sent to the browser again.
type drafts struct {
	mu    sync.Mutex
	all   map[string]any
	order []string // the oldest first
}

// put keeps a draft, and forgets the oldest when there are too many.
func (d *drafts) put(v any) (id string) {
	random := make([]byte, 12)
	_, _ = rand.Read(random) // crypto/rand.Read never fails
	id = base64.RawURLEncoding.EncodeToString(random)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.all == nil {
		d.all = map[string]any{}
	}
	if len(d.order) == mostDrafts {
		delete(d.all, d.order[0])
		d.order = d.order[1:]
	}
	d.all[id], d.order = v, append(d.order, id)
	return id
}

// get returns a draft, nil when it is not known.
func (d *drafts) get(id string) any {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.all[id]
}

func (d *drafts) drop(id string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.all, id)
	d.order = slices.DeleteFunc(d.order, func(have string) bool { return have == id })
}

// A draft is a changed configuration that is not saved yet.
type draft struct {
	mu sync.Mutex

	base       Reading
	changes    map[string]edit // by key
	preset     string          // the searches of this kind of directory; "": as they are
	discovered *Discovery
	conflicts  []clash
	checks     *checking // of what was reviewed last; nil: nothing was
}

// An edit is what somebody wants of one key.
type edit struct {
	text string // "" takes the key out of the file
}

// A clash is a key that two have changed, each to another value.
type clash struct{ Key, Before, Theirs, Yours string }

// removeField names the box that takes a secret away.
const removeField = "remove."

// read takes over what the form says: a key that it does not show is left alone,
// and an empty secret is no change.
func (d *draft) read(form url.Values, presets []string) {
	if d.changes == nil {
		d.changes = map[string]edit{}
	}
	for _, k := range editable(d.base) {
		if k.Secret {
			if text := form.Get(k.Name); text != "" {
				d.changes[k.Name] = edit{text}
			} else if form.Get(removeField+k.Name) == "yes" {
				d.changes[k.Name] = edit{}
			}
			continue
		}
		if !form.Has(k.Name) {
			continue
		}
		text := strings.TrimSpace(strings.ReplaceAll(form.Get(k.Name), "\r\n", "\n"))
		if text == fieldText(d.base.Config, k) {
			delete(d.changes, k.Name)
		} else {
			d.changes[k.Name] = edit{text}
		}
	}
	d.preset = ""
	if p := form.Get("preset"); slices.Contains(presets, p) {
		d.preset = p
	}
	d.conflicts, d.discovered = nil, nil
}

// upload takes the file of SSL_PFX, as base64.
func (d *draft) upload(v *visit) error {
	_, data, err := v.file(pfxKey)
	if err != nil || len(data) == 0 {
		return err
	}
	d.changes[pfxKey] = edit{base64.StdEncoding.EncodeToString(data)}
	return nil
}

// offer fills in a key that nobody has set.
func (d *draft) offer(key, text string) {
	have, _ := d.base.Config.Get(key)
	if _, changed := d.changes[key]; text == "" || changed || textOf(have) != "" {
		return
	}
	d.changes[key] = edit{text}
}

// ownSearches reports whether somebody has chosen how users are found.
func (d *draft) ownSearches() bool {
	_, changed := d.changes["LDAP_USER_BY_NAME"]
	return changed || d.base.Config.Source("LDAP_USER_BY_NAME") != "default"
}

// candidate is the configuration that the draft makes, and what is wrong with
// it: at a field, or as a whole.
func (d *draft) candidate() (config.Config, []Fault) {
	c := d.base.Config
	var faults []Fault
	at := func(err error) {
		for _, f := range fieldErrors(err) {
			faults = append(faults, Fault{Field: shownAt(f.Key), Text: strings.TrimSpace(f.Problem + remedy(f.Remedy))})
		}
	}
	for _, k := range config.Keys() {
		e, ok := d.changes[k.Name]
		if !ok {
			continue
		}
		if k.Name == passwordKey { // it takes the place of the one that is sealed
			at(c.Unset(sealedKey))
		}
		if e.text == "" {
			at(c.Unset(k.Name))
		} else {
			at(c.Set(k.Name, e.text))
		}
	}
	if d.preset != "" {
		if err := c.ApplyPreset(d.preset); err != nil {
			faults = append(faults, Fault{Field: "preset", Text: err.Error()})
		}
	}
	if len(faults) > 0 {
		return c, faults
	}
	at(c.Validate())
	_, account := d.changes["LDAP_BIND_USER"]
	if _, password := d.changes[passwordKey]; account && !password && hasPassword(c) && c.Directory.BindUser != "" && c.Directory.BindMethod == "simple" {
		faults = append(faults, Fault{Field: passwordKey, Text: "LDAP_BIND_USER is another account; type its password"})
	}
	return c, faults
}

// rebase puts the draft on top of what is there now. Keys that both have changed
// become conflicts, once.
func (d *draft) rebase(now Reading) {
	if string(now.Text) == string(d.base.Text) {
		d.base = now
		return
	}
	for _, k := range config.Keys() {
		e, mine := d.changes[k.Name]
		before, theirs := rawText(d.base.Config, k), rawText(now.Config, k)
		switch {
		case !mine:
		case fieldText(now.Config, k) == e.text && !k.Secret:
			delete(d.changes, k.Name)
		case before != theirs:
			yours := e.text
			if k.Secret {
				before, theirs, yours = "", "changed", "another value"
			}
			d.conflicts = append(d.conflicts, clash{k.Name, before, theirs, yours})
		}
	}
	d.base = now
}

// touches are the checks that what was changed may have a bearing on.
func (d *draft) touches() []string {
	only := slices.Clone(alwaysChecked)
	for key := range d.changes {
		if isSignIn(key) {
			return append(only, "signin", "kerberos")
		}
	}
	return only
}

// fieldErrors takes a joined error apart.
func fieldErrors(err error) (all []*config.FieldError) {
	if err == nil {
		return nil
	}
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range many.Unwrap() {
			all = append(all, fieldErrors(e)...)
		}
		return all
	}
	var f *config.FieldError
	if !errors.As(err, &f) {
		f = &config.FieldError{Problem: err.Error()}
	}
	return []*config.FieldError{f}
}

func remedy(text string) string {
	if text == "" {
		return ""
	}
	return "; " + text
}
