package main

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"reflect"
	"strconv"
	"sync/atomic"
	"time"

	"ad-ldap-connector/pkg/agent"
	"ad-ldap-connector/pkg/config"
	"ad-ldap-connector/pkg/keys"
	"ad-ldap-connector/pkg/wsfed"
)

// What sign-in in the browser is served with: the tenant's settings and the key
// pair that the hub is served with, too.
type signInSettings struct {
	tenant config.Tenant
	pair   *keys.Pair
}

// setSignIn has the part serve these settings from now on.
func (n *node) setSignIn(t config.Tenant, pair *keys.Pair) {
	next := &signInSettings{t, pair}
	former := n.signIn.Swap(next)
	switch {
	case former == nil:
	case former.pair.Thumbprint() == pair.Thumbprint() && reflect.DeepEqual(former.tenant, t):
		return
	case !sameKey(former.pair, pair):
		n.log.Info("the agent's key is another one: the sessions of browsers end", "part", "signin")
	}
	select {
	case n.signInChanged <- struct{}{}:
	default: // it is going to look anyway
	}
}

// serveSignIn serves browsers on PORT while the tenant has Kerberos or
// certificates on for the connection. A port that is taken degrades this part
// and stops nothing else.
func (n *node) serveSignIn(ctx context.Context, report func(agent.State, string)) error {
	for ctx.Err() == nil {
		select { // what was said before is looked at now
		case <-n.signInChanged:
		default:
		}
		s := n.signIn.Load()
		switch {
		case s == nil:
			report(agent.OK, "waits for the tenant's settings")
		case !s.tenant.Kerberos && !s.tenant.ClientCertificates:
			n.listeners.settle() // nobody would accept what comes to a port that was served before
			report(agent.OK, "off at the tenant: neither Kerberos nor certificates")
		default:
			if err := n.serveBrowsers(ctx, *s, report); err != nil {
				return err
			}
			continue
		}
		select {
		case <-ctx.Done():
		case <-n.signInChanged:
		}
	}
	return nil
}

// serveBrowsers serves until ctx ends or the settings change, and then lets
// what is in hand finish.
func (n *node) serveBrowsers(ctx context.Context, s signInSettings, report func(agent.State, string)) error {
	ways, err := n.signInWays(s)
	if err != nil {
		return err
	}
	handler, err := n.signInHandler(s, ways)
	if err != nil {
		return err
	}
	ln, err := n.listeners.open(ctx, "signin", ":"+strconv.Itoa(n.config.SignIn.Port))
	if err != nil {
		return fmt.Errorf("listen on PORT: %w", err)
	}
	defer func() { _ = ln.Close() }() // a second time is no error
	server := &http.Server{
		Handler: handler, TLSConfig: ways.tls, MaxHeaderBytes: n.config.SignIn.MaxHeaderSize,
		ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, IdleTimeout: time.Minute,
		WriteTimeout: n.config.Agent.RequestTimeout + 30*time.Second,
		ErrorLog:     slog.NewLogLogger(n.log.With("part", "signin").Handler(), slog.LevelDebug),
	}
	limited := newCrowd(ln, ways.balancer)
	fresh := &freshConns{all: map[net.Conn]bool{}}
	server.ConnState = func(c net.Conn, s http.ConnState) {
		fresh.note(c, s)
		limited.state(c, s)
	}
	server.Handler = limited.keep(handler, n.fullHouse())
	served := make(chan error, 1)
	go func() {
		if ways.tls != nil {
			served <- server.ServeTLS(limited, "", "")
			return
		}
		served <- server.Serve(limited)
	}()
	err = n.watchBrowsers(ctx, served, func() {
		state, detail := ways.health()
		report(state, fmt.Sprintf("%s listens on %s: %s", s.tenant.ServerURL, ln.Addr(), detail))
	})
	taken := errors.Is(err, net.ErrClosed) // the socket, by a process that took over
	switch {
	case taken:
		<-ctx.Done() // which is what comes next
	case err != nil:
		return fmt.Errorf("serve sign-in: %w", err)
	case ctx.Err() != nil:
		n.leaveBrowsers(server)
	}
	patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), n.config.Agent.Drain)
	defer cancel()
	server.SetKeepAlivesEnabled(false)
	_ = ln.Close() // whoever comes now is the next one's
	fresh.await(patience)
	if server.Shutdown(patience) != nil {
		_ = server.Close() // who has not finished by now does not matter any more
	}
	if !taken {
		<-served //nolint:errcheck // it was told to end
	}
	return nil
}

// leaveBrowsers serves on for a while, unless there is another node that does: a
// balancer sends browsers here until it has learnt of /readyz that it should not.
func (n *node) leaveBrowsers(server *http.Server) {
	if n.config.Signals.HealthAddr == "" || n.config.Agent.Leave == 0 || n.relieved.Load() {
		return
	}
	server.SetKeepAlivesEnabled(false) // who asks again is to come by the balancer
	time.Sleep(n.config.Agent.Leave)
}

// waysEvery is how often the ways in are looked at: a keytab may come, and a
// certificate end.
const waysEvery = 30 * time.Second

// watchBrowsers says how the ways in fare until ctx ends or the settings
// change. An error is the server's.
func (n *node) watchBrowsers(ctx context.Context, served <-chan error, say func()) error {
	again := time.NewTicker(waysEvery)
	defer again.Stop()
	for {
		say()
		select {
		case err := <-served:
			return err
		case <-ctx.Done():
			return nil
		case <-n.signInChanged:
			n.log.Info("sign-in begins anew, with other settings or keys", "part", "signin")
			return nil
		case <-again.C:
		}
	}
}

// signInHandler wires the endpoints.
func (n *node) signInHandler(s signInSettings, ways signInWays) (http.Handler, error) {
	c, t := n.config.SignIn, s.tenant
	secret, err := sessionSecret(s.pair, c)
	if err != nil {
		return nil, err
	}
	return wsfed.New(n.users, wsfed.Options{
		Signer: s.pair.Signer, Certificate: s.pair.Certificate,
		Realm: t.Realm, PostURLs: t.PostURLs, Issuer: firstIssuer(t.Issuer), Site: t.SiteName, URL: t.ServerURL,
		Ways: ways.ways, Source: ways.source,
		Secret: secret, SessionLife: c.Session, AssertionLife: c.Assertion,
		Guard: n.signInGuard, AtOnce: n.config.Directory.ParallelBinds, Within: n.config.Agent.RequestTimeout,
		Now: n.now, Log: n.log.With("part", "signin"),
		Entered: n.signedIn,
	})
}

// fullHouse warns that browsers are turned away, now and then.
func (n *node) fullHouse() func(size int) {
	var said atomic.Int64 // Unix seconds
	return func(size int) {
		now := time.Now().Unix()
		if last := said.Load(); now-last >= 10 && said.CompareAndSwap(last, now) {
			n.log.Warn("a sign-in was not tried: too many are under way", "part", "signin", "connections", size)
		}
	}
}

func sameKey(a, b *keys.Pair) bool {
	key, ok := a.Signer.Public().(interface{ Equal(crypto.PublicKey) bool })
	return ok && key.Equal(b.Signer.Public())
}

// sessionSecret is what all nodes of a connection have and nobody else: the
// private key, and the session secret where it cannot be guessed.
func sessionSecret(pair *keys.Pair, c config.SignIn) ([]byte, error) {
	key, err := x509.MarshalPKCS8PrivateKey(pair.Signer)
	if err != nil {
		return nil, fmt.Errorf("derive the key that seals sessions: %w", err)
	}
	return append(key, string(c.UsableSecret())...), nil
}

// firstIssuer is the issuer of assertions: the tenant names all domains of the
// connection, and an assertion has one.
func firstIssuer(all []string) string {
	if len(all) == 0 {
		return config.Default().Tenant.Issuer[0]
	}
	return all[0]
}

func newSignInGuard(c config.SignIn) *wsfed.Guard {
	return wsfed.NewGuard(wsfed.Limits{PerUser: c.TriesPerUser, PerSource: c.TriesPerAddress, Within: c.TriesWithin})
}
