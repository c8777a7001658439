// Package kerberos proves a browser's user by HTTP Negotiate. So far it reads
// the keytabs in which the keys for that lie.
package kerberos

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/jcmturner/gokrb5/v8/keytab"
)

// DefaultKeytab is where a system keeps its keytab when nobody says otherwise.
const DefaultKeytab = "/etc/krb5.keytab"

// maxKeytab is more than any keytab, in octets.
const maxKeytab = 1 << 20

// A Key is one entry of a keytab, without the key itself.
type Key struct {
	Principal string // "HTTP/connector.corp.example"
	Realm     string // "CORP.EXAMPLE"
	KVNO      uint32 // the key's version; short ones are modulo 256
	EncType   int32  // its number (RFC 3961): 18 is AES with 256 bits
}

// KeytabPath is the keytab that KRB5_KTNAME names in an environment, else the
// system's own. Lookup is as os.LookupEnv. The error is that it names another
// kind of keytab than a file.
func KeytabPath(lookup func(string) string) (string, error) {
	name := lookup("KRB5_KTNAME")
	if name == "" {
		return DefaultKeytab, nil
	}
	kind, path, found := strings.Cut(name, ":")
	switch {
	case !found || strings.HasPrefix(name, "/"):
		return name, nil
	case kind == "FILE" || kind == "WRFILE":
		return path, nil
	}
	return "", fmt.Errorf("KRB5_KTNAME %s: only the keytabs in files can be read, FILE:PATH", name)
}

// ReadKeytab reads which keys a keytab holds.
func ReadKeytab(path string) ([]Key, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read the keytab: %w", err)
	}
	defer func() { _ = f.Close() }() // it was only read
	data, err := io.ReadAll(io.LimitReader(f, maxKeytab+1))
	if err == nil && len(data) > maxKeytab {
		err = errors.New("it is larger than any keytab")
	}
	if err != nil {
		return nil, fmt.Errorf("read the keytab %s: %w", path, err)
	}
	keys, err := parseKeytab(data)
	if err != nil {
		return nil, fmt.Errorf("read the keytab %s: %w", path, err)
	}
	return keys, nil
}

var errNoKeytab = errors.New("it is not of the form of a keytab")

func parseKeytab(data []byte) (keys []Key, err error) {
	defer func() {
		if recover() != nil { // the library's reader does not expect everything
			keys, err = nil, errNoKeytab
		}
	}()
	if len(data) < 2 || data[0] != 5 { // what it begins with, and its form
		return nil, errNoKeytab
	}
	kt := keytab.New()
	if err := kt.Unmarshal(data); err != nil {
		return nil, fmt.Errorf("%w: %w", errNoKeytab, err)
	}
	for _, e := range kt.Entries {
		keys = append(keys, Key{
			Principal: strings.Join(e.Principal.Components, "/"), Realm: e.Principal.Realm, KVNO: e.KVNO, EncType: e.Key.KeyType,
		})
	}
	return keys, nil
}
