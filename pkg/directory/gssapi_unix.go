//go:build unix

package directory

import (
	"context"
	"sync"
	"time"

	"github.com/go-ldap/ldap/v3/gssapi"
	"github.com/jcmturner/gokrb5/v8/client"
	"github.com/jcmturner/gokrb5/v8/credentials"
	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"
)

// tickets gets and keeps the service account's tickets: one login lasts hours.
// Nothing is read and nobody is asked before the first bind by Kerberos.
type tickets struct {
	o    Options
	door chan struct{} // holds a token while somebody asks the KDC

	mu    sync.Mutex
	login *login // nil: there is none
	stamp stamp  // of the keytab or the cache it was made with
}

// A login is a proof of who the service account is, and what came of it.
type login struct {
	account  *account
	tgt      *ticket // of the account's own realm
	services map[string]*ticket
}

// A ticket is what a KDC issued, and until when it is good.
type ticket struct {
	messages.Ticket
	key types.EncryptionKey
	end time.Time
}

// early is how long before its end a ticket is no longer used.
const early = 2 * time.Minute

func (t *ticket) good(now time.Time) bool { return t != nil && now.Add(early).Before(t.end) }

func newTickets(o Options) *tickets { return &tickets{o: o, door: make(chan struct{}, 1)} }

// forget drops everything, so that the next bind begins with the files.
func (t *tickets) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.login = nil
}

// start begins a security context with the service that target names, within
// ctx.
func (t *tickets) start(ctx context.Context, _ *conn, target string) (*startedContext, error) {
	select {
	case t.door <- struct{}{}:
	case <-ctx.Done():
		return nil, &kerberosError{doing: "get a Kerberos service ticket for " + target, err: givenUp(ctx), hint: kdcHint}
	}
	l, service, err := t.ticket(ctx, target)
	<-t.door
	if err != nil {
		return nil, err
	}
	started, err := l.begin(service)
	if err != nil {
		return nil, &kerberosError{doing: "use the Kerberos service ticket for " + target, err: err}
	}
	return started, nil
}

// ticket returns a service ticket. Whoever calls it holds the door.
func (t *tickets) ticket(ctx context.Context, target string) (_ *login, _ *ticket, err error) {
	defer guard(&err) // the library reads what KDCs and files hold
	now := t.o.Now()
	l, seen := t.kept()
	if l != nil {
		if service := l.services[target]; service.good(now) {
			return l, service, nil
		}
	}
	if l == nil || !l.tgt.good(now) {
		if l, err = logIn(ctx, t.o, now); err != nil {
			return nil, nil, err
		}
	}
	service, err := l.service(ctx, target)
	if err != nil {
		return nil, nil, err
	}
	l.services[target] = service
	t.mu.Lock()
	defer t.mu.Unlock()
	t.login, t.stamp = l, seen
	return l, service, nil
}

// kept returns the login there is, unless its file has changed, and the stamp
// of the file.
func (t *tickets) kept() (*login, stamp) {
	name := t.o.Kerberos.Keytab
	if name == "" {
		name = t.o.Kerberos.Cache
	}
	seen, err := stampOf(name)
	t.mu.Lock()
	defer t.mu.Unlock()
	if err == nil && seen != t.stamp {
		t.login = nil
	}
	return t.login, seen // a file that is gone does not end a login
}

// logIn proves who the service account is.
func logIn(ctx context.Context, o Options, now time.Time) (*login, error) {
	if o.Kerberos.Keytab == "" {
		return fromCache(o.Kerberos, now)
	}
	a, err := readAccount(o)
	if err != nil {
		return nil, err
	}
	l := &login{account: a, services: map[string]*ticket{}}
	l.tgt, err = a.authenticate(ctx)
	return l, err
}

// begin makes the first token for the server. The library wants a client of
// Kerberos: it gets one that finds the ticket in its cache, and so asks nobody.
func (l *login) begin(service *ticket) (s *startedContext, err error) {
	defer guard(&err)
	var cache credentials.CCache
	cache.DefaultPrincipal.Realm, cache.DefaultPrincipal.PrincipalName = l.account.realm, l.account.name
	for _, t := range []*ticket{l.tgt, service} {
		raw, err := t.Marshal()
		if err != nil {
			return nil, err
		}
		// Its times are judged here, with an eye on skewed clocks.
		c := &credentials.Credential{Key: t.key, Ticket: raw, EndTime: t.end.Add(time.Hour)}
		c.Server.Realm, c.Server.PrincipalName = t.Realm, t.SName
		cache.Credentials = append(cache.Credentials, c)
	}
	kerberos, err := client.NewFromCCache(&cache, l.account.config)
	if err != nil {
		return nil, err
	}
	gss := &gssapi.Client{Client: kerberos}
	token, more, err := gss.InitSecContext(service.SName.PrincipalNameString(), nil)
	if err != nil {
		return nil, err
	}
	return &startedContext{GSSAPIClient: &kerberosContext{gss, service.key}, token: token, more: more}, nil
}
