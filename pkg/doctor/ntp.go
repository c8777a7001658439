package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/beevik/ntp"
)

const (
	ntpTime  = 1500 * time.Millisecond // for one question; UDP loses some
	ntpTries = 2
	// remembered is how long an answer serves. The checks of one run follow
	// each other within that time.
	remembered = 10 * time.Second
)

// ClockSources is what NewClocks is given.
type ClockSources struct {
	Given  []string // time servers that somebody named: HOST or HOST:PORT
	Guess  []string // hosts that may be time servers: the domain controllers
	Tenant func(context.Context) (Reading, error)
}

// NewClocks returns the clocks of the real world. Nobody is asked whom nobody
// has configured.
func NewClocks(o ClockSources) Clocks {
	c := Clocks{Ask: sparingly(remembered, AskNTP)}
	c.Servers = func(ctx context.Context) ([]TimeServer, error) {
		if len(o.Given) > 0 {
			return servers("--ntp-server", false, o.Given), nil
		}
		configured, err := configuredServers(ctx)
		if len(configured) > 0 || err != nil {
			return configured, err
		}
		return servers("LDAP_URL", true, o.Guess), nil
	}
	if o.Tenant != nil {
		tenant := sparingly(remembered, func(ctx context.Context, _ struct{}) (Reading, error) { return o.Tenant(ctx) })
		c.Tenant = func(ctx context.Context) (Reading, error) { return tenant(ctx, struct{}{}) }
	}
	return c
}

// mostServers are asked at the most: more make the median no better.
const mostServers = 8

// servers lists hosts, each once.
func servers(from string, guessed bool, hosts []string) (all []TimeServer) {
	for _, h := range hosts {
		s := TimeServer{Address: h, From: from, Guessed: guessed}
		if h != "" && !slices.Contains(all, s) && len(all) < mostServers {
			all = append(all, s)
		}
	}
	return all
}

// AskNTP reads the clock of a time server (RFC 5905).
func AskNTP(ctx context.Context, s TimeServer) (Reading, error) {
	var answer *ntp.Response
	var err error
	for range ntpTries {
		answer, err = ntp.QueryWithOptions(s.Address, ntp.QueryOptions{
			Timeout: ntpTime,
			Dialer: func(_, address string) (net.Conn, error) {
				return (&net.Dialer{Timeout: ntpTime}).DialContext(ctx, "udp", address)
			},
		})
		var late net.Error
		if err == nil || ctx.Err() != nil || !errors.As(err, &late) || !late.Timeout() {
			break // only what was lost is asked again
		}
	}
	if err != nil {
		return Reading{}, notThere(err)
	}
	if err := usable(answer); err != nil {
		return Reading{}, err
	}
	return Reading{
		Of: s.Address, Offset: answer.ClockOffset,
		Uncertainty: answer.RTT/2 + answer.RootDelay/2 + answer.RootDispersion,
	}, nil
}

// notThere says why a time server has not answered.
func notThere(err error) error {
	var name *net.DNSError
	var late net.Error
	switch {
	case errors.As(err, &name) && name.IsTimeout:
		return fmt.Errorf("%w: nobody has told its address within %s: %w", ErrNotThere, ntpTime, err)
	case errors.As(err, &name):
		return fmt.Errorf("%w: its name is not known: %w", ErrNotThere, err)
	case errors.As(err, &late) && late.Timeout():
		return fmt.Errorf("%w: nothing came back by UDP within %d tries of %s; a firewall may be in between", ErrNotThere, ntpTries, ntpTime)
	case errors.Is(err, errRefused):
		return fmt.Errorf("%w: no time service listens there", ErrNotThere)
	case errors.Is(err, ntp.ErrServerResponseMismatch) || errors.Is(err, ntp.ErrInvalidMode):
		return fmt.Errorf("its answer is not to the question: %w", err)
	}
	return fmt.Errorf("%w: %w", ErrNotThere, err)
}

// usable says why an answer does not tell the time. In place of a stratum of 0
// stands a code: servers refuse with it (a kiss-o'-death, RFC 5905, section
// 7.4), and say with it that they do not know the time themselves.
func usable(a *ntp.Response) error {
	unsynchronised := errors.New("it is not synchronised itself: it does not know the time")
	switch {
	case a.Stratum == 0 && slices.Contains([]string{"", "INIT", "STEP", "XFAC", "NSET"}, a.KissCode):
		return unsynchronised
	case a.Stratum == 0 && a.KissCode == "RATE":
		return errors.New("kiss-o'-death RATE: it was asked too often, and refuses to answer for a while")
	case a.Stratum == 0:
		return fmt.Errorf("kiss-o'-death %q: it refuses to tell this machine the time", a.KissCode)
	case a.Stratum >= 16 || a.Leap == ntp.LeapNotInSync:
		return unsynchronised
	}
	if err := a.Validate(); err != nil {
		return fmt.Errorf("its answer cannot be used: %w", err)
	}
	return nil
}
