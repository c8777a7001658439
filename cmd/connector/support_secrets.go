package main

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"html"
	"io/fs"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"ad-ldap-connector/pkg/config"
	"ad-ldap-connector/pkg/tenant"
)

// What a scanner knows a secret by, in the words of its reports.
//
//nolint:gosec // these are the names of settings
var secretKinds = map[string]string{
	"PROVISIONING_TICKET": "the ticket", "TENANT_SIGNING_KEY": "the signing key", "LDAP_BIND_PASSWORD": "the service account's password",
	"LDAP_BIND_CREDENTIALS": "LDAP_BIND_CREDENTIALS", "SESSION_SECRET": "the session secret", "SSL_PFX": "the PFX file",
	"SSL_KEY_PASSWORD": "the PFX file's password", "HTTP_PROXY": "a proxy's password", "HTTPS_PROXY": "a proxy's password",
	"AUTH_CERT_KEY": "the private key", "TRUSTED_PROXY_SECRET": "the secret of the proxies",
}

// secretName tells the keys of config.json that hold secrets, of any release
// and of other programs.
var secretName = regexp.MustCompile(`(?i)passw|pwd|secret|token|credential|private|_key$|apikey|ticket`)

// mostSecrets bounds how many secrets of one configuration are learnt: nobody
// has written more of them by hand.
const mostSecrets = 1000

// speakable names can be shown.
var speakable = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,60}$`)

// A setting of a JSON text that may be torn: a name and a text.
var jsonSetting = regexp.MustCompile(`"((?:[^"\\]|\\.){1,200})"[ \t\r\n]*:[ \t\r\n]*"((?:[^"\\]|\\.)*)`)

// learn has the scanner look for all that the home of t knows and keeps to
// itself: the configuration's secrets, what is sealed in it, the keys, and
// former ones under backups/. It returns what it could not get at, so that it is
// said what was not looked for.
func (s *scanner) learn(a *app, t *target) (unknown []string) {
	s.learnPublic(t)
	for _, k := range config.Keys() {
		v, _ := t.config.Get(k.Name)
		if secret, ok := v.(config.Secret); ok {
			s.learnSetting(k.Name, string(secret))
		}
	}
	for _, name := range t.config.Unknown() {
		if v, _ := t.config.Get(name); v != nil {
			if secret, ok := v.(config.Secret); ok {
				s.learnSetting(name, string(secret))
			}
		}
	}
	s.learnTicket(t.ticket.Reveal())
	s.learnTicket(a.env("CONNECTOR_TICKET"))
	if t.home == nil {
		return nil
	}
	miss := func(err error) {
		if err != nil {
			unknown = append(unknown, "secrets that could not be read were not looked for: "+t.secrets.hide(oneLine(err.Error())))
		}
	}
	password, err := bindPassword(t.home, t.config)
	miss(err)
	s.learnText(secretKinds["LDAP_BIND_PASSWORD"], password)
	files, err := t.home.Secretive()
	miss(err)
	for name, data := range files {
		if strings.HasSuffix(name, ".json") {
			s.learnJSON(data)
		} else {
			s.learnKeys(data)
		}
	}
	d := t.config.Directory
	for _, file := range []struct{ name, kind string }{{d.Keytab, "the keytab"}, {d.ClientKey, ""}, {d.ClientCert, ""}} {
		if file.name == "" {
			continue
		}
		data, err := t.home.File(file.name)
		switch {
		case errors.Is(err, fs.ErrNotExist): // doctor says so
		case err != nil:
			miss(err)
		case file.kind != "":
			s.learnOctets(file.kind, data)
		default:
			s.learnKeys(data)
		}
	}
	return unknown
}

// learnPublic notes the certificates: a private key has the public one in it.
func (s *scanner) learnPublic(t *target) {
	texts := append([]string{t.config.Keys.Certificate}, t.config.SignIn.CACerts...)
	if t.home != nil {
		for _, name := range []string{"certs/cert.pem", t.config.Directory.ClientCert} {
			if data, err := t.home.File(name); name != "" && err == nil {
				texts = append(texts, string(data))
			}
		}
	}
	for _, text := range texts {
		for block, rest := pem.Decode([]byte(text)); block != nil; block, rest = pem.Decode(rest) {
			if !strings.Contains(block.Type, "PRIVATE") {
				s.foreign = append(s.foreign, block.Bytes)
			}
		}
	}
}

// learnSetting learns the value of a key of config.json.
func (s *scanner) learnSetting(name, value string) {
	kind := secretKinds[name]
	if kind == "" {
		kind = "the value of " + name
		if !speakable.MatchString(name) {
			kind = "the value of a setting"
		}
	}
	switch {
	case value == "":
	case name == "PROVISIONING_TICKET":
		s.learnTicket(value)
	case name == "HTTP_PROXY" || name == "HTTPS_PROXY":
		u, err := proxyURL(name, value, nil)
		if err != nil || u.Host == "" {
			s.learnText(kind, value)
			return
		}
		if password, ok := u.User.Password(); ok {
			s.learnText(kind, password)
			s.learnText(kind, u.User.Username()+":"+password)
		}
	case name == "SSL_PFX":
		s.learnText(kind, value)
		if der, err := base64.StdEncoding.DecodeString(string(join([]byte(value)))); err == nil {
			s.learnOctets(kind, der)
		}
	case strings.Contains(value, "PRIVATE KEY"):
		s.learnKeys([]byte(value))
	default:
		s.learnText(kind, value)
	}
}

// learnTicket learns the part of a ticket that is secret.
func (s *scanner) learnTicket(text string) {
	secret := text[strings.LastIndexByte(strings.TrimRight(text, "/"), '/')+1:]
	if ticket, err := tenant.ParseTicket(text); err == nil {
		whole := ticket.Reveal()
		secret = whole[strings.LastIndexByte(whole, '/')+1:]
	}
	for _, form := range []string{secret, strings.ToLower(secret), strings.ToUpper(secret)} {
		s.learnText(secretKinds["PROVISIONING_TICKET"], form)
	}
}

// learnJSON learns what looks like a secret in a configuration, also one that
// is torn, or has a key twice.
func (s *scanner) learnJSON(data []byte) {
	learned := 0
	for _, m := range jsonSetting.FindAllSubmatch(data, -1) {
		name, value := unquoted(m[1]), unquoted(m[2])
		if isSecretKey(name) && learned < mostSecrets {
			learned++
			s.learnSetting(name, value)
			s.learnSetting(name, string(m[2])) // as it is written there
		}
	}
}

// isSecretKey reports whether a key of config.json holds a secret. Of keys that
// are not in the schema their names must tell.
func isSecretKey(name string) bool {
	secret, known := schemaSecrets()[name]
	return secret || !known && secretName.MatchString(name)
}

// schemaSecrets says of each key of the schema whether it is a secret.
var schemaSecrets = sync.OnceValue(func() map[string]bool {
	all := map[string]bool{}
	for _, k := range config.Keys() {
		all[k.Name] = k.Secret
	}
	return all
})

// unquoted returns the text that is meant by what is between two quotes.
func unquoted(text []byte) string {
	var s string
	if json.Unmarshal(append(append([]byte{'"'}, text...), '"'), &s) != nil {
		return string(text)
	}
	return s
}

// learnKeys learns the private keys of a PEM text.
func (s *scanner) learnKeys(text []byte) {
	if bytes.Contains(text, []byte("PRIVATE KEY")) || !bytes.Contains(text, []byte("-----BEGIN ")) {
		s.learnText("a private key", strings.TrimSpace(string(text)))
	}
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if !strings.Contains(block.Type, "PRIVATE") {
			continue
		}
		s.learnOctets("a private key", block.Bytes)
		if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil { // the same key, wrapped otherwise
			if der, err := x509.MarshalPKCS8PrivateKey(key); err == nil {
				s.learnOctets("a private key", der)
			}
		}
	}
}

// learnText learns a secret that is a text, in the forms in which programs
// write texts.
func (s *scanner) learnText(kind, secret string) {
	if len(secret) < shortSecret {
		return
	}
	for _, form := range written(secret) {
		s.add(kind, []byte(form))
	}
	s.learnEncoded(kind, []byte(secret))
	// Of a long one a part is enough, where it is a key and no words.
	for i := 0; len(secret) >= 2*pieceText && i+pieceText <= len(secret) && !strings.Contains(secret, "-----BEGIN "); i += pieceText {
		if piece := secret[i : i+pieceText]; random([]byte(piece)) {
			s.add(kind, []byte(piece))
		}
	}
}

// written are the ways to write a text within another.
func written(text string) []string {
	forms := []string{text, url.QueryEscape(text), url.PathEscape(text), html.EscapeString(text)}
	for _, escaped := range forms[1:3] { // %2F as %2f, too
		forms = append(forms, percent.ReplaceAllStringFunc(escaped, strings.ToLower))
	}
	quoted := []string{strings.Trim(strconv.Quote(text), `"`), strings.Trim(strconv.QuoteToASCII(text), `"`)}
	for _, escape := range []bool{true, false} { // as JSON, with < > & escaped or not
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(escape)
		if e.Encode(text) == nil {
			quoted = append(quoted, strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(b.String()), `"`), `"`))
		}
	}
	for _, q := range quoted { // and within a text that is quoted itself
		forms = append(forms, q, strings.Trim(strconv.Quote(q), `"`))
	}
	return forms
}

var percent = regexp.MustCompile(`%[0-9A-F]{2}`)

// shortCode is too short for a code of a secret to be told from other text.
const shortCode = 8

// learnEncoded learns the codes of a secret: hex, and base64 alone or within
// something longer, where the first and last characters depend on what is
// beside it.
func (s *scanner) learnEncoded(kind string, secret []byte) {
	code := hex.EncodeToString(secret)
	forms := []string{code, strings.ToUpper(code)}
	for _, e := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for shift := range 3 {
			text := e.EncodeToString(append(make([]byte, shift), secret...))
			from, to := (shift*8+5)/6, (shift+len(secret))*8/6
			if to > from {
				forms = append(forms, text[from:to])
			}
		}
	}
	for _, form := range forms {
		if len(form) >= shortCode {
			s.add(kind, []byte(form))
		}
	}
}

// A piece of a file is enough to tell it: 24 octets, 32 characters of base64,
// half a line of PEM.
const (
	pieceOctets = 24
	pieceText   = 32
)

// learnOctets learns a secret file piece by piece, so that a part of it is
// found as well. Pieces that are plain text, such as the names in a keytab, or
// public, or hardly more than zeros, are no secrets.
func (s *scanner) learnOctets(kind string, data []byte) {
	for i := 0; i+pieceOctets <= len(data); i += pieceOctets {
		piece := data[i : i+pieceOctets]
		if isPlain(piece) || s.public(piece) {
			continue
		}
		s.add(kind, piece)
		code := hex.EncodeToString(piece)
		for _, form := range []string{code, strings.ToUpper(code), base64.StdEncoding.EncodeToString(piece), base64.URLEncoding.EncodeToString(piece)} {
			s.add(kind, []byte(form))
		}
	}
	if len(data) >= shortSecret && len(data) < pieceOctets {
		s.add(kind, data)
		s.learnEncoded(kind, data)
	}
}

func (s *scanner) public(piece []byte) bool {
	for _, f := range s.foreign {
		if bytes.Contains(f, piece) {
			return true
		}
	}
	return false
}

// isPlain reports whether a piece of a file is text, or repeats itself.
func isPlain(piece []byte) bool {
	kinds, text := map[byte]bool{}, 0
	for _, c := range piece {
		kinds[c] = true
		if ' ' <= c && c <= '~' {
			text++
		}
	}
	return text == len(piece) || len(kinds) < len(piece)/3
}
