package config

import (
	"net/url"
	"strconv"
	"time"
)

var updateKeys = []Key{
	{
		Name: "UPDATE_URL", Type: "url", Group: "Updates",
		Doc:   "Where releases of the connector are published: the URL of a folder, https://HOST/PATH; empty is nowhere, and updates come from files alone.",
		field: func(c *Config) any { return &c.Update.URL },
		check: checkUpdateURL,
	},
	{
		Name: "UPDATE_ROOT_FILE", Type: "string", Group: "Updates",
		Doc:   "File of the root keys that releases are signed by, in the home or an absolute path, in the place of those that are compiled in; it must be the administrator's alone.",
		field: func(c *Config) any { return &c.Update.RootFile },
	},
	{
		Name: "UPDATE_CHANNEL", Type: "string", Group: "Updates",
		Doc:   "Which releases are for this machine, such as stable or beta.",
		field: func(c *Config) any { return &c.Update.Channel },
	},
	{
		Name: "UPDATE_AUTO", Type: "string", Group: "Updates", Values: []string{"off", "on"},
		Doc:   "Whether the connector is updated by itself, within UPDATE_WINDOW, by a timer of the system that \"connector install\" makes.",
		field: func(c *Config) any { return &c.Update.Auto },
	},
	{
		Name: "UPDATE_WINDOW", Type: "string", Group: "Updates",
		Doc:   "When it is updated by itself, in local time: 02:00-04:00, or with days, Sat,Sun 02:00-04:00 or Mon-Fri 22:00-02:00.",
		field: func(c *Config) any { return &c.Update.Window },
		check: func(c *Config) (string, string) {
			if _, err := ParseWindow(c.Update.Window); err != nil {
				return err.Error(), "write 02:00-04:00, or Sat,Sun 02:00-04:00"
			}
			return "", ""
		},
	},
	{
		Name: "UPDATE_WATCH_SECONDS", Type: "seconds", Group: "Updates", Min: 10, Max: 600,
		Doc:   "How long an updated connector has to be accepted by the hub and to reach the directory before the former program is given up, in seconds.",
		unit:  time.Second,
		field: func(c *Config) any { return &c.Update.Watch },
	},
}

func checkUpdateURL(c *Config) (string, string) {
	const remedy = "write https://updates.corp.example/connector"
	if c.Update.URL == "" {
		return "", ""
	}
	u, err := url.Parse(c.Update.URL)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return strconv.Quote(c.Update.URL) + " is no URL of a folder", remedy
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return "it is more than the URL of a folder", remedy
	}
	return "", ""
}
