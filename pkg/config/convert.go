package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"strings"
)

// text takes a text, or a number or boolean that somebody forgot to quote.
// False has always meant that there is none (SSL_CA_PATH).
func (k *Key) text(v any) (string, bool) {
	switch t := v.(type) {
	case string:
		switch k.Type {
		case "secret", "pem", "script":
			return t, true // a space may be part of it, and the bytes of a key count
		default:
			return strings.TrimSpace(t), true
		}
	case json.Number:
		return t.String(), true
	case bool:
		return "", !t
	}
	return "", false
}

func boolean(v any) (value, ok bool) {
	switch t := v.(type) {
	case bool:
		return t, true
	case json.Number:
		f, err := t.Float64()
		return f == 1, err == nil && (f == 0 || f == 1)
	case string:
		switch strings.ToLower(strings.TrimSpace(t)) {
		case "true", "yes", "on", "1":
			return true, true
		case "false", "no", "off", "0":
			return false, true
		}
	}
	return false, false
}

func number(v any) (float64, bool) {
	var s string
	switch t := v.(type) {
	case json.Number:
		s = t.String()
	case string:
		s = strings.TrimSpace(t)
	}
	if strings.ContainsAny(s, "xXpPnN_") { // Go reads hexadecimal and NaN; JSON does not
		return 0, false
	}
	f, err := strconv.ParseFloat(s, 64)
	return f, err == nil && !math.IsInf(f, 0)
}

// list takes an array of texts, the text of such an array, or one text.
func (k *Key) list(v any) ([]string, bool) {
	var parts []string
	switch t := v.(type) {
	case []any:
		for _, e := range t {
			s, ok := e.(string)
			if !ok {
				return nil, false
			}
			parts = append(parts, s)
		}
	case string:
		if trimmed := strings.TrimSpace(t); strings.HasPrefix(trimmed, "[") {
			array, err := decode([]byte(trimmed))
			if err != nil {
				return nil, false // an array that was mistyped is no name or URL
			}
			return k.list(array)
		}
		parts = k.split(t)
	default:
		return nil, false
	}
	list := parts[:0:0]
	for _, s := range parts {
		if s = strings.TrimSpace(s); s != "" {
			list = append(list, s)
		}
	}
	return list, true
}

// split takes the text of a list apart.
func (k *Key) split(s string) []string {
	switch k.style {
	case listWhole:
		return []string{s}
	case listURLs:
		var urls []string
		for _, part := range strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(", \t\r\n", r) }) {
			if n := len(urls); n > 0 && !strings.Contains(part, "://") {
				urls[n-1] += "," + part // an LDAP URL may name a DN (RFC 4516), which has commas
				continue
			}
			urls = append(urls, part)
		}
		return urls
	default:
		return strings.Split(s, ",")
	}
}

// marshal writes JSON as JSON.stringify does: & < and > stay what they are,
// because filters are full of them.
func marshal(v any) []byte {
	var buf bytes.Buffer
	e := json.NewEncoder(&buf)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil { // texts, numbers, booleans and what came from JSON always encode
		return []byte("null")
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n"))
}

// decode reads one JSON value, keeping numbers as they are written.
func decode(raw []byte) (any, error) {
	var v any
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if d.More() {
		return nil, errors.New("more than one value")
	}
	return v, nil
}
