package main

import (
	"context"
	"net/url"
	"time"

	"ad-ldap-connector/pkg/doctor"
	"ad-ldap-connector/pkg/tenant"
)

const (
	clockSamples = 3
	// clockGood is a round trip that leaves no doubt of what doctor asks.
	clockGood = 200 * time.Millisecond
	// clockTime bounds all samples together.
	clockTime = 8 * time.Second
)

// clocksEnv is what there is to ask of other clocks.
func (t *target) clocksEnv() doctor.Clocks {
	sources := doctor.ClockSources{Given: t.ntpServers}
	for _, raw := range t.config.Directory.URLs {
		if u, err := url.Parse(raw); err == nil { // config.valid says what is wrong with it
			sources.Guess = append(sources.Guess, u.Hostname())
		}
	}
	ticket := t.ticket
	if t.tenant != "" && (ticket.IsZero() || withPort(t.tenant) != withPort(ticket.Host())) {
		// Its clock is asked without a ticket's secret; the host alone counts.
		other, err := tenant.ParseTicket("https://" + withPort(t.tenant) + "/p/ad/doctor")
		if err != nil {
			return doctor.NewClocks(sources)
		}
		ticket = other
	}
	if !ticket.IsZero() {
		sources.Tenant = func(ctx context.Context) (doctor.Reading, error) { return t.readClock(ctx, ticket) }
	}
	return doctor.NewClocks(sources)
}

// readClock reads the tenant's clock, and again while the answer took long: the
// one with the shortest round trip counts.
func (t *target) readClock(ctx context.Context, ticket tenant.Ticket) (doctor.Reading, error) {
	if t.transport == nil {
		return doctor.Reading{}, t.transportErr
	}
	ctx, cancel := context.WithTimeout(ctx, clockTime)
	defer cancel()
	client := newTenant(t.transport)
	best, err := client.Clock(ctx, ticket)
	if err != nil {
		return doctor.Reading{}, err
	}
	for n := 1; n < clockSamples && best.RoundTrip > clockGood; n++ {
		if again, err := client.Clock(ctx, ticket); err == nil && again.RoundTrip < best.RoundTrip {
			best = again
		}
	}
	return doctor.Reading{Of: ticket.Host(), Offset: best.Offset, Uncertainty: best.RoundTrip / 2}, nil
}
