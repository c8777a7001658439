package release

import (
	"crypto/ed25519"
	"errors"
	"fmt"
)

// Document writes a root document, signed by the given keys. The first root is
// signed by its own root keys, each later one by those of the root before, too.
func (r Root) Document(keys ...ed25519.PrivateKey) ([]byte, error) {
	payload, err := r.encode()
	if err == nil {
		_, err = parseRoot(payload) // whatever it says, its readers must accept
	}
	if err != nil {
		return nil, fmt.Errorf("write the root document: %w", err)
	}
	return seal(rootForm, payload, keys...).encode(), nil
}

// Document writes a releases document, signed by the given keys.
func (r *Releases) Document(keys ...ed25519.PrivateKey) ([]byte, error) {
	payload, err := r.encode()
	if err == nil {
		_, err = parseReleases(payload) // whatever they say, their readers must accept
	}
	if err != nil {
		return nil, fmt.Errorf("write the releases: %w", err)
	}
	return seal(releasesForm, payload, keys...).encode(), nil
}

// Sign adds a signature to a document, for keys that are never in one place. A
// signature that the key has made before is replaced.
func Sign(document []byte, key ed25519.PrivateKey) ([]byte, error) {
	e, err := openEnvelope(document, rootForm)
	if KindOf(err) == KindMixed {
		e, err = openEnvelope(document, releasesForm)
	}
	if err != nil {
		return nil, doingIt("read the document", err)
	}
	e.sign(key)
	return e.encode(), nil
}

// ReadRoot reads a root document and verifies that it follows the one before,
// or, when before is nil, that its own keys have signed it.
func ReadRoot(document, before []byte) (Root, error) {
	doing := "verify the root document"
	var previous *trusted
	if before != nil {
		var err error
		if previous, err = openRoot("verify the root document before it", before, nil); err != nil {
			return Root{}, err
		}
	}
	t, err := openRoot(doing, document, previous)
	if err != nil {
		return Root{}, err
	}
	return t.Root, nil
}

// LookRoot reads a root document that need not be signed yet.
func LookRoot(document []byte) (Root, error) {
	e, err := openEnvelope(document, rootForm)
	if err != nil {
		return Root{}, doingIt("read the root document", err)
	}
	return parseRoot(e.payload)
}

// ReadReleases reads a releases document and verifies that a root's keys have
// signed it. It looks at no clock: it is for those who write the next one.
func ReadReleases(document, root []byte) (*Releases, error) {
	t, err := openRoot("verify the root document", root, nil)
	if err != nil {
		return nil, err
	}
	_, r, err := openReleases(document, t)
	return r, doingIt("verify the releases", err)
}

// LookReleases reads a releases document that need not be signed yet.
func LookReleases(document []byte) (*Releases, error) {
	e, err := openEnvelope(document, releasesForm)
	if err != nil {
		return nil, doingIt("read the releases", err)
	}
	r, err := parseReleases(e.payload)
	if err != nil {
		return nil, fmt.Errorf("read the releases: %w", err)
	}
	return r, nil
}

// errNothing is what a folder without anything to publish gets.
var errNothing = errors.New("there is no program of the connector in it")
