package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"crypto/sha256"

	"ad-ldap-connector/pkg/config"
	"ad-ldap-connector/pkg/keys"
)

// A change is a key that has one value here and another there. Secrets are told
// apart by fingerprints that show nothing of them.
type change struct {
	Key   string `json:"key"`
	Here  string `json:"here"`
	There string `json:"there"`
}

// Beside the keys of a configuration, a node consists of these.
const (
	certificateKey = "certs/cert.pem"
	mapperKey      = "lib/profileMapper.js"
)

// A nodeSettings value is what a node consists of, by key, as it may be shown to
// whoever has the same private key.
type nodeSettings map[string]string

// describe returns the settings of a node whose key pair is own. The
// fingerprints are made with the key of by: two nodes are compared with one.
func describe(c config.Config, own, by *keys.Pair, script string) nodeSettings {
	all := nodeSettings{}
	put := func(name string) {
		v, ok := c.Get(name)
		if s, secret := v.(config.Secret); secret {
			v = sealedText(name, s, own)
			if text := by.Fingerprint(v.(string)); text != "" {
				all[name] = "secret " + text
			}
			return
		}
		if text, err := json.Marshal(v); ok && err == nil {
			all[name] = brief(string(text))
		}
	}
	for _, k := range config.Keys() {
		if !k.Unused && !k.EnvOnly {
			put(k.Name)
		}
	}
	if c.Tenant.Realm != "" {
		put(c.Tenant.Realm)
	}
	for _, name := range c.Unknown() {
		put(name)
	}
	if own != nil {
		all[certificateKey] = own.Thumbprint()
	}
	if script != "" {
		all[mapperKey] = fmt.Sprintf("sha256 %.12x", sha256.Sum256([]byte(script)))
	}
	return all
}

// sealedText is what a sealed password says: it is another text each time that
// it is sealed.
func sealedText(name string, s config.Secret, pair *keys.Pair) string {
	if name == "LDAP_BIND_CREDENTIALS" && pair != nil && s != "" {
		if text, err := pair.Open(string(s)); err == nil {
			return text
		}
	}
	return string(s)
}

// maxShown is what fits a line.
const maxShown = 160

func brief(text string) string {
	if len(text) > maxShown {
		return fmt.Sprintf("sha256 %.12x", sha256.Sum256([]byte(text)))
	}
	return text
}

// changes lists what differs, the configuration first, in its order.
func (here nodeSettings) changes(there nodeSettings, but ...string) []change {
	list := []change{}
	seen := map[string]bool{}
	add := func(name string) {
		if !seen[name] && here[name] != there[name] && !slices.Contains(but, name) {
			list = append(list, change{name, here[name], there[name]})
		}
		seen[name] = true
	}
	for _, k := range config.Keys() {
		add(k.Name)
	}
	for _, m := range []nodeSettings{here, there} {
		for _, name := range slices.Sorted(maps.Keys(m)) {
			add(name)
		}
	}
	return list
}

// String is the change as a line.
func (c change) String() string {
	value := func(s string) string {
		if s == "" {
			return "nothing"
		}
		return visible(s)
	}
	return strings.TrimSpace(fmt.Sprintf("%-32s %s -> %s", c.Key, value(c.Here), value(c.There)))
}
