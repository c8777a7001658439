package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/spf13/pflag"

	"ad-ldap-connector/pkg/config"
	"ad-ldap-connector/pkg/doctor"
	"ad-ldap-connector/pkg/home"
	"ad-ldap-connector/pkg/tenant"
)

// targetFlags say what is to be examined besides the home.
type targetFlags struct {
	ticket     secretFlags
	ticketArg  string
	tenant     string
	ldapURLs   []string
	ntpServers []string
}

func (o *targetFlags) add(f *pflag.FlagSet) {
	o.ticket.add(f, "ticket", "the ticket URL")
	f.StringVar(&o.ticketArg, "ticket", "", "the ticket `URL`; other users of this machine can read it, prefer a file")
	f.StringVar(&o.tenant, "tenant", "", "the tenant's `HOST[:PORT]`, where there is no ticket yet")
	f.StringArrayVar(&o.ldapURLs, "ldap-url", nil, "`URL` of a directory, ldap://, ldaps://, srv:// or srvs://; repeatable")
	f.StringArrayVar(&o.ntpServers, "ntp-server", nil, "`HOST[:PORT]` of a time server; repeatable")
}

// A target is what doctor examines: what the flags said, and the home where
// there is one.
type target struct {
	home       *home.Home
	configured bool                          // the home, or the environment, has settings of a connector
	load       func() (config.Config, error) // reads them again
	config     config.Config                 // with the flags above; the defaults where the home's cannot be read
	waivers    []doctor.Waiver               // of waivers.json
	waiverErr  error                         // fs.ErrNotExist when there is none

	given      tenant.Ticket // of the flags or the environment; may be zero
	ticket     tenant.Ticket // from the flags, the environment or the home; may be zero
	other      bool          // the ticket that was given is not the home's
	tenant     string        // HOST or HOST:PORT to ask: --tenant, else the ticket's, else the hub's; may be ""
	ntpServers []string      // HOST or HOST:PORT

	transport    *transport // how to get there; nil when transportErr says why not
	transportErr error

	secrets *secrets

	closers []func()
}

// later has f run when the examination is over.
func (t *target) later(f func()) { t.closers = append(t.closers, f) }

// Close frees what the checks have used.
func (t *target) Close() {
	for _, f := range t.closers {
		f()
	}
}

// openTarget reads what there is. What is wrong with the flags is usage; what
// is wrong with the home is for the checks to find.
func (a *app) openTarget(o targetFlags) (*target, error) {
	for name, list := range map[string][]string{"tenant": {o.tenant}, "ntp-server": o.ntpServers} {
		for _, host := range list {
			if err := checkHost(host); err != nil && (name != "tenant" || host != "") {
				return nil, usagef("--%s %q: %w", name, host, err)
			}
		}
	}
	for _, raw := range o.ldapURLs {
		u, err := url.Parse(raw)
		known := err == nil && slices.Contains([]string{"ldap", "ldaps", "srv", "srvs"}, u.Scheme)
		if !known || u.Host == "" || u.User != nil || isDomain(u) && u.Port() != "" {
			return nil, usagef("--ldap-url: write it as ldap://HOST[:PORT], ldaps://HOST[:PORT], srv://DOMAIN or srvs://DOMAIN")
		}
	}
	given, err := a.givenTicket(o)
	if err != nil {
		return nil, err
	}
	return a.lookAt(o, given), nil
}

// lookAt is openTarget for flags that are known to be right, and a ticket that
// has been read, which stdin gives once.
func (a *app) lookAt(o targetFlags, given tenant.Ticket) *target {
	t := &target{given: given, tenant: o.tenant, ntpServers: o.ntpServers, config: config.Default(), secrets: new(secrets)}
	t.openHome(a)
	if len(o.ldapURLs) > 0 {
		t.config.Directory.URLs = o.ldapURLs
	}
	own, _ := tenant.ParseTicket(string(t.config.Tenant.Ticket)) // config.valid says what is wrong with it
	t.ticket, t.other = own, !given.IsZero() && !own.IsZero() && !given.Equal(own)
	if !given.IsZero() {
		t.ticket = given
	}
	if t.tenant == "" {
		t.tenant = t.ticket.Host()
	}
	if t.tenant == "" {
		t.tenant = hostOf(t.config.Tenant.Hub)
	}
	t.secrets.learn(t.config)
	t.secrets.addTicket(t.ticket)
	t.secrets.addTicket(own)
	if t.home == nil {
		t.transport, t.transportErr = newTransport(t.config.Network, a.environ)
	} else {
		t.transport, t.transportErr = homeTransport(t.home, t.config.Network, a.environ)
	}
	return t
}

// isDomain reports whether a directory's URL names a domain, whose servers DNS
// knows.
func isDomain(u *url.URL) bool { return u.Scheme == "srv" || u.Scheme == "srvs" }

// givenTicket is the ticket of the flags or the environment, not the home's.
func (a *app) givenTicket(o targetFlags) (ticket tenant.Ticket, err error) {
	text := a.env("CONNECTOR_TICKET")
	switch {
	case o.ticketArg != "" && o.ticket.given():
		return ticket, usagef("give the ticket once: --ticket, --ticket-file or --ticket-stdin")
	case o.ticketArg != "":
		a.say("warning: other users of this machine can read the ticket among the arguments; use --ticket-file")
		text = o.ticketArg
	case o.ticket.given():
		if text, err = a.readSecret(&o.ticket); err != nil {
			return ticket, err
		}
	}
	if text == "" {
		return ticket, nil
	}
	if ticket, err = tenant.ParseTicket(text); err != nil {
		return ticket, &usageError{err}
	}
	return ticket, nil
}

// openHome looks whether there is a connector in the home. One that cannot be
// read is there all the same.
func (t *target) openHome(a *app) {
	h, err := a.openHome()
	t.waiverErr = fs.ErrNotExist
	if err != nil {
		t.configured, t.load = true, func() (config.Config, error) { return config.Config{}, err }
		return
	}
	t.home, t.load = h, h.Config
	c, err := h.Config()
	t.configured = err != nil || hasSettings(c)
	if err != nil {
		if c, err = config.Default().WithEnv(a.environ); err != nil {
			c = config.Default()
		}
	}
	t.config = c
	data, err := h.Waivers()
	if t.waiverErr = err; err == nil {
		t.waivers, t.waiverErr = doctor.ParseWaivers(data)
	}
}

// hasSettings reports whether somebody has configured a connector: a folder
// that a package laid down, or a variable that sets a port, is not that yet.
func hasSettings(c config.Config) bool {
	if c.EnvOnly() || c.Tenant.Ticket != "" || c.Tenant.Connection != "" || len(c.Directory.URLs) > 0 {
		return true
	}
	return slices.ContainsFunc(config.Keys(), func(k config.Key) bool { return c.Source(k.Name) == "file" })
}

// checkHost says what is wrong with HOST[:PORT].
func checkHost(text string) error {
	host := text
	if strings.Count(text, ":") == 1 || strings.HasPrefix(text, "[") && !strings.HasSuffix(text, "]") {
		name, port, err := net.SplitHostPort(text)
		if err != nil {
			return errors.New("write it as HOST or HOST:PORT")
		}
		host = name
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return fmt.Errorf("%q is no port", port)
		}
	}
	if host = strings.Trim(host, "[]"); net.ParseIP(host) != nil {
		return nil
	}
	if host == "" || len(host) > 253 || strings.ContainsAny(host, "/:@?#%\\ \t\r\n\"'<>[]") {
		return errors.New("write it as HOST or HOST:PORT")
	}
	return nil
}

// secrets are what no report may show, should a peer's answer quote it.
type secrets struct {
	mu    sync.Mutex
	texts []string
}

// shortSecret is too short to be told from ordinary words, and would tear
// holes into them.
const shortSecret = 4

func (s *secrets) add(text string) {
	if len(text) < shortSecret {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, form := range []string{text, url.QueryEscape(text), url.PathEscape(text), strings.Trim(strconv.Quote(text), `"`)} {
		if !slices.Contains(s.texts, form) {
			s.texts = append(s.texts, form)
		}
	}
	slices.SortFunc(s.texts, func(a, b string) int { return len(b) - len(a) }) // a longer one may hold a shorter one
}

// learn adds what the configuration keeps secret. Of a URL that is the user and
// the password, so that its host can be told.
func (s *secrets) learn(c config.Config) {
	for _, k := range config.Keys() {
		v, _ := c.Get(k.Name)
		secret, ok := v.(config.Secret)
		if !ok {
			continue
		}
		u, err := url.Parse(string(secret))
		if k.Name == "HTTP_PROXY" || k.Name == "HTTPS_PROXY" { // a proxy may be written without its scheme
			u, err = proxyURL(k.Name, string(secret), nil)
		}
		switch {
		case secret == "", k.Name == "PROVISIONING_TICKET": // a ticket's host is no secret
		case err == nil && u.Host != "":
			if password, ok := u.User.Password(); ok {
				s.add(password)
			}
		default:
			s.add(string(secret))
		}
	}
}

// addTicket adds the secret part of a ticket.
func (s *secrets) addTicket(t tenant.Ticket) {
	u, err := url.Parse(t.Reveal())
	if err != nil || t.IsZero() {
		return
	}
	s.add(u.Path[strings.LastIndexByte(u.Path, '/')+1:])
}

// hide takes the secrets out of a text.
func (s *secrets) hide(text string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, secret := range s.texts {
		text = strings.ReplaceAll(text, secret, "[hidden]")
	}
	return text
}
