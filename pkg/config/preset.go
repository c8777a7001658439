package config

import (
	"fmt"
	"slices"
	"strings"
)

// A Preset is what the searches of one kind of directory look like.
type Preset struct {
	Name, Doc string

	UserFilter       string
	SearchFilter     string
	SearchAllFilter  string
	ListGroupsFilter string
	GroupsFilter     string
	HeartbeatFilter  string
	Nested           bool // the server cannot follow nesting in one search, and groups may nest
}

// activeDirectory is what the defaults are made for.
func activeDirectory(name, doc string) Preset {
	def := Default()
	return Preset{
		Name: name, Doc: doc,
		UserFilter:       def.Directory.UserFilter,
		SearchFilter:     def.Directory.SearchFilter,
		SearchAllFilter:  def.Directory.SearchAllFilter,
		ListGroupsFilter: def.Directory.ListGroupsFilter,
		GroupsFilter:     def.Groups.Filter,
		HeartbeatFilter:  def.Directory.HeartbeatFilter,
	}
}

const (
	// The static groups of RFC 4519, sections 3.5 and 3.6. That a group of
	// login accounts, posixGroup, has names and no DNs as members keeps it out.
	staticGroups   = "(|(&(objectClass=groupOfNames)(member={0}))(&(objectClass=groupOfUniqueNames)(uniqueMember={0})))"
	allStatic      = "(|(objectClass=groupOfNames)(objectClass=groupOfUniqueNames))"
	anythingAtBase = "(objectClass=*)"
	// As Active Directory's anr does, names are matched from their start, which
	// servers index. Users log in by uid alone: where they may change their own
	// mail, that would let one pose as another.
	byPrefix = "(|(uid={0}*)(cn={0}*)(sn={0}*)(givenName={0}*)(mail={0}*))"
)

var presets = []Preset{
	activeDirectory("ad", "Microsoft Active Directory"),
	// Samba knows anr, the short form of objectCategory and the in-chain rule.
	activeDirectory("samba", "Samba as an Active Directory domain controller"),
	{
		Name: "openldap", Doc: "OpenLDAP with inetOrgPerson users and static groups",
		UserFilter:       "(&(objectClass=inetOrgPerson)(uid={0}))",
		SearchFilter:     "(&(objectClass=inetOrgPerson)" + byPrefix + ")",
		SearchAllFilter:  "(objectClass=inetOrgPerson)",
		ListGroupsFilter: allStatic,
		GroupsFilter:     staticGroups,
		HeartbeatFilter:  anythingAtBase,
		Nested:           true,
	},
	{
		// The compatibility tree repeats users and groups, as posixAccount and
		// posixGroup: these classes keep its copies out. Roles and privileges
		// are groups of names as well, but not user groups.
		Name: "freeipa", Doc: "FreeIPA and Red Hat Identity Management",
		UserFilter:       "(&(objectClass=inetOrgPerson)(objectClass=posixAccount)(uid={0}))",
		SearchFilter:     "(&(objectClass=inetOrgPerson)(objectClass=posixAccount)" + byPrefix + ")",
		SearchAllFilter:  "(&(objectClass=inetOrgPerson)(objectClass=posixAccount))",
		ListGroupsFilter: "(objectClass=ipaUserGroup)",
		GroupsFilter:     "(&(objectClass=ipaUserGroup)(member={0}))",
		HeartbeatFilter:  anythingAtBase,
		Nested:           true,
	},
	{
		// Its own tools make users of the class nsPerson, older ones of
		// inetOrgPerson.
		Name: "389ds", Doc: "389 Directory Server and Red Hat Directory Server",
		UserFilter:       "(&(|(objectClass=inetOrgPerson)(objectClass=nsPerson))(uid={0}))",
		SearchFilter:     "(&(|(objectClass=inetOrgPerson)(objectClass=nsPerson))" + byPrefix + ")",
		SearchAllFilter:  "(|(objectClass=inetOrgPerson)(objectClass=nsPerson))",
		ListGroupsFilter: allStatic,
		GroupsFilter:     staticGroups,
		HeartbeatFilter:  anythingAtBase,
		Nested:           true,
	},
	{
		// It refuses to search parts of a name in most attributes, and its
		// groups cannot nest.
		Name: "lldap", Doc: "lldap",
		UserFilter:       "(&(objectClass=inetOrgPerson)(uid={0}))",
		SearchFilter:     "(&(objectClass=inetOrgPerson)(|(uid={0}*)(cn={0}*)(mail={0}*)))",
		SearchAllFilter:  "(objectClass=inetOrgPerson)",
		ListGroupsFilter: "(objectClass=groupOfUniqueNames)",
		GroupsFilter:     "(&(objectClass=groupOfUniqueNames)(member={0}))",
		HeartbeatFilter:  anythingAtBase,
	},
}

// Presets returns the names of the directories whose searches are known.
func Presets() []string {
	names := make([]string, len(presets))
	for i, p := range presets {
		names[i] = p.Name
	}
	return names
}

// values returns what the preset sets, as a configuration to copy from.
func (p Preset) values() *Config {
	c := Default()
	c.Directory.UserFilter = p.UserFilter
	c.Directory.SearchFilter = p.SearchFilter
	c.Directory.SearchAllFilter = p.SearchAllFilter
	c.Directory.ListGroupsFilter = p.ListGroupsFilter
	c.Directory.HeartbeatFilter = p.HeartbeatFilter
	c.Groups.Filter = p.GroupsFilter
	c.Groups.Nested = p.Nested
	return &c
}

// presetKeys are the keys that a preset sets.
var presetKeys = []string{
	"LDAP_USER_BY_NAME", "LDAP_SEARCH_QUERY", "LDAP_SEARCH_ALL_QUERY", "LDAP_SEARCH_LIST_GROUPS_QUERY",
	"LDAP_HEARTBEAT_SEARCH_QUERY", "LDAP_SEARCH_GROUPS", "GROUPS_NESTED",
}

// ApplyPreset sets the searches to those of a kind of directory, but for what
// the file, the environment or Set has. One preset after another is as the last
// alone. An unknown name is an error that lists the known ones.
func (c *Config) ApplyPreset(name string) error {
	i := slices.IndexFunc(presets, func(p Preset) bool { return p.Name == name })
	if i < 0 {
		return fmt.Errorf("choose the searches of %q: it is none of %s", name, strings.Join(Presets(), ", "))
	}
	from := presets[i].values()
	for _, key := range presetKeys {
		if k := byName[key]; !c.ownValue(k) {
			k.copy(c, from)
		}
	}
	return nil
}

// ownValue reports whether somebody chose the key's value, other than by a
// preset.
func (c *Config) ownValue(k *Key) bool {
	if c.look().explicit[k.Name] {
		return true
	}
	if !c.changed(k) {
		return c.Source(k.Name) != "default"
	}
	value := string(k.encode(c))
	return !slices.ContainsFunc(presets, func(p Preset) bool { return string(k.encode(p.values())) == value })
}
