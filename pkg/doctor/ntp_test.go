package doctor

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"ad-ldap-connector/testdata/lab"
)

// askOnce runs the checks of clocks against time servers alone.
func askOnce(t *testing.T, addresses ...string) Report {
	t.Helper()
	checks, err := Select(Checks, []string{"time"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return Run(t.Context(), &Env{Clocks: NewClocks(ClockSources{Given: addresses})}, checks, nil, nil)
}

func TestAskNTP(t *testing.T) {
	const s = time.Second
	for _, tt := range []struct {
		name    string
		answer  lab.NTPAnswer
		problem string // "" when the offset is the answer's
	}{
		{"right", lab.NTPAnswer{Stratum: 2}, ""},
		{"under a second", lab.NTPAnswer{Stratum: 2, Offset: -300 * time.Millisecond}, ""},
		{"over a second", lab.NTPAnswer{Stratum: 2, Offset: 90 * s}, ""},
		{"years", lab.NTPAnswer{Stratum: 2, Offset: -4 * 365 * 24 * time.Hour}, ""},
		{"the first is lost", lab.NTPAnswer{Stratum: 2, Lost: 1}, ""},
		{"all are lost", lab.NTPAnswer{Stratum: 2, Lost: 1000}, "nothing came back by UDP within 2 tries"},
		{"asked too often", lab.NTPAnswer{Code: "RATE"}, "kiss-o'-death RATE: it was asked too often"},
		{"refused", lab.NTPAnswer{Code: "DENY"}, `kiss-o'-death "DENY"`},
		{"not yet synchronised", lab.NTPAnswer{Code: "INIT", Leap: 3}, "not synchronised itself"},
		{"synchronised with nothing", lab.NTPAnswer{Leap: 3}, "not synchronised itself"},
		{"stratum 16", lab.NTPAnswer{Stratum: 16}, "not synchronised itself"},
		{"leap 3", lab.NTPAnswer{Stratum: 3, Leap: 3}, "not synchronised itself"},
		{"too far from the root", lab.NTPAnswer{Stratum: 3, RootDispersion: 20 * s}, "its answer cannot be used"},
		{"another question's answer", lab.NTPAnswer{Stratum: 2, Foreign: true}, "nor"},
		{"no NTP", lab.NTPAnswer{Garbage: true}, "nor"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel() // some take their time
			address, asked := lab.FakeNTP(t, tt.answer)
			r, err := AskNTP(t.Context(), TimeServer{Address: address})
			switch {
			case tt.problem == "nor": // in which words is the library's matter
				if err == nil {
					t.Errorf("%+v", r)
				}
			case tt.problem != "":
				if err == nil || !strings.Contains(err.Error(), tt.problem) {
					t.Errorf("%+v, %v; want %q", r, err, tt.problem)
				}
			case err != nil:
				t.Error(err)
			case (r.Offset-tt.answer.Offset).Abs() > r.Uncertainty+50*time.Millisecond || r.Of != address:
				t.Errorf("%+v, want %s", r, tt.answer.Offset)
			}
			if n := asked(); tt.problem == "" && n != 1+tt.answer.Lost {
				t.Errorf("asked %d times", n)
			}
		})
	}
}

func TestNTPUncertainty(t *testing.T) {
	address, _ := lab.FakeNTP(t, lab.NTPAnswer{Stratum: 3, RootDelay: 400 * time.Millisecond, RootDispersion: 300 * time.Millisecond})
	r, err := AskNTP(t.Context(), TimeServer{Address: address})
	if err != nil || r.Uncertainty < 499*time.Millisecond || r.Uncertainty > 5*time.Second {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestTimeServersThatAreNotThere(t *testing.T) {
	l, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	dead := l.LocalAddr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for address, problem := range map[string]string{dead: "it does not answer: no time service listens there", "no such name": "its name is not known"} {
		if _, err := AskNTP(t.Context(), TimeServer{Address: address}); err == nil || !strings.Contains(err.Error(), problem) {
			t.Errorf("%s: %v, want %q", address, err, problem)
		}
	}
	r := askOnce(t, dead)
	if f := told(t, r, "time.servers"); f.Status != Failed || !strings.Contains(f.Remedy, "UDP port 123") {
		t.Errorf("%+v", f.Outcome)
	}
	if f := told(t, r, "time.ntp"); f.Status != Skipped || r.Blocked() {
		t.Errorf("%+v", f.Outcome)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := AskNTP(ctx, TimeServer{Address: dead}); err == nil {
		t.Error("it was asked after its time")
	}
}

// TestRealTimeServers asks chronyd, right and shifted.
func TestRealTimeServers(t *testing.T) {
	for _, tt := range []struct {
		shift  time.Duration
		ntp    Status
		drift  Status
		says   string // by time.ntp
		synced bool
	}{
		{0, Passed, Passed, "apart from", true},
		{3 * time.Second, Passed, Failed, "behind", true},
		{30 * time.Second, Failed, Skipped, " behind 127.0.0.1:", true},
		{-time.Hour, Failed, Skipped, " ahead of 127.0.0.1:", true},
		{0, Skipped, Skipped, "see time.servers", false},
	} {
		t.Run(fmt.Sprintf("%s, synchronised %v", tt.shift, tt.synced), func(t *testing.T) {
			t.Parallel()
			r := askOnce(t, lab.StartChrony(t, tt.shift, tt.synced))
			text := func(f Finding) string { return f.Observed + " | " + f.Detail }
			if f := told(t, r, "time.ntp"); f.Status != tt.ntp || !strings.Contains(text(f), tt.says) && f.Status != Passed {
				t.Errorf("%s: %s", f.Status, text(f))
			}
			if f := told(t, r, "time.drift"); f.Status != tt.drift {
				t.Errorf("%s: %s", f.Status, text(f))
			}
			if f := told(t, r, "time.servers"); (f.Status == Passed) != tt.synced || !tt.synced && !strings.Contains(text(f), "not synchronised itself") {
				t.Errorf("%s: %s", f.Status, text(f))
			}
		})
	}
}

// TestWhoIsAsked checks that nobody is asked whom nobody has named.
func TestWhoIsAsked(t *testing.T) {
	given, err := NewClocks(ClockSources{Given: []string{"a", "b:1", "a"}, Guess: []string{"dc1"}}).Servers(t.Context())
	if err != nil || addresses(given) != "a (--ntp-server) b:1 (--ntp-server)" {
		t.Errorf("%s, %v", addresses(given), err)
	}
	guessed, err := NewClocks(ClockSources{Guess: []string{"dc1"}}).Servers(t.Context())
	if configured, _ := configuredServers(t.Context()); len(configured) == 0 && (err != nil || addresses(guessed) != "dc1 (LDAP_URL)" || !guessed[0].Guessed) {
		t.Errorf("%s, %v", addresses(guessed), err)
	}
}
