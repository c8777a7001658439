//go:build unix

package directory

import (
	"encoding/binary"
	"errors"
	"time"

	"github.com/jcmturner/gokrb5/v8/types"
)

// A cachedTicket is what is needed of a credential cache: whose it is, and the
// ticket that gets tickets.
type cachedTicket struct {
	name  types.PrincipalName
	realm string

	ticket []byte // nil: there is none
	key    types.EncryptionKey
	end    time.Time
}

var errNoCache = errors.New("it is not a credential cache of version 3 or 4")

// parseCache reads a credential cache file, as MIT Kerberos documents its
// versions 3 and 4. The library's own reader trusts every length.
func parseCache(text []byte) (*cachedTicket, error) {
	r := &cacheReader{rest: text}
	version := r.number(2)
	if version != 0x0503 && version != 0x0504 {
		return nil, errNoCache
	}
	if version == 0x0504 {
		r.bytes(r.number(2)) // what the KDC's clock was off, and the like
	}
	c := &cachedTicket{}
	c.name, c.realm = r.principal()
	for len(r.rest) > 0 && !r.bad {
		t := r.credential(version == 0x0503)
		if want := "krbtgt/" + c.realm; t.name.PrincipalNameString() == want && t.realm == c.realm && t.end.After(c.end) {
			c.ticket, c.key, c.end = t.ticket, t.key, t.end
		}
	}
	if r.bad {
		return nil, errNoCache
	}
	return c, nil
}

// A cacheReader takes values off a text until one does not fit.
type cacheReader struct {
	rest []byte
	bad  bool
}

func (r *cacheReader) bytes(n uint32) []byte {
	if r.bad || uint64(n) > uint64(len(r.rest)) {
		r.bad, r.rest = true, nil
		return nil
	}
	taken := r.rest[:n]
	r.rest = r.rest[n:]
	return taken
}

// number takes an integer of so many octets.
func (r *cacheReader) number(size uint32) uint32 {
	var padded [4]byte
	copy(padded[4-size:], r.bytes(size))
	return binary.BigEndian.Uint32(padded[:])
}

func (r *cacheReader) data() []byte { return r.bytes(r.number(4)) }

func (r *cacheReader) principal() (types.PrincipalName, string) {
	name := types.PrincipalName{NameType: int32(r.number(4))}
	parts := r.number(4)
	realm := string(r.data())
	for i := uint32(0); i < parts && !r.bad; i++ {
		name.NameString = append(name.NameString, string(r.data()))
	}
	return name, realm
}

// credential takes one entry; its name and realm are the service's.
func (r *cacheReader) credential(typeTwice bool) (t cachedTicket) {
	r.principal()
	t.name, t.realm = r.principal()
	t.key.KeyType = int32(r.number(2))
	if typeTwice {
		r.number(2)
	}
	t.key.KeyValue = r.data()
	r.bytes(8) // when it was issued, and from when it is good
	t.end = time.Unix(int64(r.number(4)), 0)
	r.bytes(4 + 1 + 4) // until when it can be renewed, whether for a session, flags
	for range 2 {      // addresses, authorization data
		for n := r.number(4); n > 0 && !r.bad; n-- {
			r.bytes(2)
			r.data()
		}
	}
	t.ticket = r.data()
	r.data() // of another user
	return t
}
