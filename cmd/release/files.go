package main

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"ad-ldap-connector/pkg/release"
)

// draftSuffix marks a document that lacks signatures.
const draftSuffix = ".draft"

const releasesName = "releases.json"

// writeNew writes a file that must not be there yet.
func writeNew(name string, data []byte, mode fs.FileMode) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Sync(), f.Close())
}

// replace writes a document, whole or not at all.
func replace(name string, data []byte) error {
	temp := filepath.Join(filepath.Dir(name), "."+filepath.Base(name)+".tmp")
	_ = os.Remove(temp) // an interrupted run left it; if it stays, the next line says so
	err := writeNew(temp, data, 0o644)
	if err == nil {
		err = os.Rename(temp, name)
	}
	if err != nil {
		_ = os.Remove(temp) // the first error is the one to tell
	}
	return err
}

// newestRoot returns the last root of a folder and its version, 0 when there is
// none. All roots are verified on the way.
func newestRoot(folder string) (data []byte, n int64, err error) {
	for {
		next, err := os.ReadFile(filepath.Join(folder, release.RootName(n+1)))
		if errors.Is(err, fs.ErrNotExist) {
			return data, n, nil
		}
		if err == nil {
			_, err = release.ReadRoot(next, data)
		}
		if err != nil {
			return nil, 0, fmt.Errorf("%s: %w", release.RootName(n+1), err)
		}
		data, n = next, n+1
	}
}

// land signs a document and puts it at its place, when it has all signatures,
// or else beside it as a draft.
func (m *maintainer) land(folder, name string, document []byte, keys []string) error {
	var pairs []ed25519.PrivateKey
	for _, k := range keys {
		pair, err := m.unlock(k)
		if err != nil {
			return err
		}
		pairs = append(pairs, pair)
	}
	for _, pair := range pairs {
		var err error
		if document, err = release.Sign(document, pair); err != nil {
			return err
		}
	}
	final := filepath.Join(folder, name)
	if err := complete(folder, name, document); err != nil {
		if err := replace(final+draftSuffix, document); err != nil {
			return err
		}
		m.say("%s needs more signatures: %v", final+draftSuffix, err)
		return nil
	}
	if err := replace(final, document); err != nil {
		return err
	}
	m.say("%s is complete", final)
	return remove(final + draftSuffix)
}

func remove(name string) error {
	if err := os.Remove(name); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// complete reports as an error what a document lacks.
func complete(folder, name string, document []byte) error {
	root, n, err := newestRoot(folder)
	if err != nil {
		return err
	}
	if name == releasesName {
		if n == 0 {
			return errors.New("there is no root yet")
		}
		_, err := release.ReadReleases(document, root)
		return err
	}
	if want := release.RootName(n + 1); !strings.EqualFold(name, want) {
		return fmt.Errorf("the next root is %s", want)
	}
	_, err = release.ReadRoot(document, root)
	return err
}
