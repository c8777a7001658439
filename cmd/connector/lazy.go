package main

import (
	"context"
	"io"
	"sync"
	"time"

	"ad-ldap-connector/pkg/directory"
	"ad-ldap-connector/pkg/identity"
)

// A lazy value is one that a part brings up while others already run. Whoever
// needs it meanwhile waits, up to their own deadline.
type lazy[T io.Closer] struct {
	mu    sync.Mutex
	v     T
	err   error
	there bool
	ready chan struct{} // closed once v or err is set
}

func (l *lazy[T]) waiting() chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ready == nil {
		l.ready = make(chan struct{})
	}
	return l.ready
}

// set makes v the value, or err the reason why there is none. A value of an
// earlier run of the part is closed.
func (l *lazy[T]) set(v T, err error) {
	ready := l.waiting()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.there {
		_ = l.v.Close() // its part ended badly; there is nobody to tell
	}
	l.v, l.err, l.there = v, err, err == nil
	select {
	case <-ready:
	default:
		close(ready)
	}
}

func (l *lazy[T]) get(ctx context.Context) (v T, err error) {
	select {
	case <-l.waiting():
	case <-ctx.Done():
		return v, context.Cause(ctx)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.v, l.err
}

// peek returns the value, if there is one yet, and waits for nothing.
func (l *lazy[T]) peek() (v T, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.v, l.there
}

// settled reports whether the value has come, or has been given up.
func (l *lazy[T]) settled() bool {
	select {
	case <-l.waiting():
		return true
	default:
		return false
	}
}

// failed reports why there is no value, or nil.
func (l *lazy[T]) failed() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// Close closes the value, if there is one.
func (l *lazy[T]) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.there {
		return nil
	}
	return l.v.Close()
}

// A lazyMapper is a mapper on its way.
type lazyMapper struct {
	lazy[*closingMapper]
	watch stageWatch
}

func (l *lazyMapper) Map(ctx context.Context, user *identity.Entry, groups []identity.Group, status identity.Status) (p identity.Profile, err error) {
	defer l.watch.end("map", time.Now(), &err)
	m, err := l.get(ctx)
	if err != nil {
		return identity.Profile{}, err
	}
	return m.Map(ctx, user, groups, status)
}

// A lazyDirectory is a directory client on its way.
type lazyDirectory struct {
	lazy[*directory.Client]
	groupsRead func() // learns that a user's groups could be read; may be nil
	watch      stageWatch
}

var (
	_ identity.Directory = (*lazyDirectory)(nil)
	_ identity.Locator   = (*lazyDirectory)(nil)
)

func (l *lazyDirectory) Find(ctx context.Context, username string) (user *identity.Entry, err error) {
	defer l.watch.end("find", time.Now(), &err)
	d, err := l.get(ctx)
	if err != nil {
		return nil, err
	}
	return d.Find(ctx, username)
}

func (l *lazyDirectory) Locate(ctx context.Context, at identity.Place, name string) (user *identity.Entry, err error) {
	defer l.watch.end("find", time.Now(), &err)
	d, err := l.get(ctx)
	if err != nil {
		return nil, err
	}
	return d.Locate(ctx, at, name)
}

func (l *lazyDirectory) Bind(ctx context.Context, dn string, password identity.Password) (err error) {
	defer l.watch.end("bind", time.Now(), &err)
	d, err := l.get(ctx)
	if err != nil {
		return err
	}
	return d.Bind(ctx, dn, password)
}

func (l *lazyDirectory) Groups(ctx context.Context, user *identity.Entry) (groups []identity.Group, err error) {
	defer l.watch.end("groups", time.Now(), &err)
	d, err := l.get(ctx)
	if err != nil {
		return nil, err
	}
	groups, err = d.Groups(ctx, user)
	if err == nil && l.groupsRead != nil {
		l.groupsRead()
	}
	return groups, err
}

func (l *lazyDirectory) Search(ctx context.Context, q identity.Query) (users []*identity.Entry, err error) {
	defer l.watch.end("search", time.Now(), &err)
	d, err := l.get(ctx)
	if err != nil {
		return nil, err
	}
	return d.Search(ctx, q)
}

func (l *lazyDirectory) ListGroups(ctx context.Context, limit int) (groups []identity.Group, err error) {
	defer l.watch.end("list-groups", time.Now(), &err)
	d, err := l.get(ctx)
	if err != nil {
		return nil, err
	}
	return d.ListGroups(ctx, limit)
}

func (l *lazyDirectory) SetPassword(ctx context.Context, dn string, password identity.Password) (err error) {
	defer l.watch.end("set-password", time.Now(), &err)
	d, err := l.get(ctx)
	if err != nil {
		return err
	}
	return d.SetPassword(ctx, dn, password)
}
