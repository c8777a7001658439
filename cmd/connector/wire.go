package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"ad-ldap-connector/pkg/config"
	"ad-ldap-connector/pkg/directory"
	"ad-ldap-connector/pkg/home"
	"ad-ldap-connector/pkg/identity"
	"ad-ldap-connector/pkg/profile"
)

// This file is the one place where the rooms meet: it reads the configuration
// and hands each room only what that room needs.

// A dirWatch learns how the directory fares.
type dirWatch func(ok bool, detail string)

// directoryOptions turns the configuration into what the directory room needs.
// Filters that do not parse are all reported.
func directoryOptions(c config.Config, password string, t *transport, log *slog.Logger, watch dirWatch) (directory.Options, error) {
	d, g := c.Directory, c.Groups
	var faults []error
	filter := func(key, text string) directory.Filter {
		f, err := directory.ParseFilter(text)
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", key, err))
		}
		return f
	}
	method := directory.Method(d.BindMethod)
	if method != directory.Simple {
		password = "" // it has no use, and so no business here
	} else if password == "" {
		d.BindUser = "" // a name with an empty password would be an unauthenticated bind; anonymous is meant
	}
	o := directory.Options{
		URLs: d.URLs, Site: d.Site, StartTLS: d.StartTLS, TLS: t.TLS, Dial: t.Dial,
		RequireTLS: d.RequireTLS, ClientCert: t.inHome(d.ClientCert), ClientKey: t.inHome(d.ClientKey),
		Method: method, Kerberos: t.kerberos(d),
		BaseDN: d.BaseDN, GroupBaseDN: g.BaseDN,
		ReferralHosts: d.ReferralHosts,
		BindUser:      d.BindUser, BindPassword: identity.Password(password),
		UserFilter:       filter("LDAP_USER_BY_NAME", d.UserFilter),
		SearchFilter:     filter("LDAP_SEARCH_QUERY", d.SearchFilter),
		SearchAllFilter:  filter("LDAP_SEARCH_ALL_QUERY", d.SearchAllFilter),
		ListGroupsFilter: filter("LDAP_SEARCH_LIST_GROUPS_QUERY", d.ListGroupsFilter),
		GroupsFilter:     filter("LDAP_SEARCH_GROUPS", g.Filter),
		HeartbeatFilter:  filter("LDAP_HEARTBEAT_SEARCH_QUERY", d.HeartbeatFilter),
		GroupProperty:    g.Property, GroupProperties: g.Properties, NestedGroups: g.Nested, PrimaryGroup: g.Primary,
		GroupsCache: g.Cache, GroupsTimeout: g.Timeout, DerefAliases: g.DerefAliases,
		Heartbeat: d.Heartbeat, ParallelBinds: d.ParallelBinds,
		UnicodePassword: d.UnicodePassword, PasswordMethod: d.PasswordMethod, UnlockOnChange: d.UnlockOnChange,
		Now: time.Now, Log: log.With("part", "directory"), State: watch,
	}
	return o, errors.Join(faults...)
}

// bindPassword returns the service account's password, where it binds by one:
// as it was given, opened with the home's private key, or from the store of
// SECRETS.
func bindPassword(h *home.Home, c config.Config) (string, error) {
	if c.Directory.BindMethod != string(directory.Simple) {
		return "", nil
	}
	return h.BindPassword(c)
}

// openDirectory returns a client for the configured directory. It does no I/O
// beyond reading the key.
func openDirectory(h *home.Home, c config.Config, t *transport, log *slog.Logger, watch dirWatch, change ...func(*directory.Options)) (*directory.Client, error) {
	password, err := bindPassword(h, c)
	if err != nil {
		return nil, err
	}
	o, err := directoryOptions(c, password, t, log, watch)
	if err != nil {
		return nil, err
	}
	for _, f := range change {
		f(&o)
	}
	return directory.New(o), nil
}

// A closingMapper is a mapper that may own processes.
type closingMapper struct {
	identity.Mapper
	detail string // what does the mapping: "native", or the script's name
	close  func() error
}

func (m *closingMapper) Close() error { return m.close() }

// openMapper returns the operator's mapper, or the native one when there is
// none or it is the default.
func openMapper(h *home.Home, c config.Config, log *slog.Logger, change ...func(*profile.Options)) (*closingMapper, error) {
	script, name, err := h.Mapper(c)
	if err != nil {
		return nil, err
	}
	return newMapper(script, name, c, log, change...)
}

func newMapper(script, name string, c config.Config, log *slog.Logger, change ...func(*profile.Options)) (*closingMapper, error) {
	units := profile.Units(c.Mapper.OrganizationUnits)
	if script == "" || profile.IsDefault(script) {
		return &closingMapper{profile.Native(units), "native", func() error { return nil }}, nil
	}
	o := profile.Options{
		Script: script, Name: name, Units: units, Command: func() *exec.Cmd { return mapperChild(c.Mapper.MemoryMB) },
		Timeout: c.Mapper.Timeout, MemoryMB: c.Mapper.MemoryMB, Log: log.With("part", "mapper"),
	}
	for _, f := range change {
		f(&o)
	}
	m, err := profile.New(o)
	if err != nil {
		return nil, err
	}
	return &closingMapper{m, name, m.Close}, nil
}

// mapperChild is the command that runs mappers: this program again, told how
// much memory a script may use.
func mapperChild(memoryMB int) *exec.Cmd {
	program, err := ownProgram()
	if err != nil {
		program = os.Args[0] // as good a name as there is
	}
	return exec.CommandContext(context.Background(), program, mapperChildName, "--memory", strconv.Itoa(memoryMB))
}

func policy(c config.Config) identity.Policy {
	return identity.Policy{
		AllowPasswordExpired:        c.Policy.AllowPasswordExpired,
		AllowPasswordChangeRequired: c.Policy.AllowPasswordChangeRequired,
		OmitGroups:                  !c.Groups.Enabled,
		OmitGroupsInSearch:          c.Groups.OmitInSearch,
		GroupsRequired:              c.Groups.Required,
	}
}

// A workbench is what the commands that try the directory share: login, search
// and profile use the same rooms as the runtime, wired the same way.
type workbench struct {
	home      *home.Home
	config    config.Config
	directory *directory.Client
	mapper    *closingMapper
	users     *identity.Authenticator
}

// openWorkbench reads the home and wires the rooms. Whoever passes a change has
// the last word on how the directory is asked.
func (a *app) openWorkbench(change ...func(*directory.Options)) (*workbench, error) {
	h, err := a.openHome()
	if err != nil {
		return nil, err
	}
	c, err := h.Config()
	if err != nil {
		return nil, err
	}
	if err := directoryFaults(c); err != nil {
		return nil, err
	}
	t, err := homeTransport(h, c.Network, a.environ)
	if err != nil {
		return nil, err
	}
	dir, err := openDirectory(h, c, t, a.log(), nil, change...)
	if err != nil {
		return nil, err
	}
	m, err := openMapper(h, c, a.log())
	if err != nil {
		return nil, errors.Join(err, dir.Close())
	}
	users := &identity.Authenticator{Directory: dir, Mapper: m, Policy: policy(c)}
	return &workbench{home: h, config: c, directory: dir, mapper: m, users: users}, nil
}

func (w *workbench) Close() {
	_ = w.mapper.Close()    // the process ends with this command anyway
	_ = w.directory.Close() // nothing was left to send
}

// directoryFaults is Validate without what only the tenant's side needs: one
// may look into a directory before there is a ticket. A value that did not fit
// is a fault here too; what it was meant to replace must not be used instead.
func directoryFaults(c config.Config) error {
	var faults []error
	nothing := len(c.Directory.URLs) == 0 || c.Directory.BaseDN == ""
	for _, f := range faultsOf(c.Validate()) {
		if nothing && f.Problem == "it is missing" {
			continue // said better below
		}
		for _, side := range []string{"LDAP_", "GROUP", "PROFILE_", "SSL_CA_"} {
			if strings.HasPrefix(f.Key, side) {
				faults = append(faults, f)
			}
		}
	}
	if nothing && len(faults) == 0 {
		return errNoDirectory
	}
	return errors.Join(faults...)
}

// errNoDirectory says that there is no directory to ask.
var errNoDirectory error = &hinted{errors.New("LDAP_URL and LDAP_BASE are not set"),
	"run \"connector install\", or: connector config set LDAP_URL ldaps://dc1.corp.example"}

// A hinted error carries advice.
type hinted struct {
	error
	hint string
}

func (e *hinted) Unwrap() error { return e.error }

// Hint returns the advice.
func (e *hinted) Hint() string { return e.hint }

// checkDirectory proves that a candidate configuration can search. One that
// finds no users is said, and is no fault: they may come later.
func (a *app) checkDirectory(t *transport) func(context.Context, config.Config) error {
	return func(ctx context.Context, c config.Config) error {
		o, err := directoryOptions(c, string(c.Directory.BindPassword), t, a.log(), nil)
		if err != nil {
			return err
		}
		dir := directory.New(o)
		defer func() { _ = dir.Close() }() // nothing was left to send
		ctx, cancel := context.WithTimeout(ctx, checkTime)
		defer cancel()
		if err := dir.Check(ctx); err != nil {
			return err
		}
		users, err := dir.Search(ctx, identity.Query{Limit: 1})
		if err == nil && len(users) == 0 {
			a.say("warning: no users below %s match LDAP_SEARCH_ALL_QUERY %s", c.Directory.BaseDN, c.Directory.SearchAllFilter)
		}
		return err
	}
}

// checkTime bounds one look at the directory or the tenant.
const checkTime = 20 * time.Second
