package clientcert

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"
)

// A status is what somebody says of a certificate.
type status int

const (
	unknown status = iota
	good
	revoked
)

// clockSkew is how far an authority's clock may be off.
const clockSkew = 5 * time.Minute

// How long answers are kept.
const (
	keepAtLeast = time.Minute // also that there was none
	keepList    = time.Hour   // at most: lists are issued before they are due
	keepAnswer  = 10 * time.Minute
	maxKept     = 256
)

// revocations finds out whether certificates have been revoked, and remembers
// what it was told.
type revocations struct {
	policy Revocation
	lists  []string
	fetch  *fetcher
	now    func() time.Time
	log    *slog.Logger

	mu   sync.Mutex
	kept map[string]*entry
}

// An entry is one answer, or one on its way.
type entry struct {
	ready chan struct{}
	until time.Time
	stamp string // of a file
	crl   *crl
	s     status
	err   error
}

func newRevocations(o Options) *revocations {
	return &revocations{policy: o.Revocation, lists: o.CRLs, fetch: newFetcher(o.Dial), now: o.Now, log: o.Log, kept: map[string]*entry{}}
}

// askTime bounds what one login waits for, whoever does not answer.
const askTime = 10 * time.Second

// maxPaths bounds how many ways to an authority are looked at.
const maxPaths = 4

// check looks for a chain none of whose certificates has been revoked. All but
// the last, which the operator trusts as it is, are looked at.
func (r *revocations) check(ctx context.Context, chains [][]*x509.Certificate) (err error) {
	if r.policy == RevocationOff {
		return nil
	}
	for _, chain := range chains[:min(len(chains), maxPaths)] {
		if err = r.chain(ctx, chain); err == nil {
			return nil
		}
	}
	return err
}

func (r *revocations) chain(ctx context.Context, chain []*x509.Certificate) error {
	asking, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	for i, cert := range chain[:len(chain)-1] {
		s, err := r.ask(asking, cert, chain[i+1])
		switch {
		case s == revoked && i == 0:
			return deny(Revoked, cert, "")
		case s == revoked:
			return deny(Revoked, chain[0], "its authority %.120q has been", cert.Subject)
		case s == unknown && ctx.Err() != nil:
			return context.Cause(ctx) // a browser that went away says nothing of its certificate
		case s == unknown && r.policy == RevocationHard:
			return deny(Unknown, chain[0], "%v", err)
		case s == unknown:
			r.log.Info("nobody says whether a client certificate has been revoked; it is taken", "subject", cert.Subject.String(), "err", err)
		}
	}
	return nil
}

// ask asks everybody until somebody knows: the operator's lists, the responder
// that the certificate names, and then its lists. Only certificates that lead
// to an authority of CA_CERT come here, so no stranger sends us anywhere.
func (r *revocations) ask(ctx context.Context, cert, issuer *x509.Certificate) (status, error) {
	var faults []error
	note := func(where string, err error) {
		if err != nil {
			faults = append(faults, fmt.Errorf("%.200s: %w", where, err))
		}
	}
	now := r.now()
	for _, name := range r.lists {
		s, err := r.byList(ctx, name, cert, issuer, now)
		if s != unknown {
			return s, nil
		}
		note(name, err)
	}
	const most = 2 // of each kind: the others are copies
	for _, url := range cert.OCSPServer[:min(len(cert.OCSPServer), most)] {
		s, err := r.byOCSP(ctx, url, cert, issuer, now)
		if s != unknown {
			return s, nil
		}
		note(url, err)
	}
	tried := 0
	for _, url := range cert.CRLDistributionPoints {
		if !isURL(url) || tried == most {
			continue // AD CS names LDAP first, which has nothing that http has not
		}
		tried++
		s, err := r.byList(ctx, url, cert, issuer, now)
		if s != unknown {
			return s, nil
		}
		note(url, err)
	}
	if len(faults) == 0 {
		return unknown, errors.New("it names nobody to ask over http, and CLIENT_CERT_CRL has nothing of its authority")
	}
	return unknown, errors.Join(faults...)
}

func isURL(name string) bool {
	name = strings.ToLower(name)
	return strings.HasPrefix(name, "http://") || strings.HasPrefix(name, "https://")
}

func (r *revocations) byList(ctx context.Context, name string, cert, issuer *x509.Certificate, now time.Time) (status, error) {
	stamp := ""
	if !isURL(name) {
		info, err := os.Stat(name)
		if err != nil {
			return unknown, err
		}
		if !info.Mode().IsRegular() {
			return unknown, errors.New("it is not a file")
		}
		stamp = fmt.Sprint(info.Size(), info.ModTime())
	}
	e := r.remember(ctx, "list "+name, stamp, now, func(ctx context.Context, e *entry) {
		e.until = now.Add(keepAtLeast)
		if e.crl, e.err = r.list(ctx, name); e.err == nil {
			e.until = within(e.crl.list.NextUpdate, now, keepList)
		}
	})
	if e.err != nil {
		return unknown, e.err
	}
	return e.crl.judge(cert, issuer, now)
}

func (r *revocations) list(ctx context.Context, name string) (*crl, error) {
	var data []byte
	var err error
	if isURL(name) {
		data, err = r.fetch.get(ctx, name, nil, "", maxCRL)
	} else {
		data, err = readList(name)
	}
	if err != nil {
		return nil, err
	}
	return parseCRL(data)
}

// readList reads a regular file: to open a pipe would wait for ever.
func readList(name string) ([]byte, error) {
	if info, err := os.Stat(name); err != nil {
		return nil, err
	} else if !info.Mode().IsRegular() {
		return nil, errors.New("it is not a file")
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	data, err := io.ReadAll(io.LimitReader(f, maxCRL+1))
	if err == nil && len(data) > maxCRL {
		err = fmt.Errorf("it has more than %d octets", maxCRL)
	}
	return data, err
}

func (r *revocations) byOCSP(ctx context.Context, url string, cert, issuer *x509.Certificate, now time.Time) (status, error) {
	key := sha256.Sum256(append(append([]byte(url+"\x00"), issuer.Raw...), cert.Raw...))
	e := r.remember(ctx, "ocsp "+string(key[:]), "", now, func(ctx context.Context, e *entry) {
		var until time.Time
		e.until = now.Add(keepAtLeast)
		if e.s, until, e.err = r.fetch.askOCSP(ctx, url, cert, issuer, now); e.err == nil {
			e.until = within(until, now, keepAnswer)
		}
	})
	return e.s, e.err
}

// within is how long something is kept that its maker would have us keep until
// then.
func within(until, now time.Time, most time.Duration) time.Time {
	if until.IsZero() || until.After(now.Add(most)) {
		return now.Add(most)
	}
	if least := now.Add(keepAtLeast); until.Before(least) {
		return least
	}
	return until
}

// remember returns what is known under a key, or finds it out: one does, and
// those who come meanwhile wait for it. The question goes on when its asker
// leaves, within its own bounds: others want the answer too.
func (r *revocations) remember(ctx context.Context, key, stamp string, now time.Time, find func(context.Context, *entry)) *entry {
	r.mu.Lock()
	e := r.kept[key]
	if e == nil || e.stamp != stamp || isReady(e) && !now.Before(e.until) {
		e = &entry{ready: make(chan struct{}), stamp: stamp}
		r.forget(now)
		r.kept[key] = e
		go func() {
			defer close(e.ready)
			defer func() {
				if p := recover(); p != nil {
					e.crl, e.s, e.until, e.err = nil, unknown, now.Add(keepAtLeast), fmt.Errorf("it cannot be read: %v", p)
				}
			}()
			find(context.WithoutCancel(ctx), e)
		}()
	}
	r.mu.Unlock()
	select {
	case <-e.ready:
		return e
	case <-ctx.Done():
		return &entry{err: context.Cause(ctx)}
	}
}

func isReady(e *entry) bool {
	select {
	case <-e.ready:
		return true
	default:
		return false
	}
}

// forget makes room: of what is over, else of anything. The lock is held.
func (r *revocations) forget(now time.Time) {
	if len(r.kept) < maxKept {
		return
	}
	for key, e := range r.kept {
		if isReady(e) && !now.Before(e.until) {
			delete(r.kept, key)
		}
	}
	for key := range r.kept {
		if len(r.kept) < maxKept {
			return
		}
		delete(r.kept, key)
	}
}
