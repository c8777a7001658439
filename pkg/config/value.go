package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// read gives the key's field the value v, as encoding/json decodes it with
// UseNumber, or as text from the environment or a command line. Null and the
// empty text mean that nothing is set, and give the default. The note, if not
// "", says what had to be mended. On an error the field stays as it was.
func (k *Key) read(c *Config, v any) (note string, err *FieldError) {
	next := *c
	if v == nil || v == "" {
		k.reset(&next)
	} else if problem, remedy := k.store(&next, v); problem != "" {
		return "", k.fault(problem, remedy)
	}
	if k.adjust != nil {
		note = k.adjust(&next)
	}
	if err := k.valid(&next); err != nil {
		return "", err
	}
	k.copy(c, &next)
	return note, nil
}

// store puts v into the field, and says what is wrong with its type.
func (k *Key) store(c *Config, v any) (problem, remedy string) {
	switch p := k.field(c).(type) {
	case *string:
		s, ok := k.text(v)
		if !ok {
			return k.show(v) + " is not text", "write a text in double quotes"
		}
		*p = s
	case *Secret:
		s, ok := k.text(v)
		if !ok {
			return k.show(v) + " is not text", "write a text in double quotes"
		}
		*p = Secret(s)
	case *bool:
		b, ok := boolean(v)
		if !ok {
			return k.show(v) + " is neither true nor false", "write true or false"
		}
		*p = b
	case *int:
		f, ok := number(v)
		if !ok || f != math.Trunc(f) || math.Abs(f) > math.MaxInt32 {
			return k.show(v) + " is not a whole number", "write " + k.bounds()
		}
		*p = int(f)
	case *time.Duration:
		f, ok := number(v)
		if !ok || math.Abs(f) > float64(math.MaxInt64/k.unit) {
			return k.show(v) + " is not a number of " + k.Type, "write " + k.bounds()
		}
		*p = time.Duration(math.Round(f * float64(k.unit)))
	case *[]string:
		list, ok := k.list(v)
		if !ok {
			return k.show(v) + " is not a list of texts", "write an array of texts, or one text"
		}
		*p = list
	}
	return "", ""
}

// reset gives the field its default.
func (k *Key) reset(c *Config) {
	def := Default()
	k.copy(c, &def)
}

// copy takes the field from another configuration.
func (k *Key) copy(to, from *Config) {
	switch p := k.field(to).(type) {
	case *string:
		*p = *k.field(from).(*string)
	case *Secret:
		*p = *k.field(from).(*Secret)
	case *bool:
		*p = *k.field(from).(*bool)
	case *int:
		*p = *k.field(from).(*int)
	case *time.Duration:
		*p = *k.field(from).(*time.Duration)
	case *[]string:
		*p = append([]string(nil), *k.field(from).(*[]string)...)
	}
}

// value returns the field as Get shows it.
func (k *Key) value(c *Config) any {
	switch p := k.field(c).(type) {
	case *string:
		if k.Secret {
			return Secret(*p)
		}
		return *p
	case *Secret:
		return *p
	case *bool:
		return *p
	case *int:
		return *p
	case *time.Duration:
		f := float64(*p) / float64(k.unit)
		if f == math.Trunc(f) {
			return int(f)
		}
		return f
	case *[]string:
		if k.style == listJoined {
			return strings.Join(*p, ",")
		}
		return append([]string{}, *p...)
	}
	return nil
}

// encode returns the field as JSON, as the file has it. An unset text is "".
func (k *Key) encode(c *Config) []byte {
	if k.field == nil {
		return []byte(`""`)
	}
	v := k.value(c)
	switch t := v.(type) {
	case Secret:
		v = string(t)
	case []string:
		if k.style != listArray && len(t) < 2 {
			v = strings.Join(t, "")
		}
	}
	return marshal(v)
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

// text takes a text, or a number or boolean that somebody forgot to quote.
// False has always meant that there is none (SSL_CA_PATH).
func (k *Key) text(v any) (string, bool) {
	switch t := v.(type) {
	case string:
		switch {
		case k.Type == "secret" || k.Type == "pem" || k.Type == "script":
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
			if array, err := decode([]byte(trimmed)); err == nil {
				return k.list(array)
			}
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

// bounds says what number is wanted, for remedies.
func (k *Key) bounds() string {
	what := "a whole number"
	if k.unit != 0 {
		what = "a number of " + k.Type
	}
	if k.Max == 0 {
		return what
	}
	return fmt.Sprintf("%s from %d to %d", what, k.Min, k.Max)
}

// show quotes a value for a message, unless it is secret.
func (k *Key) show(v any) string {
	if k.Secret {
		return "the value"
	}
	text := string(marshal(v))
	if k.Type == "url" || k.style == listURLs {
		text = withoutUser(text)
	}
	const most = 120
	if runes := []rune(text); len(runes) > most {
		text = string(runes[:most]) + "..."
	}
	return text
}

// withoutUser hides the user and password of each URL in a text, whether or
// not the text can be parsed as one.
func withoutUser(text string) string {
	var out strings.Builder
	for {
		_, after, ok := strings.Cut(text, "://")
		if !ok {
			out.WriteString(text)
			return out.String()
		}
		head := text[:len(text)-len(after)]
		end := strings.IndexAny(after, "/ ,\"")
		if end < 0 {
			end = len(after)
		}
		if at := strings.LastIndexByte(after[:end], '@'); at >= 0 {
			head += hidden
			after = after[at:]
		}
		out.WriteString(head)
		text = after
	}
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
		return nil, fmt.Errorf("more than one value")
	}
	return v, nil
}
