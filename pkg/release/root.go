package release

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Root says who signs what. Versions begin with 1 and follow each other
// without a gap.
type Root struct {
	Version  int64
	Expires  time.Time
	Root     Role // signs the next root, and this one
	Releases Role // signs the releases
}

// A Role is the keys that may sign one kind of document, and how many of them
// must.
type Role struct {
	Keys      []ed25519.PublicKey
	Threshold int
}

// wireRoot is the payload of a root document.
type wireRoot struct {
	Format  int                 `json:"format"` // 1
	Version int64               `json:"version"`
	Expires time.Time           `json:"expires"`
	Keys    map[string][]byte   `json:"keys"`  // Ed25519 public keys by KeyID, base64
	Roles   map[string]wireRole `json:"roles"` // "root" and "releases"
}

type wireRole struct {
	Keys      []string `json:"keys"`
	Threshold int      `json:"threshold"`
}

const (
	roleRoot     = "root"
	roleReleases = "releases"
	maxRoleKeys  = 16
	wireFormat   = 1
)

// parseRoot reads the payload of a root document. What it does not know, it
// refuses: a rule about keys that is overlooked is no rule.
func parseRoot(payload []byte) (Root, error) {
	var w wireRoot
	if err := decode(payload, &w, true); err != nil {
		return Root{}, err
	}
	r := Root{Version: w.Version, Expires: w.Expires.UTC()}
	switch {
	case w.Format != wireFormat:
		return Root{}, fmt.Errorf("it is written in format %d, and this connector reads %d: install a newer one by hand", w.Format, wireFormat)
	case w.Version < 1:
		return Root{}, errors.New("it has no version")
	case w.Expires.IsZero():
		return Root{}, errors.New("it has no expiry")
	}
	for id, key := range w.Keys {
		if len(key) != ed25519.PublicKeySize || KeyID(key) != id {
			return Root{}, fmt.Errorf("the key %q is not what its name says", short(id))
		}
	}
	used := map[string]bool{}
	for name, role := range w.Roles {
		to := map[string]*Role{roleRoot: &r.Root, roleReleases: &r.Releases}[name]
		if to == nil {
			return Root{}, fmt.Errorf("it has a role %q, which this connector does not know", short(name))
		}
		to.Threshold = role.Threshold
		for _, id := range role.Keys {
			if w.Keys[id] == nil || slices.ContainsFunc(to.Keys, func(k ed25519.PublicKey) bool { return bytes.Equal(k, w.Keys[id]) }) {
				return Root{}, fmt.Errorf("the role %q names the key %q, which is not there or named twice", name, short(id))
			}
			to.Keys = append(to.Keys, w.Keys[id])
			used[id] = true
		}
	}
	if len(used) != len(w.Keys) {
		return Root{}, errors.New("it has keys that are for nothing")
	}
	return r, r.check()
}

func (r Root) check() error {
	for name, role := range map[string]Role{roleRoot: r.Root, roleReleases: r.Releases} {
		if role.Threshold < 1 || role.Threshold > len(role.Keys) || len(role.Keys) > maxRoleKeys {
			return fmt.Errorf("the role %q has %d keys of which %d must sign", name, len(role.Keys), role.Threshold)
		}
	}
	return nil
}

// encode writes the payload that parseRoot reads.
func (r Root) encode() ([]byte, error) {
	w := wireRoot{Format: wireFormat, Version: r.Version, Expires: r.Expires.UTC(), Keys: map[string][]byte{}, Roles: map[string]wireRole{}}
	for name, role := range map[string]Role{roleRoot: r.Root, roleReleases: r.Releases} {
		out := wireRole{Threshold: role.Threshold}
		for _, k := range role.Keys {
			out.Keys = append(out.Keys, KeyID(k))
			w.Keys[KeyID(k)] = k
		}
		w.Roles[name] = out
	}
	return json.MarshalIndent(w, "", " ")
}

func (r Role) byID() map[string]ed25519.PublicKey {
	keys := map[string]ed25519.PublicKey{}
	for _, k := range r.Keys {
		keys[KeyID(k)] = k
	}
	return keys
}

// satisfied reports as an error when too few of the role's keys have signed.
func (r Role) satisfied(signers map[string]bool) error {
	n := 0
	for id := range r.byID() {
		if signers[id] {
			n++
		}
	}
	if n < r.Threshold {
		return &Error{Kind: KindSignature, Err: fmt.Errorf("%d of the keys that must sign it have, and %d are needed", n, r.Threshold)}
	}
	return nil
}

// fingerprint changes whenever other keys, or another number of them, sign.
func (r Role) fingerprint() string {
	ids := slices.Sorted(maps.Keys(r.byID()))
	return fingerprint([]byte(strconv.Itoa(r.Threshold) + " " + strings.Join(ids, " ")))
}

// A trusted root is one that has been verified, with its envelope.
type trusted struct {
	Root
	envelope []byte
}

// openAnchor reads the root that is trusted for where it came from. That its
// own keys have signed it shows that it is whole.
func openAnchor(data []byte) (*trusted, error) {
	return openRoot("read the root document that is trusted from the start", data, nil)
}

// next verifies the root that follows t.
func (t *trusted) next(doing string, data []byte) (*trusted, error) { return openRoot(doing, data, t) }

// openRoot verifies a root by the keys of the one before, if there is one, and
// by its own.
func openRoot(doing string, data []byte, before *trusted) (*trusted, error) {
	e, err := openEnvelope(data, rootForm)
	if err != nil {
		return nil, doingIt(doing, err)
	}
	r, err := parseRoot(e.payload)
	if err != nil {
		return nil, &Error{Doing: doing, Kind: KindMalformed, Err: err}
	}
	known := r.Root.byID()
	if before != nil {
		// Said before the signatures are judged: an old root has old ones, and
		// the reason is that it is old.
		if err := r.follows(before.Version); err != nil {
			return nil, doingIt(doing, err)
		}
		maps.Copy(known, before.Root.Root.byID())
	}
	// The keys of the root before an anchor are not known.
	signers, err := e.signers(known, before == nil)
	if err == nil && before != nil {
		err = before.Root.Root.satisfied(signers)
	}
	if err == nil {
		err = r.Root.satisfied(signers)
	}
	if err != nil {
		return nil, doingIt(doing, err)
	}
	return &trusted{r, data}, nil
}

func (r Root) follows(before int64) error {
	switch {
	case r.Version <= before:
		return &Error{Kind: KindRootReplay, Err: fmt.Errorf("it is version %d, which version %d has replaced", r.Version, before)}
	case r.Version > before+1:
		return &Error{Kind: KindMixed, Err: fmt.Errorf("it is version %d where version %d should be", r.Version, before+1)}
	}
	return nil
}

// doingIt says what was being done when an *Error without that came up.
func doingIt(doing string, err error) error {
	if e := (*Error)(nil); errors.As(err, &e) && e.Doing == "" {
		e.Doing = doing
	}
	return err
}
