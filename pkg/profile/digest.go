package profile

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"hash"
	"strings"

	"github.com/dop251/goja"
)

// hashes are those that a script may use: to make ids, not to keep secrets.
var hashes = map[string]func() hash.Hash{
	"md5": md5.New, "sha1": sha1.New, "sha224": sha256.New224, "sha256": sha256.New,
	"sha384": sha512.New384, "sha512": sha512.New,
}

// digest hashes data, with a key if there is one (RFC 2104).
func digest(algorithm string, key goja.Value, data []byte) ([]byte, error) {
	name := strings.ReplaceAll(strings.ToLower(algorithm), "-", "")
	newHash, ok := hashes[name]
	if !ok {
		return nil, fmt.Errorf("unknown digest %.40q", algorithm)
	}
	h := newHash()
	if secret, ok := octets(key); ok {
		h = hmac.New(newHash, secret)
	}
	_, _ = h.Write(data) // a hash never refuses
	return h.Sum(nil), nil
}
