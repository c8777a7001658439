package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
)

func probeNames(ctx context.Context, e *Env) Outcome {
	names := slices.DeleteFunc(slices.Clone(e.Network.Names), func(n Name) bool { return n.Role == "directory" })
	if len(names) == 0 || e.Network.Lookup == nil {
		return Skip(noTenant)
	}
	f := e.find(ctx, names)
	if f.missing == 0 {
		return f.outcome(Passed)
	}
	return f.outcome(Failed)
}

// probeDirectoryNames fails when no server is found: one of several is enough
// to work with, and directory.reach speaks of the others.
func probeDirectoryNames(ctx context.Context, e *Env) Outcome {
	names := slices.DeleteFunc(slices.Clone(e.Network.Names), func(n Name) bool { return n.Role != "directory" })
	if len(names) == 0 || e.Network.Lookup == nil {
		return Skip("LDAP_URL names no server; give --ldap-url URL")
	}
	f := e.find(ctx, names)
	if f.missing < len(names) {
		return f.outcome(Passed)
	}
	return f.outcome(Failed)
}

// found is what came of looking names up.
type found struct {
	lines          []string // one for each
	asked, missing int
	remedy         string // for the first one that is missing
}

func (f found) outcome(s Status) Outcome {
	o := Outcome{Status: s, Observed: count(f.asked, "name is", "names are") + " found", Detail: strings.Join(f.lines, "\n"), Remedy: f.remedy}
	switch {
	case f.missing > 0:
		o.Observed = fmt.Sprintf("%d of %s not found", f.missing, count(f.asked, "name is", "names are"))
		o.Required = "an address for each"
	case f.asked == 0:
		o.Observed = "no name is to be looked up here"
	}
	return o
}

// find looks all names up at the same time.
func (e *Env) find(ctx context.Context, names []Name) (all found) {
	ctx, cancel := soon(ctx)
	defer cancel()
	At(ctx, "looking up %s", hosts(names))
	all.lines = make([]string, len(names))
	faults := make([]error, len(names))
	var wait sync.WaitGroup
	for i, n := range names {
		what := n.Host + " (" + n.Role + ")"
		_, err := netip.ParseAddr(n.Host)
		switch {
		case err == nil:
			all.lines[i] = what + ": an address"
		case n.By != "":
			all.lines[i] = what + ": left to the proxy " + n.By
		default:
			all.asked++
			wait.Go(func() {
				addresses, err := e.Network.Lookup(ctx, n.Host)
				if err == nil && len(addresses) == 0 {
					err = &net.DNSError{Name: n.Host, IsNotFound: true}
				}
				if faults[i] = err; err != nil {
					all.lines[i] = what + ": " + lookupFault(err)
					return
				}
				all.lines[i] = what + ": " + list(addresses)
			})
		}
	}
	wait.Wait()
	for _, err := range faults {
		if err == nil {
			continue
		}
		if all.missing++; all.missing == 1 {
			all.remedy = lookupRemedy(err)
		}
	}
	return all
}

func hosts(names []Name) string {
	var all []string
	for _, n := range names {
		all = append(all, n.Host)
	}
	return strings.Join(all, ", ")
}

// list shows addresses, IPv4 first, and not endlessly many.
func list(addresses []netip.Addr) string {
	const most = 6
	var all []string
	for i := range addresses {
		addresses[i] = addresses[i].Unmap()
	}
	slices.SortFunc(addresses, netip.Addr.Compare)
	for _, a := range slices.Compact(addresses) {
		all = append(all, a.String())
	}
	if len(all) > most {
		all = append(all[:most], fmt.Sprintf("%d more", len(all)-most))
	}
	return strings.Join(all, ", ")
}

func lookupFault(err error) string {
	var e *net.DNSError
	if !errors.As(err, &e) {
		return err.Error()
	}
	server := "the DNS server"
	if e.Server != "" {
		server += " " + e.Server
	}
	switch {
	case e.IsNotFound:
		return "DNS knows no such name (NXDOMAIN), or no address for it"
	case e.IsTimeout, errors.Is(err, context.DeadlineExceeded):
		return server + " does not answer"
	case e.Err == "server misbehaving": // SERVFAIL, REFUSED and whatever else is no answer
		return server + " cannot or will not answer (SERVFAIL or REFUSED)"
	}
	return server + ": " + e.Err
}

func lookupRemedy(err error) string {
	var e *net.DNSError
	switch {
	case !errors.As(err, &e):
		return ""
	case e.IsNotFound:
		return "Check the spelling of the name, and that this machine's DNS servers know it; when only a proxy finds it, set HTTP_PROXY."
	case e.IsTimeout:
		return "Check which DNS servers this machine has, and allow UDP and TCP port 53 to them."
	}
	return "Ask whoever runs the DNS server why it does not answer this machine, or give the machine another one."
}
