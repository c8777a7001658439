package doctor

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// Why an address cannot be listened on.
var (
	ErrTaken    = errors.New("another program listens there")
	ErrReserved = errors.New("this user may not listen there")
)

func probePorts(ctx context.Context, e *Env) Outcome {
	h := e.Host
	switch {
	case h.Listen == nil:
		return Skip(notAsked)
	case len(h.Ports) == 0:
		return Skip("the settings have no fixed port")
	}
	var seen, bad, unsure []string
	for _, p := range h.Ports {
		At(ctx, "trying %s", p.Address)
		err := h.Listen(ctx, p.Address)
		where := fmt.Sprintf("%s, %s (%s)", p.Address, p.Name, p.Key)
		switch {
		case err == nil:
			seen = append(seen, p.Address+" is free")
		case errors.Is(err, ErrTaken):
			if h.Ours != nil && h.Ours(ctx, p.Address) {
				seen = append(seen, p.Address+" is held by this connector, which runs")
				continue
			}
			bad = append(bad, where+": "+holder(ctx, h, p.Address)+" listens there")
		case errors.Is(err, ErrReserved):
			unsure = append(unsure, where+": "+err.Error()+"; run doctor as the administrator to try it")
		default:
			bad = append(bad, where+": "+err.Error())
		}
	}
	detail := strings.Join(append(bad, unsure...), "\n")
	switch {
	case len(bad) > 0:
		return Outcome{Status: Failed, Observed: count(len(bad), "port is taken", "ports are taken"), Required: "free, or held by this connector", Detail: detail}
	case len(seen) == 0:
		return Skip(detail)
	}
	return Pass(strings.Join(append(seen, unsure...), "; "))
}

// holder names who listens at an address.
func holder(ctx context.Context, h Host, address string) string {
	if h.Holder != nil {
		At(ctx, "looking who holds %s", address)
		if name, err := h.Holder(ctx, address); err == nil {
			return name
		}
	}
	return "a program that this user may not see"
}
