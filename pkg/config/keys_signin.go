package config

// proofKeys are those of the ways into the browser's sign-in besides the form.
var proofKeys = []Key{
	{
		Name: "TLS_CERT", Type: "string", Group: "Browser logins",
		Doc:   "Certificate with which PORT speaks TLS, a path, absolute or in the home: a PEM file with its chain, or a PKCS#12 file (.pfx, .p12), whose password is SSL_KEY_PASSWORD. It wins over SSL_PFX, and is read again when it is renewed.",
		field: func(c *Config) any { return &c.SignIn.TLSCert },
	},
	{
		Name: "TLS_KEY", Type: "string", Group: "Browser logins",
		Doc:   "Key of TLS_CERT, a path, absolute or in the home; without it the key is in TLS_CERT.",
		field: func(c *Config) any { return &c.SignIn.TLSKey },
	},
	{
		Name: "KERBEROS_KEYTAB", Type: "string", Group: "Browser logins",
		Doc:   "Keytab with the keys that browsers' Kerberos service tickets are opened with, a path, absolute or in the home; by default that of KRB5_KTNAME, or /etc/krb5.keytab. On Windows the default is none: the account that the service runs as is enough. It is read again when it changes.",
		field: func(c *Config) any { return &c.SignIn.Keytab },
	},
	{
		Name: "KERBEROS_PRINCIPAL", Type: "list", Group: "Browser logins",
		Doc:   "Service principals that Kerberos service tickets may be for, HTTP/HOST, with or without @REALM; by default every HTTP/HOST.",
		style: listArray,
		field: func(c *Config) any { return &c.SignIn.Principals },
		check: checkPrincipals,
	},
	{
		Name: "KERBEROS_REALMS", Type: "string", Group: "Browser logins",
		Doc:   "Kerberos realms whose users are let in, separated by semicolons, each REALM or REALM=PLACE; the place is the DNS domain or the DN below which the realm's users are looked for, or the filter that finds them, with {0} for the name. By default the realms of the keytab, or the machine's domain.",
		field: func(c *Config) any { return &c.SignIn.Realms },
		check: checkRealms,
	},
	{
		Name: "KERBEROS_CHANNEL_BINDING", Type: "string", Group: "Browser logins", Values: []string{"none", "allow", "require"},
		Doc:   "What is asked of Kerberos over TLS: allow, a token that names a TLS connection must name this one's certificate; require, and it must name one (Extended Protection); none, nothing, for where something else ends TLS in between.",
		field: func(c *Config) any { return &c.SignIn.ChannelBinding },
	},
	{
		Name: "TRUSTED_PROXIES", Type: "list", Group: "Browser logins",
		Doc:   "Addresses and networks (10.0.0.0/8) of the proxies and balancers in front. The address that they pass on (x-forwarded-for) is believed and, when they prove themselves by TRUSTED_PROXY_SECRET or TRUSTED_PROXY_CERTS, the user (x-forwarded-user, CLIENT_CERT_HEADER).",
		style: listArray,
		field: func(c *Config) any { return &c.SignIn.Proxies },
		check: checkProxies,
	},
	{
		Name: "TRUSTED_PROXY_SECRET", Type: "secret", Group: "Browser logins", Secret: true,
		Doc:   "What a trusted proxy sends in the header x-connector-proxy-secret, so that its word counts: a random text of at least 32 characters. The proxy must remove the header from what browsers send.",
		field: func(c *Config) any { return &c.SignIn.ProxySecret },
		check: checkProxySecret,
	},
	{
		Name: "TRUSTED_PROXY_CERTS", Type: "list", Group: "Browser logins",
		Doc:   "Certificates by which trusted proxies prove themselves when they connect over TLS: the SHA-256 fingerprint of each, in hexadecimal.",
		style: listArray,
		field: func(c *Config) any { return &c.SignIn.ProxyCerts },
		check: checkProxyCerts,
	},
	{
		Name: "CLIENT_CERT_HEADER", Type: "string", Group: "Browser logins",
		Doc:   "Header in which a trusted proxy that ends TLS passes on the browser's certificate, like x-ssl-client-cert; by default none.",
		field: func(c *Config) any { return &c.SignIn.CertHeader },
		check: checkCertHeader,
	},
	{
		Name: "CLIENT_CERT_MAPPING", Type: "string", Group: "Browser logins",
		Doc:   "What of a client certificate names the user: cn, upn, email, issuer-serial or sid, several separated by semicolons, of which the first that a certificate has counts; each may be followed by = and the filter that finds the user, with {0}. By default cn, the username.",
		field: func(c *Config) any { return &c.SignIn.CertMapping },
		check: checkCertMapping,
	},
	{
		Name: "CLIENT_CERT_REVOCATION", Type: "string", Group: "Browser logins", Values: []string{"off", "soft", "hard"},
		Doc:   "Whether revoked client certificates are looked for: soft, one that nobody says is revoked is taken; hard, one that somebody says is not; off, not at all.",
		field: func(c *Config) any { return &c.SignIn.CertRevocation },
	},
	{
		Name: "CLIENT_CERT_CRL", Type: "list", Group: "Browser logins",
		Doc:   "Revocation lists that are looked at before those that certificates name, each a path, absolute or in the home, or a URL of http or https.",
		style: listArray,
		field: func(c *Config) any { return &c.SignIn.CRLs },
		check: checkCRLs,
	},
}
