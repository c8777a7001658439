package config

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
)

// An oldRule is how the existing connector understood a boolean.
type oldRule int

const (
	asNow    oldRule = iota // there was no such key, or no difference
	truthy                  // JavaScript's truth: all but false, null, 0 and "" is true
	onlyTrue                // only the JSON value true is true
	notFalse                // only the JSON value false is false
)

// oldMeaning says so when the existing connector understood the value v, which
// the field now holds, otherwise.
func (k *Key) oldMeaning(c *Config, v any) string {
	switch p := k.field(c).(type) {
	case *bool:
		var was bool
		switch k.old {
		case asNow:
			return ""
		case truthy:
			was = v != nil && v != false && v != "" && v != json.Number("0")
		case onlyTrue:
			was = v == true
		case notFalse:
			was = v != false
		}
		if was != *p {
			return fmt.Sprintf("%s: %s used to count as %t, and now means %t", k.Name, k.show(v), was, *p)
		}
	case *[]string:
		if s, ok := v.(string); ok && k.style == listArray && (len(*p) > 1 || len(*p) == 1 && (*p)[0] != s) {
			return fmt.Sprintf("%s: %s used to count as one name, and now means the list %s", k.Name, k.show(s), marshal(*p))
		}
	}
	return ""
}

// adjustHeaderSize does as the existing connector did with a size that is not
// above 0.
func adjustHeaderSize(c *Config) string {
	size := c.SignIn.MaxHeaderSize
	if size > 0 {
		return ""
	}
	c.SignIn.MaxHeaderSize = Default().SignIn.MaxHeaderSize
	return fmt.Sprintf("MAX_HEADER_SIZE: %d is no size, and the default of %d bytes holds", size, c.SignIn.MaxHeaderSize)
}

// leastMemory is what a profile mapper's process needs to start and to work,
// in MiB. The newer releases of the existing connector count the script's own
// memory only, and default to 16.
const leastMemory = 64

func adjustMemory(c *Config) string {
	mb := c.Mapper.MemoryMB
	if mb < 1 || mb >= leastMemory {
		return "" // what is below 1 is a mistake
	}
	c.Mapper.MemoryMB = leastMemory
	return fmt.Sprintf("PROFILE_MAPPING_MEMORY_LIMIT_MB: %d MiB is too little for the mapper's process, and was raised to %d", mb, leastMemory)
}

// oldSessionSecret is the default of the existing connector, known to all.
const oldSessionSecret = "a1b2c3d4567"

// leastSessionSecret is how long one must be not to be guessed, in characters.
const leastSessionSecret = 32

// UsableSecret is the session secret, unless it could be guessed.
func (s SignIn) UsableSecret() Secret {
	if len(s.SessionSecret) < leastSessionSecret {
		return ""
	}
	return s.SessionSecret
}

// Warnings returns what is allowed, and better known: values that the existing
// connector understood otherwise, weak values, values that were mended, keys
// that are probably mistyped. Each is one sentence, and shows no secret.
func (c Config) Warnings() []string {
	l := c.look()
	warnings := append([]string(nil), l.general...)
	live := c.weak()
	for _, k := range c.keys() {
		if !c.changed(k) {
			warnings = append(warnings, l.notes[k.Name]...)
		}
		if w := live[k.Name]; w != "" {
			warnings = append(warnings, k.Name+": "+w)
		}
	}
	if l.env["NODE_TLS_REJECT_UNAUTHORIZED"] == "0" {
		warnings = append(warnings, "NODE_TLS_REJECT_UNAUTHORIZED: it has no effect, certificates are always verified; add a missing CA with SSL_CA_PATH")
	}
	return warnings
}

// weak looks for values that serve, but not well, by key.
func (c *Config) weak() map[string]string {
	w := map[string]string{}
	say := func(when bool, key, text string) {
		if when {
			w[key] = text
		}
	}
	secret := c.SignIn.SessionSecret
	say(secret != "" && c.SignIn.UsableSecret() == "", "SESSION_SECRET", "it is shorter than 32 characters and can be guessed, so it is not used: the agent's key alone seals sessions; unset it")
	say(secret == oldSessionSecret, "SESSION_SECRET", "this is the public default of old releases, so it is not used: the agent's key alone seals sessions; unset it")

	say(c.Groups.Cache == 0, "GROUPS_CACHE_SECONDS", "0 used to mean for ever, and now turns the cache of groups off")
	say(c.Groups.Nested && c.Groups.Filter == Default().Groups.Filter, "GROUPS_NESTED", "the default LDAP_SEARCH_GROUPS follows nesting already: further searches only take time")

	plain := !c.Directory.StartTLS && slices.ContainsFunc(c.Directory.URLs, func(u string) bool { return !overTLS(u) && !onThisHost(u) })
	say(plain && !c.Directory.RequireTLS, "LDAP_URL", "passwords cross the network in the clear; write ldaps://, or set LDAP_STARTTLS")
	say(plain && c.Policy.WriteBack, "ENABLE_WRITE_BACK", "new passwords are not sent over the network in the clear, so none is changed; write ldaps:// in LDAP_URL, or set LDAP_STARTTLS")
	say(c.Directory.Site != "" && !slices.ContainsFunc(c.Directory.URLs, namesDomain),
		"LDAP_SITE", "it has no effect, because LDAP_URL names no domain; write srv://DOMAIN or srvs://DOMAIN")
	say(c.Directory.BindMethod != bySimple && c.Directory.BindPassword+c.Directory.BindCredentials != "", "LDAP_BIND_METHOD",
		"with "+c.Directory.BindMethod+" the password of the service account has no use; unset LDAP_BIND_PASSWORD and LDAP_BIND_CREDENTIALS")
	say(c.Directory.BindMethod == bySimple && c.Directory.BindUser != "" && c.Directory.BindPassword+c.Directory.BindCredentials == "" && !c.Stored() && c.Directory.Anonymous,
		"LDAP_BIND_USER", "it has no password, so the directory is searched without an account")
	say(c.Directory.BindMethod == bySimple && c.Directory.BindUser == "" && c.Directory.BindPassword+c.Directory.BindCredentials != "", "LDAP_BIND_USER", "it is missing, so the password of a service account has no use")

	say(c.Agent.Secrets != InFile && c.Directory.BindPassword+c.Directory.BindCredentials != "", "SECRETS",
		"the password in LDAP_BIND_PASSWORD or LDAP_BIND_CREDENTIALS counts, and not what the store has; move it there: connector config secret set LDAP_BIND_PASSWORD")

	for key, filter := range map[string]string{
		"LDAP_SEARCH_ALL_QUERY":         c.Directory.SearchAllFilter,
		"LDAP_SEARCH_LIST_GROUPS_QUERY": c.Directory.ListGroupsFilter,
		"LDAP_HEARTBEAT_SEARCH_QUERY":   c.Directory.HeartbeatFilter,
	} {
		say(hasPlace(filter), key, strconv.Quote(filter)+" has a {0}, which nothing takes the place of")
	}
	say(c.SignIn.KerberosDebugUser != "", "KERBEROS_DEBUG_USER", "everybody who reaches the sign-in page is logged in as this user; unset it when the trial is over")
	proven := len(c.SignIn.Proxies) > 0 && (c.SignIn.ProxySecret != "" || len(c.SignIn.ProxyCerts) > 0)
	const prove = "list the web server in TRUSTED_PROXIES, and have it prove itself by TRUSTED_PROXY_SECRET or TRUSTED_PROXY_CERTS"
	say(c.SignIn.KerberosFrontend && !proven, "WITH_KERBEROS_PROXY_FRONTEND", "a user's name in a header is not believed any more from just anybody; "+prove)
	say(c.SignIn.CertHeader != "" && !proven, "CLIENT_CERT_HEADER", "a certificate in a header is not believed from just anybody; "+prove)
	say(c.SignIn.TLSCert != "" && c.SignIn.PFX != "", "SSL_PFX", "TLS_CERT is set as well, and wins")
	say(c.SignIn.TLSCert == "" && c.SignIn.TLSKey != "", "TLS_KEY", "without TLS_CERT it has no use")
	say(c.Mapper.Source != "" && c.Mapper.File != "", "PROFILE_MAPPER_FILE", "PROFILE_MAPPER is set as well, and wins")
	return w
}

// onThisHost reports whether a URL's host is this one, so that what is sent
// there does not cross the network.
func onThisHost(raw string) bool {
	u, err := url.Parse(raw)
	return err == nil && loopback(u.Hostname())
}
