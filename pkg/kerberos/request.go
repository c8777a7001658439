package kerberos

import (
	"crypto/rand"
	"encoding/asn1"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jcmturner/gokrb5/v8/crypto"
	"github.com/jcmturner/gokrb5/v8/iana/chksumtype"
	"github.com/jcmturner/gokrb5/v8/iana/keyusage"
	"github.com/jcmturner/gokrb5/v8/iana/nametype"
	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"
)

// A keytabProver judges tokens by the keys of a keytab.
type keytabProver struct {
	o       Options
	service service
	keys    *keys
	seen    *replays
}

func newKeytabProver(o Options) *keytabProver {
	s := service(o.Principals)
	return &keytabProver{o: o, service: s, keys: &keys{path: o.Keytab, log: o.Log, ours: s.opens}, seen: newReplays(o.Skew)}
}

func (k *keytabProver) check() (string, error) {
	all, err := k.keys.get()
	if err != nil {
		return "", err
	}
	return describe(all), nil
}

// guard makes a denial of a panic: the library's parsers do not expect all that
// browsers can send.
func guard(err *error) {
	if recover() != nil {
		*err = deny(Malformed, "its parser broke off")
	}
}

// prove judges an AP-REQ (RFC 4120, section 3.2.3). Addresses in tickets are
// not looked at: between browsers and this service there may be anything.
func (k *keytabProver) prove(t token, ours []binding) (p proof, err error) {
	defer guard(&err)
	all, err := k.keys.get()
	if err != nil {
		return proof{}, err
	}
	var req messages.APReq
	if err := req.Unmarshal(t.request); err != nil {
		return proof{}, deny(Malformed, "it is no AP-REQ")
	}
	sname := strings.Join(req.Ticket.SName.NameString, "/")
	switch {
	case req.PVNO != 5 || req.Ticket.TktVNO != 5 || sname == "" || flag(req.APOptions.Bytes, useSessionKey):
		return proof{}, deny(Malformed, "it is an AP-REQ of another kind")
	case !k.service.has(sname, req.Ticket.Realm):
		return proof{}, deny(WrongService, "%.120q", sname+"@"+req.Ticket.Realm)
	}
	key, err := open(&req.Ticket, all)
	if err != nil {
		return proof{}, err
	}
	now := k.o.Now()
	if err := k.current(&req.Ticket.DecryptedEncPart, now); err != nil {
		return proof{}, err
	}
	if err := k.authentic(&req, ours, now); err != nil {
		return proof{}, err
	}
	p = proof{realm: req.Ticket.DecryptedEncPart.CRealm, own: realmsOf(all)}
	if p.name, err = userOf(&req.Ticket, key); err != nil {
		return proof{}, err
	}
	switch first, room := k.seen.first(req.EncryptedAuthenticator.Cipher, now); {
	case !first:
		return proof{}, deny(Replayed, "")
	case !room:
		return proof{}, deny(Busy, "")
	}
	p.reply, err = answer(t, &req)
	return p, err
}

// maxTries is how many keys are tried on a ticket.
const maxTries = 8

// open opens a ticket: with the key of its version, else with any of its kind.
// What a keytab says of versions is often wrong (ktpass), and short ones wrap.
func open(t *messages.Ticket, all []secretKey) (types.EncryptionKey, error) {
	kind := slices.DeleteFunc(slices.Clone(all), func(s secretKey) bool { return s.EncType != t.EncPart.EType })
	version := uint32(t.EncPart.KVNO)
	fits := func(s secretKey) bool { return s.KVNO == version || s.KVNO < 256 && s.KVNO == version%256 }
	slices.SortStableFunc(kind, func(a, b secretKey) int {
		switch {
		case fits(a) == fits(b):
			return 0
		case fits(a):
			return -1
		}
		return 1
	})
	for i, s := range kind {
		if i == maxTries {
			break
		}
		if t.Decrypt(s.secret) == nil {
			return s.secret, nil
		}
	}
	detail := fmt.Sprintf("it is of encryption type %d, version %d", t.EncPart.EType, version)
	if len(kind) == 0 {
		return types.EncryptionKey{}, deny(WrongKey, "%s, and the keytab has no key of that type", detail)
	}
	return types.EncryptionKey{}, deny(WrongKey, "%s, and the keytab has %s", detail, describe(kind[:min(len(kind), 4)]))
}

// Bits of ticket flags and AP options (RFC 4120, sections 5.3 and 5.5.1).
const (
	flagInvalid    = 7
	useSessionKey  = 1
	mutualRequired = 2
)

// flag reports whether a bit is set, the first being the highest.
func flag(b []byte, bit int) bool { return bit/8 < len(b) && b[bit/8]&(0x80>>(bit%8)) != 0 }

// current reports whether a ticket holds now.
func (k *keytabProver) current(t *messages.EncTicketPart, now time.Time) error {
	begins := t.StartTime
	if begins.IsZero() {
		begins = t.AuthTime
	}
	switch {
	case begins.Sub(now) > k.o.Skew || flag(t.Flags.Bytes, flagInvalid):
		return deny(NotYet, "it begins at %s", begins.UTC().Format(time.RFC3339))
	case now.Sub(t.EndTime) > k.o.Skew:
		return deny(Expired, "at %s", t.EndTime.UTC().Format(time.RFC3339))
	}
	return nil
}

// authentic reports whether an authenticator shows that its sender has the
// ticket's session key, just now and for this connection.
func (k *keytabProver) authentic(req *messages.APReq, ours []binding, now time.Time) error {
	t := &req.Ticket.DecryptedEncPart
	if err := req.DecryptAuthenticator(t.Key); err != nil {
		return deny(Malformed, "its authenticator is not of the ticket's session key")
	}
	a := &req.Authenticator
	if !a.CName.Equal(t.CName) || a.CRealm != t.CRealm {
		return deny(Malformed, "its authenticator and its ticket are for different users")
	}
	off := a.CTime.Add(time.Duration(a.Cusec) * time.Microsecond).Sub(now)
	if off.Abs() > k.o.Skew {
		return deny(ClockSkew, "by %s", off.Abs().Round(time.Second))
	}
	// GSS-API's checksum: length, channel bindings, flags (RFC 4121, section
	// 4.1.1). Browsers always send it.
	var hash []byte
	if sum := a.Cksum.Checksum; a.Cksum.CksumType == chksumtype.GSSAPI && len(sum) >= 24 && binary.LittleEndian.Uint32(sum) == 16 {
		hash = sum[4:20]
	}
	return k.o.Binding.bound(hash, ours)
}

// userOf names the account that a ticket is of. Where the KDC has put an
// authorization (PAC) into it, its name counts: the ticket's own is what the
// user asked for, and somebody may have made an account or an alias to ask for
// another's.
func userOf(t *messages.Ticket, key types.EncryptionKey) (string, error) {
	if name := accountOf(t, key); name != "" {
		return name, nil
	}
	cname := t.DecryptedEncPart.CName
	if cname.NameType == nametype.KRB_NT_ENTERPRISE || len(cname.NameString) != 1 {
		return "", deny(WrongName, "%.80q", strings.Join(cname.NameString, "/"))
	}
	return cname.NameString[0], nil
}

func realmsOf(all []secretKey) (realms []string) {
	for _, s := range all {
		if !slices.Contains(realms, s.Realm) {
			realms = append(realms, s.Realm)
		}
	}
	return realms
}

// answer makes the last token: with an AP-REP when the browser wants to know
// whom it talks to (RFC 4120, section 3.2.4).
func answer(t token, req *messages.APReq) ([]byte, error) {
	wanted := flag(req.APOptions.Bytes, mutualRequired)
	if sum := req.Authenticator.Cksum.Checksum; len(sum) >= 24 {
		const mutual = 2 // of GSS-API's flags
		wanted = wanted || req.Authenticator.Cksum.CksumType == chksumtype.GSSAPI && binary.LittleEndian.Uint32(sum[20:])&mutual != 0
	}
	if !wanted {
		return t.reply(nil)
	}
	seed := make([]byte, 4)
	if _, err := rand.Read(seed); err != nil {
		return nil, err
	}
	a := &req.Authenticator
	part, err := asn1.MarshalWithParams(struct {
		CTime  time.Time `asn1:"generalized,explicit,tag:0"`
		Cusec  int       `asn1:"explicit,tag:1"`
		Number int64     `asn1:"explicit,tag:3"`
	}{a.CTime.UTC(), a.Cusec, int64(binary.BigEndian.Uint32(seed) & 0x3fffffff)}, "application,explicit,tag:27")
	if err != nil {
		return nil, err
	}
	sealed, err := crypto.GetEncryptedData(part, req.Ticket.DecryptedEncPart.Key, keyusage.AP_REP_ENCPART, 0)
	if err != nil {
		return nil, errors.New("seal the answer to the browser") // the cause may hold the key
	}
	message, err := asn1.MarshalWithParams(struct {
		PVNO int                 `asn1:"explicit,tag:0"`
		Type int                 `asn1:"explicit,tag:1"`
		Part types.EncryptedData `asn1:"explicit,tag:2"`
	}{5, 15, sealed}, "application,explicit,tag:15")
	if err != nil {
		return nil, err
	}
	return t.reply(message)
}
