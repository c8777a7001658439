package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"ad-ldap-connector/pkg/sandbox"
)

// A rush is more people at the form than the directory can take.
type rush struct {
	offered int           // logins a second, whatever becomes of those before
	binds   int           // passwords a second that the directory can look at
	atOnce  int           // LDAP_NUMBER_OF_PARALLEL_BINDS
	within  time.Duration // the answer to each who is let in
	memory  float64       // of the connector, resident, in MiB
}

// bigRush is what is asked of a connector.
var bigRush = rush{offered: 1000, binds: 300, atOnce: 64, within: 2 * time.Second, memory: 100}

// rushPatience is how long somebody waits for an answer.
const rushPatience = 30 * time.Second

func formDrill() drill {
	return bigRush.drill(drill{
		name: "form", says: fmt.Sprintf("%d people a second at the form, and a directory that can take %d", bigRush.offered, bigRush.binds),
		lasts: 60 * time.Second,
	})
}

func (u rush) drill(d drill) drill {
	d.signIn, d.instead = true, u.play
	d.prepare = func(g *drillGround) error {
		at, err := freeAddress()
		if err != nil {
			return err
		}
		g.directory.SetTraits(sandbox.Traits{ActiveDirectory: true, BindsPerSecond: u.binds})
		// Everybody comes from an address of their own, as a balancer would say.
		g.settings["TRUSTED_PROXIES"], g.settings["LDAP_NUMBER_OF_PARALLEL_BINDS"] = []string{"127.0.0.1"}, u.atOnce
		g.settings["PORT"], g.settings["SERVER_URL"] = at[strings.LastIndexByte(at, ':')+1:], "http://"+at
		return nil
	}
	return d
}

// A visitor is one who came to the form.
type visitor struct {
	took   time.Duration // from coming until the last answer
	status int           // 0: none came
	in     bool          // an assertion did
	later  bool          // it said when to come again
	err    error
}

// visitors are those who have gone.
type visitors struct {
	mu  sync.Mutex
	all []visitor
}

// play has people come at the rush's pace while it lasts, and judges.
func (u rush) play(ctx context.Context, _ *app, g *drillGround, d drill, _ int) (r drillResult, err error) {
	base, _ := g.settings["SERVER_URL"].(string) // prepare has set it
	way := &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true}
	defer way.CloseIdleConnections()
	client := &http.Client{Transport: way, Timeout: rushPatience}
	if err := g.await(ctx, waitTime, func() bool { return visitForm(ctx, client, base, 0).in }); err != nil {
		return r, fmt.Errorf("before the rush: %w", err)
	}
	var seen visitors
	var inside sync.WaitGroup
	var sampling sync.Mutex
	var missed error
	memory := &soakSeries{metric: "process_resident_memory_bytes", unit: 1 << 20}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	begun, next, came := time.Now(), time.Second, 0
	for time.Since(begun) < d.lasts {
		select {
		case <-tick.C:
		case <-g.ended:
			return r, g.alive()
		case <-ctx.Done():
			return r, context.Cause(ctx)
		}
		for due := int(time.Since(begun).Seconds() * float64(u.offered)); came < due; came++ {
			who := came
			inside.Go(func() { seen.add(visitForm(ctx, client, base, who)) })
		}
		if at := time.Since(begun); at > next {
			next += time.Second
			inside.Go(func() {
				sampling.Lock()
				defer sampling.Unlock()
				missed = sample(ctx, g.console, at, []*soakSeries{memory})
			})
		}
	}
	took := time.Since(begun)
	inside.Wait()
	if len(memory.value) == 0 && missed != nil { // some may be missing, on a machine that has no time
		return r, errors.Join(missed, g.alive())
	}
	return u.judge(seen.all, took, memory.value)
}

func (s *visitors) add(v visitor) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, v)
}

// judge counts, and returns what should not have been.
func (u rush) judge(all []visitor, took time.Duration, memory []float64) (r drillResult, err error) {
	var in, away []time.Duration
	var errs []error
	odd := 0
	for _, v := range all {
		switch {
		case v.in:
			in = append(in, v.took)
		case v.status == http.StatusServiceUnavailable && v.later:
			away = append(away, v.took)
		case v.status == 0:
			if r.Lost++; r.Lost == 1 {
				errs = append(errs, fmt.Errorf("somebody got no answer: %w", v.err))
			}
		default:
			if odd++; odd == 1 {
				errs = append(errs, fmt.Errorf("somebody was answered with %d (Retry-After: %t)", v.status, v.later))
			}
		}
	}
	slices.Sort(in)
	slices.Sort(away)
	r.Answered, r.Faulted = len(in)+len(away)+odd, len(away)
	if len(in) == 0 || len(away) == 0 {
		return r, errors.Join(append(errs, fmt.Errorf("%d were let in and %d turned away: it was no rush", len(in), len(away)))...)
	}
	r.Worst = ms(in[len(in)-1])
	share := func(n int) float64 { return float64(n) / took.Seconds() }
	r.Detail = fmt.Sprintf("%.0f a second came, %.0f were let in (99 of 100 within %.1f s) and %.0f turned away (%.1f s)",
		share(len(all)), share(len(in)), in[len(in)*99/100].Seconds(), share(len(away)), away[len(away)*99/100].Seconds())
	if len(memory) > 0 {
		r.Detail += fmt.Sprintf("; %.0f MiB at most", slices.Max(memory))
		if most := slices.Max(memory); most > u.memory {
			errs = append(errs, fmt.Errorf("it took %.0f MiB of %.0f", most, u.memory))
		}
	}
	if worst := in[len(in)-1]; worst > u.within {
		errs = append(errs, fmt.Errorf("somebody who was let in waited %.1f s, and not %.0f s", worst.Seconds(), u.within.Seconds()))
	}
	if r.Lost > 1 || odd > 1 {
		errs = append(errs, fmt.Errorf("so did %d and %d more", max(r.Lost-1, 0), max(odd-1, 0)))
	}
	return r, errors.Join(errs...)
}

// visitForm opens the form and sends it, as a browser does, from an address of
// the visitor's own.
func visitForm(ctx context.Context, client *http.Client, base string, who int) (v visitor) {
	began := time.Now()
	defer func() { v.took = time.Since(began) }()
	page, cookies, v := askForm(ctx, client, http.MethodGet, base, who, nil, nil)
	token := formToken.FindStringSubmatch(page)
	if v.err != nil || token == nil {
		return v
	}
	user := who % drillUsers
	fields := url.Values{"token": token[1:], "username": {sandbox.GeneratedUser(user)}, "password": {sandbox.GeneratedPassword(user)}}
	page, _, v = askForm(ctx, client, http.MethodPost, base, who, cookies, fields)
	v.in = v.status == http.StatusOK && strings.Contains(page, `name="wresult"`)
	return v
}

func askForm(ctx context.Context, client *http.Client, method, base string, who int, cookies []*http.Cookie, fields url.Values) (page string, got []*http.Cookie, v visitor) {
	req, err := http.NewRequestWithContext(ctx, method, base+"/wsfed?wa=wsignin1.0&wctx="+strconv.Itoa(who), strings.NewReader(fields.Encode()))
	if err != nil {
		return "", nil, visitor{err: err}
	}
	req.Header.Set("X-Forwarded-For", fmt.Sprintf("10.%d.%d.%d", who>>16&255, who>>8&255, who&255))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for _, c := range cookies {
		req.AddCookie(c)
	}
	res, err := client.Do(req)
	if err != nil && req.GetBody != nil {
		// The connection may have been idle, and made room: browsers try again.
		if req.Body, err = req.GetBody(); err == nil {
			res, err = client.Do(req)
		}
	}
	if err != nil {
		return "", nil, visitor{err: err}
	}
	defer func() { _ = res.Body.Close() }() // it was only read
	data, err := io.ReadAll(res.Body)
	if err != nil {
		return "", nil, visitor{err: err}
	}
	return string(data), res.Cookies(), visitor{status: res.StatusCode, later: res.Header.Get("Retry-After") != ""}
}
