package identity

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
)

// Policy is what the operator allows despite the directory, and what the
// tenant is told.
type Policy struct {
	AllowPasswordExpired        bool
	AllowPasswordChangeRequired bool
	OmitGroups                  bool // profiles say nothing of groups (GROUPS=false)
	OmitGroupsInSearch          bool // nor do those of a search
	GroupsRequired              bool // a login whose groups could not be read is a fault
}

func (p Policy) allows(r Reason) bool {
	return r == PasswordExpired && p.AllowPasswordExpired ||
		r == PasswordChangeRequired && p.AllowPasswordChangeRequired
}

// An Authenticator turns credentials into profiles. It is safe for concurrent
// use.
type Authenticator struct {
	Directory Directory
	Mapper    Mapper
	Policy    Policy
	// GroupsFailed, if not nil, learns of each login that went on without
	// groups because they could not be read.
	GroupsFailed func(ctx context.Context, user *Entry, err error)
}

// Authenticate returns the profile of the user whose password is right. When
// the directory refuses, the error is a *Refusal that carries the profile, if
// the user was found.
func (a *Authenticator) Authenticate(ctx context.Context, c Credentials) (Profile, error) {
	user, err := a.find(ctx, c.Username)
	if err != nil {
		return Profile{}, err
	}
	refusal, groups, err := a.prove(ctx, user, c.Password)
	if err != nil {
		return Profile{}, err
	}
	status := Active
	if refusal != nil {
		status = Status(refusal.Reason)
	}
	p, err := a.profile(ctx, user, groups, status)
	if refusal != nil && !a.Policy.allows(refusal.Reason) {
		return Profile{}, refused(refusal, p, err)
	}
	return p, err
}

// prove tries the password, and reads the groups meanwhile: the profile needs
// them whatever the answer, and where the directory is far away that is one
// round trip less.
func (a *Authenticator) prove(ctx context.Context, user *Entry, password Password) (*Refusal, reading, error) {
	// An empty password is an unauthenticated bind (RFC 4513, section 5.1.2),
	// which many directories answer with success.
	if password == "" {
		return &Refusal{Reason: WrongPassword, Detail: "the password is empty"}, a.readGroups(ctx, user, !a.Policy.OmitGroups), nil
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	groups := a.startGroups(ctx, user)
	err := stage(ctx, "bind", func(ctx context.Context) error { return a.Directory.Bind(ctx, user.DN, password) })
	var refusal *Refusal
	if err != nil && !errors.As(err, &refusal) {
		cancel()
		groups()
		return nil, reading{}, err
	}
	return refusal, groups(), nil
}

// refused completes the directory's no with the user's profile. A profile that
// could not be made does not turn the no into a fault: the tenant counts wrong
// passwords, and must learn of this one.
func refused(r *Refusal, p Profile, err error) *Refusal {
	full := &Refusal{Reason: r.Reason, Profile: p, Detail: r.Detail}
	if err != nil {
		full.Detail = strings.TrimPrefix(full.Detail+"; no profile: "+err.Error(), "; ")
	}
	return full
}

// Resolve returns the profile of a user whom something else has proved.
func (a *Authenticator) Resolve(ctx context.Context, p Principal) (Profile, error) {
	user, err := a.locate(ctx, p)
	if err != nil {
		return Profile{}, err
	}
	return a.profile(ctx, user, a.readGroups(ctx, user, !a.Policy.OmitGroups), Active)
}

// searchWorkers is how many of a search's profiles are made at a time.
const searchWorkers = 8

// Search returns the profiles of the users that match q, in the directory's
// order.
func (a *Authenticator) Search(ctx context.Context, q Query) ([]Profile, error) {
	var users []*Entry
	err := stage(ctx, "search", func(ctx context.Context) (err error) {
		users, err = a.Directory.Search(ctx, q)
		return err
	})
	if err != nil {
		return nil, err
	}
	profiles := make([]Profile, len(users))
	ctx, cancel := context.WithCancelCause(withoutTrace(ctx))
	defer cancel(nil)
	next := make(chan int)
	var workers sync.WaitGroup
	for range min(searchWorkers, len(users)) {
		workers.Go(func() {
			for i := range next {
				var err error
				if profiles[i], err = a.found(ctx, users[i]); err != nil {
					cancel(err) // the first error is the cause; the others have none to wait for
				}
			}
		})
	}
	for i := range users {
		next <- i
	}
	close(next)
	workers.Wait()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return profiles, nil
}

// found returns the profile of a user that a search found.
func (a *Authenticator) found(ctx context.Context, user *Entry) (p Profile, err error) {
	defer guard(&err, user)
	if ctx.Err() != nil {
		return Profile{}, ctx.Err()
	}
	withGroups := !a.Policy.OmitGroups && !a.Policy.OmitGroupsInSearch
	return a.profile(ctx, user, a.readGroups(ctx, user, withGroups), "")
}

// guard turns a panic in a goroutine of our own into an error: it would end the
// process.
func guard(err *error, user *Entry) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("make the profile of %s: %v", user.DN, p)
	}
}

// Groups lists the directory's groups, at most limit when it is above 0.
func (a *Authenticator) Groups(ctx context.Context, limit int) (groups []Group, err error) {
	err = stage(ctx, "list-groups", func(ctx context.Context) error {
		groups, err = a.Directory.ListGroups(ctx, limit)
		return err
	})
	return groups, err
}

// ChangePassword gives the user a new password and returns the profile. A
// directory that does not take it makes the error a *Refusal that carries the
// profile, if the user was found.
func (a *Authenticator) ChangePassword(ctx context.Context, c Credentials) (Profile, error) {
	user, err := a.find(ctx, c.Username)
	if err != nil {
		return Profile{}, err
	}
	// Replacing a password with nothing would delete it.
	refusal := &Refusal{Reason: PasswordTooWeak, Detail: "the new password is empty"}
	if c.Password != "" {
		err := stage(ctx, "set-password", func(ctx context.Context) error { return a.Directory.SetPassword(ctx, user.DN, c.Password) })
		refusal = nil
		if err != nil && !errors.As(err, &refusal) {
			return Profile{}, err
		}
	}
	p, err := a.profile(ctx, user, a.readGroups(ctx, user, !a.Policy.OmitGroups), "")
	if refusal != nil {
		return Profile{}, refused(refusal, p, err)
	}
	return p, err
}

func (a *Authenticator) find(ctx context.Context, username string) (user *Entry, err error) {
	err = stage(ctx, "find", func(ctx context.Context) error {
		if username == "" { // no filter can match it, and some directories refuse to parse it
			return &Refusal{Reason: WrongUsername, Detail: "the username is empty"}
		}
		user, err = a.Directory.Find(ctx, username)
		return err
	})
	return user, err
}

// A reading is what came of reading a user's groups.
type reading struct {
	groups []Group // nil when profiles say nothing of groups
	err    error
	report func() // tells the trace
}

// readGroups reads the groups of user, if they are wanted.
func (a *Authenticator) readGroups(ctx context.Context, user *Entry, wanted bool) reading {
	if !wanted {
		return reading{report: func() {}}
	}
	var r reading
	r.report, r.err = begin(ctx, "groups", func(ctx context.Context) (err error) {
		r.groups, err = a.Directory.Groups(ctx, user)
		return err
	})
	if r.groups == nil {
		r.groups = []Group{}
	}
	return r
}

// startGroups begins to read the groups of user, and returns what waits for
// them. It must be called.
func (a *Authenticator) startGroups(ctx context.Context, user *Entry) func() reading {
	if a.Policy.OmitGroups {
		return func() reading { return a.readGroups(ctx, user, false) }
	}
	done := make(chan reading, 1)
	go func() {
		r := reading{groups: []Group{}, report: func() {}}
		defer func() { done <- r }()
		defer guard(&r.err, user)
		r = a.readGroups(ctx, user, true)
	}()
	return func() reading { return <-done }
}

// profile maps user, and groups unless they are nil.
func (a *Authenticator) profile(ctx context.Context, user *Entry, r reading, status Status) (p Profile, err error) {
	r.report()
	if r.err != nil && (a.Policy.GroupsRequired || ctx.Err() != nil) {
		return Profile{}, r.err
	}
	if r.err != nil && a.GroupsFailed != nil {
		a.GroupsFailed(ctx, user, r.err)
	}
	err = stage(ctx, "map", func(ctx context.Context) error {
		p, err = a.Mapper.Map(ctx, user, r.groups, status)
		return err
	})
	return p, err
}
