package identity

import (
	"context"
	"errors"
	"strings"
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
	// An empty password is an unauthenticated bind (RFC 4513, section 5.1.2),
	// which many directories answer with success.
	refusal := &Refusal{Reason: WrongPassword, Detail: "the password is empty"}
	if c.Password != "" {
		err := stage(ctx, "bind", func() error { return a.Directory.Bind(ctx, user.DN, c.Password) })
		refusal = nil
		if err != nil && !errors.As(err, &refusal) {
			return Profile{}, err
		}
	}
	status := Active
	if refusal != nil {
		status = Status(refusal.Reason)
	}
	p, err := a.profile(ctx, user, !a.Policy.OmitGroups, status)
	if refusal != nil && !a.Policy.allows(refusal.Reason) {
		return Profile{}, refused(refusal, p, err)
	}
	return p, err
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
	user, err := a.find(ctx, p.Name)
	if err != nil {
		return Profile{}, err
	}
	return a.profile(ctx, user, !a.Policy.OmitGroups, Active)
}

// Search returns the profiles of the users that match q.
func (a *Authenticator) Search(ctx context.Context, q Query) ([]Profile, error) {
	users, err := a.Directory.Search(ctx, q)
	if err != nil {
		return nil, err
	}
	withGroups := !a.Policy.OmitGroups && !a.Policy.OmitGroupsInSearch
	profiles := make([]Profile, 0, len(users))
	for _, user := range users {
		p, err := a.profile(ctx, user, withGroups, "")
		if err != nil {
			return nil, err
		}
		profiles = append(profiles, p)
	}
	return profiles, nil
}

// Groups lists the directory's groups, at most limit when it is above 0.
func (a *Authenticator) Groups(ctx context.Context, limit int) ([]Group, error) {
	return a.Directory.ListGroups(ctx, limit)
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
		err := stage(ctx, "set-password", func() error { return a.Directory.SetPassword(ctx, user.DN, c.Password) })
		refusal = nil
		if err != nil && !errors.As(err, &refusal) {
			return Profile{}, err
		}
	}
	p, err := a.profile(ctx, user, !a.Policy.OmitGroups, "")
	if refusal != nil {
		return Profile{}, refused(refusal, p, err)
	}
	return p, err
}

func (a *Authenticator) find(ctx context.Context, username string) (user *Entry, err error) {
	err = stage(ctx, "find", func() error {
		if username == "" { // no filter can match it, and some directories refuse to parse it
			return &Refusal{Reason: WrongUsername, Detail: "the username is empty"}
		}
		user, err = a.Directory.Find(ctx, username)
		return err
	})
	return user, err
}

func (a *Authenticator) profile(ctx context.Context, user *Entry, withGroups bool, status Status) (p Profile, err error) {
	var groups []Group
	if withGroups {
		err := stage(ctx, "groups", func() error {
			groups, err = a.Directory.Groups(ctx, user)
			return err
		})
		if err != nil && (a.Policy.GroupsRequired || ctx.Err() != nil) {
			return Profile{}, err
		}
		if err != nil && a.GroupsFailed != nil {
			a.GroupsFailed(ctx, user, err)
		}
		if groups == nil {
			groups = []Group{}
		}
	}
	err = stage(ctx, "map", func() error {
		p, err = a.Mapper.Map(ctx, user, groups, status)
		return err
	})
	return p, err
}
