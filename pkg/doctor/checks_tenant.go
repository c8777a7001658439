package doctor

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// An Info is what the tenant says of the connection behind the ticket.
type Info struct {
	Connection, Realm string
	Thumbprints       []string // of the certificates that it knows: SHA-1, lower-case hex; it may tell none
}

// tenantChecks are about the tenant, its hub, and what both know of the agent.
var tenantChecks = []Check{
	{
		ID: "network.tenant", Title: "The tenant answers", Severity: Blocks, Timeout: 2 * DefaultTimeout,
		Needs:   []ID{"network.dns", "network.proxy", "tls.authorities"},
		Probe:   probeTenant,
		Remedy:  "Allow outbound connections to the tenant's port 443.",
		Command: "connector doctor --only network.tenant",
	},
	{
		ID: "tls.tenant", Title: "The tenant's certificate is trusted", Severity: Blocks, Timeout: 2 * DefaultTimeout,
		Needs:   []ID{"network.tenant"},
		Probe:   probeTrust,
		Remedy:  "Find out who answers in the tenant's place.",
		Command: "connector doctor --only tls.tenant",
		Fix:     trustFix(shownByTenant),
	},
	{
		ID: "tls.tenant-expiry", Title: "The tenant's certificate does not end soon", Severity: Warns, Timeout: 2 * DefaultTimeout,
		Needs:   []ID{"tls.tenant"},
		Probe:   probeExpiry,
		Remedy:  "Ask whoever runs the tenant's host, or the proxy that shows this certificate, to renew it.",
		Command: "connector doctor --only tls.tenant-expiry",
	},
	{
		ID: "network.hub", Title: "The hub takes a websocket from here", Severity: Blocks, Timeout: 2 * DefaultTimeout,
		Needs:   []ID{"network.proxy", "tls.tenant"},
		Probe:   probeHub,
		Remedy:  "Ask whoever runs the proxy or the firewall on the way to let websockets through to the hub.",
		Command: "connector doctor --only network.hub",
	},
	{
		ID: "agent.ticket", Title: "The tenant knows the ticket", Severity: Blocks, Timeout: 2 * DefaultTimeout,
		Needs:   []ID{"tls.tenant"},
		Probe:   probeTicket,
		Remedy:  "Copy the ticket again from the connection's page in the dashboard, or create the connection anew if it is gone.",
		Command: "connector doctor --ticket-file FILE --only agent.ticket",
	},
	{
		ID: "agent.registered", Title: "The tenant knows the agent's certificate", Severity: Blocks, Timeout: 2 * DefaultTimeout,
		Needs:   []ID{"agent.keys", "agent.ticket"},
		Probe:   probeRegistered,
		Remedy:  "Start the connector again: it registers its certificate; where there are several nodes, bring all of them to one key pair by export and import.",
		Command: "connector export --file node.age",
	},
	{
		ID: "agent.accepted", Title: "The hub accepts the agent", Severity: Blocks, Timeout: 2 * DefaultTimeout,
		Needs:   []ID{"agent.keys", "agent.registered", "network.hub"},
		Probe:   probeAccepted,
		Remedy:  "Set this machine's clock, and start the connector again so that it registers its certificate.",
		Command: "connector doctor --only time",
	},
}

// probeTenant leaves certificates to tls.tenant: whoever shows one that is not
// trusted has been reached.
func probeTenant(ctx context.Context, e *Env) Outcome {
	if e.Network.Test == nil {
		return Skip(noTenant)
	}
	ctx, cancel := soon(ctx)
	defer cancel()
	answered, err := e.Network.Test(ctx)
	if s := (*Stop)(nil); errors.As(err, &s) && s.Certificate {
		return Pass("reached; its certificate is the matter of tls.tenant")
	}
	if err != nil {
		return stopped(err)
	}
	return Pass(answered)
}

func probeHub(ctx context.Context, e *Env) Outcome {
	if e.Network.Hub == nil {
		return Skip(noTenant)
	}
	ctx, cancel := soon(ctx)
	defer cancel()
	answered, err := e.Network.Hub(ctx)
	if err != nil {
		return stopped(err)
	}
	return Pass(answered)
}

func probeTicket(ctx context.Context, e *Env) Outcome {
	if e.Network.Info == nil {
		return Skip("there is no ticket")
	}
	ctx, cancel := soon(ctx)
	defer cancel()
	info, err := e.Network.Info(ctx)
	if err != nil {
		return stopped(err)
	}
	return Pass(fmt.Sprintf("it is for the connection %s of %s", info.Connection, info.Realm))
}

// probeRegistered compares the thumbprint of our certificate with those that
// the tenant tells, or else with the one that was registered last.
func probeRegistered(ctx context.Context, e *Env) Outcome {
	if e.Home.Certificate == nil {
		return Skip(noHome)
	}
	c, err := e.Home.Certificate()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Skip("there is no key pair yet")
	case err != nil:
		return Fail(err.Error())
	case e.Network.Info == nil:
		return Skip("there is no ticket to ask the tenant by")
	}
	ctx, cancel := soon(ctx)
	defer cancel()
	info, err := e.Network.Info(ctx)
	if err != nil {
		return stopped(err)
	}
	sum := sha1.Sum(c.Raw)
	ours, sent := hex.EncodeToString(sum[:]), e.Config.Tenant.SentThumbprint
	switch {
	case slices.Contains(info.Thumbprints, ours):
		return Pass("thumbprint " + ours)
	case len(info.Thumbprints) > 0:
		return Outcome{
			Status: Failed, Observed: "thumbprint " + strings.Join(info.Thumbprints, ", "), Required: "thumbprint " + ours,
			Detail: "the tenant knows another certificate than this home's",
		}
	case sent != "" && sent != ours:
		return Outcome{
			Status: Failed, Observed: "thumbprint " + sent, Required: "thumbprint " + ours,
			Detail: "the tenant does not tell which certificates it knows; the one that this home registered last is another",
		}
	}
	return Skip("not told by the tenant; agent.accepted says what the hub makes of it")
}

func probeAccepted(ctx context.Context, e *Env) Outcome {
	if e.Network.Accepted == nil {
		return Skip("there is no agent here that has registered")
	}
	ctx, cancel := soon(ctx)
	defer cancel()
	how, err := e.Network.Accepted(ctx)
	if err != nil {
		return stopped(err)
	}
	return Pass(how)
}
