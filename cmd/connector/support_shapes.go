package main

import (
	"bytes"
	"regexp"
	"strings"
)

// A shape is what keys and tokens of a kind look like, whoever's they are. Where
// values are without an end the pattern takes the beginning, since a text from
// outside may be one value after the other.
type shape struct {
	kind    string
	hint    string         // a text that is in all of them, in lower case; "" = none
	pattern *regexp.Regexp // its first group is the value, or begins it
	secret  func(value []byte) bool
}

var shapes = []shape{
	{"a private key", "private key", regexp.MustCompile(`-----BEGIN ([A-Z0-9 ]{0,40}PRIVATE KEY( BLOCK)?-----)`), anything},
	{"a JSON web token", "eyj", regexp.MustCompile(`\b(eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_.-]*)`), anything},
	{
		"an Authorization header", "authorization",
		regexp.MustCompile(`(?i)authorization["'\\]{0,4}[ \t]{0,4}[:=][ \t"'\\\[]{0,6}([a-z]{0,12}[ \t]{0,4}[A-Za-z0-9+/=._~-]{6})`), unmasked,
	},
	{"a bearer token", "bearer", regexp.MustCompile(`(?i)\bbearer[ \t]{1,4}([A-Za-z0-9+/=._~-]{12})`), coded},
	{"a basic credential", "basic", regexp.MustCompile(`(?i)\bbasic[ \t]{1,4}([A-Za-z0-9+/=]{12})`), coded},
	{"a negotiate token", "negotiate", regexp.MustCompile(`(?i)\bnegotiate[ \t]{1,4}([A-Za-z0-9+/=]{20})`), coded},
	{"a cookie", "cookie", regexp.MustCompile(`(?i)\bcookie["'\\]{0,4}[:=][ \t"'\\]{0,6}[A-Za-z0-9_.-]{1,60}=([^\s;"']{12})`), random},
	{"a URL with a password", "://", regexp.MustCompile(`[A-Za-z][A-Za-z0-9+.-]{1,20}://[^\s/@:"'<>\\]*:([^\s/@"'<>\\]+)@`), unmasked},
	{"a ticket", "/p/ad/", regexp.MustCompile(`/p/ad/([A-Za-z0-9._~-]{8})`), unmasked},
	{
		"a key or token after its name", "",
		regexp.MustCompile(`(?i)(?:passw(?:or)?d|passphrase|\bpwd|secret|token|credentials?|api_?key|private_?key|signing_?key|client_?key)` +
			`[A-Za-z0-9_]{0,20}["'\\]{0,4}(?:[ \t]{0,4}[:=][ \t"'\\]{0,6}|[ \t]{1,4})([A-Za-z0-9+/_=~.-]{16})`), random,
	},
}

// find calls found with the first place that has this shape.
func (s *shape) find(text []byte, found func(at int, kind string) bool) {
	if s.hint != "" && !containsFold(text, s.hint) {
		return
	}
	for from := 0; from < len(text); {
		m := s.pattern.FindSubmatchIndex(text[from:])
		if m == nil {
			return
		}
		if s.secret(value(text, from+m[2], from+m[3])) {
			found(from+m[0], s.kind)
			return
		}
		from += max(m[2], m[0]+1) // a value may be another's name
	}
}

// longValue is as much of a value as it takes to judge it.
const longValue = 256

// value returns text[from:to] with what belongs to it.
func value(text []byte, from, to int) []byte {
	for to < len(text) && to-from < longValue && (isWord(text[to]) || strings.IndexByte("+/_=~.-", text[to]) >= 0) {
		to++
	}
	return text[from:to]
}

// containsFold is bytes.Contains for a lower-case ASCII needle in any case.
func containsFold(text []byte, needle string) bool {
	first := needle[:1] + strings.ToUpper(needle[:1])
	for {
		i := bytes.IndexAny(text, first)
		if i < 0 || len(text)-i < len(needle) {
			return false
		}
		if strings.EqualFold(string(text[i:i+len(needle)]), needle) {
			return true
		}
		text = text[i+1:]
	}
}

func anything([]byte) bool { return true }

// unmasked reports whether a value is more than what stands for one.
func unmasked(value []byte) bool {
	text := strings.ToLower(string(value))
	for _, mask := range []string{"[hidden]", "hidden", "xxxxx", "password", "pass", "secret", "ticket", "redacted", "..."} {
		if text == mask {
			return false
		}
	}
	return strings.Trim(text, "*.x") != ""
}

// coded reports whether a value is no word: it has digits, or capitals within.
func coded(value []byte) bool {
	text := strings.Trim(string(value), "=")
	return unmasked(value) && text != "" && (strings.ContainsAny(text, "0123456789") || strings.ToLower(text[1:]) != text[1:] && strings.ToUpper(text) != text)
}

// random reports whether a value looks drawn and not written: it changes all the
// time between digits, capitals and small letters. Words in one case do not,
// nor do names of several, nor paths.
func random(value []byte) bool {
	text := strings.Trim(string(value), ".,=-")
	if !unmasked(value) || strings.HasPrefix(text, "/") && !strings.ContainsAny(text, "+=") && strings.Count(text, "/") > 1 {
		return false
	}
	digits, signs, changes := 0, 0, 0
	last := other
	for i := range len(text) {
		c := class(text[i])
		if c == other {
			continue
		}
		if c == digit {
			digits++
		}
		if signs++; last != other && c != last {
			changes++
		}
		last = c
	}
	return signs >= 12 && (digits > 0 && changes*6 >= signs || changes*3 >= signs)
}

// The classes of signs that words keep to.
const (
	other = iota
	digit
	small
	capital
)

func class(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return digit
	case 'a' <= c && c <= 'z':
		return small
	case 'A' <= c && c <= 'Z':
		return capital
	}
	return other
}
