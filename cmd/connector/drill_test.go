package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"ad-ldap-connector/pkg/agent"
)

type drillReport struct {
	OK     bool          `json:"ok"`
	Drills []drillResult `json:"drills"`
}

func runDrill(t *testing.T, patience time.Duration, args ...string) drillReport {
	t.Helper()
	return newCLI(t).drill(patience, args...)
}

func (c *cli) drill(patience time.Duration, args ...string) drillReport {
	t := c.t
	t.Helper()
	i := c.start(append([]string{"sandbox", "drill", "-o", "json"}, args...)...)
	i.wait(patience)
	var r drillReport
	if err := json.Unmarshal([]byte(i.stdout.String()), &r); err != nil {
		t.Fatalf("%v in %s%s", err, i.stdout, i.stderr)
	}
	if r.OK != (i.status() == exitOK) {
		t.Errorf("ok is %t, and it ended with %d", r.OK, i.status())
	}
	return r
}

// TestDrills plays a few drills for a moment, so that they do not rot. The real
// ones are "make drill".
func TestDrills(t *testing.T) {
	if testing.Short() {
		t.Skip("each takes some seconds")
	}
	t.Parallel()
	for name, faulted := range map[string]bool{"directory-killed": true, "hub-closing": false, "disk-full": false, "stopped": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := runDrill(t, 2*time.Minute, name, "--seconds", "1", "--in-flight", "8")
			if len(r.Drills) != 1 || !r.OK {
				t.Fatalf("%+v", r)
			}
			d := r.Drills[0]
			if d.Name != name || d.Answered == 0 || d.Refused == 0 || d.Refused >= d.Answered || d.Lost > 0 || d.Took <= 0 || !faulted && d.Faulted > 0 {
				t.Errorf("%+v", d)
			}
		})
	}
}

// TestSoakRuntime keeps a connector at work for CONNECTOR_SOAK_MINUTES. Without
// them it looks at the beginning only, in which everything may still grow.
func TestSoakRuntime(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes some seconds")
	}
	t.Parallel()
	seconds := 3.0
	if text := os.Getenv("CONNECTOR_SOAK_MINUTES"); text != "" {
		minutes, err := strconv.ParseFloat(text, 64)
		if err != nil {
			t.Fatalf("CONNECTOR_SOAK_MINUTES: %v", err)
		}
		seconds = minutes * 60
	}
	r := runDrill(t, time.Duration(seconds)*time.Second+2*time.Minute, "soak", "--seconds", strconv.Itoa(int(seconds)))
	if len(r.Drills) != 1 || r.Drills[0].Answered == 0 || !strings.Contains(r.Drills[0].Detail, "goroutines") {
		t.Fatalf("%+v", r)
	}
	t.Log(r.Drills[0].Detail)
	if !r.OK && seconds >= 60 {
		t.Errorf("%+v", r.Drills[0])
	}
}

// TestASmallFleet plays the drill of many agents with a few.
func TestASmallFleet(t *testing.T) {
	if testing.Short() {
		t.Skip("its links take their time to come back")
	}
	t.Parallel()
	a := &app{stdin: strings.NewReader(""), stdout: io.Discard, stderr: io.Discard, environ: os.Environ()}
	d := fleetDrill()
	d.lasts, d.instead = time.Second, fleetOf(12)
	r, err := a.play(t.Context(), d, 8)
	if err != nil || r.Answered == 0 || r.Refused == 0 || r.Recover <= 0 || !strings.Contains(r.Detail, "then 6 left under load") {
		t.Errorf("%v: %+v", err, r)
	}
}

func TestFleetIsJudged(t *testing.T) {
	s := func(all ...float64) (times []time.Duration) {
		for _, one := range all {
			times = append(times, time.Duration(one*float64(time.Second)))
		}
		return times
	}
	if share := crowded(s(0, 0.5, 0.9, 1.2, 1.4, 3)); share != 4.0/6 {
		t.Errorf("crowded by %v", share)
	}
	if share := crowded(nil); share != 0 {
		t.Errorf("nobody is crowded by %v", share)
	}
	for want, err := range map[string]error{
		"":                             judgeFleet(fleetSize, 1, 0.15, fleetReturn, outcomes{accepted: 9}),
		"an agent had no work":         judgeFleet(fleetSize, 0, 0.1, time.Second, outcomes{}),
		"15.5% of the agents":          judgeFleet(fleetSize, 1, 0.155, time.Second, outcomes{}),
		"the last agent was back":      judgeFleet(fleetSize, 1, 0.1, fleetReturn+1, outcomes{}),
		"1 logins got no answer, 2 we": judgeFleet(fleetSize, 1, 0.1, time.Second, outcomes{lost: 1, faulted: 2}),
	} {
		if (err == nil) != (want == "") || err != nil && !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func TestDrillUsage(t *testing.T) {
	c := newCLI(t)
	for _, args := range [][]string{
		{"nosuch"}, {"flood", "clock"}, {"--all", "clock"}, {"clock", "--in-flight", "0"}, {"clock", "--seconds", "-1"}, {"clock", "--seconds", "x"},
	} {
		i := c.run(append([]string{"sandbox", "drill"}, args...)...)
		if i.status() != exitUsage {
			t.Errorf("%q ended with %d: %s", args, i.status(), i.stderr)
		}
	}
	list := c.must("sandbox", "drill").stdout.String()
	for _, d := range allDrills() {
		if !strings.Contains(list, d.name+" ") || d.says == "" || len(d.name) > 21 || strings.HasSuffix(d.says, ".") {
			t.Errorf("%s is not in the list as it should be:\n%s", d.name, list)
		}
	}
}

// TestALoadIsJudged reads answers as an agent may give them.
func TestALoadIsJudged(t *testing.T) {
	for _, tt := range []struct {
		reply   string
		right   bool
		outcome int
	}{
		{`{"profile":{"id":"x"}}`, true, wasAccepted},
		{`{"profile":{"id":"x"}}`, false, wasWrong},
		{`{"profile":{}}`, true, wasWrong},
		{`{"err":{"name":"WrongPassword","message":"Wrong password"}}`, false, wasRefused},
		{`{"err":{"name":"WrongPassword","message":"Wrong password"}}`, true, wasWrong},
		{`{"err":{"name":"WrongUsername","message":"Wrong username"}}`, false, wasWrong},
		{`{"err":{"message":"Unexpected Error","inner":{"message":"connection refused"}}}`, true, wasFaulted},
		{`{"err":{"message":"Unexpected Error"}}`, false, wasFaulted},
		{`{"err":{}}`, true, wasWrong},
		{`{`, true, wasWrong},
	} {
		if got, why := judgeAnswer([]byte(tt.reply), tt.right); got != tt.outcome {
			t.Errorf("%s (right: %t) is %d, %q; want %d", tt.reply, tt.right, got, why, tt.outcome)
		}
	}
	const s = time.Second
	l := &drillLoad{start: time.Now().Add(-time.Minute), tries: []try{
		{0, s, wasAccepted, false}, {0, s, wasFaulted, true}, {9 * s, 12 * s, wasFaulted, true}, {9 * s, 39 * s, wasLost, false}, // before, and across
		{20 * s, 21 * s, wasAccepted, false}, {20 * s, 22 * s, wasFaulted, false}, {30 * s, 31 * s, wasRefused, false}, // after
	}}
	c := l.count(10*s, 20*s)
	if c.accepted != 2 || c.refused != 1 || c.faulted != 3 || c.lost != 1 || c.worst != 3*s || c.usual != 2*s || c.special != 2 || c.recovered != 2*s ||
		c.faultBefore != 1 || c.faultAfter != 1 || c.lostAfter != 0 {
		t.Errorf("%+v", c)
	}
	if c := l.count(10*s, 40*s); c.recovered < 19*s { // nothing was good again until now, which is at 60 s
		t.Errorf("%+v", c)
	}
	if d := (drill{}); d.judge(c) == nil {
		t.Error("three faults and a login without an answer are no matter")
	}
}

// TestLiesAreFound judges what connectors say of themselves.
func TestLiesAreFound(t *testing.T) {
	const s = time.Second
	fine := func(at time.Duration) look {
		return look{at: at, parts: map[string]agent.State{"hub": agent.OK, "directory": agent.OK}, healthz: http.StatusOK}
	}
	down := func(at time.Duration, part string) look {
		l := fine(at)
		l.parts[part], l.healthz = agent.Down, http.StatusServiceUnavailable
		return l
	}
	silent := func(at time.Duration) look { return look{at: at, err: errors.New("no answer")} }
	lies := func(at time.Duration) look {
		l := fine(at)
		l.healthz = http.StatusServiceUnavailable
		return l
	}
	// The fault is from 10 to 20 s, and is to be seen within 2 s, give or take slack.
	sick := symptom{parts: []string{"directory"}, shows: 2 * s, heals: 3 * s}
	for name, tt := range map[string]struct {
		symptom symptom
		looks   []look
		wrong   string
	}{
		"the truth":              {sick, []look{fine(9 * s), fine(11 * s), down(12*s, "directory"), down(17*s, "directory"), down(22*s, "directory"), fine(26 * s)}, ""},
		"bad before":             {sick, []look{down(9*s, "directory")}, "before the fault"},
		"never told":             {sick, []look{fine(9 * s), fine(11 * s), fine(17 * s), fine(26 * s)}, "all was well 7.0 s after"},
		"told, and forgot":       {sick, []look{fine(9 * s), down(12*s, "directory"), fine(17 * s)}, "all was well"},
		"comes and goes":         {symptom{parts: []string{"directory"}, shows: 2 * s, comes: true}, []look{down(12*s, "directory"), fine(17 * s)}, ""},
		"never well again":       {sick, []look{down(12*s, "directory"), down(26*s, "directory")}, "still bad"},
		"another part":           {sick, []look{down(12*s, "hub")}, "had no fault"},
		"no fault to be seen":    {symptom{}, []look{fine(9 * s), fine(12 * s), fine(26 * s)}, ""},
		"a fault out of the air": {symptom{}, []look{fine(9 * s), down(12*s, "hub")}, "had no fault"},
		"missed once":            {symptom{}, []look{fine(9 * s), silent(12 * s), fine(13 * s)}, ""},
		"silent":                 {symptom{}, []look{fine(9 * s), silent(12 * s), silent(13 * s)}, "nothing was to be learnt"},
		"stopped":                {symptom{silent: true}, []look{fine(9 * s), silent(12 * s), silent(13 * s), fine(22 * s)}, ""},
		"silent for too long":    {symptom{silent: true}, []look{silent(12 * s), silent(13 * s), silent(24 * s)}, "nothing was to be learnt"},
		"healthz says otherwise": {symptom{}, []look{fine(9 * s), lies(12 * s), fine(13 * s)}, "/healthz answered 503"},
		"healthz was later":      {sick, []look{fine(9 * s), lies(11 * s), down(12*s, "directory"), down(17*s, "directory")}, ""},
	} {
		_, err := tt.symptom.judge(tt.looks, 10*s, 20*s)
		if (err == nil) != (tt.wrong == "") || err != nil && !strings.Contains(err.Error(), tt.wrong) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestTrend finds slopes that were put in, and none where there was none.
func TestTrend(t *testing.T) {
	luck := rand.New(rand.NewPCG(3, 4))
	for _, slope := range []float64{0, 10, -40} {
		s := soakSeries{name: "things", unit: 1, share: 0.05, least: 1}
		wander := 0.0
		for i := range 1800 {
			at := float64(i) / 3600
			wander = 0.8*wander + luck.NormFloat64()
			s.at, s.value = append(s.at, at), append(s.value, 60+slope*at+wander)
		}
		got, sigma, mean := trend(s.at, s.value)
		if math.Abs(got-slope) > 4*sigma || sigma > 2 || math.Abs(mean-60-slope/4) > 1 {
			t.Errorf("%+.1f: %+.2f ± %.2f around %.1f", slope, got, sigma, mean)
		}
		low := s
		low.floor = true
		if text, grows := low.verdict(); grows != (slope > 3) {
			t.Errorf("%+.1f by its floor: %t, %s", slope, grows, text)
		}
		if text, grows := s.verdict(); grows != (slope > 3) || !strings.Contains(text, "things") {
			t.Errorf("%+.1f: %t, %s", slope, grows, text)
		}
	}
	if slope, _, mean := trend([]float64{1}, []float64{7}); slope != 0 || mean != 0 {
		t.Error("one point has a slope")
	}
	if slope, _, mean := trend([]float64{1, 1, 1}, []float64{5, 6, 7}); slope != 0 || mean != 6 {
		t.Errorf("one moment has the slope %v", slope)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	pace, stop := paced(ctx, 1000)
	for range 3 {
		<-pace
	}
	stop()
}
