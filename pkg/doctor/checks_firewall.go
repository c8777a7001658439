package doctor

import (
	"context"
	"errors"
	"fmt"
)

func probeFirewall(ctx context.Context, e *Env) Outcome {
	port := e.Config.SignIn.Port
	switch {
	case !e.signIn():
		return Skip(noSignIn)
	case port == 0:
		return Skip("PORT is 0: any free port, which no rule can name")
	case e.Config.SignIn.KerberosFrontend:
		return Skip("browsers come to the web server in front (WITH_KERBEROS_PROXY_FRONTEND)")
	case e.Host.Firewall == nil:
		return Skip(notAsked)
	}
	At(ctx, "asking the firewall")
	f, err := e.Host.Firewall(ctx)
	switch {
	case err != nil:
		return notKnown("what the firewall does", err)
	case f.Name == "" && f.Note != "":
		return Skip(f.Note)
	case f.Name == "":
		return Skip("no firewall is active on this machine that the connector knows")
	case f.Open:
		return Pass(fmt.Sprintf("%s lets others reach TCP port %d", f.Name, port))
	}
	return Outcome{
		Status: Failed, Observed: fmt.Sprintf("%s has no rule for TCP port %d", f.Name, port), Required: fmt.Sprintf("others may reach TCP port %d", port),
		Detail: "browsers on other machines may not reach the sign-in; a rule that is written in another way, or for some networks alone, is not seen here",
	}
}

// planFirewall says which rule there will be.
func planFirewall(ctx context.Context, e *Env) (Planned, error) {
	if e.Host.Firewall == nil || e.Host.OpenPort == nil {
		return Planned{}, errors.New(notAsked)
	}
	f, err := e.Host.Firewall(ctx)
	if err != nil {
		return Planned{}, err
	}
	return Planned{
		Says: fmt.Sprintf("Let others reach TCP port %d of this machine, by the rule %s of %s", e.Config.SignIn.Port, f.Rule, f.Name),
		Do:   e.Host.OpenPort,
	}, nil
}
