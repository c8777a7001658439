package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"
)

// durationKeys are the attributes that JSON has in nanoseconds, and text with
// their unit.
var durationKeys = append([]string{"took", "again_in", "after"}, stageNames...)

// parseJSONLine reads a line that newJSONHandler's handler wrote.
func parseJSONLine(text string) (l logLine, ok bool) {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var level, message *string
	var at *time.Time
	var pairs bytes.Buffer
	attributes := map[string]string{}
	err := eachMember(d, "", func(key string, value any) {
		s, isText := value.(string)
		switch {
		case key == slog.TimeKey && isText && at == nil:
			if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
				t = t.UTC()
				at = &t
			}
		case key == slog.LevelKey && isText && level == nil:
			level = &s
		case key == slog.MessageKey && isText && message == nil:
			message = &s
		default:
			a := slog.String(key, textOf(key, value))
			attributes[key] = a.Value.String()
			writeAttr(&pairs, "", a)
		}
	})
	if err == nil {
		_, err = d.Token() // nothing follows
	}
	if !errors.Is(err, io.EOF) || at == nil || level == nil || message == nil || at.Year() > 9999 || at.Year() < 0 {
		return l, false
	}
	l = logLine{Time: at, Level: strings.ToLower(*level), Message: *message}
	if len(attributes) > 0 {
		l.Attributes = attributes
	}
	l.text = at.Format("[2006-01-02 15:04:05] ")
	if l.Level != "info" {
		l.text += l.Level + ": "
	}
	l.text += l.Message + pairs.String()
	return l, true
}

// eachMember calls do for each member of the object that comes, and of those in
// it, with a name as a lineHandler has it.
func eachMember(d *json.Decoder, group string, do func(key string, value any)) error {
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return errors.Join(err, errors.ErrUnsupported)
	}
	return restOfObject(d, group, do)
}

// restOfObject is eachMember after the opening brace.
func restOfObject(d *json.Decoder, group string, do func(key string, value any)) error {
	for {
		t, err := d.Token()
		if err != nil {
			return noEOF(err)
		}
		key, isKey := t.(string)
		if !isKey {
			return nil // the closing brace; the decoder lets nothing else pass
		}
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return noEOF(err)
		}
		if raw[0] == '{' && strings.Count(group, ".") < 8 { // our own groups are not deep
			inner := json.NewDecoder(bytes.NewReader(raw))
			inner.UseNumber()
			if err := eachMember(inner, group+key+".", do); err != nil {
				return err
			}
			continue
		}
		do(group+key, plainValue(raw))
	}
}

// plainValue is a text's value, and what stands there of all others.
func plainValue(raw json.RawMessage) any {
	var s string
	if raw[0] == '"' && json.Unmarshal(raw, &s) == nil {
		return s
	}
	return json.Number(raw)
}

func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF // the object was not whole
	}
	return err
}

// textOf is a value as a lineHandler writes it, as far as JSON can tell.
func textOf(key string, value any) string {
	n, ok := value.(json.Number)
	if !ok {
		return value.(string)
	}
	key = key[strings.LastIndexByte(key, '.')+1:]
	if ns, err := strconv.ParseInt(n.String(), 10, 64); err == nil && slices.Contains(durationKeys, key) {
		return time.Duration(ns).Round(10 * time.Microsecond).String()
	}
	return n.String()
}
