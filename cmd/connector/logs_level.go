package main

import (
	"fmt"
	"time"

	"ad-ldap-connector/pkg/home"
)

// askLevel has the connector that runs on a home log at another level, or as
// configured again. It leaves a file in the home, so that it takes the rights
// of the connector's account, and holds over a reload and a restart.
func (a *app) askLevel(h *home.Home, o logsAnswers, now time.Time) error {
	if o.level == "default" {
		if err := h.RemoveState(levelState); err != nil {
			return permitted(fmt.Errorf("set the log's level: %w", err))
		}
		a.say("the connector logs as configured again")
		return nil
	}
	if _, ok := logLevels[o.level]; !ok {
		return usagef("--level %q is none of debug, info, warn, error, default", o.level)
	}
	if o.until <= 0 || o.until > levelLongest {
		return usagef("--for %s is not between 0 and 24h", o.until)
	}
	if !h.Exists() {
		return &noLogError{h.Path(home.LiveLog)}
	}
	until := now.Add(o.until).Truncate(time.Second)
	if err := h.SaveState(levelState, askedLevel{Level: o.level, Until: until.UTC()}); err != nil {
		return permitted(fmt.Errorf("set the log's level: %w", err))
	}
	which := "the connector logs"
	if !h.Locked() {
		which = "no connector runs here; one that starts logs"
	}
	a.say("%s at level %s until %s, and then as configured again", which, o.level, until.Local().Format(time.DateTime))
	return nil
}
