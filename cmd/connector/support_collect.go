package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/shirou/gopsutil/v3/host"

	"ad-ldap-connector/pkg/config"
	"ad-ldap-connector/pkg/home"
	"ad-ldap-connector/pkg/tenant"
)

const (
	logTail   = 1 << 20 // octets of each log
	mostFiles = 2000    // of the home that are listed
	askTime   = 10 * time.Second
)

// collect fills the archive. What cannot be had is noted in it: a support case
// is when things do not work.
func (a *app) collect(ctx context.Context, b *supportArchive, t *target, o supportAnswers) error {
	report := a.doctorReport(ctx, t, o.timeout)
	if err := ctx.Err(); err != nil {
		return err
	}
	err := errors.Join(
		b.addJSON("doctor.json", report),
		b.addJSON("config.json", a.redactedConfig(t)),
		b.addJSON("status.json", a.supportStatus(ctx)),
		b.addJSON("versions.json", versionsOf(ctx)),
		b.addJSON("environment.json", a.environmentNames(t.config)),
		b.addJSON("home.json", listedHome(t)),
	)
	if err != nil {
		return err
	}
	a.addMetrics(ctx, b)
	b.add("doctor.txt", []byte(doctorText(report, false)), 0)
	if t.home == nil {
		b.note("the home could not be opened; config.json says why")
		return nil
	}
	logs, err := t.home.Logs()
	for _, name := range logs {
		b.addLog(t.home, name)
	}
	switch {
	case err != nil:
		b.note("%s", oneLine(err.Error()))
	case len(logs) == 0:
		b.note("there are no log files in %s", t.home.Dir())
	}
	b.addJournals(ctx, t.home.Dir())
	b.addMapper(t, o.withMapper)
	return nil
}

// addLog puts the end of a log file in.
func (b *supportArchive) addLog(h *home.Home, name string) {
	tail, err := h.Tail(name, logTail)
	if err != nil {
		b.note("%s", oneLine(err.Error()))
		return
	}
	inside := name
	if !strings.HasPrefix(inside, "logs/") {
		inside = "logs/" + inside
	}
	if tail.Size > int64(len(tail.Data)) {
		b.note("%s is the end of a file of %d bytes; %d lines are before it", inside, tail.Size, tail.Lines)
	}
	b.add(inside, tail.Data, tail.Lines)
}

// addMapper puts the operator's script in when that was asked for.
func (b *supportArchive) addMapper(t *target, with bool) {
	const name = "mapper.js"
	script, from, err := t.home.Mapper(t.config)
	switch {
	case err != nil:
		b.note("%s", oneLine(err.Error()))
	case script == "":
	case with:
		b.add(name, []byte(script), 0)
		b.note("%s is %s", name, from)
	default:
		b.manifest.LeftOut = append(b.manifest.LeftOut, leftOut{name, "the profile mapper may hold secrets; --with-mapper puts it in"})
	}
}

// A redacted is the configuration as the archive shows it.
type redacted struct {
	Error    string    `json:"error,omitempty"` // why it could not be read
	Home     string    `json:"home"`
	EnvOnly  bool      `json:"envOnly"`
	Settings []setting `json:"settings"`
	Faults   []string  `json:"faults"`
	Warnings []string  `json:"warnings"`
}

// Values that take the place of others.
const (
	hiddenValue  = "[hidden]"
	unknownValue = "[hidden: not a key of this release]"
	scriptValue  = "[hidden: a script]"
)

// redactedConfig shows every key that is set or has a default, without secrets.
// What other programs or releases keep in the file is named only: nobody here
// knows which of it is secret.
func (a *app) redactedConfig(t *target) redacted {
	r := redacted{Settings: []setting{}, Faults: []string{}, Warnings: []string{}}
	hide := func(text string) string { return withoutUsers(t.secrets.hide(text)) }
	if t.home != nil {
		r.Home = t.home.Dir()
	}
	if _, err := t.load(); err != nil {
		r.Error = hide(oneLine(err.Error()))
	}
	c := t.config
	r.EnvOnly = c.EnvOnly()
	for _, k := range config.Keys() {
		v, set := c.Get(k.Name)
		if set || c.Source(k.Name) != "default" {
			r.Settings = append(r.Settings, setting{k.Name, redact(k.Name, v), c.Source(k.Name)})
		}
	}
	for _, name := range c.Unknown() {
		if name == c.Tenant.Realm {
			continue
		}
		r.Settings = append(r.Settings, setting{name, unknownValue, c.Source(name)})
	}
	if c.Tenant.Realm != "" {
		r.Settings = append(r.Settings, setting{c.Tenant.Realm, redact(c.Tenant.Realm, c.Tenant.PostURLs), c.Source(c.Tenant.Realm)})
	}
	for _, f := range faultsOf(c.Validate()) {
		r.Faults = append(r.Faults, hide(f.Error()))
	}
	for _, w := range c.Warnings() {
		r.Warnings = append(r.Warnings, hide(w))
	}
	return r
}

// redact returns a value without what is secret in it. Of a ticket and of a
// proxy the host stays, which a support case often is about.
func redact(key string, value any) any {
	switch v := value.(type) {
	case config.Secret:
		switch {
		case v == "":
			return ""
		case key == "PROVISIONING_TICKET":
			if ticket, err := tenant.ParseTicket(string(v)); err == nil {
				return ticket.String()
			}
		case key == "HTTP_PROXY" || key == "HTTPS_PROXY":
			if u, err := proxyURL(key, string(v), nil); err == nil && u.Host != "" {
				return u.Scheme + "://" + u.Host
			}
		}
		return hiddenValue
	case string:
		if key == "PROFILE_MAPPER" && v != "" {
			return scriptValue
		}
		return withoutUsers(v)
	case []string:
		texts := []string{}
		for _, text := range v {
			texts = append(texts, withoutUsers(text))
		}
		return texts
	}
	return value
}

var urlUser = regexp.MustCompile(`([A-Za-z][A-Za-z0-9+.-]*://)[^/?#\s"'<>]*@`)

// withoutUsers takes the user and the password out of all URLs in a text.
func withoutUsers(text string) string { return urlUser.ReplaceAllString(text, "$1") }

// A supportStatus is what the running connector says, or why it does not.
type supportStatus struct {
	Answered bool    `json:"answered"`
	Why      string  `json:"why,omitempty"`
	Status   *status `json:"status,omitempty"`
}

func (a *app) supportStatus(ctx context.Context) supportStatus {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	s, err := a.askStatus(ctx)
	if err != nil {
		return supportStatus{Why: withoutUsers(oneLine(err.Error()))}
	}
	if s.Service == "running" {
		return supportStatus{Answered: true, Status: &s}
	}
	why := "no connector has run on this home"
	var r running
	if h, err := a.openHome(); err == nil && h.LoadState("run", &r) == nil && r.Console != "" {
		why = "another program answers at " + consoleHost(r.Console)
		if _, err := fetchStatus(ctx, r.Console); err != nil {
			why = oneLine(err.Error())
		}
	}
	return supportStatus{Why: why, Status: &s}
}

// maxMetrics bounds the metrics of a support case, in octets.
const maxMetrics = 1 << 20

// addMetrics puts in what the running connector counts, if one runs. Why there
// are none stands in status.json, unless it is only the metrics that are
// missing.
func (a *app) addMetrics(ctx context.Context, b *supportArchive) {
	h, err := a.openHome()
	if err != nil {
		return
	}
	if _, err := a.askRunning(ctx, h); err != nil {
		return
	}
	var r running
	var text []byte
	if err = h.LoadState("run", &r); err == nil {
		text, err = fetchConsole(ctx, r.Console, "/metrics", maxMetrics)
	}
	if err != nil {
		b.note("the metrics could not be had: %s", oneLine(err.Error()))
		return
	}
	b.add("metrics.txt", text, 0)
}

// versions say what the program is made of and runs on.
type versions struct {
	Connector build    `json:"connector"`
	Platform  string   `json:"platform"` // "debian 12.5"
	Kernel    string   `json:"kernel"`
	Modules   []module `json:"modules"`
}

type module struct {
	Path    string `json:"path"`
	Version string `json:"version"`
}

func versionsOf(ctx context.Context) versions {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	v := versions{Connector: thisBuild(), Modules: []module{}}
	if platform, _, version, err := host.PlatformInformationWithContext(ctx); err == nil {
		v.Platform = strings.TrimSpace(platform + " " + version)
	}
	v.Kernel, _ = host.KernelVersionWithContext(ctx) // what the system does not tell is ""
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			if m.Replace != nil {
				m = m.Replace
			}
			v.Modules = append(v.Modules, module{m.Path, m.Version})
		}
	}
	return v
}

// otherVariables count for the program and its libraries besides the keys.
var otherVariables = []string{
	"CONNECTOR_HOME", "CONNECTOR_OUTPUT", "CONNECTOR_TICKET", "NO_COLOR", "TERM", "http_proxy", "https_proxy", "no_proxy",
	"SSL_CERT_FILE", "SSL_CERT_DIR", "KRB5_CONFIG", "KRB5CCNAME", "KRB5_KTNAME", "GODEBUG", "GOMEMLIMIT", "GOGC", "GOMAXPROCS", "TZ",
}

// environmentNames names the variables that are set and count, and shows no
// value.
func (a *app) environmentNames(c config.Config) map[string][]string {
	known := slices.Clone(otherVariables)
	for _, k := range config.Keys() {
		known = append(known, k.Name)
	}
	if c.Tenant.Realm != "" {
		known = append(known, c.Tenant.Realm)
	}
	set := []string{}
	for _, entry := range a.environ {
		name, _, _ := strings.Cut(entry, "=")
		if slices.Contains(known, name) && !slices.Contains(set, name) {
			set = append(set, name)
		}
	}
	slices.Sort(set)
	return map[string][]string{"set": set}
}

// listedHome lists the home's files, without what is in them.
func listedHome(t *target) map[string]any {
	if t.home == nil {
		return map[string]any{"exists": false}
	}
	files, more, err := t.home.List(mostFiles)
	doc := map[string]any{"dir": t.home.Dir(), "exists": true, "files": files, "more": more}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return map[string]any{"dir": t.home.Dir(), "exists": false}
	case err != nil:
		doc["error"] = fmt.Sprint(err)
	}
	return doc
}
