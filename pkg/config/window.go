package config

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// A Window is a part of some days, in local time. It may go on past midnight.
type Window struct {
	Days     []time.Weekday // on which it begins; none: all
	From, To time.Duration  // since midnight
}

var weekdays = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// ParseWindow reads "02:00-04:00", "Sat,Sun 02:00-04:00" or
// "Mon-Fri 22:00-02:00".
func ParseWindow(text string) (w Window, err error) {
	fields := strings.Fields(text)
	if len(fields) == 0 || len(fields) > 2 {
		return w, fmt.Errorf("%q is no part of a day", text)
	}
	if len(fields) == 2 {
		if w.Days, err = parseDays(fields[0]); err != nil {
			return Window{}, err
		}
	}
	from, to, ok := strings.Cut(fields[len(fields)-1], "-")
	if !ok {
		return Window{}, fmt.Errorf("%q has no beginning and end", text)
	}
	if w.From, err = parseClock(from); err == nil {
		w.To, err = parseClock(to)
	}
	if err == nil && w.From == w.To {
		err = fmt.Errorf("%q ends when it begins", text)
	}
	if err != nil {
		return Window{}, err
	}
	return w, nil
}

func parseDays(text string) (days []time.Weekday, err error) {
	for part := range strings.SplitSeq(text, ",") {
		first, last, several := strings.Cut(part, "-")
		if !several {
			last = first
		}
		from, to := slices.Index(weekdays, strings.ToLower(first)), slices.Index(weekdays, strings.ToLower(last))
		if from < 0 || to < 0 {
			return nil, fmt.Errorf("%q names no days: Mon, Tue, Wed, Thu, Fri, Sat, Sun", part)
		}
		for d := from; ; d = (d + 1) % len(weekdays) {
			if !slices.Contains(days, time.Weekday(d)) {
				days = append(days, time.Weekday(d))
			}
			if d == to {
				break
			}
		}
	}
	return days, nil
}

func parseClock(text string) (time.Duration, error) {
	t, err := time.Parse("15:04", text)
	if err != nil {
		return 0, fmt.Errorf("%q is no time of day", text)
	}
	return time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute, nil
}

// Lasts is how long the window is.
func (w Window) Lasts() time.Duration {
	if w.To > w.From {
		return w.To - w.From
	}
	return w.To + 24*time.Hour - w.From
}

// Holds reports whether a moment is within the window, in the moment's own zone.
func (w Window) Holds(t time.Time) bool {
	now := time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute + time.Duration(t.Second())*time.Second
	on := func(d time.Weekday) bool { return len(w.Days) == 0 || slices.Contains(w.Days, d) }
	today, yesterday := t.Weekday(), (t.Weekday()+6)%7
	if w.From < w.To {
		return on(today) && now >= w.From && now < w.To
	}
	return on(today) && now >= w.From || on(yesterday) && now < w.To
}
