package release

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// seen is what is remembered of the documents that were verified last.
type seen struct {
	Roots   [][]byte `json:"roots"`   // the envelopes of those that follow the anchor
	Keys    string   `json:"keys"`    // who signed the releases; see Role.fingerprint
	Version int64    `json:"version"` // of the releases
	Digest  string   `json:"digest"`  // of what was signed

	roots []*trusted // Roots, verified again
}

// recall reads the memory. The roots in it are verified from the anchor on, as
// if they had just been fetched: who can write to the memory can have the past
// forgotten, and make nobody trusted. What makes no sense counts as forgotten,
// for nothing else can be done about it.
func recall(m Memory, anchor *trusted) (seen, error) {
	data, err := m.Load()
	if err != nil {
		return seen{}, &Error{Doing: "recall which releases were seen", Kind: KindDisk, Err: err}
	}
	var s seen
	if sensible := len(data) <= maxMemory && decode(data, &s, false) == nil; !sensible {
		return seen{}, nil
	}
	last := anchor
	for _, envelope := range s.Roots {
		next, err := last.next("", envelope)
		if KindOf(err) == KindRootReplay {
			continue // the program has been replaced by one that knows this root from the start
		}
		if next == nil {
			break // another anchor's
		}
		s.roots = append(s.roots, next)
		last = next
	}
	return s, nil
}

// maxMemory holds as many roots as there can be.
const maxMemory = 16 << 20

// follows refuses releases that are older than those seen before, and others of
// the same version. When other keys sign now, the count begins anew: it may
// have been somebody with a stolen key who counted last.
func (s seen) follows(before seen) error {
	switch {
	case before.Keys != s.Keys:
		return nil
	case s.Version < before.Version:
		return &Error{Kind: KindRollback, Err: fmt.Errorf("it is version %d, and version %d was seen before", s.Version, before.Version)}
	case s.Version == before.Version && s.Digest != before.Digest:
		return &Error{Kind: KindMixed, Err: fmt.Errorf("it is another version %d than the one that was seen before", s.Version)}
	}
	return nil
}

// save remembers s, when it is not what was remembered before.
func (s seen) save(m Memory, before seen) error {
	for _, r := range s.roots {
		s.Roots = append(s.Roots, r.envelope)
	}
	before.roots, s.roots = nil, nil
	data, err := json.Marshal(s)
	if err != nil {
		return err
	}
	if was, err := json.Marshal(before); err == nil && bytes.Equal(was, data) {
		return nil
	}
	return m.Save(data)
}

// forgetful is the memory of who has none.
type forgetful struct{}

func (forgetful) Load() ([]byte, error) { return nil, nil }
func (forgetful) Save([]byte) error     { return nil }
