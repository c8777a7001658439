package config

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"slices"
	"strings"
)

func checkCAs(c *Config) (string, string) {
	for _, text := range c.SignIn.CACerts {
		if !hasPEM(text, "CERTIFICATE", "TRUSTED CERTIFICATE", "X509 CERTIFICATE") {
			return "the value holds no certificate in PEM form", "paste the text from -----BEGIN CERTIFICATE----- to -----END CERTIFICATE-----"
		}
	}
	return "", ""
}

func checkCertificate(c *Config) (string, string) {
	if text := c.Keys.Certificate; text != "" && !hasPEM(text, "CERTIFICATE") {
		return "the value is not a certificate in PEM form", "write the whole content of the certificate's file, line ends included"
	}
	return "", ""
}

func checkPrivateKey(c *Config) (string, string) {
	if text := string(c.Keys.Key); text != "" && !hasPEM(text, "PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY") {
		return "the value is not a private key in PEM form", "write the whole content of the key's file, line ends included"
	}
	return "", ""
}

func hasPEM(text string, types ...string) bool {
	for rest := []byte(text); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return false
		}
		if slices.Contains(types, block.Type) {
			return true
		}
	}
}

func checkPFX(c *Config) (string, string) {
	s := strings.Join(strings.Fields(string(c.SignIn.PFX)), "")
	if s == "" {
		return "", ""
	}
	if _, err := base64.StdEncoding.DecodeString(s); err != nil {
		return "the value is not base64", "write the .pfx file as base64, or upload it in the console"
	}
	return "", ""
}

// checkCredentials looks at the two formats of a sealed password: hex, and
// $2$.SALT.IV.TEXT, each part hex.
func checkCredentials(c *Config) (string, string) {
	s := strings.TrimSpace(string(c.Directory.BindCredentials)) // as it is opened
	parts := strings.Split(s, ".")
	if parts[0] == "$2$" {
		parts = parts[1:]
		if len(parts) != 3 {
			parts = []string{"cut off"}
		}
	}
	for _, p := range parts {
		if _, err := hex.DecodeString(p); err != nil {
			return "the value is not a sealed password", "unset it, and set LDAP_BIND_PASSWORD: it is sealed at the next start"
		}
	}
	return "", ""
}

// The stores of SECRETS.
const (
	InFile    = "file"    // LDAP_BIND_CREDENTIALS, sealed with the agent's private key
	InSystemd = "systemd" // a credential that systemd hands to the service
	InDPAPI   = "dpapi"   // a file that this Windows alone opens
	InKeyring = "keyring" // the keyring of the account that the connector runs as
)

// Stored reports whether the service account's password is in the store that
// SECRETS names: not where the password itself is configured, which counts
// before it, and not where it has no use.
func (c Config) Stored() bool {
	d := c.Directory
	return c.Agent.Secrets != InFile && d.BindMethod == bySimple && d.BindUser != "" && d.BindPassword+d.BindCredentials == ""
}
