package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"

	"ad-ldap-connector/pkg/config"
	"ad-ldap-connector/pkg/doctor"
	"ad-ldap-connector/pkg/tenant"
)

// networkEnv is what there is to ask of the network: all of it goes the ways
// of the runtime, by its transport.
func (a *app) networkEnv(t *target) doctor.Network {
	n := doctor.Network{Lookup: func(ctx context.Context, host string) ([]netip.Addr, error) {
		return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	}}
	for _, raw := range t.config.Directory.URLs {
		if u, err := url.Parse(raw); err == nil && u.Hostname() != "" && !isDomain(u) { // a domain's servers are asked for by other records
			n.Names = append(n.Names, doctor.Name{Role: "directory", Host: u.Hostname()})
		}
	}
	if path := t.config.Network.CAPath; path != "" {
		n.Authorities = func() (string, error) {
			_, count, err := trustCAs(path, t.config.Network.CAFile)
			return fmt.Sprintf("CA certificates besides the system's: %d, of %s", count, path), err
		}
	}
	if t.home != nil && t.home.Exists() && t.configured {
		n.Trust = t.trust
	}
	if t.tenant == "" {
		return n
	}
	w := newWay(a, t)
	n.Names = slices.Concat(w.names(), n.Names)
	n.Routes, n.Pass, n.ProxyNotes = w.routes, w.pass, w.proxyNotes()
	n.Test, n.Handshake, n.Hub = w.test, w.handshake, w.visit
	if !t.ticket.IsZero() {
		n.Info = w.told
	}
	if c := t.config.Tenant; t.home != nil && t.configured && c.Connection != "" && c.Hub != "" {
		n.Accepted = w.accepted
	}
	return n
}

// A way leads to the tenant and its hub.
type way struct {
	app    *app
	target *target

	origin  string // of the tenant: https://HOST:PORT
	own     bool   // the tenant is the ticket's
	hub     string // its URL; "" when only the ticket tells
	guessed bool   // nobody has told it

	choose   func(*http.Request) (*url.URL, error) // the proxy; nil: there is none
	proxyErr error                                 // what is wrong with its settings

	info once[tenant.Connection]
	seen once[doctor.Handshake]
}

// once keeps an answer, once there is one. Who comes while it is waited for
// waits too.
type once[T any] struct {
	mu    sync.Mutex
	value *T
}

func (o *once[T]) get(ask func() (T, error)) (T, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.value != nil {
		return *o.value, nil
	}
	v, err := ask()
	if err == nil {
		o.value = &v
	}
	return v, err
}

// newWay finds out where the tenant's hub and proxies are. The target names a
// tenant.
func newWay(a *app, t *target) *way {
	w := &way{app: a, target: t, origin: "https://" + withPort(t.tenant)}
	w.own = !t.ticket.IsZero() && withPort(t.ticket.Host()) == withPort(t.tenant)
	if w.own {
		w.origin = originOf(t.ticket) // which may be http:// on this machine
	}
	w.hub, w.guessed = w.knownHub()
	w.choose, _, w.proxyErr = proxies(t.config.Network, a.environ)
	w.hideProxies()
	return w
}

// knownHub is where the hub is. What the home has learnt holds for the home's
// tenant; a tenant without a ticket has it, as far as is known, at /lo/hub.
func (w *way) knownHub() (raw string, guessed bool) {
	t := w.target
	learnt := t.config.Tenant.Hub
	switch {
	case w.own && t.other:
		return "", false
	case w.own, learnt != "" && hostOf(learnt) == t.tenant:
		return learnt, false
	}
	return w.origin + "/lo/hub", true
}

// places are the URLs that the connector asks for, by role.
func (w *way) places() (all []place) {
	all = append(all, place{"tenant", w.origin})
	if w.hub != "" {
		all = append(all, place{"hub", secureScheme(w.hub)})
	}
	return all
}

type place struct{ role, url string }

// secureScheme is the URL of a websocket as the proxies know it.
func secureScheme(raw string) string {
	if rest, ok := strings.CutPrefix(raw, "ws"); ok {
		return "http" + rest
	}
	return raw
}

// proxyOf returns the proxy for a URL; nil when the way is direct.
func (w *way) proxyOf(raw string) *url.URL {
	u, err := url.Parse(raw)
	if err != nil || w.choose == nil {
		return nil
	}
	proxy, err := w.choose(&http.Request{URL: u})
	if err != nil {
		return nil
	}
	return proxy
}

// hideProxies keeps the proxies' credentials out of every report, wherever they
// came from.
func (w *way) hideProxies() {
	for _, p := range w.places() {
		proxy := w.proxyOf(p.url)
		if proxy == nil {
			continue
		}
		if password, ok := proxy.User.Password(); ok {
			w.target.secrets.add(password)
			w.target.secrets.add(base64.StdEncoding.EncodeToString([]byte(proxy.User.Username() + ":" + password)))
		}
	}
}

// names are the hosts of tenant, hub and proxies, each once.
func (w *way) names() (all []doctor.Name) {
	if w.proxyErr != nil {
		return nil // who looks them up is not known either
	}
	add := func(n doctor.Name) {
		if n.Host != "" && !slices.ContainsFunc(all, func(o doctor.Name) bool { return o.Host == n.Host }) {
			all = append(all, n)
		}
	}
	for _, p := range w.places() {
		n := doctor.Name{Role: p.role, Host: hostname(p.url)}
		if proxy := w.proxyOf(p.url); proxy != nil {
			n.By = bare(proxy)
			add(doctor.Name{Role: "proxy", Host: proxy.Hostname()})
		}
		add(n)
	}
	return all
}

// routes are the ways to tenant and hub.
func (w *way) routes() ([]doctor.Route, error) {
	if w.proxyErr != nil {
		return nil, w.proxyErr
	}
	var all []doctor.Route
	for _, p := range w.places() {
		r := doctor.Route{Role: p.role, To: address(p.url)}
		switch proxy := w.proxyOf(p.url); {
		case proxy != nil:
			r.Proxy, r.Credentials = bare(proxy), proxy.User != nil
		case w.choose == nil:
			r.Why = "for no proxy is set"
		case loopback(hostname(p.url)):
			r.Why = "for no proxy is asked for this machine itself"
		default:
			r.Why = "for NO_PROXY lists it"
		}
		all = append(all, r)
	}
	return all, nil
}

// proxyNotes say what a proxy that works here does not say of itself.
func (w *way) proxyNotes() (notes []string) {
	c := w.target.config
	if len(c.Directory.URLs) > 0 {
		notes = append(notes, "the directory is reached without the proxy, always")
	}
	for _, key := range []string{"HTTP_PROXY", "HTTPS_PROXY"} {
		value := map[string]config.Secret{"HTTP_PROXY": c.Network.Proxy, "HTTPS_PROXY": c.Network.HTTPSProxy}[key]
		if effective(key, string(value), w.app.environ) != "" && (value == "" || c.Source(key) == "environment") {
			notes = append(notes, key+" is of this command's environment, and a service has another one: connector config set "+key+" ...")
		}
	}
	return notes
}
