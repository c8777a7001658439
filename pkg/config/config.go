// Package config is the connector's configuration: every key that config.json
// and the environment may hold, what it defaults to, how it is read, what makes
// it valid, and how the file is rewritten without disturbing what an operator
// put there. It does no I/O.
//
// A configuration has three layers: the defaults, over them the file, over that
// the environment. The fields of a Config hold what came of them.
package config

import (
	"slices"
	"time"
)

// A Config is everything an operator or the tenant may set. It is a value: a
// copy may be changed and encoded without any effect on the original, except
// that the two share the elements of their slices.
type Config struct {
	Tenant    Tenant
	Directory Directory
	Groups    Groups
	Policy    Policy
	SignIn    SignIn
	Network   Network
	Mapper    Mapper
	Keys      KeyPair
	Agent     Agent
	Update    Update
	Signals   Signals

	// layers says where the values came from. They hold secrets in the clear,
	// so they are behind a func: nothing that prints by reflection, neither
	// fmt nor a differ, looks into one. What it returns is never changed once
	// it is shared; nil stands for no layers.
	layers func() *layers
}

// Tenant says which connection of which tenant this agent serves. All but the
// ticket is normally learnt from the tenant.
type Tenant struct {
	Ticket     Secret   // PROVISIONING_TICKET: a URL, "https://HOST/p/ad/SECRET"
	Hub        string   // AD_HUB: a URL, http, https, ws or wss
	Connection string   // CONNECTION: its name
	Realm      string   // REALM: "urn:auth0:TENANT"
	PostURLs   []string // the value of the key that REALM names
	Issuer     []string // WSFED_ISSUER
	SigningKey Secret   // TENANT_SIGNING_KEY: PEM or a shared secret

	SentThumbprint string // LAST_SENT_THUMBPRINT: SHA-1 as lower-case hex
	ServerURL      string // SERVER_URL: "" = not chosen yet
	SiteName       string // SITE_NAME

	Kerberos            bool // KERBEROS_AUTH
	ClientCertificates  bool // CLIENT_CERT_AUTH
	FirewallRuleCreated bool // FIREWALL_RULE_CREATED
	AgentMode           bool // AGENT_MODE: sent when the agent registers
}

// Directory says how to reach and to search the directory.
type Directory struct {
	URLs   []string // LDAP_URL: ldap:// or ldaps://, srv:// or srvs://, in order of preference
	Site   string   // LDAP_SITE
	BaseDN string   // LDAP_BASE

	BindMethod string // LDAP_BIND_METHOD: simple, external or gssapi
	ClientCert string // LDAP_CLIENT_CERT: a path, in the home or absolute
	ClientKey  string // LDAP_CLIENT_KEY: likewise; "" = in ClientCert
	Keytab     string // LDAP_KEYTAB: likewise
	Krb5Conf   string // LDAP_KRB5_CONF: likewise; "" = KRB5_CONFIG's or the system's

	BindUser        string // LDAP_BIND_USER: DN, DOMAIN\name, name@domain or principal
	BindPassword    Secret // LDAP_BIND_PASSWORD: in the clear
	BindCredentials Secret // LDAP_BIND_CREDENTIALS: sealed with the agent's key
	Anonymous       bool   // ANONYMOUS_SEARCH_ENABLED

	StartTLS   bool // LDAP_STARTTLS
	RequireTLS bool // LDAP_REQUIRE_TLS: no bind over a connection without TLS

	ReferralHosts []string // LDAP_REFERRAL_HOSTS: host or host:port

	UserFilter       string // LDAP_USER_BY_NAME
	SearchFilter     string // LDAP_SEARCH_QUERY
	SearchAllFilter  string // LDAP_SEARCH_ALL_QUERY
	ListGroupsFilter string // LDAP_SEARCH_LIST_GROUPS_QUERY
	HeartbeatFilter  string // LDAP_HEARTBEAT_SEARCH_QUERY

	Heartbeat     time.Duration // LDAP_HEARTBEAT_SECONDS
	ParallelBinds int           // LDAP_NUMBER_OF_PARALLEL_BINDS

	UnicodePassword bool   // ENABLE_ACTIVE_DIRECTORY_UNICODE_PASSWORD
	PasswordMethod  string // LDAP_PASSWORD_METHOD: auto, modify or extended
	UnlockOnChange  bool   // AUTO_UNLOCK_ON_PASSWORD_CHANGE
}

// Groups says which groups a profile shows, and how.
type Groups struct {
	Enabled      bool          // GROUPS
	BaseDN       string        // LDAP_BASE_GROUPS: "" = the base DN of users
	Filter       string        // LDAP_SEARCH_GROUPS: {0} is the user's DN
	Property     string        // GROUP_PROPERTY
	Properties   []string      // GROUP_PROPERTIES: not empty = groups are objects
	Nested       bool          // GROUPS_NESTED: follow nesting by further searches
	Primary      bool          // GROUPS_PRIMARY: count Active Directory's primary group
	Required     bool          // GROUPS_REQUIRED: no login without its groups
	OmitInSearch bool          // LDAP_SEARCH_RESULTS_OMIT_GROUPS
	Cache        time.Duration // GROUPS_CACHE_SECONDS: 0 = no cache
	Timeout      time.Duration // GROUPS_TIMEOUT_SECONDS
	DerefAliases int           // GROUPS_DEREF_ALIASES: RFC 4511, section 4.5.1.3
}

// Policy is what the operator allows despite the directory, and what the
// tenant may change there.
type Policy struct {
	AllowPasswordExpired        bool // ALLOW_PASSWORD_EXPIRED
	AllowPasswordChangeRequired bool // ALLOW_PASSWORD_CHANGE_REQUIRED
	WriteBack                   bool // ENABLE_WRITE_BACK
}

// SignIn configures the server that browsers reach for Kerberos and
// certificate logins.
type SignIn struct {
	Port              int           // PORT: 0 = any free one
	SessionSecret     Secret        // SESSION_SECRET: "" = the agent's key is enough
	Session           time.Duration // SESSION_SECONDS: 0 = no sessions
	Assertion         time.Duration // ASSERTION_SECONDS
	TriesPerUser      int           // FORM_TRIES_PER_USER: 0 = no limit
	TriesPerAddress   int           // FORM_TRIES_PER_ADDRESS: likewise
	TriesWithin       time.Duration // FORM_TRIES_SECONDS
	MaxHeaderSize     int           // MAX_HEADER_SIZE, bytes
	CACerts           []string      // CA_CERT: PEM texts
	PFX               Secret        // SSL_PFX: PKCS#12 as base64
	PFXPassword       Secret        // SSL_KEY_PASSWORD
	KerberosFrontend  bool          // WITH_KERBEROS_PROXY_FRONTEND
	KerberosDebugUser string        // KERBEROS_DEBUG_USER

	TLSCert        string   // TLS_CERT: a path, in the home or absolute; "" = SSL_PFX's
	TLSKey         string   // TLS_KEY: likewise; "" = in TLSCert
	Keytab         string   // KERBEROS_KEYTAB: likewise; "" = the system's
	Principals     []string // KERBEROS_PRINCIPAL
	Realms         string   // KERBEROS_REALMS
	ChannelBinding string   // KERBEROS_CHANNEL_BINDING: none, allow or require
	Proxies        []string // TRUSTED_PROXIES: addresses and networks
	ProxySecret    Secret   // TRUSTED_PROXY_SECRET
	ProxyCerts     []string // TRUSTED_PROXY_CERTS: SHA-256 in hexadecimal
	CertHeader     string   // CLIENT_CERT_HEADER
	CertMapping    string   // CLIENT_CERT_MAPPING
	CertRevocation string   // CLIENT_CERT_REVOCATION: off, soft or hard
	CRLs           []string // CLIENT_CERT_CRL: paths or URLs
}

// Network says how the tenant is reached. A proxy's URL may hold a password.
type Network struct {
	Proxy      Secret // HTTP_PROXY
	HTTPSProxy Secret // HTTPS_PROXY
	NoProxy    string // NO_PROXY
	CAPath     string // SSL_CA_PATH: a folder; "" = the system's CAs only
	CAFile     string // SSL_CA_FILE: which files of that folder, a regular expression
}

// Mapper says how an entry becomes a profile.
type Mapper struct {
	Source            string        // PROFILE_MAPPER: a script; wins over File
	File              string        // PROFILE_MAPPER_FILE
	Timeout           time.Duration // PROFILE_MAPPING_TIMEOUT_MS
	MemoryMB          int           // PROFILE_MAPPING_MEMORY_LIMIT_MB
	OrganizationUnits string        // ORGANIZATION_UNITS: "dn" or "list"
}

// KeyPair is the agent's key pair when it is not in the files of certs/.
type KeyPair struct {
	Certificate string // AUTH_CERT: PEM
	Key         Secret // AUTH_CERT_KEY: PEM; its exact bytes open LDAP_BIND_CREDENTIALS
}

// Agent configures the running program.
type Agent struct {
	ConsoleAddr       string        // CONSOLE_ADDR: host:port, on loopback unless there is TLS
	ConsoleCert       string        // CONSOLE_TLS_CERT
	ConsoleKey        string        // CONSOLE_TLS_KEY
	MaxInFlight       int           // MAX_IN_FLIGHT: requests answered at once
	RequestTimeout    time.Duration // REQUEST_TIMEOUT_SECONDS
	ReconnectInterval time.Duration // WS_RECONNECT_INTERVAL_MS: caps the pause between tries; 0 = 30 s
	HubLinks          int           // HUB_LINKS: links to the hub that are kept, 1 or 2
	Drain             time.Duration // DRAIN_SECONDS: for the requests in hand when the connector stops
	Leave             time.Duration // LEAVE_SECONDS: for a balancer to notice that it does
	Secrets           string        // SECRETS: file, systemd, dpapi or keyring

	Name     string   // INSTANCE_NAME: "" = the instance's id
	PeerAddr string   // PEER_ADDR: host:port; "" = nowhere
	Peers    []string // PEERS: host:port of all nodes
}

// Update says which releases of the connector are for this machine, and when.
type Update struct {
	URL      string        // UPDATE_URL: a folder of releases; "" = none
	RootFile string        // UPDATE_ROOT_FILE: a path, in the home or absolute; "" = what is compiled in
	Channel  string        // UPDATE_CHANNEL
	Auto     string        // UPDATE_AUTO: off or on
	Window   string        // UPDATE_WINDOW: see ParseWindow
	Watch    time.Duration // UPDATE_WATCH_SECONDS
}

// Signals say what others see of the running program, and where.
type Signals struct {
	LogFormat string // LOG_FORMAT: text or json
	LogLevel  string // LOG_LEVEL: debug, info, warn or error

	AuditFile  string // AUDIT_FILE: a path, in the home or absolute; "" = none
	AuditMB    int    // AUDIT_FILE_MB: 10^6 bytes
	AuditFiles int    // AUDIT_FILES: besides the one in use

	HealthAddr  string // HEALTH_ADDR: host:port; "" = none
	MetricsAddr string // METRICS_ADDR: host:port; "" = none

	TraceEndpoint   string // OTEL_EXPORTER_OTLP_ENDPOINT: a URL; "" = no traces
	TraceHeaders    Secret // OTEL_EXPORTER_OTLP_HEADERS
	TraceService    string // OTEL_SERVICE_NAME
	TraceAttributes string // OTEL_RESOURCE_ATTRIBUTES
}

// Default returns the configuration of an installation without any settings.
func Default() Config {
	return Config{
		Tenant: Tenant{
			Issuer:    []string{"urn:auth0"},
			AgentMode: true,
		},
		Directory: Directory{
			UserFilter:       "(sAMAccountName={0})",
			SearchFilter:     "(&(objectCategory=person)(anr={0}))",
			SearchAllFilter:  "(objectCategory=person)",
			ListGroupsFilter: "(objectCategory=group)",
			HeartbeatFilter:  "(&(objectclass=user)(|(sAMAccountName=foo)(UserPrincipalName=foo)))",
			BindMethod:       "simple",
			Heartbeat:        60 * time.Second,
			ParallelBinds:    64,
			PasswordMethod:   "auto",
		},
		Groups: Groups{
			Enabled:      true,
			Filter:       "(member:1.2.840.113556.1.4.1941:={0})",
			Property:     "cn",
			Primary:      true,
			OmitInSearch: true,
			Cache:        600 * time.Second,
			Timeout:      20 * time.Second,
		},
		SignIn: SignIn{
			Port:            4000,
			MaxHeaderSize:   65536,
			Session:         8 * time.Hour,
			Assertion:       5 * time.Minute,
			TriesPerUser:    4,
			TriesPerAddress: 100,
			TriesWithin:     15 * time.Minute,
			ChannelBinding:  "allow",
			CertMapping:     "cn",
			CertRevocation:  "soft",
		},
		Network: Network{
			CAFile: `.+.(pem|crt|cer)$`,
		},
		Mapper: Mapper{
			Timeout:           10 * time.Second,
			MemoryMB:          128,
			OrganizationUnits: "dn",
		},
		Agent: Agent{
			ConsoleAddr:    "127.0.0.1:8357",
			MaxInFlight:    256,
			RequestTimeout: 60 * time.Second,
			HubLinks:       1,
			Drain:          5 * time.Second,
			Leave:          5 * time.Second,
			Secrets:        InFile,
		},
		Update: Update{
			Channel: "stable",
			Auto:    "off",
			Window:  "02:00-04:00",
			Watch:   15 * time.Second,
		},
		Signals: Signals{
			LogFormat:    "text",
			LogLevel:     "info",
			AuditMB:      20,
			AuditFiles:   10,
			TraceService: "ad-ldap-connector",
		},
	}
}

// Equal reports whether the two have the same effective values, wherever these
// came from.
func (c Config) Equal(d Config) bool {
	for _, k := range table {
		if k.field != nil && string(k.encode(&c)) != string(k.encode(&d)) {
			return false
		}
	}
	return slices.Equal(c.Tenant.PostURLs, d.Tenant.PostURLs)
}
