package release

import (
	"fmt"
	"slices"
)

// Channels for a Query.
const (
	Stable     = "stable" // of who names none
	AnyChannel = "*"      // all that there is, as in a bundle that somebody chose already
)

// A Query says which release is wanted.
type Query struct {
	OS, Arch string  // of this machine, as GOOS and GOARCH have them
	Channel  string  // "": stable
	Current  Version // what is installed: only what may be stepped to from there is chosen; zero: whatever it is
	To       Version // this one and no other, in whatever channel; zero: the newest
}

// Choose returns the newest release of the channel that has a program for the
// system and that Current may step to, and the program. It may be what is
// installed, or older: compare the versions. The error is of KindVersion,
// KindSystem or KindStep.
func (r *Releases) Choose(q Query) (Release, File, error) {
	if q.Channel == "" {
		q.Channel = Stable
	}
	if !q.To.IsZero() {
		return r.exactly(q)
	}
	doing, there, toward := "choose a release", false, Version{}
	for _, one := range r.Releases { // newest first
		if q.Channel != AnyChannel && !slices.Contains(one.Channels, q.Channel) {
			continue
		}
		there = true
		f, ok := one.Program(q.OS, q.Arch)
		if !ok {
			continue
		}
		if q.reaches(one) {
			return one, f, nil
		}
		toward = one.From
	}
	switch {
	case !toward.IsZero():
		return Release{}, File{}, q.step(doing, toward)
	case there:
		return Release{}, File{}, q.system(doing, fmt.Sprintf("the channel %q", q.Channel))
	}
	return Release{}, File{}, &Error{Doing: doing, Kind: KindVersion, Err: fmt.Errorf("there is none in the channel %q", q.Channel),
		hint: "Follow one of the channels that there are: " + r.channels()}
}

func (r *Releases) exactly(q Query) (Release, File, error) {
	doing := fmt.Sprintf("choose release %s", q.To)
	one, ok := r.Find(q.To)
	if !ok {
		return Release{}, File{}, &Error{Doing: doing, Kind: KindVersion, Err: fmt.Errorf("there is none, or it has been withdrawn")}
	}
	f, ok := one.Program(q.OS, q.Arch)
	if !ok {
		return Release{}, File{}, q.system(doing, "it")
	}
	if !q.reaches(one) {
		return Release{}, File{}, q.step(doing, one.From)
	}
	return one, f, nil
}

// reaches reports whether the installed version may be followed by a release.
func (q Query) reaches(r Release) bool {
	return q.Current.IsZero() || q.Current.Compare(r.From) >= 0
}

func (q Query) system(doing, where string) error {
	return &Error{Doing: doing, Kind: KindSystem, Err: fmt.Errorf("%s has no program for %s/%s", where, q.OS, q.Arch)}
}

func (q Query) step(doing string, from Version) error {
	return &Error{Doing: doing, Kind: KindStep, Err: fmt.Errorf("only %s and later may be updated to it, and %s is installed", from, q.Current),
		hint: q.way(from)}
}

func (q Query) way(from Version) string {
	if q.To.IsZero() {
		return fmt.Sprintf("Install version %s or a later one in between by hand.", from)
	}
	return "Update to the newest release that can be reached first, by leaving out --to; that may be one in between."
}

// channels lists those there are, for people.
func (r *Releases) channels() string {
	var names []string
	for _, one := range r.Releases {
		names = append(names, one.Channels...)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	if len(names) == 0 {
		return "none yet"
	}
	return fmt.Sprint(names)
}
