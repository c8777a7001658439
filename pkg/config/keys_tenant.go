package config

var tenantKeys = []Key{
	{
		Name: "PROVISIONING_TICKET", Type: "url", Group: "Tenant", Secret: true,
		Doc:   "The ticket of the connection, https://HOST/p/ad/SECRET, from the connection's page in the tenant's dashboard.",
		field: func(c *Config) any { return &c.Tenant.Ticket },
		check: checkTicket,
	},
	{
		Name: "AD_HUB", Type: "url", Group: "Tenant",
		Doc:   "Address of the hub, in http, https, ws or wss form; learnt from the tenant.",
		field: func(c *Config) any { return &c.Tenant.Hub },
		check: urlCheck(func(c *Config) string { return c.Tenant.Hub }, "https", "http", "wss", "ws"),
	},
	{
		Name: "CONNECTION", Type: "string", Group: "Tenant",
		Doc:   "Name of the connection that this agent serves; learnt from the tenant.",
		field: func(c *Config) any { return &c.Tenant.Connection },
	},
	{
		Name: "REALM", Type: "string", Group: "Tenant",
		Doc:   "Realm of the tenant, urn:auth0:TENANT; learnt from the tenant. A key of this very name holds the post URLs.",
		field: func(c *Config) any { return &c.Tenant.Realm },
	},
	{
		Name: "WSFED_ISSUER", Type: "list", Group: "Tenant",
		Doc:   "Issuer of the assertions of browser logins, one or several; set to the connection's domains at every start.",
		style: listWhole,
		field: func(c *Config) any { return &c.Tenant.Issuer },
	},
	{
		Name: "TENANT_SIGNING_KEY", Type: "secret", Group: "Tenant", Secret: true,
		Doc:   "Key that proves the tenant's requests, a PEM or a shared secret; learnt when the agent registers.",
		field: func(c *Config) any { return &c.Tenant.SigningKey },
	},
	{
		Name: "LAST_SENT_THUMBPRINT", Type: "string", Group: "Tenant",
		Doc:   "SHA-1 of the certificate that was registered last, lower-case hex; written by the connector.",
		field: func(c *Config) any { return &c.Tenant.SentThumbprint },
	},
	{
		Name: "SERVER_URL", Type: "url", Group: "Tenant", MachineBound: true,
		Doc:   "Base address at which browsers reach the connector, or the load balancer in front of it; by default http://HOSTNAME:PORT.",
		field: func(c *Config) any { return &c.Tenant.ServerURL },
		check: urlCheck(func(c *Config) string { return c.Tenant.ServerURL }, "http", "https"),
	},
	{
		Name: "SITE_NAME", Type: "string", Group: "Tenant",
		Doc:   "Title of the login page; by default the connection's name.",
		field: func(c *Config) any { return &c.Tenant.SiteName },
	},
	{
		Name: "KERBEROS_AUTH", Type: "boolean", Group: "Tenant",
		Doc:   "Browsers log in by Kerberos; set by the tenant at every start.",
		old:   truthy,
		field: func(c *Config) any { return &c.Tenant.Kerberos },
	},
	{
		Name: "CLIENT_CERT_AUTH", Type: "boolean", Group: "Tenant",
		Doc:   "Browsers log in by client certificate; set by the tenant at every start.",
		old:   truthy,
		field: func(c *Config) any { return &c.Tenant.ClientCertificates },
	},
	{
		Name: "FIREWALL_RULE_CREATED", Type: "boolean", Group: "Tenant", MachineBound: true,
		Doc:   "The Windows firewall rule for browser logins exists; written by the connector.",
		old:   truthy,
		field: func(c *Config) any { return &c.Tenant.FirewallRuleCreated },
	},
	{
		Name: "AGENT_MODE", Type: "boolean", Group: "Tenant",
		Doc:   "Sent to the tenant when the agent registers.",
		field: func(c *Config) any { return &c.Tenant.AgentMode },
	},
	{
		Name: "AUTH_CERT", Type: "pem", Group: "Tenant",
		Doc:   "The agent's certificate as PEM, instead of certs/cert.pem; needs AUTH_CERT_KEY.",
		field: func(c *Config) any { return &c.Keys.Certificate },
		check: checkCertificate,
	},
	{
		Name: "AUTH_CERT_KEY", Type: "pem", Group: "Tenant", Secret: true,
		Doc:   "The agent's private key as PEM, instead of certs/cert.key; its exact bytes, line ends included, open LDAP_BIND_CREDENTIALS.",
		field: func(c *Config) any { return &c.Keys.Key },
		check: checkPrivateKey,
	},
}

// otherKeys are known from existing installations, or mean something before
// any configuration is read.
var otherKeys = []Key{
	{
		Name: "OVERRIDE_CONFIG", Type: "string", Group: "Other", EnvOnly: true, Default: `"true"`,
		Doc: "Exactly the text false makes the environment the only source: config.json is neither read nor written.",
	},
	{
		Name: "NODE_TLS_REJECT_UNAUTHORIZED", Type: "string", Group: "Other", EnvOnly: true, Unused: true,
		Doc: "Without effect: certificates are always verified. Add the missing CA with SSL_CA_PATH.",
	},
	{
		Name: "NODE_ENV", Type: "string", Group: "Other", EnvOnly: true, Unused: true,
		Doc: "Without effect; used to silence the log in tests.",
	},
	{
		Name: "AUTHENTICATION", Type: "string", Group: "Other", Unused: true,
		Doc: "Without effect, as always.",
	},
	{
		Name: "CACHE_FILE", Type: "string", Group: "Other", Unused: true,
		Doc: "Without effect, as always: groups are cached in memory only.",
	},
	{
		Name: "CONNECTIONS_API_V2_KEY", Type: "secret", Group: "Other", Secret: true, Unused: true,
		Doc: "Without effect: certificates are compared with what the ticket says.",
	},
	{
		Name: "SSL_OPENSSLDIR_PATTERN", Type: "pattern", Group: "Other", Unused: true,
		Doc: "Without effect: the system's CAs are found without the openssl program.",
	},
}
