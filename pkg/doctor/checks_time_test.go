package doctor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// says is a clock in a test: its offset and uncertainty, or why there is none.
type says struct {
	offset, uncertainty time.Duration
	err                 error
}

// clocks returns an Env with time servers ntp1, ntp2, ... and a tenant, if any.
func clocks(tenant *says, servers ...says) Env {
	e := Env{Now: func() time.Time { return time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC) }}
	e.Clocks.Servers = func(context.Context) (all []TimeServer, _ error) {
		for i := range servers {
			all = append(all, TimeServer{Address: fmt.Sprintf("ntp%d", i+1), From: "a test"})
		}
		return all, nil
	}
	e.Clocks.Ask = func(_ context.Context, s TimeServer) (Reading, error) {
		a := servers[s.Address[3]-'1']
		return Reading{s.Address, a.offset, a.uncertainty}, a.err
	}
	if tenant != nil {
		e.Clocks.Tenant = func(context.Context) (Reading, error) {
			return Reading{"acme.example", tenant.offset, tenant.uncertainty}, tenant.err
		}
	}
	return e
}

func TestTimeChecks(t *testing.T) {
	const ms, s = time.Millisecond, time.Second
	gone := says{err: fmt.Errorf("%w: nothing came back", ErrNotThere)}
	kiss := says{err: errors.New("kiss-o'-death RATE: it was asked too often")}
	at := func(offset time.Duration) says { return says{offset: offset, uncertainty: 10 * ms} }
	tenant := func(offset time.Duration) *says { c := at(offset); return &c }
	lost := &says{err: errors.New("dial: refused")}
	guess := clocks(nil, gone)
	guess.Clocks.Servers = fact([]TimeServer{{Address: "ntp1", From: "LDAP_URL", Guessed: true}}, nil)
	unread := clocks(nil)
	unread.Clocks.Servers = fact([]TimeServer(nil), errSilent)
	try(t, []trial{
		{"good", "time.servers", clocks(nil, at(0)), Passed, "ntp1 (a test)"},
		{"one of two", "time.servers", clocks(nil, at(0), gone), Passed, "ntp2 (a test): it does not answer: nothing came back"},
		{"none", "time.servers", clocks(nil, gone, gone), Failed, "0 of 2 can be used"},
		{"unreachable is the network", "time.servers", clocks(nil, gone), Failed, "UDP port 123"},
		{"refusing is the server", "time.servers", clocks(nil, kiss), Failed, "Have the time server set right"},
		{"outvoted", "time.servers", clocks(nil, at(0), at(30*s), at(20*ms)), Passed, "ntp2 (a test): its clock is 30s from those of the others"},
		{"too vague", "time.servers", clocks(nil, says{uncertainty: 7 * s}), Failed, "known to no more than 7s"},
		{"a guess", "time.servers", guess, Skipped, "the directory's servers tell no time"},
		{"none configured", "time.servers", clocks(nil), Skipped, "no time server is configured"},
		{"not known", "time.servers", unread, Skipped, "not known"},
		{"not asked", "time.servers", Env{}, Skipped, "no time server"},

		{"right", "time.ntp", clocks(nil, at(3*ms)), Passed, "3ms behind ntp1 (± 10ms)"},
		{"4 s is drift's", "time.ntp", clocks(nil, at(4*s)), Passed, "4s behind"},
		{"behind", "time.ntp", clocks(nil, at(30*s)), Failed, "clock skew detected: 30s behind ntp1"},
		{"ahead", "time.ntp", clocks(nil, at(-time.Hour)), Failed, "1h0m0s ahead of ntp1"},
		{"what the clocks say", "time.ntp", clocks(nil, at(30*s)), Failed, "this machine says 2026-11-22 12:00:00.0 UTC, ntp1 says 2026-11-22 12:00:30.0 UTC"},
		{"vague", "time.ntp", clocks(nil, says{offset: 6 * s, uncertainty: 3 * s}), Passed, "the clocks may agree as well"},
		{"the median", "time.ntp", clocks(nil, at(9*s), at(0), at(100*ms)), Passed, "0s apart from ntp2"},
		{"the median is wrong", "time.ntp", clocks(nil, at(9*s), at(0), at(9100*ms)), Failed, "9s behind ntp1"},
		{"two differ", "time.ntp", clocks(nil, at(30*s), at(0)), Passed, "apart from ntp2"},
		{"one is bad", "time.ntp", clocks(nil, kiss, at(9*s)), Failed, "behind ntp2"},
		{"alone", "time.ntp", clocks(lost, at(9*s)), Failed, "no third clock"},
		{"ours is wrong", "time.ntp", clocks(tenant(30*s), at(30*s)), Failed, "the time server and the tenant agree: this machine's clock is wrong"},
		{"theirs is wrong", "time.ntp", clocks(tenant(0), at(30*s)), Failed, "this machine and the tenant agree: the time server's clock is wrong"},
		{"their remedy", "time.ntp", clocks(tenant(0), at(30*s)), Failed, "Have the time server set right"},
		{"no two agree", "time.ntp", clocks(tenant(-20*s), at(30*s)), Failed, "no two of the three clocks agree"},
		{"none usable", "time.ntp", clocks(nil, gone), Skipped, "see time.servers"},

		{"right", "time.tenant", clocks(tenant(2 * ms)), Passed, "2ms behind acme.example (± 10ms)"},
		{"wrong", "time.tenant", clocks(tenant(-9 * s)), Failed, "clock skew detected: 9s ahead of acme.example"},
		{"a slow line", "time.tenant", clocks(&says{offset: 6 * s, uncertainty: 2 * s}), Passed, "may agree"},
		{"who is wrong", "time.tenant", clocks(tenant(-9*s), at(-9*s)), Failed, "this machine's clock is wrong"},
		{"the tenant is wrong", "time.tenant", clocks(tenant(-9*s), at(0)), Failed, "the tenant's clock is wrong"},
		{"alone", "time.tenant", clocks(tenant(-9 * s)), Failed, "name a time server with --ntp-server"},
		{"unreachable", "time.tenant", clocks(lost), Skipped, "dial: refused"},
		{"none", "time.tenant", clocks(nil), Skipped, "no tenant is known"},

		{"right", "time.drift", clocks(tenant(0), at(900*ms)), Passed, "900ms behind ntp1 (± 10ms); 0s apart from acme.example"},
		{"by NTP", "time.drift", clocks(tenant(0), at(2*s)), Failed, "the time server's clock is wrong"},
		{"by the tenant", "time.drift", clocks(tenant(2*s), at(0)), Failed, "the tenant's clock is wrong"},
		{"by both", "time.drift", clocks(tenant(2*s), at(2*s)), Failed, "2s behind ntp1"},
		{"the nearest two count", "time.drift", clocks(tenant(300*ms), at(1200*ms)), Failed, "the time server's clock is wrong"},
		{"the nearest two are theirs", "time.drift", clocks(tenant(700*ms), at(1200*ms)), Failed, "this machine's clock is wrong"},
		{"NTP alone", "time.drift", clocks(nil, at(-2*s)), Failed, "2s ahead of ntp1"},
		{"NTP alone is right", "time.drift", clocks(lost, at(0)), Passed, "ntp1"},
		{"the tenant alone", "time.drift", clocks(tenant(2*s), gone), Failed, "2s behind acme.example"},
		{"the tenant alone is right", "time.drift", clocks(tenant(0)), Passed, "acme.example"},
		{"neither", "time.drift", clocks(lost, gone), Skipped, "no other clock"},
	})
}

func TestTimeServersAreAskedOnce(t *testing.T) {
	var mu sync.Mutex
	asked := map[string]int{}
	e := clocks(nil, says{}, says{}, says{err: ErrNotThere})
	ask := e.Clocks.Ask
	e.Clocks.Ask = sparingly(time.Hour, func(ctx context.Context, s TimeServer) (Reading, error) {
		mu.Lock()
		defer mu.Unlock()
		asked[s.Address]++
		return ask(ctx, s)
	})
	checks, err := Select(Checks, []string{"time"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	Run(t.Context(), &e, checks, nil, nil)
	if len(asked) != 3 || asked["ntp1"] != 1 || asked["ntp2"] != 1 || asked["ntp3"] != 1 {
		t.Errorf("%v", asked)
	}
}

func TestSparingly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		f := sparingly(10*time.Second, func(_ context.Context, key string) (string, error) {
			n++
			return fmt.Sprint(key, n), nil
		})
		var got []string
		for _, key := range []string{"a", "a", "b"} {
			v, _ := f(t.Context(), key)
			got = append(got, v)
		}
		time.Sleep(10 * time.Second)
		again, _ := f(t.Context(), "a")
		time.Sleep(time.Second)
		later, _ := f(t.Context(), "a")
		if text := strings.Join(append(got, again, later), " "); text != "a1 a1 b2 a1 a3" {
			t.Error(text)
		}
	})
}
