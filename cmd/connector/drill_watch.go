package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"ad-ldap-connector/pkg/agent"
)

// A look is what a connector said of itself at one moment.
type look struct {
	at      time.Duration // since the load began
	err     error         // it said nothing
	parts   map[string]agent.State
	details map[string]string
	healthz int // the code of /healthz
}

// well reports whether all parts are ok.
func (l look) well() bool { return l.err == nil && l.ailing(nil) == "" }

// ailing names the parts that are not ok, but for those named.
func (l look) ailing(but []string) string {
	var names []string
	for name, state := range l.parts {
		if state != agent.OK && !slices.Contains(but, name) {
			names = append(names, name+" "+string(state)+": "+l.details[name])
		}
	}
	slices.Sort(names)
	return strings.Join(names, "; ")
}

// A drillWatch asks a connector how it fares, all the time.
type drillWatch struct {
	console string
	now     func() time.Duration

	mu    sync.Mutex
	looks []look
	stop  context.CancelFunc
	done  chan struct{}
}

const lookEvery = 200 * time.Millisecond

func startWatch(ctx context.Context, console string, now func() time.Duration) *drillWatch {
	w := &drillWatch{console: console, now: now, done: make(chan struct{})}
	ctx, w.stop = context.WithCancel(ctx)
	go func() {
		defer close(w.done)
		for ctx.Err() == nil {
			l := w.look(ctx)
			if ctx.Err() != nil {
				return
			}
			w.mu.Lock()
			w.looks = append(w.looks, l)
			w.mu.Unlock()
			select {
			case <-ctx.Done():
			case <-time.After(lookEvery):
			}
		}
	}()
	return w
}

func (w *drillWatch) end() {
	w.stop()
	<-w.done
}

func (w *drillWatch) look(ctx context.Context) look {
	l := look{at: w.now(), parts: map[string]agent.State{}, details: map[string]string{}}
	s, err := fetchStatus(ctx, w.console)
	if err != nil {
		l.err = err
		return l
	}
	for _, p := range s.Parts {
		l.parts[p.Name], l.details[p.Name] = p.Health, p.Detail
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+w.console+"/healthz", nil)
	if err != nil {
		l.err = err
		return l
	}
	res, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 5 * time.Second}).Do(req)
	if err != nil {
		l.err = err
		return l
	}
	_ = res.Body.Close() // its code is all that counts
	l.healthz = res.StatusCode
	return l
}

func (w *drillWatch) all() []look {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.looks)
}

// last is the latest look, if there is one.
func (w *drillWatch) last() (l look, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.looks) == 0 {
		return l, false
	}
	return w.looks[len(w.looks)-1], true
}

// A symptom is what a connector is to say of itself in a drill.
type symptom struct {
	parts  []string      // that fare badly while the fault lasts; none: all are ok throughout
	shows  time.Duration // how soon they say so; a fault that is over before need not show
	comes  bool          // and go, while the fault lasts
	heals  time.Duration // how soon after the fault's end they are ok
	silent bool          // it can say nothing while the fault lasts
}

// slack is how much later than it is due a word may come: a look takes time, on
// a machine that 64 logins in flight keep busy.
const slack = 2 * time.Second

// judge returns what was not true in what a connector said of itself, with a
// fault between two moments, and how soon it told of it; -1: it did not.
func (s symptom) judge(looks []look, begin, end time.Duration) (told time.Duration, err error) {
	told = -1
	for i, l := range looks {
		if l.err != nil {
			mute := s.silent && l.at >= begin-slack && l.at <= end+slack
			if i > 0 && looks[i-1].err != nil && !mute {
				return told, fmt.Errorf("nothing was to be learnt of the connector: %w", l.err)
			}
			continue
		}
		if other := l.ailing(s.parts); other != "" {
			return told, fmt.Errorf("status spoke of what had no fault, %.1f s after its begin: %s", (l.at - begin).Seconds(), other)
		}
		ill := l.ailing(nil)
		during := l.at >= begin && l.at < end
		if during && ill != "" && told < 0 {
			told = l.at - begin
		}
		switch {
		case l.at < begin && ill != "":
			return told, fmt.Errorf("status was bad before the fault: %s", ill)
		case during && l.at > begin+s.shows+slack && len(s.parts) > 0 && (told < 0 || !s.comes && ill == "") && l.at < end-slack:
			return told, fmt.Errorf("status said that all was well %.1f s after the fault's begin", (l.at - begin).Seconds())
		case l.at > end+s.heals+slack && ill != "":
			return told, fmt.Errorf("status was still bad %.1f s after the fault's end: %s", (l.at - end).Seconds(), ill)
		}
		if err := l.agrees(looks, i); err != nil {
			return told, err
		}
	}
	return told, nil
}

// agrees compares /healthz with status. Between the two questions things may
// change: then the looks before or after say what /healthz says.
func (l look) agrees(looks []look, i int) error {
	for _, j := range []int{i - 1, i, i + 1} {
		if j < 0 || j >= len(looks) || looks[j].err != nil {
			continue
		}
		down := false
		for _, state := range looks[j].parts {
			down = down || state == agent.Down
		}
		if down == (l.healthz == http.StatusServiceUnavailable) {
			return nil
		}
	}
	return fmt.Errorf("/healthz answered %d while status said: %s", l.healthz, l.ailing(nil))
}
