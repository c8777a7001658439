package kerberos

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/jcmturner/gokrb5/v8/keytab"
	"github.com/jcmturner/gokrb5/v8/types"
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
	secrets, err := readKeytab(path)
	if err != nil {
		return nil, err
	}
	keys := make([]Key, len(secrets))
	for i, s := range secrets {
		keys[i] = s.Key
	}
	return keys, nil
}

// A secretKey is one entry of a keytab, whole.
type secretKey struct {
	Key
	secret types.EncryptionKey
}

func readKeytab(path string) ([]secretKey, error) {
	data, err := readSmall(path)
	if err != nil {
		return nil, fmt.Errorf("read the keytab: %w", err)
	}
	keys, err := parseKeytab(data)
	if err != nil {
		return nil, fmt.Errorf("read the keytab %s: %w", path, err)
	}
	return keys, nil
}

// readSmall reads a file that is not large. To open a pipe would wait for ever.
func readSmall(path string) ([]byte, error) {
	if info, err := os.Stat(path); err != nil {
		return nil, err
	} else if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: it is not a file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	data, err := io.ReadAll(io.LimitReader(f, maxKeytab+1))
	if err == nil && len(data) > maxKeytab {
		err = fmt.Errorf("%s: it is larger than any keytab", path)
	}
	return data, err
}

var errNoKeytab = errors.New("it is not of the form of a keytab")

func parseKeytab(data []byte) (keys []secretKey, err error) {
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
		return nil, errNoKeytab // what the library says quotes what it read, and so keys
	}
	for _, e := range kt.Entries {
		k := Key{Principal: strings.Join(e.Principal.Components, "/"), Realm: e.Principal.Realm, KVNO: e.KVNO, EncType: e.Key.KeyType}
		keys = append(keys, secretKey{Key: k, secret: e.Key})
	}
	return keys, nil
}
