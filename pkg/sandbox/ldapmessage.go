package sandbox

import (
	"errors"
	"fmt"
)

// Protocol operations (RFC 4511, section 4.2 and on) by their identifier octet.
const (
	ldapBindRequest      = 0x60
	ldapBindResponse     = 0x61
	ldapUnbindRequest    = 0x42
	ldapSearchRequest    = 0x63
	ldapSearchEntry      = 0x64
	ldapSearchDone       = 0x65
	ldapSearchReference  = 0x73
	ldapModifyRequest    = 0x66
	ldapModifyResponse   = 0x67
	ldapAddRequest       = 0x68
	ldapAddResponse      = 0x69
	ldapDeleteRequest    = 0x4a
	ldapDeleteResponse   = 0x6b
	ldapRenameRequest    = 0x6c
	ldapRenameResponse   = 0x6d
	ldapCompareRequest   = 0x6e
	ldapCompareResponse  = 0x6f
	ldapAbandonRequest   = 0x50
	ldapExtendedRequest  = 0x77
	ldapExtendedResponse = 0x78
)

// Result codes (RFC 4511, appendix A).
const (
	ldapSuccess                = 0
	ldapOperationsError        = 1
	ldapProtocolError          = 2
	ldapTimeLimitExceeded      = 3
	ldapSizeLimitExceeded      = 4
	ldapCompareFalse           = 5
	ldapCompareTrue            = 6
	ldapAuthMethodNotSupported = 7
	ldapStrongerAuthRequired   = 8
	ldapCriticalUnavailable    = 12
	ldapNoSuchAttribute        = 16
	ldapUndefinedType          = 17
	ldapConstraintViolation    = 19
	ldapValueExists            = 20
	ldapInvalidSyntax          = 21
	ldapNoSuchObject           = 32
	ldapInvalidDNSyntax        = 34
	ldapInappropriateAuth      = 48
	ldapInvalidCredentials     = 49
	ldapInsufficientAccess     = 50
	ldapBusy                   = 51
	ldapUnavailable            = 52
	ldapUnwilling              = 53
	ldapNotAllowedOnRDN        = 67
	ldapOther                  = 80
)

// ldapResponses maps each request that has an answer to the answer's tag.
var ldapResponses = map[byte]byte{
	ldapBindRequest:     ldapBindResponse,
	ldapSearchRequest:   ldapSearchDone,
	ldapModifyRequest:   ldapModifyResponse,
	ldapAddRequest:      ldapAddResponse,
	ldapDeleteRequest:   ldapDeleteResponse,
	ldapRenameRequest:   ldapRenameResponse,
	ldapCompareRequest:  ldapCompareResponse,
	ldapExtendedRequest: ldapExtendedResponse,
}

// ldapMessage is one request: an envelope whose operation is not yet decoded.
type ldapMessage struct {
	id       int
	op       byte
	body     []byte
	controls []ldapControl
}

// ldapControl is an extension of a request (RFC 4511, section 4.1.11).
type ldapControl struct {
	oid      string
	critical bool
	value    []byte
}

// control finds a control of the request by its OID.
func (m *ldapMessage) control(oid string) (ldapControl, bool) {
	for _, c := range m.controls {
		if c.oid == oid {
			return c, true
		}
	}
	return ldapControl{}, false
}

// parseMessage decodes the contents of a frame. Its errors mean that the
// envelope is unreadable, so that there is nothing to answer to.
func parseMessage(frame []byte) (*ldapMessage, error) {
	r := berReader(frame)
	id, err := r.number(berInteger)
	if err != nil {
		return nil, fmt.Errorf("message number: %w", err)
	}
	if id <= 0 {
		return nil, errors.New("message number: not positive")
	}
	m := &ldapMessage{id: id}
	if m.op, m.body, err = r.next(); err != nil {
		return nil, fmt.Errorf("operation: %w", err)
	}
	if len(r) == 0 {
		return m, nil
	}
	list, err := r.want(berContext | berConstructed)
	if err != nil {
		return nil, fmt.Errorf("controls: %w", err)
	}
	for cs := berReader(list); len(cs) > 0; {
		c, err := parseControl(&cs)
		if err != nil {
			return nil, fmt.Errorf("control: %w", err)
		}
		m.controls = append(m.controls, c)
	}
	return m, nil
}

func parseControl(cs *berReader) (c ldapControl, err error) {
	body, err := cs.want(berSequence)
	if err != nil {
		return c, err
	}
	r := berReader(body)
	if c.oid, err = r.text(); err != nil {
		return c, err
	}
	if len(r) > 0 && r[0] == berBoolean {
		if c.critical, err = r.boolean(berBoolean); err != nil {
			return c, err
		}
	}
	if len(r) > 0 {
		c.value, err = r.want(berOctetString)
	}
	return c, err
}

// ldapResult is the answer to an operation.
type ldapResult struct {
	code    int
	matched string // the nearest entry that exists, with noSuchObject
	text    string // the diagnostic message
	name    string // an extended answer's name
	value   *string
	control []ldapControl
	silent  bool // there is no answer: abandoned, or already given
}

// encode writes the answer to the request of the given number.
func (res ldapResult) encode(id int, tag byte) []byte {
	w := berWriter{b: make([]byte, 0, 64+len(res.text))}
	message := w.begin(berSequence)
	w.number(berInteger, id)
	op := w.begin(tag)
	w.number(berEnumerated, res.code)
	w.string(berOctetString, res.matched)
	w.string(berOctetString, res.text)
	if res.name != "" {
		w.string(berContext|10, res.name)
	}
	if res.value != nil {
		w.string(berContext|11, *res.value)
	}
	w.end(op)
	if len(res.control) > 0 {
		list := w.begin(berContext | berConstructed)
		for _, c := range res.control {
			one := w.begin(berSequence)
			w.string(berOctetString, c.oid)
			w.string(berOctetString, string(c.value))
			w.end(one)
		}
		w.end(list)
	}
	w.end(message)
	return w.b
}
