package kerberos

import (
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

// keys are the secret keys of a keytab that somebody replaces.
type keys struct {
	path string
	log  *slog.Logger
	ours func(Key) bool // which of them count

	mu     sync.Mutex
	size   int64 // of the file as it was last looked at
	time   time.Time
	loaded []secretKey
	err    error // why it could not be read then
}

// get returns the keys as they are now in the file. While that cannot be read,
// those before serve on.
func (k *keys) get() ([]secretKey, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	var size int64
	var modified time.Time
	if info, err := os.Stat(k.path); err == nil {
		size, modified = info.Size(), info.ModTime()
	}
	if k.loaded == nil && k.err == nil || size != k.size || !modified.Equal(k.time) || size == 0 {
		k.size, k.time = size, modified
		k.read()
	}
	if k.loaded == nil {
		return nil, k.err
	}
	return k.loaded, nil
}

func (k *keys) read() {
	all, err := readKeytab(k.path)
	if err == nil {
		all = slices.DeleteFunc(all, func(s secretKey) bool { return !k.ours(s.Key) })
		if len(all) == 0 {
			err = fmt.Errorf("the keytab %s has no key of this service", k.path)
		}
	}
	known := k.err != nil && err != nil && err.Error() == k.err.Error()
	k.err = err
	switch {
	case err == nil:
		k.loaded = all
	case k.loaded != nil && !known:
		k.log.Warn("the keytab cannot be read again, the one before is used", "err", err)
	}
}

// describe names what the keys are for: "HTTP/www.corp.example@CORP.EXAMPLE
// (version 3)".
func describe(all []secretKey) string {
	var names []string
	for _, k := range all {
		name := fmt.Sprintf("%s@%s (version %d)", k.Principal, k.Realm, k.KVNO)
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}

// A service tells which principals are this service's.
type service []string

// has reports whether a principal is one. Hosts are written in any case.
func (s service) has(principal, realm string) bool {
	if len(s) == 0 {
		return isHTTP(principal)
	}
	return slices.ContainsFunc(s, func(p string) bool {
		name, r, qualified := strings.Cut(p, "@")
		return strings.EqualFold(name, principal) && (!qualified || strings.EqualFold(r, realm))
	})
}

// opens reports whether a key may open tickets. An account has the same key
// under all its names, and a keytab often only one of them.
func (s service) opens(k Key) bool { return isHTTP(k.Principal) || s.has(k.Principal, k.Realm) }

func isHTTP(principal string) bool {
	kind, host, _ := strings.Cut(principal, "/")
	return strings.EqualFold(kind, "HTTP") && host != ""
}
