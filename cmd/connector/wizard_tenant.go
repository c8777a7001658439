package main

import (
	"context"
	"errors"
	"net/url"
	"slices"

	"ad-ldap-connector/pkg/tenant"
)

// provision finds the ticket and, where somebody can answer again, has the
// tenant say what it is for.
func (w *wizard) provision(ctx context.Context) error {
	text, err := w.ticketText(w.answers, *w.config)
	if err != nil {
		return err
	}
	if text == "" && !w.guided {
		w.missing = append(w.missing, "a ticket (--ticket-file, --ticket-stdin or CONNECTOR_TICKET)")
		return nil
	}
	if text != "" && !w.guided {
		w.ticket, err = readTicket(text)
		return err
	}
	for try := 1; ; try++ {
		if text == "" {
			if text, err = w.input("Ticket URL (from the tenant's connection page)", "", "https://TENANT/p/ad/XXXXXXXX"); err != nil {
				return err
			}
		}
		if w.ticket, err = readTicket(text); err == nil {
			err = w.redeem(ctx)
		}
		var usage *usageError
		again := errors.As(err, &usage) || errors.Is(err, tenant.ErrUnknownTicket)
		if err == nil || !again || try == maxTries {
			return err
		}
		w.wrong(err)
		text = ""
	}
}

// redeem asks the tenant for the connection, and for what stands between when
// it cannot be reached.
func (w *wizard) redeem(ctx context.Context) error {
	tries := map[tenant.Cause]int{} // what stands behind one hindrance shows when it is gone
	for {
		limited, cancel := context.WithTimeout(ctx, checkTime)
		conn, err := newTenant(w.transport).Connection(limited, w.ticket)
		cancel()
		if err == nil {
			w.connection = conn
			w.tell("ticket: connection %s of %s", visible(conn.Name), visible(conn.Realm))
			return nil
		}
		var e *tenant.Error
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, tenant.ErrUnknownTicket):
			return err
		case !errors.As(err, &e) || tries[e.Cause] == maxTries:
			return gaveUp("redeem-ticket", err)
		}
		tries[e.Cause]++
		w.wrong(err)
		mended, asking := w.mend(e.Cause)
		if asking != nil {
			return asking
		}
		if !mended {
			return gaveUp("redeem-ticket", err)
		}
	}
}

// mend asks for what a cause may want of the tenant's way, and reports whether
// there was an answer.
func (w *wizard) mend(cause tenant.Cause) (bool, error) {
	switch {
	case cause == tenant.CauseTLSAuthority, cause == tenant.CauseTLSSelfSigned:
		return w.askCA()
	case cause == tenant.CauseProxyAuth:
		return w.askProxyCredentials()
	case cause == tenant.CauseDNS, cause == tenant.CauseRefused, cause == tenant.CauseUnreachable, cause == tenant.CauseTimeout,
		cause == tenant.CauseClosed, cause.Of(tenant.CauseProxy):
		return w.askProxy()
	}
	return false, nil
}

func (w *wizard) askProxy() (bool, error) {
	answer, err := w.input("HTTP proxy to the tenant (empty: there is none)", "", "http://proxy.corp.example:3128")
	if err != nil || answer == "" {
		return false, err
	}
	u, err := proxyURL("the answer", answer, nil)
	if err != nil {
		w.wrong(err)
		return w.askProxy()
	}
	return true, w.goThrough(u)
}

func (w *wizard) askProxyCredentials() (bool, error) {
	u, err := proxyURL("HTTPS_PROXY", string(w.config.Network.HTTPSProxy), w.environ)
	if err == nil && u == nil {
		u, err = proxyURL("HTTP_PROXY", string(w.config.Network.Proxy), w.environ)
	}
	if err != nil || u == nil {
		return false, err
	}
	user, err := w.input("User of the proxy "+u.Host, "", "the name that the proxy knows")
	if err != nil || user == "" {
		return false, err
	}
	password, err := w.password("Password of " + user + " at the proxy")
	if err != nil {
		return false, err
	}
	u.User = url.UserPassword(user, password)
	return true, w.goThrough(u)
}

// goThrough makes u the proxy of what follows.
func (w *wizard) goThrough(u *url.URL) error {
	if err := setProxy(w.config, u); err != nil {
		return err
	}
	return w.trust()
}

// askCA asks for a file of authorities, and trusts them from here on. An empty
// answer means that there is none.
func (w *wizard) askCA() (bool, error) {
	for range maxTries {
		name, err := w.input("File of the authority's certificate (empty: give up)", "", "a PEM file; ask whoever runs that server for the certificate of its CA")
		if err != nil || name == "" {
			return false, err
		}
		given := w.answers.caFiles
		w.answers.caFiles = append(slices.Clone(given), name)
		err = w.trust()
		if err == nil {
			return true, nil
		}
		w.answers.caFiles = given
		w.wrong(err)
	}
	return false, nil
}
