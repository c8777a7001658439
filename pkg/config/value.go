package config

import (
	"math"
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

// encode returns the field as JSON, as the file has it. An unset text is "",
// an empty list [].
func (k *Key) encode(c *Config) []byte {
	if k.field == nil {
		return []byte(`""`)
	}
	v := k.value(c)
	switch t := v.(type) {
	case Secret:
		v = string(t)
	case []string:
		if k.style != listArray && len(t) == 1 {
			v = t[0]
		}
	}
	return marshal(v)
}
