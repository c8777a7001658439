package config

import (
	"testing"
	"time"
)

func TestWindow(t *testing.T) {
	at := func(text string) time.Time {
		moment, err := time.Parse("2006-01-02 15:04:05", text) // 2026-11-22 is a Sunday
		if err != nil {
			t.Fatal(err)
		}
		return moment
	}
	for _, tt := range []struct {
		window, moment string
		holds          bool
	}{
		{"02:00-04:00", "2026-11-22 02:00:00", true},
		{"02:00-04:00", "2026-11-22 03:59:59", true},
		{"02:00-04:00", "2026-11-22 04:00:00", false},
		{"02:00-04:00", "2026-11-22 01:59:59", false},
		{"22:00-02:00", "2026-11-22 23:00:00", true},
		{"22:00-02:00", "2026-11-22 01:00:00", true},
		{"22:00-02:00", "2026-11-22 12:00:00", false},
		{"Sat,Sun 02:00-04:00", "2026-11-22 03:00:00", true},
		{"Sat,Sun 02:00-04:00", "2026-11-23 03:00:00", false},
		{"sat 22:00-02:00", "2026-11-22 01:00:00", true}, // it began on Saturday
		{"Sun 22:00-02:00", "2026-11-22 01:00:00", false},
		{"Mon-Fri 02:00-04:00", "2026-11-27 03:00:00", true},
		{"Mon-Fri 02:00-04:00", "2026-11-28 03:00:00", false},
		{"Fri-Mon 02:00-04:00", "2026-11-22 03:00:00", true},
		{"Fri-Mon 02:00-04:00", "2026-11-25 03:00:00", false},
	} {
		w, err := ParseWindow(tt.window)
		if err != nil {
			t.Fatal(err)
		}
		if got := w.Holds(at(tt.moment)); got != tt.holds {
			t.Errorf("%s at %s: %t", tt.window, tt.moment, got)
		}
	}
	if w, err := ParseWindow("22:00-02:30"); err != nil || w.Lasts() != 4*time.Hour+30*time.Minute {
		t.Errorf("%v, %v", w.Lasts(), err)
	}
	for _, bad := range []string{"", "2-4", "02:00", "02:00-02:00", "24:00-25:00", "Foo 02:00-04:00", "Sat, 02:00-04:00", "Sat Sun 02:00-04:00", "Sat-"} {
		if w, err := ParseWindow(bad); err == nil {
			t.Errorf("%q is %+v", bad, w)
		}
	}
}

func FuzzWindow(f *testing.F) {
	f.Add("Mon-Fri 22:00-02:00")
	f.Add("02:00-04:00")
	f.Fuzz(func(t *testing.T, text string) {
		w, err := ParseWindow(text)
		if err == nil && (w.Lasts() <= 0 || w.Lasts() >= 24*time.Hour || len(w.Days) > 7) {
			t.Errorf("%q is %+v", text, w)
		}
	})
}
