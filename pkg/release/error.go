package release

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// A Kind names one way to fail, for programs. Kinds may grow; they are never
// renamed.
type Kind string

// Refusals: something is there, and is not to be believed. Each is one of the
// attacks that The Update Framework lists, or looks like one.
const (
	KindSignature  Kind = "signature"   // a key that is not trusted, too few keys, or a signature of something else
	KindExpired    Kind = "expired"     // a document whose time is over: somebody may hide a newer one (freeze)
	KindRollback   Kind = "rollback"    // releases older than those seen before
	KindRootReplay Kind = "root-replay" // an older root in a newer one's place
	KindMixed      Kind = "mixed"       // a document in another's place, or another one under the same version
	KindMalformed  Kind = "malformed"   // no document, or not one as they are written
	KindTruncated  Kind = "truncated"   // a file shorter than its release says
	KindHash       Kind = "hash"        // a file of the right size with other octets
	KindTooLarge   Kind = "too-large"   // more octets than there should be, or without end
	KindTooSlow    Kind = "too-slow"    // so few octets that the rest would never come
)

// What is not to be had.
const (
	KindNoRoot  Kind = "no-root" // this build trusts nobody
	KindAddress Kind = "address" // Options.URL is none
	KindSystem  Kind = "system"  // no program for this system
	KindVersion Kind = "version" // no such release
	KindStep    Kind = "step"    // another release must be installed first
)

// Ordinary trouble.
const (
	KindCanceled Kind = "canceled"  // the caller gave up
	KindNetwork  Kind = "network"   // the line, its name or its TLS
	KindNotFound Kind = "not-found" // the server has no such document or file
	KindBusy     Kind = "busy"      // the server says to come back later, and did so at each try
	KindCaptive  Kind = "captive"   // a page for people in place of a document
	KindStatus   Kind = "status"    // any other HTTP status
	KindDisk     Kind = "disk"      // a file of this machine could not be read or written
)

// An Error says what was being done and why it did not work.
type Error struct {
	Doing string // "fetch the releases from https://releases.example/"
	Kind  Kind
	Err   error // the reason: its text ends ours, and errors.Is and As reach it

	hint      string        // a better one than the kind's
	transient bool          // it may be well the next time
	after     time.Duration // and not before; 0: whenever
}

func (e *Error) Error() string { return fmt.Sprintf("%s: %v", e.Doing, e.Err) }

// Unwrap returns the reason.
func (e *Error) Unwrap() error { return e.Err }

// Hint returns one imperative sentence that says what to do about it; "" when
// there is nothing to be said.
func (e *Error) Hint() string {
	if e.hint != "" {
		return e.hint
	}
	var inner interface{ Hint() string }
	if errors.As(e.Err, &inner) && inner.Hint() != "" {
		return inner.Hint()
	}
	return hints[e.Kind]
}

// Refused reports whether something was there and was not to be believed, as
// against trouble in getting at it.
func (e *Error) Refused() bool {
	switch e.Kind {
	case KindSignature, KindExpired, KindRollback, KindRootReplay, KindMixed, KindMalformed,
		KindTruncated, KindHash, KindTooLarge, KindTooSlow:
		return true
	}
	return false
}

// KindOf returns the kind of an *Error in err, or "".
func KindOf(err error) Kind {
	if e := (*Error)(nil); errors.As(err, &e) {
		return e.Kind
	}
	return ""
}

// hints holds one for each kind that has a cure.
var hints = map[Kind]string{
	KindSignature:  "Do not install it: ask whoever serves the releases, and check UPDATE_ROOT_FILE when you sign releases yourself.",
	KindExpired:    "Check this machine's clock; if it is right, what serves the releases has stopped being renewed, or hides newer ones: try from another network.",
	KindRollback:   "Try again later or from another network: something between here and the releases serves an old copy.",
	KindRootReplay: "Try again later or from another network: something between here and the releases serves an old copy.",
	KindMixed:      "Try again later or from another network; whoever serves the releases must publish all documents of one time together.",
	KindMalformed:  "Check the address of the releases, and whether a proxy or a firewall answers in its place.",
	KindTruncated:  "Try again; if it is the same again, the copy is damaged where it is served.",
	KindHash:       "Do not install it: somebody has changed the file. Fetch the release from another network, and tell whoever serves it.",
	KindTooLarge:   "Do not install it: somebody serves another file. Fetch the release from another network, and tell whoever serves it.",
	KindTooSlow:    "Try again from a faster line, or carry the release here in a bundle: connector update --from FILE.",

	KindNoRoot:  "Name the root document of those whose releases you trust in UPDATE_ROOT_FILE, or install a published build.",
	KindAddress: "Write the folder's address as https://HOST/PATH/.",
	KindSystem:  "Build the connector for this system from its source, or install the release on another one.",
	KindVersion: "List the releases there are with: connector update --check",

	KindNetwork:  "Allow outbound connections to the releases in the firewall, or carry a bundle here: connector update --from FILE.",
	KindNotFound: "Check the address of the releases: it is the folder that holds releases.json.",
	KindBusy:     "Try again later.",
	KindCaptive:  "Open the address of the releases in a browser on this machine, and clear what stands in the way, such as a login page.",
	KindStatus:   "Check the address of the releases, and whether a proxy asks for credentials.",
	KindDisk:     "Check that the folder can be written to and has room.",
}

// canceled turns whatever went wrong into KindCanceled when the caller gave up.
func canceled(ctx context.Context, doing string, err error) error {
	if ctx.Err() == nil {
		return err
	}
	return &Error{Doing: doing, Kind: KindCanceled, Err: context.Cause(ctx)}
}
