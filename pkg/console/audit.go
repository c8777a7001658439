package console

import (
	"slices"
	"time"
)

// A Change is what an administrator did, or was refused: who, and what, and
// never a value.
type Change struct {
	Time    time.Time
	What    string   // a word of the code, such as "configuration.save"
	Outcome string   // accepted, refused or fault
	Keys    []string // the keys, or the names of things, that it was about
	By      string   // how the administrator had logged in: link or password
	Remote  string   // the browser's address
	Took    time.Duration
}

// Bounds of what a change tells: names may come from a form.
const (
	mostKeys   = 64
	longestKey = 100
)

// change keeps the line of a change.
func (c *console) change(ch Change) {
	if c.options.Audit == nil {
		return
	}
	if ch.Time.IsZero() {
		ch.Time = c.options.Now()
	}
	ch.Keys = slices.Clone(ch.Keys[:min(len(ch.Keys), mostKeys)])
	for i, k := range ch.Keys {
		ch.Keys[i] = printable(k, longestKey)
	}
	c.options.Audit(ch)
}

// printable is a text of at most so many characters, all of which can be seen.
func printable(text string, most int) string {
	out := make([]rune, 0, min(len(text), most))
	for _, r := range text {
		if len(out) == most {
			break
		}
		if r < ' ' || r == 0x7f || r == 0xFFFD {
			r = '?'
		}
		out = append(out, r)
	}
	return string(out)
}
