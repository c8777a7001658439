package doctor

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"
)

// certificateWarns is how long before its end a certificate is spoken of: time
// enough for an exchange that several people have a part in.
const certificateWarns = 30 * 24 * time.Hour

var agentChecks = []Check{
	{
		ID: "agent.keys", Title: "The private key belongs to the certificate", Severity: Blocks,
		Probe:   probeKeys,
		Remedy:  "Bring back certs/cert.pem and certs/cert.key as a pair, from a backup or an export of another node.",
		Command: "connector import node.age",
	},
	{
		ID: "agent.certificate", Title: "The agent's certificate is in its time", Severity: Warns,
		Needs:   []ID{"agent.keys"},
		Probe:   probeCertificate,
		Remedy:  "Have another certificate made for the same private key, and told to the tenant.",
		Command: "connector keys renew",
	},
	{
		ID: "agent.credentials", Title: "The service account's password opens with the private key", Severity: Blocks,
		Needs:   []ID{"config.valid", "agent.keys"},
		Probe:   probeCredentials,
		Remedy:  "Set the service account's password anew; the start of the connector seals it.",
		Command: "connector config secret set LDAP_BIND_PASSWORD --value-file password.txt",
	},
	{
		ID: "agent.connection", Title: "This home serves the connection of the ticket", Severity: Blocks,
		Needs:   []ID{"config.valid"},
		Probe:   probeConnection,
		Remedy:  "Install the other connection in a home of its own, or point this home at it with --replace.",
		Command: "connector install --home DIR",
	},
	{
		ID: "agent.duplicate", Title: "No other installation here serves this connection", Severity: Warns,
		Needs:   []ID{"config.valid"},
		Probe:   probeDuplicate,
		Remedy:  "Keep one installation on this host, and put the other one on another host, where it helps when this one fails.",
		Command: "connector status",
	},
}

func probeKeys(_ context.Context, e *Env) Outcome {
	if e.Home.Certificate == nil {
		return Skip(noHome)
	}
	c, err := e.Home.Certificate()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Skip("there is no key pair yet; the first start or an install makes it")
	case errors.Is(err, fs.ErrPermission):
		return Outcome{Status: Failed, Detail: err.Error(), Remedy: asOwner}
	case err != nil:
		return Fail(err.Error())
	}
	sum := sha1.Sum(c.Raw)
	return Pass("thumbprint " + hex.EncodeToString(sum[:]))
}

func probeCertificate(_ context.Context, e *Env) Outcome {
	if e.Home.Certificate == nil {
		return Skip(noHome)
	}
	c, err := e.Home.Certificate()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Skip("there is no key pair yet")
	case err != nil:
		return Fail(err.Error())
	}
	now, begins, ends := e.now(), c.NotBefore.UTC().Format(time.DateOnly), c.NotAfter.UTC().Format(time.DateOnly)
	o := Outcome{Status: Failed, Observed: "valid from " + begins + " to " + ends}
	switch left := c.NotAfter.Sub(now); {
	case now.Before(c.NotBefore):
		o.Required = "a time that has begun"
		o.Detail = "it is not valid before " + begins + "; this machine's clock says " + now.UTC().Format(time.DateOnly)
		o.Remedy, o.Command = "Set this machine's clock right.", "connector doctor --only time"
	case left <= 0:
		o.Required, o.Detail = "an end that is to come", "it ended on "+ends
	case left < certificateWarns:
		o.Required = fmt.Sprintf("%d days before its end", int(certificateWarns.Hours()/24))
		o.Detail = "it ends in " + count(int(left.Hours()/24), "day", "days")
	default:
		o.Status = Passed
	}
	return o
}

func probeCredentials(_ context.Context, e *Env) Outcome {
	switch {
	case e.Home.Unseal == nil:
		return Skip(noHome)
	case !e.Home.Sealed:
		return Skip("no sealed password is in use")
	}
	if err := e.Home.Unseal(); err != nil {
		return Fail(err.Error())
	}
	return Pass("it opens")
}

func probeConnection(_ context.Context, e *Env) Outcome {
	switch {
	case e.Home.Load == nil:
		return Skip(noHome)
	case e.Config.Tenant.Connection == "":
		return Skip("this home serves no connection yet")
	case e.Home.OtherTicket:
		return Fail(fmt.Sprintf("%s serves the connection %s; the ticket that was given is for another one", e.Home.Dir, e.Config.Tenant.Connection))
	}
	return Pass(e.Config.Tenant.Connection)
}

func probeDuplicate(ctx context.Context, e *Env) Outcome {
	mine := e.Config.Tenant
	switch {
	case e.Home.Neighbours == nil || e.Home.Load == nil:
		return Skip(noHome)
	case mine.Connection == "":
		return Skip("this home serves no connection yet")
	}
	At(ctx, "looking for other installations")
	all, err := e.Home.Neighbours(ctx)
	if err != nil {
		return Fail(err.Error())
	}
	var same []string
	for _, n := range all {
		if n.Connection == mine.Connection && n.Realm == mine.Realm {
			same = append(same, fmt.Sprintf("%s serves %s too", n.Dir, n.Connection))
		}
	}
	if len(same) > 0 {
		return Outcome{Status: Failed, Observed: count(len(same)+1, "installation", "installations"), Required: "one", Detail: strings.Join(same, "\n")}
	}
	return Pass("none of " + count(len(all), "other installation", "other installations"))
}

// count puts a number before a noun.
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
