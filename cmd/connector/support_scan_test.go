package main

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"
)

const (
	hex40 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b"
	b64   = "q83vASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4k="
	jwt   = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.dozjgNryP4J3jVmNHl0w5N"
)

// TestShapes tells keys and tokens from what logs and reports are full of.
func TestShapes(t *testing.T) {
	for text, kind := range map[string]string{
		"-----BEGIN RSA PRIVATE KEY-----":                                      "a private key",
		`"key": "-----BEGIN PRIVATE KEY-----\nMIIE"`:                           "a private key",
		"-----BEGIN PGP PRIVATE KEY BLOCK-----":                                "a private key",
		"got " + jwt + " from the hub":                                         "a JSON web token",
		"url=https://x/?id_token=" + jwt:                                       "a JSON web token",
		"Authorization: Basic YWxpY2U6UGFzc3cwcmQ=":                            "an Authorization header",
		`map[Authorization:[Bearer abcdefgh]]`:                                 "an Authorization header",
		`"authorization":"short1"`:                                             "an Authorization header",
		"sent Bearer 8dWm3kQz71LxPq9":                                          "a bearer token",
		"WWW-Authenticate: Negotiate YIIHKAYGKwYBBQUCoIIHHDCCBxigDTALBgkqhkiG": "a negotiate token",
		"Set-Cookie: sid=s%3A8dWm3kQz71LxPq9":                                  "a cookie",
		"proxy http://svc:hunter2@proxy:3128":                                  "a URL with a password",
		"ldap://cn=x:p@h":                                                      "a URL with a password",
		"https://acme.example/p/ad/Xk29dLmq":                                   "a ticket",
		"password=" + hex40:                                                    "a key or token after its name",
		`"LDAP_BIND_CREDENTIALS": "` + b64:                                     "a key or token after its name",
		`\"client_secret\":\"8dWm3kQz71LxPq9sTv42\"`:                           "a key or token after its name",
		"SESSION_SECRET = '" + hex40 + "'":                                     "a key or token after its name",
		"the token " + b64:                                                     "a key or token after its name",
		"passwd: aB3dE6gH9jK2mN5p":                                             "a key or token after its name",
	} {
		leaks := new(scanner).scan("log", []byte("one\n"+text+"\nthree\n"), 10)
		if len(leaks) == 0 || !strings.Contains(fmtLeaks(leaks), "log line 12: "+kind) {
			t.Errorf("%s: %v, want %s", text, leaks, kind)
		}
	}
	for _, text := range []string{
		"thumbprint " + hex40, `"sha256": "` + strings.Repeat("ab12", 16) + `"`,
		"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----", "-----BEGIN PUBLIC KEY-----",
		"http://[hidden]@proxy", "http://USER:PASSWORD@HOST:PORT", "http://user:[hidden]@proxy:3128", "http://user:xxxxx@proxy",
		"https://acme.example/p/ad/[hidden]", "https://HOST/p/ad/...", "https://HOST/p/ad/", "ldaps://dc1.corp.example:636",
		"password expired for cn=alice", "LDAP_BIND_PASSWORD: it is set as well as LDAP_BIND_CREDENTIALS, which is not used",
		"--ldap-bind-password-file /etc/connector/password.txt", "password_file=/run/secrets/connector/bind1",
		"the token's signature does not verify", "token_endpoint_auth_method", "Proxy Authentication Required, offers Basic",
		"Authorization: [hidden]", "authorization=***", "basic authentication", "bearer authentication_is_required_here",
		"the credentials were-taken-from-the-environment", `"LDAP_BIND_CREDENTIALS": "[hidden]"`, `"key": "ALLOW_PASSWORD_CHANGE_REQUIRED"`,
		"secret: unauthenticatedRequestsAreRefused", "cookie: none", "err=\"bind: LDAP Result Code 49 \\\"Invalid Credentials\\\": 80090308: LdapErr: DSID-0C090439\"",
	} {
		if leaks := new(scanner).scan("log", []byte(text), 0); len(leaks) > 0 {
			t.Errorf("%s: %v", text, leaks)
		}
	}
}

func fmtLeaks(leaks []leak) string {
	var all []string
	for _, l := range leaks {
		all = append(all, l.String())
	}
	return strings.Join(all, "; ")
}

// TestShapesTakeLittleTime has texts that are one value after the other, as a
// user may type them into a name. What grows with the square of their length
// would take minutes.
func TestShapesTakeLittleTime(t *testing.T) {
	for _, text := range []string{
		"token=", "token=aaaaaaaaaaaaaaaa=", "eyJ-", "eyJaaaaaaaa.eyJ", "authorization=", "bearer ", "cookie:a=", "a://", "a://b:", "/p/ad/........", "\\n", "secret secret_",
	} {
		long := strings.Repeat(text, (256<<10)/len(text))
		var s scanner
		s.learnText("planted", "tokentokentoken")
		s.scan("log", []byte(long), 0) // the test's own time limit is the judge
	}
}

// TestScannerFindsForms hides a secret in each of the ways that programs write
// texts, and in pieces.
func TestScannerFindsForms(t *testing.T) {
	const secret = `Bind"Vy9/Passw0rd+<ü>`
	var s scanner
	s.learnText("the password", secret)
	all := forms(secret)
	delete(all, "as bytes") // no program of ours writes numbers
	all["in lower-case percents"] = percent.ReplaceAllStringFunc(all["in a query"], strings.ToLower)
	for form := range all {
		if strings.HasPrefix(form, "in base64") {
			delete(all, form) // these lack characters at both ends; whole ones follow
		}
	}
	for _, before := range []string{"", "x", "xy", "xyz:"} {
		for _, after := range []string{"", "x", "xy", ":xyz"} {
			all["in base64 after "+before+", before "+after] = base64.StdEncoding.EncodeToString([]byte(before + secret + after))
			all["in base64 of URLs after "+before+", before "+after] = base64.RawURLEncoding.EncodeToString([]byte(before + secret + after))
		}
	}
	all["in JSON in JSON"] = strings.Trim(jsonOf(t, jsonOf(t, secret)), `"`)
	all["broken into lines"] = secret[:5] + "\n" + secret[5:11] + "\r\n  " + secret[11:]
	all["broken by escapes"] = secret[:8] + `\n` + secret[8:]
	for form, text := range all {
		leaks := s.scan("log", []byte("a\nb "+text+" c\n"), 0)
		if len(leaks) != 1 || leaks[0] != (leak{"log", 2, "the password"}) {
			t.Errorf("%s: %v", form, leaks)
		}
	}
	if leaks := s.scan("log", []byte("a\nBind\"Vy9/Passw0rd and more"), 0); len(leaks) > 0 {
		t.Errorf("a part of it: %v", leaks)
	}
	if strings.Contains(fmtLeaks(s.scan("log", []byte(secret), 0)), "Vy9") {
		t.Error("the report shows it")
	}
}

func TestScannerOfShortSecrets(t *testing.T) {
	var s scanner
	s.learnText("the password", "corp1")
	s.learnText("another", "abc") // too short to be told from words
	for text, want := range map[string]bool{"pw=corp1&": true, "corp1": true, "xcorp1": false, "corp12": false, "abc": false, "": false} {
		if got := len(s.scan("log", []byte(text), 0)) > 0; got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}

// TestScannerFindsPieces finds a part of a secret file, and takes names and
// what is public for none.
func TestScannerFindsPieces(t *testing.T) {
	secret := make([]byte, 240)
	for i := range secret {
		secret[i] = byte(i*73 + i*i*7)
	}
	copy(secret[96:], "connector-node-01.subdomain.corp.example")
	var s scanner
	s.foreign = [][]byte{secret[48:96]}
	s.learnOctets("the keytab", secret)
	lines := base64.StdEncoding.EncodeToString(secret)
	for name, tt := range map[string]struct {
		text string
		want bool
	}{
		"raw":                {string(secret[:40]), true},
		"a line of base64":   {"x " + lines[192:256], true},
		"base64 in columns":  {lines[192:210] + "\n" + lines[210:230] + "\n" + lines[230:250], true},
		"hex":                {strings.ToUpper("ff" + hexOf(secret[:30])), true},
		"a name":             {"host connector-node-01.subdomain.corp.example", false},
		"public":             {string(secret[48:96]), false},
		"public, in base64":  {lines[64:128], false},
		"something else":     {base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{1, 2, 3}, 50)), false},
		"less than it takes": {lines[200:220], false},
	} {
		if got := len(s.scan("log", []byte(tt.text), 0)) > 0; got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func hexOf(data []byte) string { return forms(string(data))["in hex"] }

// FuzzScanner holds the scanner to what it promises: it finds a secret wherever
// it is put, on the line where it is, and no text breaks it.
func FuzzScanner(f *testing.F) {
	f.Add("line\nline", "hunter2hunter2", "rest\n", 3)
	f.Add("\\", "\\n\\n\\n\\n\\n", "\\", 0)
	f.Add("http://a:", "b@c:d@e://f", "@", 1)
	f.Add("eyJ.eyJ", "aaaa", "password=", 5)
	f.Fuzz(func(t *testing.T, before, secret, after string, at int) {
		if len(before)+len(secret)+len(after) > 4<<10 {
			return
		}
		var s scanner
		s.learnText("planted", secret)
		text := before + secret + after
		leaks := s.scan("log", []byte(text), 0)
		lines := strings.Count(text, "\n") + 1
		for _, l := range leaks {
			if l.Line < 1 || l.Line > lines {
				t.Errorf("line %d of %d", l.Line, lines)
			}
		}
		if len(secret) > wordUpTo && len(leaks) < mostLeaks && !strings.Contains(fmtLeaks(leaks), ": planted") {
			t.Errorf("%q was not found in %q", secret, text)
		}
		whole := join([]byte(text))
		if at >= 0 && at < len(whole) {
			if i := unjoin([]byte(text), at); i >= len(text) || text[i] != whole[at] {
				t.Errorf("octet %d of the joined text is at %d", at, i)
			}
		}
		s.learnJSON([]byte(text)) // a torn configuration
		s.learnKeys([]byte(text))
		s.learnTicket(text)
		_ = withoutUsers(text)
	})
}
