//go:build unix

package directory

import (
	"encoding/binary"
	"errors"
	"slices"

	ldapgss "github.com/go-ldap/ldap/v3/gssapi"
	"github.com/jcmturner/gokrb5/v8/crypto"
	"github.com/jcmturner/gokrb5/v8/gssapi"
	"github.com/jcmturner/gokrb5/v8/iana/keyusage"
	"github.com/jcmturner/gokrb5/v8/types"
)

// A kerberosContext is the library's security context with a last step of our
// own: the library's takes tokens in Windows's rotation only, which MIT
// Kerberos does not use, and answers with a security layer that does not exist,
// which Cyrus SASL does not take.
type kerberosContext struct {
	*ldapgss.Client
	key types.EncryptionKey // of the service ticket
}

// noLayer is the bit of no security layer (RFC 4752, section 3.3).
const noLayer = 1

// acceptorSubkey is the flag of a token under the server's key for this session
// (RFC 4121, section 4.2.2).
const acceptorSubkey = 4

// NegotiateSaslAuth agrees on a security layer, which is none: TLS is there for
// that (RFC 4752, section 3.1).
func (k *kerberosContext) NegotiateSaslAuth(input []byte, authzid string) ([]byte, error) {
	token, err := unwrapped(input)
	if err != nil {
		return nil, err
	}
	key := k.key
	if token.Flags&acceptorSubkey != 0 {
		key = k.Subkey
	}
	if ok, err := token.Verify(key, keyusage.GSSAPI_ACCEPTOR_SEAL); !ok || err != nil {
		return nil, errors.New("the server's last token is not under its key")
	}
	if len(token.Payload) != 4 {
		return nil, errBadToken
	}
	if token.Payload[0]&noLayer == 0 {
		return nil, &advised{errors.New("the server insists on signed or sealed binds"), signHint}
	}
	kind, err := crypto.GetEtype(key.KeyType)
	if err != nil {
		return nil, err
	}
	answer := &gssapi.WrapToken{
		Flags: token.Flags & acceptorSubkey,
		EC:    uint16(kind.GetHMACBitLength() / 8),
		// Nobody counts: no sequence was asked for.
		SndSeqNum: 1, Payload: append([]byte{noLayer, 0, 0, 0}, authzid...),
	}
	if err := answer.SetCheckSum(key, keyusage.GSSAPI_INITIATOR_SEAL); err != nil {
		return nil, err
	}
	return answer.Marshal()
}

var errBadToken = errors.New("the server's last token cannot be read")

// unwrapped reads a token that is not encrypted: a head of 16 octets, then data
// and checksum, rotated to the right by as many octets as the head says (RFC
// 4121, sections 4.2.4 and 4.2.5).
func unwrapped(input []byte) (*gssapi.WrapToken, error) {
	const fromAcceptor, encrypted = 1, 2
	if len(input) < gssapi.HdrLen || input[0] != 5 || input[1] != 4 || input[2]&fromAcceptor == 0 || input[2]&encrypted != 0 {
		return nil, errBadToken
	}
	checksum, rotated := int(binary.BigEndian.Uint16(input[4:])), int(binary.BigEndian.Uint16(input[6:]))
	body := input[gssapi.HdrLen:]
	if checksum > len(body) || len(body) == 0 {
		return nil, errBadToken
	}
	rotated %= len(body)
	body = slices.Concat(body[rotated:], body[:rotated])
	data := len(body) - checksum
	return &gssapi.WrapToken{
		Flags: input[2], EC: uint16(checksum), SndSeqNum: binary.BigEndian.Uint64(input[8:]),
		Payload: body[:data], CheckSum: body[data:],
	}, nil
}
