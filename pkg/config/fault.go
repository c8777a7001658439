package config

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// A FieldError says what is wrong with one key, and what to do. It shows no
// secret.
type FieldError struct {
	Key     string
	Problem string
	Remedy  string
	From    string // the layer that holds the value, "config.json" or "the environment", when that matters
}

// Error returns one line.
func (e *FieldError) Error() string {
	s := e.Key
	if e.From == "the environment" {
		s += " (environment)"
	}
	s += ": " + e.Problem
	if e.Remedy != "" {
		s += ": " + e.Remedy
	}
	return s
}

func (k *Key) fault(problem, remedy string) *FieldError {
	return &FieldError{Key: k.Name, Problem: problem, Remedy: remedy}
}

// valid checks the bounds and the content of the field.
func (k *Key) valid(c *Config) *FieldError {
	if k.Max != 0 {
		f := -1.0
		switch v := k.value(c).(type) {
		case int:
			f = float64(v)
		case float64:
			f = v
		}
		if f < float64(k.Min) || f > float64(k.Max) {
			return k.fault(fmt.Sprintf("%v is out of bounds", k.value(c)), "write "+k.bounds())
		}
	}
	if k.check != nil {
		if problem, remedy := k.check(c); problem != "" {
			return k.fault(problem, remedy)
		}
	}
	if text, ok := k.value(c).(string); ok && k.Values != nil && !slices.Contains(k.Values, text) {
		return k.fault(k.show(text)+" is none of its values", "write "+list(k.Values))
	}
	return nil
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

// show quotes a value for a message, unless it is secret, or could be: the
// wrong file is soon pasted where a certificate belongs.
func (k *Key) show(v any) string {
	if k.Secret || k.Type == "pem" {
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

var (
	bareUser = regexp.MustCompile(`[^\s,"/:@]+:[^\s,"]*@`) // of a URL whose scheme was forgotten
	hostPort = regexp.MustCompile(`^[^:]*(:[0-9]*)?$`)
)

// withoutUser hides the user and password of each URL in a text, whether or
// not the text can be parsed as one.
func withoutUser(text string) string {
	var out strings.Builder
	before, _, _ := strings.Cut(text, "://")
	out.WriteString(bareUser.ReplaceAllString(before, hidden+"@"))
	for text = text[len(before):]; text != ""; {
		const scheme = "://"
		out.WriteString(scheme)
		after := text[len(scheme):]
		end := strings.IndexAny(after, " ,\"")
		if end < 0 {
			end = len(after)
		}
		host, _, _ := strings.Cut(after[:end], "/")
		if !strings.Contains(host, "@") && !hostPort.MatchString(host) {
			host = after[:end] // no port: a password with a slash, which no URL may hold as it is
		}
		if at := strings.LastIndexByte(host, '@'); at >= 0 {
			out.WriteString(hidden)
			after = after[at:]
		}
		rest, _, _ := strings.Cut(after, scheme)
		out.WriteString(rest)
		text = after[len(rest):]
	}
	return out.String()
}

// A SyntaxError says why config.json is not JSON, and where.
type SyntaxError struct {
	Line, Column int // of the first byte that does not fit, from 1; 0 when it is the whole
	Problem      string
}

// Error says where and what, without any text of the file, which may be a
// secret.
func (e *SyntaxError) Error() string {
	if e.Line == 0 {
		return "config.json: " + e.Problem
	}
	return fmt.Sprintf("config.json, line %d, column %d: %s", e.Line, e.Column, e.Problem)
}

func syntaxError(file []byte, offset int, problem string) *SyntaxError {
	offset = max(0, min(offset, len(file)))
	before := bytes.TrimPrefix(file[:offset], bom) // which no editor shows
	line := 1 + bytes.Count(before, []byte("\n"))
	start := bytes.LastIndexByte(before, '\n') + 1
	return &SyntaxError{Line: line, Column: 1 + utf8.RuneCount(before[start:]), Problem: strings.TrimSpace(problem)}
}
