package doctor

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

var directoryChecks = slices.Concat(serverChecks, contentChecks, accountChecks)

var serverChecks = []Check{
	{
		ID: "directory.srv", Title: "The domain's DNS records name its servers", Severity: Blocks,
		Probe:   probeRecords,
		Remedy:  "Let this machine ask the DNS servers of the domain, or name the servers in LDAP_URL.",
		Command: "connector config set LDAP_URL ldaps://dc1.corp.example",
	},
	{
		ID: "directory.reach", Title: "A server of the directory can be reached", Severity: Blocks,
		Needs:   []ID{"network.dns-directory", "directory.srv"},
		Probe:   probeReach,
		Remedy:  "Open the way from this machine to the directory's port, 389 or 636, or correct LDAP_URL.",
		Command: "connector config set LDAP_URL ldaps://dc1.corp.example",
	},
	{
		ID: "directory.servers", Title: "All servers of the directory can be reached", Severity: Warns,
		Needs:  []ID{"directory.reach"},
		Probe:  probeAllServers,
		Remedy: "Bring the servers that are named back, or take them out of LDAP_URL: the others carry their load.",
	},
	{
		ID: "tls.directory", Title: "The directory's certificates are trusted", Severity: Blocks,
		Needs:  []ID{"directory.reach"},
		Probe:  probeDirectoryTLS,
		Remedy: "Put the certificate of the authority that issued the server's into the SSL_CA_PATH folder.",
		Fix:    trustFix(shownByDirectory),
	},
	{
		ID: "tls.directory-expiry", Title: "The directory's certificates last a while yet", Severity: Warns,
		Needs:  []ID{"tls.directory"},
		Probe:  probeDirectoryExpiry,
		Remedy: "Renew the server's certificate before it ends: no login passes without it.",
	},
	{
		ID: "directory.cleartext", Title: "No password crosses the network in the clear", Severity: Warns,
		Needs:   []ID{"directory.reach"},
		Probe:   probeCleartext,
		Remedy:  "Use ldaps:// in LDAP_URL, or set LDAP_STARTTLS.",
		Command: "connector config set LDAP_STARTTLS true",
	},
	{
		ID: "directory.signing", Title: "A hardened domain controller would take our binds", Severity: Warns,
		Needs:  []ID{"tls.directory"},
		Probe:  probeSigning,
		Remedy: "Bind over TLS, with LDAP_BIND_METHOD simple or external: that is what LDAP signing and channel binding leave alone.",
	},
	{
		ID: "directory.anonymous", Title: "The directory shows nothing to strangers", Severity: Warns,
		Needs:  []ID{"tls.directory"},
		Probe:  probeAnonymous,
		Remedy: "Let nobody search the directory who has not bound; the connector needs no such right.",
	},
	{
		ID: "directory.rootdse", Title: "The directory holds the base DN, by its own account", Severity: Warns,
		Needs:   []ID{"tls.directory"},
		Probe:   probeRootDSE,
		Remedy:  "Set LDAP_BASE to a DN at or below one of those that are named.",
		Command: "connector config set LDAP_BASE DC=corp,DC=example",
	},
	{
		ID: "directory.clock", Title: "The directory's clock agrees with this machine's", Severity: Warns,
		Needs:  []ID{"tls.directory"},
		Probe:  probeDirectoryClock,
		Remedy: "Let this machine and the domain controllers take their time from the same source.",
	},
}

// noDirectory is why nothing can be asked of the directory.
const noDirectory = "no directory is configured: LDAP_URL is not set"

// reached asks each server whether it can be reached, all at the same time, and
// returns those that can and what is wrong with the others.
func (d Directory) reached(ctx context.Context) (good []Server, bad []error, err error) {
	At(ctx, "the list of servers")
	all, err := d.Servers(ctx)
	if err != nil {
		return nil, nil, err
	}
	At(ctx, "connecting to %s", urls(all))
	faults := make([]error, len(all))
	var wait sync.WaitGroup
	for i, s := range all {
		wait.Go(func() { _, faults[i] = d.Reach(ctx, s) })
	}
	wait.Wait()
	for i, s := range all {
		if faults[i] == nil {
			good = append(good, s)
		} else {
			bad = append(bad, faults[i])
		}
	}
	return good, bad, nil
}

func urls(servers []Server) string {
	names := make([]string, len(servers))
	for i, s := range servers {
		names[i] = s.URL
	}
	return strings.Join(names, ", ")
}

func probeRecords(ctx context.Context, e *Env) Outcome {
	if e.Directory.Records == nil {
		return Skip(noDirectory)
	}
	At(ctx, "the SRV records of %s", strings.Join(e.Config.Directory.URLs, ", "))
	domains, found, err := e.Directory.Records(ctx)
	switch {
	case err != nil:
		return failure(err)
	case len(domains) == 0:
		return Skip("LDAP_URL names the servers themselves")
	}
	return Pass(strings.Join(found, ", "))
}

func probeRootDSE(ctx context.Context, e *Env) Outcome {
	if e.Directory.About == nil {
		return Skip(noDirectory)
	}
	good, _, err := e.Directory.reached(ctx)
	if err != nil || len(good) == 0 {
		return Skip("no server could be asked")
	}
	At(ctx, "the root DSE of %s", good[0].URL)
	about, err := e.Directory.About(ctx, good[0])
	kind := strings.TrimSpace(about.Kind + " " + about.Vendor)
	switch {
	case err != nil:
		return failure(err)
	case len(about.Bases) == 0:
		return Skip("the server says nothing of itself to strangers")
	case !about.Holds && e.Config.Directory.BaseDN != "":
		return Outcome{
			Status: Failed, Observed: strings.Join(about.Bases, "; "), Required: e.Config.Directory.BaseDN,
			Detail: good[0].URL + " does not say that it holds " + e.Config.Directory.BaseDN,
		}
	}
	return Pass(strings.TrimSpace(kind + ", " + strings.Join(about.Bases, "; ")))
}

func probeReach(ctx context.Context, e *Env) Outcome {
	if e.Directory.Reach == nil {
		return Skip(noDirectory)
	}
	good, bad, err := e.Directory.reached(ctx)
	switch {
	case err != nil:
		return failure(err)
	case len(good) == 0 && len(bad) == 0:
		return Fail("LDAP_URL names no server")
	case len(good) == 0:
		return Outcome{Status: Failed, Observed: fmt.Sprintf("none of %d", len(bad)), Detail: lines(bad)}
	}
	return Pass(urls(good))
}

func lines(errs []error) string {
	texts := make([]string, len(errs))
	for i, err := range errs {
		texts[i] = err.Error()
	}
	return strings.Join(texts, "\n")
}

func probeAllServers(ctx context.Context, e *Env) Outcome {
	if e.Directory.Reach == nil {
		return Skip(noDirectory)
	}
	good, bad, err := e.Directory.reached(ctx)
	switch {
	case err != nil:
		return failure(err)
	case len(good)+len(bad) < 2:
		return Skip("there is one server")
	case len(bad) > 0:
		return Outcome{Status: Failed, Observed: fmt.Sprintf("%d of %d", len(good), len(good)+len(bad)), Detail: lines(bad)}
	}
	return Pass(fmt.Sprintf("all %d", len(good)))
}

// peers shakes hands with each server that can be reached and is to be spoken
// to over TLS.
func (d Directory) peers(ctx context.Context) (map[string]Peer, []error, error) {
	good, _, err := d.reached(ctx)
	if err != nil {
		return nil, nil, err
	}
	peers := map[string]Peer{}
	var bad []error
	for _, s := range good {
		if !s.TLS {
			continue
		}
		At(ctx, "the TLS handshake with %s", s.URL)
		p, err := d.Peer(ctx, s)
		if err == nil {
			err = p.Fault
		}
		if err != nil {
			bad = append(bad, err)
			continue
		}
		peers[s.URL] = p
	}
	return peers, bad, nil
}

func probeDirectoryTLS(ctx context.Context, e *Env) Outcome {
	if e.Directory.Peer == nil {
		return Skip(noDirectory)
	}
	peers, bad, err := e.Directory.peers(ctx)
	switch {
	case err != nil:
		return failure(err)
	case len(bad) > 0:
		o := failure(bad[0])
		o.Detail = lines(bad)
		return o
	case len(peers) == 0:
		return Skip("the directory is not spoken to over TLS")
	}
	var seen []string
	for server, p := range peers {
		seen = append(seen, server+": "+p.Version)
	}
	slices.Sort(seen)
	return Pass(strings.Join(seen, ", "))
}

func probeDirectoryExpiry(ctx context.Context, e *Env) Outcome {
	if e.Directory.Peer == nil {
		return Skip(noDirectory)
	}
	peers, _, err := e.Directory.peers(ctx)
	switch {
	case err != nil:
		return failure(err)
	case len(peers) == 0:
		return Skip("the directory is not spoken to over TLS")
	}
	var soon []string
	first := time.Time{}
	for server, p := range peers {
		for _, c := range p.Certificates {
			if first.IsZero() || c.NotAfter.Before(first) {
				first = c.NotAfter
			}
			if left := c.NotAfter.Sub(e.now()); left < certificateWarns {
				soon = append(soon, fmt.Sprintf("%s: the certificate of %s ends on %s, in %s", server, c.Subject,
					c.NotAfter.UTC().Format(time.DateOnly), count(int(left.Hours()/24), "day", "days")))
			}
		}
	}
	if len(soon) > 0 {
		slices.Sort(soon)
		return Outcome{
			Status: Failed, Observed: "until " + first.UTC().Format(time.DateOnly),
			Required: fmt.Sprintf("%d days before the end", int(certificateWarns.Hours()/24)), Detail: strings.Join(soon, "\n"),
		}
	}
	return Pass("until " + first.UTC().Format(time.DateOnly))
}

func probeCleartext(ctx context.Context, e *Env) Outcome {
	if e.Directory.About == nil {
		return Skip(noDirectory)
	}
	good, _, err := e.Directory.reached(ctx)
	if err != nil {
		return failure(err)
	}
	var bare []string
	for _, s := range good {
		if s.TLS || s.Loopback {
			continue
		}
		text := s.URL + " is spoken to in the clear"
		At(ctx, "the root DSE of %s", s.URL)
		if about, err := e.Directory.About(ctx, s); err == nil && about.StartTLS {
			text += "; it offers StartTLS"
		}
		bare = append(bare, text)
	}
	if len(bare) > 0 {
		return Fail(strings.Join(bare, "\n"))
	}
	return Pass("TLS, or this machine")
}

func probeSigning(ctx context.Context, e *Env) Outcome {
	d := e.Directory
	if d.InClear == nil {
		return Skip(noDirectory)
	}
	good, _, err := d.reached(ctx)
	if err != nil || len(good) == 0 {
		return Skip("no server could be asked")
	}
	s := good[0]
	At(ctx, "the root DSE of %s", s.URL)
	about, err := d.About(ctx, s)
	if err == nil && about.Kind != "ad" && about.Kind != "samba" {
		return Skip("it is a matter of Active Directory")
	}
	At(ctx, "a bind in clear at %s", s.URL)
	requires := "it is not known whether it already does"
	if takes, err := d.InClear(ctx, s); err == nil && takes {
		requires = "this one does not yet insist"
	} else if err == nil {
		requires = "this one already insists"
	}
	switch {
	case d.GSSAPI:
		return Fail("the service account binds by GSSAPI, without signing or sealing, which a hardened domain controller refuses; " + requires)
	case !s.TLS:
		return Fail("passwords go in the clear, which a hardened domain controller refuses; " + requires)
	}
	return Pass("simple binds over TLS; " + requires)
}

func probeAnonymous(ctx context.Context, e *Env) Outcome {
	if e.Directory.Anonymous == nil {
		return Skip(e.noContent())
	}
	good, _, err := e.Directory.reached(ctx)
	if err != nil || len(good) == 0 {
		return Skip("no server could be asked")
	}
	At(ctx, "an anonymous search at %s", good[0].URL)
	open, err := e.Directory.Anonymous(ctx, good[0])
	switch {
	case err != nil:
		return failure(err)
	case open:
		return Fail(good[0].URL + " lets anybody search below " + e.Config.Directory.BaseDN + " who can reach it")
	}
	return Pass("anonymous searches are refused")
}

// directoryClockWarns is how far apart the directory's clock may be: it says
// whole seconds.
const directoryClockWarns = 5 * time.Second

func probeDirectoryClock(ctx context.Context, e *Env) Outcome {
	if e.Directory.About == nil {
		return Skip(noDirectory)
	}
	good, _, err := e.Directory.reached(ctx)
	if err != nil || len(good) == 0 {
		return Skip("no server could be asked")
	}
	At(ctx, "the root DSE of %s", good[0].URL)
	about, err := e.Directory.About(ctx, good[0])
	switch {
	case err != nil:
		return failure(err)
	case about.Time.IsZero():
		return Skip("this directory does not tell its time")
	}
	apart := about.Time.Sub(about.Read)
	o := Pass(fmt.Sprintf("%s apart", apart.Abs().Round(time.Second)))
	if apart.Abs() > directoryClockWarns {
		o.Status, o.Required = Failed, directoryClockWarns.String()
		o.Detail = fmt.Sprintf("%s says %s, this machine %s", good[0].URL, about.Time.UTC().Format(time.RFC3339), about.Read.UTC().Format(time.RFC3339))
	}
	return o
}

// hostOf returns the host of a reference, or the whole of what is none.
func hostOf(reference string) string {
	if u, err := url.Parse(reference); err == nil && u.Host != "" {
		return u.Hostname()
	}
	return reference
}
