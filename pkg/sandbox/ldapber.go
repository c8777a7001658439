package sandbox

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// The part of BER that LDAP allows (RFC 4511, section 5.1): tags of one octet,
// definite lengths, primitive octet strings. Reading never copies and never
// allocates more than it was sent, so a frame full of tiny elements is harmless.

const (
	berBoolean     = 0x01
	berInteger     = 0x02
	berOctetString = 0x04
	berEnumerated  = 0x0a
	berSequence    = 0x30
	berSet         = 0x31
	berContext     = 0x80
	berConstructed = 0x20
)

var (
	errBERTruncated = errors.New("element is cut short")
	errBERTag       = errors.New("tag of more than one octet")
	errBERLength    = errors.New("length is indefinite or too long")
)

// berReader is what is still to be read of a constructed element.
type berReader []byte

// next takes one element off the front, whatever its tag.
func (r *berReader) next() (tag byte, body []byte, err error) {
	b := *r
	if len(b) < 2 {
		return 0, nil, errBERTruncated
	}
	tag = b[0]
	if tag&0x1f == 0x1f {
		return 0, nil, errBERTag
	}
	size, used, err := berLength(b[1:])
	if err != nil {
		return 0, nil, err
	}
	b = b[1+used:]
	if size > len(b) {
		return 0, nil, errBERTruncated
	}
	*r = b[size:]
	return tag, b[:size:size], nil
}

// berLength reads a length at the front of b, in the short or the long form.
// Leading zero octets are allowed: domain controllers always send four.
func berLength(b []byte) (size, used int, err error) {
	if len(b) == 0 {
		return 0, 0, errBERTruncated
	}
	if b[0] < 0x80 {
		return int(b[0]), 1, nil
	}
	n := int(b[0] & 0x7f)
	if n == 0 || n > 8 {
		return 0, 0, errBERLength
	}
	if len(b) < 1+n {
		return 0, 0, errBERTruncated
	}
	var long uint64
	for _, o := range b[1 : 1+n] {
		if long > 1<<23 {
			return 0, 0, errBERLength
		}
		long = long<<8 | uint64(o)
	}
	if long > 1<<30 {
		return 0, 0, errBERLength
	}
	return int(long), 1 + n, nil
}

// want takes one element that must have the given tag.
func (r *berReader) want(tag byte) ([]byte, error) {
	got, body, err := r.next()
	if err != nil {
		return nil, err
	}
	if got != tag {
		return nil, fmt.Errorf("tag 0x%02x where 0x%02x belongs", got, tag)
	}
	return body, nil
}

// text takes an octet string as text.
func (r *berReader) text() (string, error) {
	body, err := r.want(berOctetString)
	return string(body), err
}

// number takes an integer or enumerated value of at most 32 bits.
func (r *berReader) number(tag byte) (int, error) {
	body, err := r.want(tag)
	if err != nil {
		return 0, err
	}
	return berNumber(body)
}

func berNumber(body []byte) (int, error) {
	if len(body) == 0 || len(body) > 4 {
		return 0, errors.New("number is empty or too large")
	}
	n := int32(int8(body[0]))
	for _, o := range body[1:] {
		n = n<<8 | int32(o)
	}
	return int(n), nil
}

// boolean takes a truth value.
func (r *berReader) boolean(tag byte) (bool, error) {
	body, err := r.want(tag)
	if err != nil {
		return false, err
	}
	if len(body) != 1 {
		return false, errors.New("truth value is not one octet")
	}
	return body[0] != 0, nil
}

// berFrame reads the contents of one LDAPMessage of at most limit octets.
// errFrameTooLong and errFrameKind say why the stream can not be followed further.
func berFrame(r *bufio.Reader, limit int) ([]byte, error) {
	tag, err := r.ReadByte()
	if err != nil {
		return nil, err
	}
	if tag != berSequence {
		return nil, errFrameKind
	}
	head, err := r.ReadByte()
	if err != nil {
		return nil, berCut(err)
	}
	length := []byte{head}
	if head > 0x80 {
		more := make([]byte, head&0x7f)
		if _, err := io.ReadFull(r, more); err != nil {
			return nil, berCut(err)
		}
		length = append(length, more...)
	}
	size, _, err := berLength(length)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errFrameKind, err)
	}
	if size > limit {
		return nil, errFrameTooLong
	}
	// The buffer grows with what arrives, not with what was announced.
	var body bytes.Buffer
	if _, err := io.CopyN(&body, r, int64(size)); err != nil {
		return nil, berCut(err)
	}
	return body.Bytes(), nil
}

var (
	errFrameTooLong = errors.New("message is too long")
	errFrameKind    = errors.New("no LDAP message")
)

func berCut(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// berWriter builds elements. Constructed ones get lengths of four octets, as
// domain controllers send them, so that nothing has to be built twice.
type berWriter struct{ b []byte }

func (w *berWriter) begin(tag byte) int {
	w.b = append(w.b, tag, 0x84, 0, 0, 0, 0)
	return len(w.b)
}

func (w *berWriter) end(start int) {
	binary.BigEndian.PutUint32(w.b[start-4:], uint32(len(w.b)-start))
}

func (w *berWriter) string(tag byte, s string) {
	w.b = append(w.b, tag)
	switch n := len(s); {
	case n < 0x80:
		w.b = append(w.b, byte(n))
	case n < 0x100:
		w.b = append(w.b, 0x81, byte(n))
	case n < 0x10000:
		w.b = append(w.b, 0x82, byte(n>>8), byte(n))
	default:
		w.b = append(w.b, 0x84, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	}
	w.b = append(w.b, s...)
}

func (w *berWriter) number(tag byte, n int) {
	v := int32(n)
	size := 1
	for x := v; x > 127 || x < -128; x >>= 8 {
		size++
	}
	w.b = append(w.b, tag, byte(size))
	for i := size - 1; i >= 0; i-- {
		w.b = append(w.b, byte(v>>(8*i)))
	}
}
