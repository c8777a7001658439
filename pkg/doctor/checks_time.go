package doctor

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// How far clocks may be apart. Tokens of the tenant are refused from some
// seconds on: the connector has always called 5 s clock skew.
const (
	skewBlocks = 5 * time.Second
	skewWarns  = time.Second
)

// clocksTime is for the checks that may ask two kinds of clocks, one after the
// other.
const clocksTime = 15 * time.Second

// A check has one severity, so the two limits are two kinds of checks: time.ntp
// and time.tenant block above 5 s, time.drift warns above 1 s. A time server
// that does not answer is time.servers', and warns: the tenant's clock, by
// which logins are judged, is asked in any case.
var timeChecks = []Check{
	{
		ID: "time.servers", Title: "A time server answers that knows the time", Severity: Warns,
		Probe:  probeServers,
		Remedy: "Let this machine reach a time server by UDP port 123; domain controllers are time servers too.", Command: "connector doctor --only time --ntp-server HOST",
	},
	{
		ID: "time.ntp", Title: "This machine's clock agrees with the time servers", Severity: Blocks,
		Timeout: clocksTime,
		Probe:   probeNTP,
		Remedy:  "Set this machine's clock right, and keep it right with a time service.",
	},
	{
		ID: "time.tenant", Title: "This machine's clock agrees with the tenant's", Severity: Blocks,
		Timeout: clocksTime,
		Probe:   probeTenantClock,
		Remedy:  "Set this machine's clock right, and keep it right with a time service.",
	},
	{
		ID: "time.drift", Title: "This machine's clock is right to the second", Severity: Warns,
		Needs:   []ID{"time.ntp", "time.tenant"},
		Timeout: clocksTime,
		Probe:   probeDrift,
		Remedy:  "Keep this machine's clock right with a time service, before it is so wrong that logins fail.",
	},
}

func probeServers(ctx context.Context, e *Env) Outcome {
	all, err := e.Clocks.survey(ctx)
	switch {
	case err != nil:
		return notKnown("which time servers this machine uses", err)
	case len(all.servers) == 0:
		return Skip("no time server is configured here or given with --ntp-server")
	}
	good, bad := all.good(), all.bad()
	detail := strings.Join(bad, "\n")
	if len(good) == 0 {
		if all.guessed() {
			return Skip("no time server is configured here, and the directory's servers tell no time:\n" + detail)
		}
		o := Outcome{Status: Failed, Observed: fmt.Sprintf("0 of %d can be used", len(all.servers)), Required: "1", Detail: detail}
		if all.notThere() {
			return o
		}
		o.Remedy, o.Command = "Have the time server set right, or ask another one.", ""
		return o
	}
	var names []string
	for _, s := range good {
		names = append(names, s.server.String())
	}
	o := Pass(strings.Join(names, ", "))
	if len(bad) > 0 {
		o.Observed += "; not used: " + strings.Join(bad, "; ")
	}
	return o
}

func probeNTP(ctx context.Context, e *Env) Outcome {
	all, err := e.Clocks.survey(ctx)
	if err != nil {
		return notKnown("which time servers this machine uses", err)
	}
	r := all.median()
	if r == nil {
		return Skip("no time server tells the time; see time.servers")
	}
	return e.judge(ctx, *r, skewBlocks, all, nil)
}

func probeTenantClock(ctx context.Context, e *Env) Outcome {
	if e.Clocks.Tenant == nil {
		return Skip("no tenant is known yet; name one with --tenant or a ticket")
	}
	At(ctx, "asking the tenant's clock")
	r, err := e.Clocks.Tenant(ctx)
	if err != nil {
		return notKnown("the tenant's time", err)
	}
	return e.judge(ctx, r, skewBlocks, survey{}, &r)
}

func probeDrift(ctx context.Context, e *Env) Outcome {
	all, err := e.Clocks.survey(ctx)
	if err != nil {
		all = survey{}
	}
	ntp := all.median()
	var tenant *Reading
	if e.Clocks.Tenant != nil {
		At(ctx, "asking the tenant's clock")
		if r, err := e.Clocks.Tenant(ctx); err == nil {
			tenant = &r
		}
	}
	switch {
	case ntp == nil && tenant == nil:
		return Skip("there is no other clock to compare with")
	case ntp != nil && ntp.beyond(skewWarns) || tenant == nil:
		return e.judge(ctx, *ntp, skewWarns, all, tenant)
	case tenant.beyond(skewWarns) || ntp == nil:
		return e.judge(ctx, *tenant, skewWarns, all, tenant)
	}
	return Outcome{Status: Passed, Observed: ntp.String() + "; " + tenant.String(), Required: "at most 1 s"}
}

// judge holds this machine's clock against another one. Only where they are
// apart are the third clock's asked, to say which one is wrong.
func (e *Env) judge(ctx context.Context, r Reading, limit time.Duration, all survey, tenant *Reading) Outcome {
	o := Outcome{Status: Passed, Observed: r.String(), Required: fmt.Sprintf("at most %s", limit)}
	if !r.beyond(limit) {
		if r.Offset.Abs() > limit {
			o.Detail = "the answer took so long that the clocks may agree as well"
		}
		return o
	}
	if tenant == nil && e.Clocks.Tenant != nil {
		At(ctx, "asking the tenant's clock")
		if t, err := e.Clocks.Tenant(ctx); err == nil {
			tenant = &t
		}
	}
	if len(all.servers) == 0 {
		if s, err := e.Clocks.survey(ctx); err == nil {
			all = s
		}
	}
	now := e.now()
	o.Status = Failed
	o.Detail = fmt.Sprintf("clock skew detected: %s\nthis machine says %s, %s says %s", r, now.UTC().Format(clockFormat), r.Of, now.Add(r.Offset).UTC().Format(clockFormat))
	wrong := whichIsWrong(all.median(), tenant)
	o.Detail += "\n" + wrong.says
	o.Remedy, o.Command = wrong.remedy, wrong.command
	return o
}

const clockFormat = "2006-01-02 15:04:05.0 UTC"
