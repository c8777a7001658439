package config

import "time"

var signInKeys = []Key{
	{
		Name: "PORT", Type: "integer", Group: "Browser logins", MachineBound: true, Min: 0, Max: 65535,
		Doc:   "TCP port of the server for browser logins; 0 is any free one.",
		field: func(c *Config) any { return &c.SignIn.Port },
	},
	{
		Name: "SESSION_SECRET", Type: "secret", Group: "Browser logins", Secret: true,
		Doc:   "Mixed into the key that seals the session cookie, which comes of the agent's private key: a random text of at least 32 characters, the same on all nodes. None is needed; a shorter one is not used.",
		field: func(c *Config) any { return &c.SignIn.SessionSecret },
	},
	{
		Name: "SESSION_SECONDS", Type: "seconds", Group: "Browser logins", Min: 0, Max: 604800,
		Doc:   "How long a browser whose user was proved needs no other proof, in seconds; 0 asks each time.",
		unit:  time.Second,
		field: func(c *Config) any { return &c.SignIn.Session },
	},
	{
		Name: "ASSERTION_SECONDS", Type: "seconds", Group: "Browser logins", Min: 30, Max: 28800,
		Doc:   "How long the tenant may take an assertion of a browser login, in seconds.",
		unit:  time.Second,
		field: func(c *Config) any { return &c.SignIn.Assertion },
	},
	{
		Name: "FORM_TRIES_PER_USER", Type: "integer", Group: "Browser logins", Min: 0, Max: 1000,
		Doc:   "How many passwords that the directory refuses are tried for one user name within FORM_TRIES_SECONDS, on each node; 0 is no limit. Keep it below the number that locks accounts.",
		field: func(c *Config) any { return &c.SignIn.TriesPerUser },
	},
	{
		Name: "FORM_TRIES_PER_ADDRESS", Type: "integer", Group: "Browser logins", Min: 0, Max: 10000,
		Doc:   "How many passwords that the directory refuses are tried from one address (of IPv6, one network) within FORM_TRIES_SECONDS, on each node; 0 is no limit, for a balancer that hides the browsers' addresses.",
		field: func(c *Config) any { return &c.SignIn.TriesPerAddress },
	},
	{
		Name: "FORM_TRIES_SECONDS", Type: "seconds", Group: "Browser logins", Min: 10, Max: 86400,
		Doc:   "The time in which the tries of the form are counted, in seconds.",
		unit:  time.Second,
		field: func(c *Config) any { return &c.SignIn.TriesWithin },
	},
	{
		Name: "MAX_HEADER_SIZE", Type: "integer", Group: "Browser logins", Min: 1024, Max: 16 << 20,
		Doc:    "Size limit of a request's header, in bytes; Kerberos tickets of users with many groups are large.",
		field:  func(c *Config) any { return &c.SignIn.MaxHeaderSize },
		adjust: adjustHeaderSize,
	},
	{
		Name: "CA_CERT", Type: "pem", Group: "Browser logins",
		Doc:   "CAs whose client certificates are accepted: one PEM text with any number of certificates, or an array of such.",
		style: listWhole,
		field: func(c *Config) any { return &c.SignIn.CACerts },
		check: checkCAs,
	},
	{
		Name: "SSL_PFX", Type: "secret", Group: "Browser logins", Secret: true,
		Doc:   "Certificate and key with which PORT speaks TLS: a PKCS#12 file as base64.",
		field: func(c *Config) any { return &c.SignIn.PFX },
		check: checkPFX,
	},
	{
		Name: "SSL_KEY_PASSWORD", Type: "secret", Group: "Browser logins", Secret: true,
		Doc:   "Password of SSL_PFX, or of a PKCS#12 file in TLS_CERT.",
		field: func(c *Config) any { return &c.SignIn.PFXPassword },
	},
	{
		Name: "WITH_KERBEROS_PROXY_FRONTEND", Type: "boolean", Group: "Browser logins",
		Doc:   "A web server in front of the connector, one of TRUSTED_PROXIES, does Kerberos and passes the user's name in the header x-forwarded-user; browsers are not asked for Kerberos here, unless KERBEROS_KEYTAB is set.",
		old:   truthy,
		field: func(c *Config) any { return &c.SignIn.KerberosFrontend },
	},
	{
		Name: "KERBEROS_DEBUG_USER", Type: "string", Group: "Browser logins",
		Doc:   "For trials only: every browser is logged in as this user, without any proof.",
		field: func(c *Config) any { return &c.SignIn.KerberosDebugUser },
	},
}

var networkKeys = []Key{
	{
		Name: "HTTP_PROXY", Type: "url", Group: "Network", Secret: true,
		Doc:   "Proxy to the tenant, http://[USER:PASSWORD@]HOST:PORT; after the environment and the file, the variable http_proxy is looked at.",
		field: func(c *Config) any { return &c.Network.Proxy },
		check: proxyCheck(func(c *Config) Secret { return c.Network.Proxy }),
	},
	{
		Name: "HTTPS_PROXY", Type: "url", Group: "Network", Secret: true,
		Doc:   "Proxy for https and the hub where it is another than HTTP_PROXY; last, the variable https_proxy is looked at.",
		field: func(c *Config) any { return &c.Network.HTTPSProxy },
		check: proxyCheck(func(c *Config) Secret { return c.Network.HTTPSProxy }),
	},
	{
		Name: "NO_PROXY", Type: "string", Group: "Network",
		Doc:   "Hosts, domains and networks that are reached without the proxy, separated by commas; last, the variable no_proxy is looked at.",
		field: func(c *Config) any { return &c.Network.NoProxy },
	},
	{
		Name: "SSL_CA_PATH", Type: "string", Group: "Network",
		Doc:   "Folder of further CA certificates, an absolute path; they are trusted besides the system's.",
		field: func(c *Config) any { return &c.Network.CAPath },
		check: checkCAPath,
	},
	{
		Name: "SSL_CA_FILE", Type: "pattern", Group: "Network",
		Doc:   "Which files of SSL_CA_PATH are read: a regular expression for their names.",
		field: func(c *Config) any { return &c.Network.CAFile },
		check: checkCAFile,
	},
}

var mapperKeys = []Key{
	{
		Name: "PROFILE_MAPPER", Type: "script", Group: "Profiles",
		Doc:   "The profile mapper as JavaScript; wins over PROFILE_MAPPER_FILE and lib/profileMapper.js.",
		field: func(c *Config) any { return &c.Mapper.Source },
	},
	{
		Name: "PROFILE_MAPPER_FILE", Type: "string", Group: "Profiles",
		Doc:   "File of the profile mapper, relative to the folder lib; wins over lib/profileMapper.js.",
		field: func(c *Config) any { return &c.Mapper.File },
	},
	{
		Name: "PROFILE_MAPPING_TIMEOUT_MS", Type: "milliseconds", Group: "Profiles", Min: 10, Max: 600000,
		Doc:   "How long the profile mapper may take for one user, in milliseconds.",
		unit:  time.Millisecond,
		field: func(c *Config) any { return &c.Mapper.Timeout },
	},
	{
		Name: "PROFILE_MAPPING_MEMORY_LIMIT_MB", Type: "integer", Group: "Profiles", Min: 64, Max: 4096,
		Doc:    "How much memory the profile mapper may take, in MiB; less than 64 is raised to 64.",
		field:  func(c *Config) any { return &c.Mapper.MemoryMB },
		adjust: adjustMemory,
	},
	{
		Name: "ORGANIZATION_UNITS", Type: "string", Group: "Profiles", Values: []string{"dn", "list"},
		Doc:   "What organizationUnits of a profile holds: dn, the whole DN, as always, or list, the names of the units.",
		field: func(c *Config) any { return &c.Mapper.OrganizationUnits },
	},
}

var agentKeys = []Key{
	{
		Name: "CONSOLE_ADDR", Type: "string", Group: "Agent",
		Doc:   "Where the admin console listens, HOST:PORT on loopback; on another address only with CONSOLE_TLS_CERT and CONSOLE_TLS_KEY.",
		field: func(c *Config) any { return &c.Agent.ConsoleAddr },
		check: checkConsole,
	},
	{
		Name: "CONSOLE_TLS_CERT", Type: "string", Group: "Agent", MachineBound: true,
		Doc:   "PEM file with the certificate, and those it is issued by, that the admin console shows; its names are the only ones the console answers to.",
		field: func(c *Config) any { return &c.Agent.ConsoleCert },
		check: checkPath(func(c *Config) string { return c.Agent.ConsoleCert }),
	},
	{
		Name: "CONSOLE_TLS_KEY", Type: "string", Group: "Agent", MachineBound: true,
		Doc:   "PEM file with the private key of CONSOLE_TLS_CERT, which the connector's account can read.",
		field: func(c *Config) any { return &c.Agent.ConsoleKey },
		check: checkPath(func(c *Config) string { return c.Agent.ConsoleKey }),
	},
	{
		Name: "MAX_IN_FLIGHT", Type: "integer", Group: "Agent", Min: 1, Max: 65536,
		Doc:   "How many requests of the hub are answered at the same time.",
		field: func(c *Config) any { return &c.Agent.MaxInFlight },
	},
	{
		Name: "REQUEST_TIMEOUT_SECONDS", Type: "seconds", Group: "Agent", Min: 1, Max: 3600,
		Doc:   "How long one request of the hub may take, in seconds.",
		unit:  time.Second,
		field: func(c *Config) any { return &c.Agent.RequestTimeout },
	},
	{
		Name: "WS_RECONNECT_INTERVAL_MS", Type: "milliseconds", Group: "Agent", Min: 0, Max: 3600000,
		Doc:   "Longest pause between two tries to reach the hub, in milliseconds; 0 is 30 seconds.",
		unit:  time.Millisecond,
		field: func(c *Config) any { return &c.Agent.ReconnectInterval },
	},
	{
		Name: "HUB_LINKS", Type: "integer", Group: "Agent", Min: 1, Max: 2,
		Doc:   "How many links to the hub are kept. With 2, made at different times, one stays when the tenant closes the other, and an agent that loses both is back within 5 seconds; with 1 it takes up to 18.",
		field: func(c *Config) any { return &c.Agent.HubLinks },
	},
	{
		Name: "DRAIN_SECONDS", Type: "seconds", Group: "Agent", Min: 1, Max: 20,
		Doc:   "How long the requests in hand may take once the connector is told to stop, in seconds; what is left then is answered with an error.",
		unit:  time.Second,
		field: func(c *Config) any { return &c.Agent.Drain },
	},
	{
		Name: "LEAVE_SECONDS", Type: "seconds", Group: "Agent", Min: 0, Max: 10,
		Doc:   "How long browsers' sign-ins are still taken once the connector is told to stop, and /readyz says so, in seconds: time for the balancer to notice. Only with HEALTH_ADDR, which is where balancers ask.",
		unit:  time.Second,
		field: func(c *Config) any { return &c.Agent.Leave },
	},
	{
		Name: "SECRETS", Type: "string", Group: "Agent", MachineBound: true, Values: []string{InFile, InSystemd, InDPAPI, InKeyring},
		Doc:   "Where the service account's password is kept: file, sealed in config.json; systemd, in an encrypted credential of the service (Linux); dpapi, sealed by Windows; keyring, in the keyring of the account that runs the connector, for one that is no service.",
		field: func(c *Config) any { return &c.Agent.Secrets },
	},
}
