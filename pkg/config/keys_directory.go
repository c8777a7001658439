package config

import "time"

var directoryKeys = []Key{
	{
		Name: "LDAP_URL", Type: "list", Group: "Directory",
		Doc:   "The directory's servers, ldap://HOST[:389] or ldaps://HOST[:636]: one, or several in the order to prefer them, as an array or separated by commas or spaces. They must hold the same directory. srv://DOMAIN stands for the servers that the domain's DNS records _ldap._tcp name, by their priorities and weights; srvs://DOMAIN for the same over ldaps, with 636 in place of port 389. With TLS, only servers whose names lie within the domain are taken.",
		style: listURLs,
		field: func(c *Config) any { return &c.Directory.URLs },
		check: checkDirectoryURLs,
	},
	{
		Name: "LDAP_SITE", Type: "string", Group: "Directory",
		Doc:   "Active Directory site whose servers are preferred among those of srv:// or srvs:// in LDAP_URL.",
		field: func(c *Config) any { return &c.Directory.Site },
		check: checkSite,
	},
	{
		Name: "LDAP_BASE", Type: "dn", Group: "Directory",
		Doc:   "Base DN below which users are searched.",
		field: func(c *Config) any { return &c.Directory.BaseDN },
		check: dnCheck(func(c *Config) string { return c.Directory.BaseDN }),
	},
	{
		Name: "LDAP_BIND_USER", Type: "string", Group: "Directory",
		Doc:   `The service account: its DN, DOMAIN\name or name@domain; for LDAP_BIND_METHOD gssapi its Kerberos principal, name@REALM.`,
		field: func(c *Config) any { return &c.Directory.BindUser },
	},
	{
		Name: "LDAP_BIND_PASSWORD", Type: "secret", Group: "Directory", Secret: true,
		Doc:   "Password of the service account in the clear; replaced in the file by LDAP_BIND_CREDENTIALS at the next start.",
		field: func(c *Config) any { return &c.Directory.BindPassword },
	},
	{
		Name: "LDAP_BIND_CREDENTIALS", Type: "secret", Group: "Directory", Secret: true,
		Doc:   "Password of the service account, sealed with the agent's private key; written by the connector.",
		field: func(c *Config) any { return &c.Directory.BindCredentials },
		check: checkCredentials,
	},
	{
		Name: "LDAP_BIND_METHOD", Type: "string", Group: "Directory", Values: []string{"simple", "external", "gssapi"},
		Doc:   "How the service account binds: simple, by its password; external, by the certificate LDAP_CLIENT_CERT; gssapi, by Kerberos, with LDAP_KEYTAB or, on Windows, as the account that the service runs as.",
		field: func(c *Config) any { return &c.Directory.BindMethod },
	},
	{
		Name: "LDAP_CLIENT_CERT", Type: "string", Group: "Directory",
		Doc:   "PEM file of the certificate that is shown to the directory over TLS, with those between it and its authority; a path, absolute or in the home. It is read again when it changes.",
		field: func(c *Config) any { return &c.Directory.ClientCert },
	},
	{
		Name: "LDAP_CLIENT_KEY", Type: "string", Group: "Directory",
		Doc:   "PEM file of the private key of LDAP_CLIENT_CERT, without a passphrase; by default the same file.",
		field: func(c *Config) any { return &c.Directory.ClientKey },
	},
	{
		Name: "LDAP_KEYTAB", Type: "string", Group: "Directory",
		Doc:   "Keytab with the Kerberos keys of LDAP_BIND_USER, a path, absolute or in the home; without one, the credential cache of KRB5CCNAME is used.",
		field: func(c *Config) any { return &c.Directory.Keytab },
	},
	{
		Name: "LDAP_KRB5_CONF", Type: "string", Group: "Directory",
		Doc:   "Kerberos's configuration, a path, absolute or in the home; by default the file that the variable KRB5_CONFIG names, or /etc/krb5.conf where there is one.",
		field: func(c *Config) any { return &c.Directory.Krb5Conf },
	},
	{
		Name: "ANONYMOUS_SEARCH_ENABLED", Type: "boolean", Group: "Directory",
		Doc:   "The directory may be searched without a service account; used only when LDAP_BIND_USER is empty.",
		old:   truthy,
		field: func(c *Config) any { return &c.Directory.Anonymous },
	},
	{
		Name: "LDAP_STARTTLS", Type: "boolean", Group: "Directory",
		Doc:   "Protect ldap:// connections with StartTLS before anything else is said.",
		field: func(c *Config) any { return &c.Directory.StartTLS },
	},
	{
		Name: "LDAP_REQUIRE_TLS", Type: "boolean", Group: "Directory",
		Doc:   "Refuse a configuration whose connections to the directory are not protected by TLS, and every connection that is not.",
		field: func(c *Config) any { return &c.Directory.RequireTLS },
	},
	{
		Name: "LDAP_REFERRAL_HOSTS", Type: "list", Group: "Directory",
		Doc:   "Hosts, HOST or HOST:PORT, to which the directory's references (to child domains, or to a server that may be written to) are followed, with the same service account and the same TLS; references to other hosts are ignored.",
		style: listArray,
		field: func(c *Config) any { return &c.Directory.ReferralHosts },
		check: checkReferralHosts,
	},
	{
		Name: "LDAP_USER_BY_NAME", Type: "filter", Group: "Directory",
		Doc:   `Finds the user who logs in; {0}, which may occur several times, is the name as typed. Of DOMAIN\name and name@domain, {user} is the name and {domain} the domain; a filter with {user} and without {domain} takes the same name of every domain for one user.`,
		field: func(c *Config) any { return &c.Directory.UserFilter },
		check: userFilterCheck(func(c *Config) string { return c.Directory.UserFilter }),
	},
	{
		Name: "LDAP_SEARCH_QUERY", Type: "filter", Group: "Directory",
		Doc:   "Finds users by what somebody typed, {0}, in the tenant's user search.",
		field: func(c *Config) any { return &c.Directory.SearchFilter },
		check: filterCheck(func(c *Config) string { return c.Directory.SearchFilter }, true),
	},
	{
		Name: "LDAP_SEARCH_ALL_QUERY", Type: "filter", Group: "Directory",
		Doc:   "Finds all users, for the tenant's user search without a text.",
		field: func(c *Config) any { return &c.Directory.SearchAllFilter },
		check: filterCheck(func(c *Config) string { return c.Directory.SearchAllFilter }, false),
	},
	{
		Name: "LDAP_SEARCH_LIST_GROUPS_QUERY", Type: "filter", Group: "Directory",
		Doc:   "Finds all groups, when the tenant lists them.",
		field: func(c *Config) any { return &c.Directory.ListGroupsFilter },
		check: filterCheck(func(c *Config) string { return c.Directory.ListGroupsFilter }, false),
	},
	{
		Name: "LDAP_HEARTBEAT_SECONDS", Type: "seconds", Group: "Directory", Min: 1, Max: 86400,
		Doc:   "Pause between two heartbeats to the directory, in seconds; lower it when a load balancer cuts idle connections.",
		unit:  time.Second,
		field: func(c *Config) any { return &c.Directory.Heartbeat },
	},
	{
		Name: "LDAP_HEARTBEAT_SEARCH_QUERY", Type: "filter", Group: "Directory",
		Doc:   "Filter of the heartbeat's search of the base entry; what it finds does not matter.",
		field: func(c *Config) any { return &c.Directory.HeartbeatFilter },
		check: filterCheck(func(c *Config) string { return c.Directory.HeartbeatFilter }, false),
	},
	{
		Name: "LDAP_NUMBER_OF_PARALLEL_BINDS", Type: "integer", Group: "Directory", Min: 1, Max: 1024,
		Doc:   "How many passwords are tried at the same time, each on a connection of its own to the directory server in use. Connections are opened as they are needed and closed after two idle minutes. With 20 ms to the server and back, 40 make 2,000 logins a second.",
		field: func(c *Config) any { return &c.Directory.ParallelBinds },
	},
}

var groupKeys = []Key{
	{
		Name: "GROUPS", Type: "boolean", Group: "Groups",
		Doc:   "Add the user's groups to the profile.",
		old:   notFalse,
		field: func(c *Config) any { return &c.Groups.Enabled },
	},
	{
		Name: "LDAP_BASE_GROUPS", Type: "dn", Group: "Groups",
		Doc:   "Base DN below which a user's groups are searched; by default LDAP_BASE.",
		field: func(c *Config) any { return &c.Groups.BaseDN },
		check: dnCheck(func(c *Config) string { return c.Groups.BaseDN }),
	},
	{
		Name: "LDAP_SEARCH_GROUPS", Type: "filter", Group: "Groups",
		Doc:   "Finds the groups of a user; {0} is the user's DN.",
		field: func(c *Config) any { return &c.Groups.Filter },
		check: filterCheck(func(c *Config) string { return c.Groups.Filter }, true),
	},
	{
		Name: "GROUPS_NESTED", Type: "boolean", Group: "Groups",
		Doc:   "Follow nested groups by further searches; not needed where the filter does it, as Active Directory's default does.",
		field: func(c *Config) any { return &c.Groups.Nested },
	},
	{
		Name: "GROUPS_PRIMARY", Type: "boolean", Group: "Groups",
		Doc:   "Count a user's primary group, and the groups that one is in, among the user's; in Active Directory that is most often Domain Users, which no membership names.",
		field: func(c *Config) any { return &c.Groups.Primary },
	},
	{
		Name: "GROUPS_REQUIRED", Type: "boolean", Group: "Groups",
		Doc:   "Fail a login whose groups cannot be read, instead of going on without them.",
		field: func(c *Config) any { return &c.Groups.Required },
	},
	{
		Name: "GROUP_PROPERTY", Type: "string", Group: "Groups",
		Doc:   "Attribute that names a group in the profile.",
		field: func(c *Config) any { return &c.Groups.Property },
	},
	{
		Name: "GROUP_PROPERTIES", Type: "list", Group: "Groups",
		Doc:   "Attributes of a group; when there are any, each group in the profile is an object of them.",
		style: listArray,
		field: func(c *Config) any { return &c.Groups.Properties },
	},
	{
		Name: "LDAP_SEARCH_RESULTS_OMIT_GROUPS", Type: "boolean", Group: "Groups",
		Doc:   "Leave groups out of the results of a user search.",
		old:   truthy,
		field: func(c *Config) any { return &c.Groups.OmitInSearch },
	},
	{
		Name: "GROUPS_CACHE_SECONDS", Type: "seconds", Group: "Groups", Min: 0, Max: 31536000,
		Doc:   "How long groups are remembered, in seconds; 0 turns the cache off.",
		unit:  time.Second,
		field: func(c *Config) any { return &c.Groups.Cache },
	},
	{
		Name: "GROUPS_TIMEOUT_SECONDS", Type: "seconds", Group: "Groups", Min: 1, Max: 3600,
		Doc:   "How long the search for a user's groups may take, in seconds.",
		unit:  time.Second,
		field: func(c *Config) any { return &c.Groups.Timeout },
	},
	{
		Name: "GROUPS_DEREF_ALIASES", Type: "integer", Group: "Groups", Min: 0, Max: 3,
		Doc:   "Whether the group search follows aliases: 0 never, 1 in searching, 2 in finding the base, 3 always.",
		field: func(c *Config) any { return &c.Groups.DerefAliases },
	},
}

var policyKeys = []Key{
	{
		Name: "ALLOW_PASSWORD_EXPIRED", Type: "boolean", Group: "Policy",
		Doc:     "Accept the right password even when it has expired.",
		old:     truthy,
		aliases: []string{"AUTH_WHEN_PASSWORD_EXPIRED"},
		field:   func(c *Config) any { return &c.Policy.AllowPasswordExpired },
	},
	{
		Name: "ALLOW_PASSWORD_CHANGE_REQUIRED", Type: "boolean", Group: "Policy",
		Doc:     "Accept the right password even when the user must change it.",
		old:     truthy,
		aliases: []string{"AUTH_WHEN_PASSWORD_CHANGE_REQUIRED"},
		field:   func(c *Config) any { return &c.Policy.AllowPasswordChangeRequired },
	},
	{
		Name: "ENABLE_WRITE_BACK", Type: "boolean", Group: "Policy",
		Doc:   "Let the tenant change users' passwords; the service account needs the right to.",
		old:   truthy,
		field: func(c *Config) any { return &c.Policy.WriteBack },
	},
	{
		Name: "ENABLE_ACTIVE_DIRECTORY_UNICODE_PASSWORD", Type: "boolean", Group: "Policy",
		Doc:   "Write new passwords as Active Directory wants them, to unicodePwd instead of userPassword; needs TLS.",
		old:   onlyTrue,
		field: func(c *Config) any { return &c.Directory.UnicodePassword },
	},
	{
		Name: "LDAP_PASSWORD_METHOD", Type: "string", Group: "Policy", Values: []string{"auto", "modify", "extended"},
		Doc:   "How a new password is set that does not go to unicodePwd: modify replaces userPassword; extended uses the password modify operation (RFC 3062); auto takes the latter where userPassword would be stored in clear (OpenLDAP) or is not taken.",
		field: func(c *Config) any { return &c.Directory.PasswordMethod },
	},
	{
		Name: "AUTO_UNLOCK_ON_PASSWORD_CHANGE", Type: "boolean", Group: "Policy",
		Doc:   "Unlock the account together with a change of its password: lockoutTime 0 in Active Directory, elsewhere pwdAccountLockedTime. Where the service account may not, the password is changed all the same.",
		old:   onlyTrue,
		field: func(c *Config) any { return &c.Directory.UnlockOnChange },
	},
}
