package kerberos

import (
	"bytes"
	"encoding/asn1"
	"encoding/base64"
	"errors"
)

// The mechanisms of GSS-API (RFC 4178, RFC 4121; MS-SPNG, section 1.9).
var (
	oidSPNEGO      = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 2}
	oidKerberos    = asn1.ObjectIdentifier{1, 2, 840, 113554, 1, 2, 2}
	oidKerberosOld = asn1.ObjectIdentifier{1, 2, 840, 48018, 1, 2, 2} // Microsoft's slip of the pen, sent ever since
)

// A token is what a browser sends: a Kerberos AP-REQ, mostly in SPNEGO.
type token struct {
	raw     []byte                // as it came
	request []byte                // the AP-REQ
	mech    asn1.ObjectIdentifier // what SPNEGO called it; nil: it came without SPNEGO
}

// parseToken reads the token of an Authorization. ErrNoTicket is one of another
// kind than Kerberos.
func parseToken(text string) (token, error) {
	if base64.StdEncoding.DecodedLen(len(text)) > maxToken {
		return token{}, deny(Malformed, "it is larger than any, %d characters", len(text))
	}
	raw, err := base64.StdEncoding.DecodeString(text)
	switch {
	case err != nil:
		return token{}, deny(Malformed, "it is not base64")
	case ntlm(raw):
		return token{}, ErrNoTicket
	}
	t, err := parseGSS(raw)
	t.raw = raw
	return t, err
}

// ntlm reports whether a message is NTLM's (MS-NLMP, section 2.2.1).
func ntlm(b []byte) bool { return bytes.HasPrefix(b, []byte("NTLMSSP\x00")) }

var errGSS = deny(Malformed, "it is not of GSS-API's form")

// parseGSS reads the first token of GSS-API (RFC 2743, section 3.1).
func parseGSS(raw []byte) (token, error) {
	mech, inner, err := unwrap(raw)
	switch {
	case err != nil:
		return token{}, err
	case mech.Equal(oidKerberos):
		request, err := apRequest(inner)
		return token{request: request}, err
	case !mech.Equal(oidSPNEGO):
		return token{}, ErrNoTicket
	}
	var choice asn1.RawValue
	if rest, err := asn1.Unmarshal(inner, &choice); err != nil || len(rest) > 0 || choice.Class != asn1.ClassContextSpecific || choice.Tag != 0 {
		return token{}, errGSS
	}
	var init struct { // NegTokenInit (RFC 4178, section 4.2.1)
		Mechs []asn1.ObjectIdentifier `asn1:"explicit,tag:0"`
		Flags asn1.BitString          `asn1:"explicit,optional,tag:1"`
		Token []byte                  `asn1:"explicit,optional,tag:2"`
		MIC   asn1.RawValue           `asn1:"optional,tag:3"`
	}
	if rest, err := asn1.Unmarshal(choice.Bytes, &init); err != nil || len(rest) > 0 || len(init.Mechs) == 0 {
		return token{}, errGSS
	}
	// What the browser prefers is what its token is of. One that has a service
	// ticket prefers Kerberos.
	if first := init.Mechs[0]; !first.Equal(oidKerberos) && !first.Equal(oidKerberosOld) || len(init.Token) == 0 || ntlm(init.Token) {
		return token{}, ErrNoTicket
	}
	mech, inner, err = unwrap(init.Token)
	if err != nil || !mech.Equal(oidKerberos) && !mech.Equal(oidKerberosOld) {
		return token{}, errGSS
	}
	request, err := apRequest(inner)
	return token{request: request, mech: init.Mechs[0]}, err
}

// unwrap takes the frame off a first token.
func unwrap(b []byte) (mech asn1.ObjectIdentifier, inner []byte, err error) {
	var frame asn1.RawValue
	rest, err := asn1.Unmarshal(b, &frame)
	if err != nil || len(rest) > 0 || frame.Class != asn1.ClassApplication || frame.Tag != 0 || !frame.IsCompound {
		return nil, nil, errGSS
	}
	if inner, err = asn1.Unmarshal(frame.Bytes, &mech); err != nil {
		return nil, nil, errGSS
	}
	return mech, inner, nil
}

// The token ids of RFC 4121, section 4.1.
const (
	idRequest = "\x01\x00"
	idReply   = "\x02\x00"
)

func apRequest(inner []byte) ([]byte, error) {
	request, ok := bytes.CutPrefix(inner, []byte(idRequest))
	if !ok {
		return nil, deny(Malformed, "it holds no AP-REQ")
	}
	return request, nil
}

// wrap puts the frame around a message of Kerberos.
func wrap(id string, message []byte) ([]byte, error) {
	mech, err := asn1.Marshal(oidKerberos)
	inner := append(append(mech, id...), message...)
	framed, framing := asn1.Marshal(asn1.RawValue{Class: asn1.ClassApplication, Tag: 0, IsCompound: true, Bytes: inner})
	return framed, errors.Join(err, framing)
}

// reply makes the last token for the browser. The AP-REP may be none.
func (t token) reply(message []byte) ([]byte, error) {
	var inner []byte
	if message != nil {
		var err error
		if inner, err = wrap(idReply, message); err != nil {
			return nil, err
		}
	}
	if t.mech == nil {
		return inner, nil
	}
	response, err := asn1.Marshal(struct { // NegTokenResp (RFC 4178, section 4.2.2)
		State asn1.Enumerated       `asn1:"explicit,tag:0"` // 0 is accept-completed
		Mech  asn1.ObjectIdentifier `asn1:"explicit,tag:1"`
		Token []byte                `asn1:"explicit,optional,omitempty,tag:2"`
	}{0, t.mech, inner})
	if err != nil {
		return nil, err
	}
	return asn1.Marshal(asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 1, IsCompound: true, Bytes: response})
}
