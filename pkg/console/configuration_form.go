package console

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"ad-ldap-connector/pkg/config"
)

// Keys with a part of their own.
const (
	passwordKey = "LDAP_BIND_PASSWORD"    //nolint:gosec // its name
	sealedKey   = "LDAP_BIND_CREDENTIALS" //nolint:gosec // what becomes of it in the file
	pfxKey      = "SSL_PFX"
)

// first are the settings that everybody has to look at, in the order of the
// former console.
var first = []string{
	"LDAP_URL", "LDAP_BASE", "LDAP_BIND_USER", passwordKey, "LDAP_STARTTLS",
	"ENABLE_WRITE_BACK", "ENABLE_ACTIVE_DIRECTORY_UNICODE_PASSWORD",
}

// signInKeys are those of the browser logins that the schema has elsewhere.
var signInKeys = []string{"SERVER_URL", "SITE_NAME"}

func isSignIn(key string) bool {
	return slices.Contains(signInKeys, key) || slices.ContainsFunc(config.Keys(), func(k config.Key) bool { return k.Name == key && k.Group == "Browser logins" })
}

// elsewhere are keys that are not for a form, and why.
var elsewhere = map[string]string{
	"PROFILE_MAPPER": "Edit the script on the page Profile mapper.",
	"SECRETS":        "The secrets move along, as an administrator: connector config set SECRETS STORE",
	"AUTH_CERT":      "The key pair is exchanged by: connector keys renew",
	"AUTH_CERT_KEY":  "The key pair is exchanged by: connector keys renew",
}

// editable are the keys that the form has a field for. Those that the tenant
// decides and those that the connector writes are only shown.
func editable(r Reading) (keys []config.Key) {
	for _, k := range config.Keys() {
		learnt := k.Group == "Tenant" && !slices.Contains(signInKeys, k.Name) || k.Name == sealedKey
		if learnt || k.Unused || k.EnvOnly || elsewhere[k.Name] != "" || r.locked(k.Name) != "" {
			continue
		}
		keys = append(keys, k)
	}
	return keys
}

// locked says why a key cannot be changed here.
func (r Reading) locked(key string) string {
	if why := r.Elsewhere[key]; why != "" {
		return why
	}
	if r.Config.EnvOnly() {
		return "The environment holds the whole configuration (OVERRIDE_CONFIG=false)."
	}
	if r.Config.FromEnv(key) || key == passwordKey && r.Config.FromEnv(sealedKey) {
		return "The environment sets it, and has the last word."
	}
	return elsewhere[key]
}

// A formPage is the template's.
type formPage struct {
	Draft      string
	First      []Field
	Sections   []section
	Faults     []Fault
	Conflicts  []clash
	Discovered *Discovery
	Learnt     []changedKey // what the tenant and the connector decide: key and value
	Unknown    []string
}

// A section is the fields under one heading.
type section struct {
	Title  string
	Fields []Field
	Open   bool
}

// form is the page with the draft's values and what is wrong with them.
func (c *console) form(d *draft, id string, faults []Fault) formPage {
	p := formPage{Draft: id, Faults: faults, Conflicts: d.conflicts, Discovered: d.discovered, Unknown: d.base.Config.Unknown()}
	shown := map[string]bool{}
	for _, k := range config.Keys() {
		if v, ok := d.base.Config.Get(k.Name); ok && k.Group == "Tenant" && !slices.Contains(signInKeys, k.Name) && textOf(v) != "" {
			p.Learnt = append(p.Learnt, changedKey{Key: k.Name, Now: textOf(v)})
			continue
		}
		if k.Unused || k.EnvOnly || k.Name == sealedKey || k.Group == "Tenant" && !slices.Contains(signInKeys, k.Name) {
			continue
		}
		shown[k.Name] = true
		f := d.field(k, faults)
		if slices.Contains(first, k.Name) {
			p.First = append(p.First, f)
			continue
		}
		title := k.Group
		switch {
		case isSignIn(k.Name):
			title = "Browser logins"
		case title == "Directory":
			title = "More about the directory"
		}
		i := slices.IndexFunc(p.Sections, func(s section) bool { return s.Title == title })
		if i < 0 {
			p.Sections, i = append(p.Sections, section{Title: title}), len(p.Sections)
		}
		p.Sections[i].Fields = append(p.Sections[i].Fields, f)
		_, changed := d.changes[k.Name]
		p.Sections[i].Open = p.Sections[i].Open || f.Fault != "" || changed
	}
	slices.SortStableFunc(p.Sections, func(a, b section) int { return rank(a.Title) - rank(b.Title) })
	slices.SortStableFunc(p.First, func(a, b Field) int { return slices.Index(first, a.Name) - slices.Index(first, b.Name) })
	p.First = slices.Insert(p.First, min(2, len(p.First)), c.presetField(d, faults))
	for i, f := range p.Faults {
		if !shown[f.Field] && f.Field != "preset" && f.Field != "" {
			p.Faults[i] = Fault{Text: f.Field + ": " + f.Text}
		} else if f.Field != "" {
			p.Faults[i].Text = f.Field + ": " + f.Text
		}
	}
	return p
}

// rank puts browser logins, whose first settings the schema has early, where the
// others are used more.
func rank(title string) int {
	if title == "Browser logins" {
		return 1
	}
	return 0
}

func (c *console) presetField(d *draft, faults []Fault) Field {
	f := Field{
		Name: "preset", Label: "Kind of directory", Kind: "select", Fault: faultAt(faults, "preset"),
		Help:    "Chooses the searches for users and groups. Filters that you have set yourself stay as they are.",
		Choices: []Choice{{"", "as it is", d.preset == ""}},
	}
	for _, p := range c.options.Configuration.Presets {
		f.Choices = append(f.Choices, Choice{p, presetLabel(p), d.preset == p})
	}
	return f
}

var presetLabels = map[string]string{
	"ad": "Active Directory", "samba": "Samba domain controller", "openldap": "OpenLDAP", "freeipa": "FreeIPA",
	"389ds": "389 Directory Server", "lldap": "lldap",
}

func presetLabel(name string) string {
	if label := presetLabels[name]; label != "" {
		return label
	}
	return name
}

// field is the input of one key.
func (d *draft) field(k config.Key, faults []Fault) Field {
	f := Field{
		Name: k.Name, Label: label(k.Name), Key: k.Name, Kind: "text", Help: k.Doc,
		Fault: faultAt(faults, k.Name), Locked: d.base.locked(k.Name), Placeholder: plain(k.Default),
	}
	e, changed := d.changes[k.Name]
	f.Value = fieldText(d.base.Config, k)
	if changed {
		f.Value = e.text
	}
	switch {
	case k.Secret:
		f.Kind, f.Value, f.Placeholder = "password", "", ""
		f.Set = isSet(d.base.Config, k.Name) || changed && e.text != ""
		if changed && e.text != "" {
			f.Help += " What you have typed is kept until it is saved; it need not be typed again."
		}
		if k.Name == pfxKey {
			f.Kind, f.Help = "file", f.Help+" Choose the .pfx file."
		}
	case k.Type == "boolean":
		f.Kind, f.Choices = "select", choices(f.Value, k.Default, "true", "false")
	case k.Values != nil:
		f.Kind, f.Choices = "select", choices(f.Value, k.Default, k.Values...)
	case k.Type == "pem" || k.Type == "script":
		f.Kind, f.Rows, f.Wide = "textarea", 4, true
	case k.Type == "filter" || k.Type == "dn" || k.Name == "LDAP_URL":
		f.Wide = true
	case k.Max != 0:
		f.Min, f.Max = strconv.Itoa(k.Min), strconv.Itoa(k.Max)
		f.Help += fmt.Sprintf(" From %d to %d.", k.Min, k.Max)
	}
	return f
}

func choices(value, def string, values ...string) []Choice {
	none := "not set"
	if def != "" {
		none = "default: " + plain(def)
	}
	list := []Choice{{"", none, value == ""}}
	for _, v := range values {
		list = append(list, Choice{v, v, v == value})
	}
	return list
}

func faultAt(faults []Fault, field string) string {
	for _, f := range faults {
		if f.Field == field {
			return f.Text
		}
	}
	return ""
}

// shownAt is the field at which a key's fault is shown.
func shownAt(key string) string {
	if key == sealedKey {
		return passwordKey
	}
	return key
}

// hasPassword reports whether the service account has one.
func hasPassword(c config.Config) bool {
	return c.Directory.BindPassword != "" || c.Directory.BindCredentials != "" || c.Stored()
}

func isSet(c config.Config, key string) bool {
	if key == passwordKey {
		return hasPassword(c)
	}
	v, _ := c.Get(key)
	s, _ := v.(config.Secret)
	return s != ""
}

// words that are not written small.
var words = map[string]string{
	"ldap": "LDAP", "url": "URL", "tls": "TLS", "ssl": "SSL", "ca": "CA", "dn": "DN", "http": "HTTP", "https": "HTTPS", "crl": "CRL",
	"ms": "(ms)", "mb": "(MB)", "seconds": "(s)", "otel": "OpenTelemetry", "otlp": "OTLP", "pfx": "PFX", "ws": "Websocket", "kerberos": "Kerberos",
}

var labels = map[string]string{ //nolint:gosec // the names of secrets are none
	"LDAP_URL": "Directory servers", "LDAP_BASE": "Base DN", "LDAP_BIND_USER": "Service account", passwordKey: "Password",
	"LDAP_STARTTLS": "Use StartTLS", "ENABLE_WRITE_BACK": "Enable write back", "ENABLE_ACTIVE_DIRECTORY_UNICODE_PASSWORD": "Enable Unicode password",
	"SERVER_URL": "Front facing URL", "LDAP_USER_BY_NAME": "Filter: user by name", "LDAP_SEARCH_QUERY": "Filter: search users",
	"LDAP_SEARCH_ALL_QUERY": "Filter: all users", "LDAP_SEARCH_LIST_GROUPS_QUERY": "Filter: all groups", "LDAP_SEARCH_GROUPS": "Filter: groups of a user",
	"LDAP_HEARTBEAT_SEARCH_QUERY": "Filter: heartbeat", "HTTP_PROXY": "HTTP proxy", "HTTPS_PROXY": "HTTPS proxy", "GROUPS": "Read groups",
}

// label says a key's name in words.
func label(key string) string {
	if l := labels[key]; l != "" {
		return l
	}
	parts := strings.Split(strings.ToLower(key), "_")
	for i, p := range parts {
		if w := words[p]; w != "" {
			parts[i] = w
		}
	}
	text := strings.Join(parts, " ")
	return strings.ToUpper(text[:1]) + text[1:]
}

// plain is a default, which the schema has as JSON, for people.
func plain(def string) string {
	var text string
	if json.Unmarshal([]byte(def), &text) == nil {
		return text
	}
	return def
}
