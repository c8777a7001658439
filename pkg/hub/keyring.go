package hub

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// How the tenant's published keys are kept (behaviour of the newer existing
// connector, but for the last).
const (
	keysFresh    = 10 * time.Minute // they are used so long without asking again
	keysApart    = 30 * time.Second // between two times of asking
	keysPatience = 10 * time.Second // for one answer
	// keysLast is how long they are used while the tenant cannot be asked: its
	// hub may well work meanwhile, and logins with it.
	keysLast = time.Hour
)

// A keyring has the keys that the tenant publishes. They are read by a
// goroutine of its own; whoever wants them anew only says so.
type keyring struct {
	read func(context.Context) ([]byte, error)
	told func(err error, ids []string) // of each reading

	wanted chan struct{} // holds one at most

	mu      sync.Mutex // guards what follows
	keys    []publicKey
	asked   time.Time     // when it was last begun to read them
	reading bool          // since then
	got     time.Time     // when they were last read well
	err     error         // of the last reading; nil when it went well
	changed chan struct{} // closed and replaced after each reading
}

func newKeyring(read func(context.Context) ([]byte, error)) *keyring {
	return &keyring{
		read: read, told: func(error, []string) {},
		wanted: make(chan struct{}, 1), changed: make(chan struct{}),
	}
}

// want has the keys read anew, soon, unless they are being read already.
func (k *keyring) want() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.signal()
}

// signal is want for those who hold the lock.
func (k *keyring) signal() {
	if k.reading {
		return
	}
	select {
	case k.wanted <- struct{}{}:
	default: // somebody wants it already
	}
}

// run reads the keys whenever that is wanted, and now and then while there are
// none, until ctx ends.
func (k *keyring) run(ctx context.Context) {
	for {
		select {
		case <-k.wanted:
		case <-ctx.Done():
			return
		}
		k.mu.Lock()
		wait := time.Duration(0)
		if !k.asked.IsZero() {
			wait = keysApart - time.Since(k.asked)
		}
		k.mu.Unlock()
		if !sleep(ctx, wait) {
			return
		}
		if !k.renew(ctx) {
			k.want()
		}
	}
}

// renew reads the keys, and reports whether there are some now.
func (k *keyring) renew(ctx context.Context) bool {
	k.mu.Lock()
	k.asked, k.reading = time.Now(), true
	select {
	case <-k.wanted: // meant this reading
	default:
	}
	k.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, keysPatience)
	defer cancel()
	var keys []publicKey
	data, err := k.read(ctx)
	if err == nil {
		if keys, err = parseKeySet(data); err != nil {
			err = fmt.Errorf("the keys that the tenant publishes: %w", err)
		}
	}
	k.mu.Lock()
	k.reading = false
	if k.err = err; err == nil {
		k.keys, k.got = keys, time.Now()
	}
	some := len(k.keys) > 0
	var ids []string
	for _, key := range k.keys {
		ids = append(ids, printable(key.id))
	}
	close(k.changed)
	k.changed = make(chan struct{})
	k.mu.Unlock()
	k.told(err, ids)
	return some
}

// fault says why no token can be verified now; nil when some can, or when that
// is not known yet.
func (k *keyring) fault() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.usable() {
		return nil
	}
	return k.err
}

// usable: the caller holds the lock.
func (k *keyring) usable() bool { return len(k.keys) > 0 && time.Since(k.got) < keysLast }

// await returns nil when a token can be judged now. Else the keys are being
// read anew, because they are old or do not have the token's, and the channel
// is closed once that is done, or has failed.
func (k *keyring) await(token string) <-chan struct{} {
	id, err := keyID(token)
	if err != nil {
		return nil // it will be refused
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	known := k.usable() && len(k.find(id)) > 0
	if known && time.Since(k.got) < keysFresh {
		return nil
	}
	k.signal()
	if known && k.err != nil { // it was tried a moment ago; the next trial would be half a minute away
		return nil
	}
	return k.changed
}

// find returns the keys of that ID or, for a token without one, the only key.
// The caller holds the lock.
func (k *keyring) find(id string) (found []publicKey) {
	if id == "" {
		if len(k.keys) == 1 {
			found = k.keys
		}
		return found
	}
	for _, key := range k.keys {
		if key.id == id {
			found = append(found, key)
		}
	}
	return found
}

var (
	errNoKeys     = errors.New("the tenant's keys are not known")
	errUnknownKey = errors.New("the token's key is not among those that the tenant publishes")
)

// key is jwt.Keyfunc. It picks the key by the token's ID, and refuses every
// algorithm that is not the key's own: a token must not choose it (RFC 8725,
// section 3.1).
func (k *keyring) key(t *jwt.Token) (any, error) {
	id, err := keyIDOf(t.Header)
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.usable() {
		return nil, errNoKeys
	}
	var fits jwt.VerificationKeySet
	for _, key := range k.find(id) {
		if slices.Contains(key.methods, t.Method.Alg()) {
			fits.Keys = append(fits.Keys, key.key)
		}
	}
	if len(fits.Keys) == 0 {
		return nil, errUnknownKey
	}
	return fits, nil
}

// maxHeader bounds a token's header, in octets of base64.
const maxHeader = 8 << 10

// keyID reads the ID from the header of a token that nobody has verified; ""
// when there is none.
func keyID(token string) (string, error) {
	text, _, ok := strings.Cut(token, ".")
	if !ok || len(text) > maxHeader {
		return "", errUnknownKey
	}
	data, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return "", errUnknownKey
	}
	var header map[string]any
	if json.Unmarshal(data, &header) != nil {
		return "", errUnknownKey
	}
	return keyIDOf(header)
}

func keyIDOf(header map[string]any) (string, error) {
	switch id := header["kid"].(type) {
	case nil:
		return "", nil
	case string:
		return id, nil
	}
	return "", errUnknownKey
}
