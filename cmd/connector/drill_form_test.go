package main

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestASmallRush plays the rush at the form with few people, on a machine that
// may be busy. The real one is "connector sandbox drill form".
func TestASmallRush(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes some seconds")
	}
	t.Parallel()
	u := rush{offered: 60, binds: 15, atOnce: 3, within: patience, memory: 1 << 20}
	d := u.drill(drill{lasts: 3 * time.Second})
	g := newTrialOf(t, d)
	if err := d.prepare(g); err != nil {
		t.Fatal(err)
	}
	g.run(t)
	r, err := u.play(t.Context(), nil, g, d, 0)
	if err != nil || r.Lost > 0 || r.Faulted == 0 || r.Answered <= r.Faulted || !strings.Contains(r.Detail, "MiB at most") {
		t.Errorf("%v: %+v", err, r)
	}
}

func TestARushIsJudged(t *testing.T) {
	t.Parallel()
	in := visitor{took: time.Second, status: http.StatusOK, in: true}
	away := visitor{status: http.StatusServiceUnavailable, later: true}
	slow, rude, odd := in, away, in
	slow.took, rude.later, odd.in = 3*time.Second, false, false
	lost := visitor{err: errors.New("reset by peer")}
	for name, tt := range map[string]struct {
		all    []visitor
		memory float64
		want   string
	}{
		"good":                   {[]visitor{in, away, away}, 50, ""},
		"nobody was turned away": {[]visitor{in, in}, 50, "it was no rush"},
		"nobody was let in":      {[]visitor{away}, 50, "it was no rush"},
		"slow":                   {[]visitor{in, slow, away}, 50, "waited 3.0 s, and not 2 s"},
		"without Retry-After":    {[]visitor{in, away, rude}, 50, "answered with 503 (Retry-After: false)"},
		"no assertion":           {[]visitor{in, away, odd}, 50, "answered with 200"},
		"lost":                   {[]visitor{in, away, lost, lost}, 50, "got no answer: reset by peer\nso did 1"},
		"large":                  {[]visitor{in, away}, 101, "it took 101 MiB of 100"},
	} {
		r, err := bigRush.judge(tt.all, time.Second, []float64{10, tt.memory})
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, %+v", name, err, r)
		}
	}
}
