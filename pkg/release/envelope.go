package release

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
)

// An envelope carries a document and its signatures, in the format of DSSE
// (github.com/secure-systems-lab/dsse, v1.0). What is signed is the octets of
// the payload together with what they are, so that nothing has to be written
// in a canonical form, and no document can stand in another kind's place.
type envelope struct {
	PayloadType string      `json:"payloadType"`
	Payload     string      `json:"payload"` // base64
	Signatures  []signature `json:"signatures"`

	payload []byte
}

type signature struct {
	KeyID string `json:"keyid"`
	Sig   string `json:"sig"` // base64
}

// A form is one kind of document.
type form struct {
	name  string // for people
	media string // payloadType
	max   int64  // octets of the envelope
}

var (
	rootForm     = form{"root document", "application/vnd.ad-ldap-connector.root+json", 64 << 10}
	releasesForm = form{"releases", "application/vnd.ad-ldap-connector.releases+json", 4 << 20}
)

// maxSignatures is more than any release has people.
const maxSignatures = 16

// strictBase64 refuses set bits that no octet comes of.
var strictBase64 = base64.StdEncoding.Strict()

// openEnvelope reads an envelope of the given form, and verifies nothing. It
// accepts what writeEnvelope writes and not an octet else: there is then no way
// to change a document that is still taken for the same.
func openEnvelope(data []byte, want form) (*envelope, error) {
	if int64(len(data)) > want.max {
		return nil, &Error{Kind: KindTooLarge, Err: fmt.Errorf("it has more than %d octets", want.max)}
	}
	malformed := func(err error) (*envelope, error) {
		return nil, &Error{Kind: KindMalformed, Err: err}
	}
	if first := bytes.TrimLeft(data, " \t\r\n\ufeff"); len(first) > 0 && first[0] == '<' {
		return nil, &Error{Kind: KindCaptive, Err: errors.New("it is a page for people")}
	}
	var e envelope
	if err := decode(data, &e, true); err != nil {
		return malformed(fmt.Errorf("it is no signed document: %w", err))
	}
	if e.PayloadType != want.media {
		return nil, &Error{Kind: KindMixed, Err: fmt.Errorf("it is no %s but %q", want.name, short(e.PayloadType))}
	}
	if len(e.Signatures) > maxSignatures {
		return malformed(fmt.Errorf("it has more than %d signatures", maxSignatures))
	}
	var err error
	if e.payload, err = strictBase64.DecodeString(e.Payload); err != nil {
		return malformed(fmt.Errorf("its payload: %w", err))
	}
	if !bytes.Equal(e.encode(), data) {
		return malformed(errors.New("it is not written as signed documents are"))
	}
	return &e, nil
}

func (e *envelope) encode() []byte {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false) // the "+" and "/" of base64 and media types stay as they are
	enc.SetIndent("", " ")
	_ = enc.Encode(e) // strings into memory
	return buf.Bytes()
}

// digest stands for what is signed, whoever has signed it.
func (e *envelope) digest() string { return fingerprint(e.signed()) }

// signed is DSSE's pre-authentication encoding: what the signatures are of.
func (e *envelope) signed() []byte {
	return fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(e.PayloadType), e.PayloadType, len(e.payload), e.payload)
}

// signers returns the keys among known, by id, that have signed. A signature
// that does not hold refuses the whole, and so does one of another key, unless
// strangers may sign besides.
func (e *envelope) signers(known map[string]ed25519.PublicKey, strangers bool) (map[string]bool, error) {
	refuse := func(format string, args ...any) (map[string]bool, error) {
		return nil, &Error{Kind: KindSignature, Err: fmt.Errorf(format, args...)}
	}
	signers := map[string]bool{}
	for _, s := range e.Signatures {
		key, ok := known[s.KeyID]
		if !ok && strangers {
			continue
		}
		if !ok {
			return refuse("it is signed by the key %q, which is not trusted here", short(s.KeyID))
		}
		if signers[s.KeyID] {
			return refuse("it is signed twice by the key %q", short(s.KeyID))
		}
		sig, err := strictBase64.DecodeString(s.Sig)
		if err != nil || !ed25519.Verify(key, e.signed(), sig) {
			return refuse("the signature by the key %q is of something else", short(s.KeyID))
		}
		signers[s.KeyID] = true
	}
	return signers, nil
}

// seal makes an envelope of a payload.
func seal(f form, payload []byte, keys ...ed25519.PrivateKey) *envelope {
	e := &envelope{PayloadType: f.media, Payload: strictBase64.EncodeToString(payload), Signatures: []signature{}, payload: payload}
	for _, k := range keys {
		e.sign(k)
	}
	return e
}

// sign adds a key's signature, or replaces the one that it has made before.
func (e *envelope) sign(key ed25519.PrivateKey) {
	s := signature{KeyID(key.Public().(ed25519.PublicKey)), strictBase64.EncodeToString(ed25519.Sign(key, e.signed()))}
	for i := range e.Signatures {
		if e.Signatures[i].KeyID == s.KeyID {
			e.Signatures[i] = s
			return
		}
	}
	e.Signatures = append(e.Signatures, s)
}

// KeyID names a key: the SHA-256 of it, in hexadecimal. No key has two names, and
// so none counts twice.
func KeyID(key ed25519.PublicKey) string { return fingerprint(key) }

func fingerprint(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// short is what an error quotes of a foreign text.
func short(s string) string {
	if len(s) > 80 {
		return s[:80] + "..."
	}
	return s
}
