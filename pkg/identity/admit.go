package identity

import (
	"context"
	"errors"
	"strconv"
	"time"
)

// Admit is Resolve for a login: nobody asks the directory to bind this user, so
// what a bind would have refused is read from the entry. A certificate outlives
// the account that it was issued to, and a Kerberos service ticket lives for
// hours.
func (a *Authenticator) Admit(ctx context.Context, p Principal) (Profile, error) {
	user, err := a.locate(ctx, p)
	if err != nil {
		return Profile{}, err
	}
	groups := a.readGroups(ctx, user, !a.Policy.OmitGroups)
	if reason := closed(user, time.Now()); reason != "" {
		profile, err := a.profile(ctx, user, groups, Status(reason))
		return Profile{}, refused(&Refusal{Reason: reason, Detail: "it says so in its entry"}, profile, err)
	}
	return a.profile(ctx, user, groups, Active)
}

// locate finds the entry of a user whom something else has proved.
func (a *Authenticator) locate(ctx context.Context, p Principal) (user *Entry, err error) {
	if p.Place == (Place{}) {
		return a.find(ctx, p.Name)
	}
	err = stage(ctx, "find", func(ctx context.Context) error {
		at, ok := a.Directory.(Locator)
		switch {
		case !ok:
			return errors.New("this directory finds users by their username alone")
		case p.Name == "": // as in find
			return &Refusal{Reason: WrongUsername, Detail: "the name is empty"}
		}
		user, err = at.Locate(ctx, p.Place, p.Name)
		return err
	})
	return user, err
}

// What Active Directory says of an account (MS-ADTS, sections 2.2.16 and
// 2.2.1 of MS-ADA1). Other directories say nothing that all understand.
const (
	accountDisabled = 0x2
	epoch1601       = -11644473600 // in Unix seconds: where accountExpires counts from, by 100 ns
	never           = 1<<63 - 1    // as is 0
)

// closed says why nobody may log in to an account, or "".
func closed(user *Entry, now time.Time) Reason {
	if flags, err := strconv.ParseInt(user.Value("userAccountControl"), 10, 64); err == nil && flags&accountDisabled != 0 {
		return AccountDisabled
	}
	ends, err := strconv.ParseInt(user.Value("accountExpires"), 10, 64)
	if err == nil && ends > 0 && ends != never && !now.Before(time.Unix(epoch1601+ends/1e7, ends%1e7*100)) {
		return AccountExpired
	}
	return ""
}
