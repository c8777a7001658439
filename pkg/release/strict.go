package release

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// maxDepth is how deep a document may nest; the deepest has five levels.
const maxDepth = 16

// decode fills v from a text that is one JSON object and nothing else, and that
// no two readers can take for different things: valid UTF-8, and no member
// twice, nor twice but for upper and lower case, which Go's reader takes for
// the same. Strict refuses members that v does not have.
func decode(data []byte, v any, strict bool) error {
	if !utf8.Valid(data) {
		return errors.New("it is not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if err := unambiguous(d, 0); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the document")
	}
	if first := bytes.TrimLeft(data, " \t\r\n"); first[0] != '{' {
		return errors.New("it is no JSON object")
	}
	d = json.NewDecoder(bytes.NewReader(data))
	if strict {
		d.DisallowUnknownFields()
	}
	return d.Decode(v)
}

// unambiguous reads one value.
func unambiguous(d *json.Decoder, depth int) error {
	if depth > maxDepth {
		return errors.New("it nests too deep")
	}
	token, err := d.Token()
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	if err != nil {
		return err
	}
	open, ok := token.(json.Delim)
	if !ok {
		return nil
	}
	members := map[string]bool{}
	for d.More() {
		if open == '{' {
			name, err := d.Token()
			if err != nil {
				return err
			}
			folded := strings.ToLower(name.(string)) // the decoder allows no other kind here
			if members[folded] {
				return fmt.Errorf("the member %q is there twice", name)
			}
			members[folded] = true
		}
		if err := unambiguous(d, depth+1); err != nil {
			return err
		}
	}
	_, err = d.Token() // the closing one
	return err
}
