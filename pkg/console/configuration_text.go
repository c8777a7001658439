package console

import (
	"encoding/json"
	"reflect"
	"strconv"
	"strings"

	"ad-ldap-connector/pkg/config"
)

// A changedKey is a key with its value now and then; of a secret only that there
// is one.
type changedKey struct{ Key, Now, Then string }

// changed lists what a candidate changes, in the order of the schema.
func (d *draft) changed(candidate config.Config) (list []changedKey) {
	for _, k := range config.Keys() {
		if k.Unused || k.EnvOnly || k.Name == sealedKey {
			continue
		}
		if k.Secret {
			if e, ok := d.changes[k.Name]; ok {
				list = append(list, secretChange(k.Name, isSet(d.base.Config, k.Name), e.text != ""))
			}
			continue
		}
		now, then := rawText(d.base.Config, k), rawText(candidate, k)
		if now != then || d.base.Config.Source(k.Name) != "default" && d.takesOut(k.Name) {
			list = append(list, changedKey{k.Name, now, then + suffix(d.takesOut(k.Name), " (default)")})
		}
	}
	return list
}

func (d *draft) takesOut(key string) bool {
	e, ok := d.changes[key]
	return ok && e.text == ""
}

func suffix(yes bool, text string) string {
	if yes {
		return text
	}
	return ""
}

func secretChange(key string, was, is bool) changedKey {
	c := changedKey{key, "not set", "set"}
	if was {
		c.Now, c.Then = "set", "changed"
	}
	if !is {
		c.Then = "removed"
	}
	return c
}

func names(list []changedKey) (keys []string) {
	for _, c := range list {
		keys = append(keys, c.Key)
	}
	return keys
}

// fieldText is what a form shows of a key that somebody has set: a text that
// means the same when it is set again. Of a default it is "".
func fieldText(c config.Config, k config.Key) string {
	if c.Source(k.Name) == "default" {
		return ""
	}
	return rawText(c, k)
}

// rawText is a key's value as text; of a secret it is the secret, which is for
// comparing alone.
func rawText(c config.Config, k config.Key) string {
	v, _ := c.Get(k.Name)
	list, ok := v.([]string)
	if !ok {
		if s, secret := v.(config.Secret); secret {
			return string(s)
		}
		return textOf(v)
	}
	text := strings.Join(list, ", ")
	if text == "" {
		return ""
	}
	again := c
	if again.Set(k.Name, text) == nil {
		if w, _ := again.Get(k.Name); reflect.DeepEqual(v, w) {
			return text
		}
	}
	data, err := json.Marshal(list)
	if err != nil {
		return text
	}
	return string(data)
}

// textOf is a value as text, without secrets.
func textOf(v any) string {
	switch t := v.(type) {
	case nil:
		return ""
	case string:
		return t
	case bool:
		return strconv.FormatBool(t)
	case int:
		return strconv.Itoa(t)
	case float64:
		return strconv.FormatFloat(t, 'g', -1, 64)
	case []string:
		return strings.Join(t, ", ")
	case config.Secret:
		if t == "" {
			return ""
		}
		return "set"
	}
	return ""
}
