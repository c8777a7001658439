package sandbox

import (
	"errors"
	"fmt"
	"strings"
)

// Limits of a filter: deeper or larger ones are refused, not evaluated.
const (
	filterMaxDepth = 100
	filterMaxParts = 10_000
)

// filterOp is the kind of a filter (the context tags of RFC 4511, section 4.5.1.7).
type filterOp byte

const (
	filterAnd        filterOp = 0
	filterOr         filterOp = 1
	filterNot        filterOp = 2
	filterEqual      filterOp = 3
	filterSubstrings filterOp = 4
	filterGreater    filterOp = 5
	filterLess       filterOp = 6
	filterPresent    filterOp = 7
	filterApprox     filterOp = 8
	filterExtensible filterOp = 9
)

// Matching rules of extensible filters.
const (
	ruleInChain = "1.2.840.113556.1.4.1941"
	ruleBitAnd  = "1.2.840.113556.1.4.803"
	ruleBitOr   = "1.2.840.113556.1.4.804"
)

// filterNode is a decoded filter. A part that asks for what the directory does
// not know (no such type, no value of the type's syntax) has a nil kind or is
// marked undefined, and is neither true nor false of any entry.
type filterNode struct {
	op        filterOp
	children  []*filterNode
	kind      *schemaType
	undefined bool
	value     string // as the type normalises it
	raw       string // as sent
	initial   string // substrings
	middle    []string
	final     string
	rule      string
	dnToo     bool                     // extensible: the parts of the DN count, too
	chain     map[*storeEntry]struct{} // in-chain: the entries it is true of
}

// filterDecoder decodes one filter.
type filterDecoder struct {
	schema *schema
	ad     bool
	parts  int
}

// decodeFilter reads a filter. Its errors mean that the request is malformed.
func decodeFilter(r *berReader, s *schema, ad bool) (*filterNode, error) {
	d := filterDecoder{schema: s, ad: ad}
	return d.node(r, 0)
}

func (d *filterDecoder) node(r *berReader, depth int) (*filterNode, error) {
	tag, body, err := r.next()
	if err != nil {
		return nil, fmt.Errorf("filter: %w", err)
	}
	if d.parts++; d.parts > filterMaxParts || depth > filterMaxDepth {
		return nil, errors.New("filter: too large or too deep")
	}
	n := &filterNode{op: filterOp(tag & 0x1f)}
	primitive := tag == berContext|byte(filterPresent)
	if tag&^0x1f != berContext|berConstructed && !primitive {
		return nil, fmt.Errorf("filter: tag 0x%02x", tag)
	}
	in := berReader(body)
	switch n.op {
	case filterAnd, filterOr:
		for len(in) > 0 {
			child, err := d.node(&in, depth+1)
			if err != nil {
				return nil, err
			}
			n.children = append(n.children, child)
		}
		return n, nil
	case filterNot:
		child, err := d.node(&in, depth+1)
		if err != nil {
			return nil, err
		}
		n.children = []*filterNode{child}
	case filterEqual, filterGreater, filterLess, filterApprox:
		err = d.assertion(n, &in)
	case filterSubstrings:
		err = d.substrings(n, &in)
	case filterPresent:
		if !primitive {
			return nil, fmt.Errorf("filter: tag 0x%02x", tag)
		}
		n.kind, in = d.schema.lookup(string(body)), nil
	case filterExtensible:
		err = d.extensible(n, &in)
	default:
		return nil, fmt.Errorf("filter: tag 0x%02x", tag)
	}
	if err != nil {
		return nil, fmt.Errorf("filter: %w", err)
	}
	if len(in) > 0 {
		return nil, errors.New("filter: something follows its end")
	}
	d.settle(n)
	return n, nil
}

// settle marks what can not be decided for any entry.
func (d *filterDecoder) settle(n *filterNode) {
	if n.op == filterNot {
		return
	}
	if n.kind == nil {
		n.undefined = n.undefined || n.op != filterExtensible || n.rule == ruleInChain || n.rule == ruleBitAnd || n.rule == ruleBitOr
		return
	}
	switch {
	case n.kind.kind == kindHidden, n.kind.kind == kindANR && !d.ad:
		n.undefined = true
	case n.kind.kind == kindANR:
		n.undefined = n.op != filterEqual && n.op != filterSubstrings && n.op != filterApprox
	}
}

func (d *filterDecoder) assertion(n *filterNode, in *berReader) error {
	name, err := in.text()
	if err != nil {
		return err
	}
	if n.raw, err = in.text(); err != nil {
		return err
	}
	n.kind = d.schema.lookup(name)
	d.setValue(n)
	return nil
}

func (d *filterDecoder) setValue(n *filterNode) {
	if n.kind == nil {
		return
	}
	value, ok := d.schema.normalise(n.kind, n.raw)
	n.value, n.undefined = value, !ok
}

func (d *filterDecoder) substrings(n *filterNode, in *berReader) error {
	name, err := in.text()
	if err != nil {
		return err
	}
	n.kind = d.schema.lookup(name)
	list, err := in.want(berSequence)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return errors.New("substrings: none")
	}
	for i, parts := 0, berReader(list); len(parts) > 0; i++ {
		tag, body, err := parts.next()
		if err != nil {
			return err
		}
		piece := d.piece(n.kind, string(body))
		switch {
		case len(body) == 0:
			return errors.New("substrings: empty part")
		case tag == berContext && i == 0:
			n.initial = piece
		case tag == berContext|1:
			n.middle = append(n.middle, piece)
		case tag == berContext|2 && len(parts) == 0:
			n.final = piece
		default:
			return fmt.Errorf("substrings: tag 0x%02x out of place", tag)
		}
	}
	return nil
}

// piece folds a part of a value. Unlike a whole value it keeps its spaces.
func (d *filterDecoder) piece(t *schemaType, s string) string {
	if t != nil && (t.syntax == syntaxOctets || t.syntax == syntaxExact || t.syntax == syntaxSID) {
		return s
	}
	return strings.ToLower(s)
}

func (d *filterDecoder) extensible(n *filterNode, in *berReader) error {
	var name string
	seen := byte(0)
	for len(*in) > 0 {
		tag, body, err := in.next()
		if err != nil {
			return err
		}
		if tag <= seen {
			return fmt.Errorf("extensible: tag 0x%02x out of place", tag)
		}
		seen = tag
		switch tag {
		case berContext | 1:
			n.rule = ruleByName(string(body))
		case berContext | 2:
			name = string(body)
		case berContext | 3:
			n.raw = string(body)
		case berContext | 4:
			n.dnToo = len(body) == 1 && body[0] != 0
		default:
			return fmt.Errorf("extensible: tag 0x%02x", tag)
		}
	}
	if seen < berContext|3 || n.rule == "" && name == "" {
		return errors.New("extensible: neither type nor rule, or no value")
	}
	n.kind = d.schema.lookup(name)
	switch n.rule {
	case ruleBitAnd, ruleBitOr:
		if n.kind != nil {
			_, ok := d.schema.normalise(&schemaType{syntax: syntaxInteger}, n.raw)
			n.value, n.undefined = n.raw, !ok || n.kind.syntax != syntaxInteger
		}
	case ruleInChain:
		var err error
		n.value, err = normaliseDN(n.raw)
		// Directories that do not know the rule answer with no entries.
		n.undefined = !d.ad || err != nil || n.kind != nil && n.kind.syntax != syntaxDN
	case "":
		d.setValue(n)
		n.undefined = n.undefined || n.kind == nil
	case "caseignorematch":
		n.value = foldText(n.raw)
	case "caseexactmatch":
		n.value = n.raw
	default:
		n.undefined = true
	}
	if name != "" && n.kind == nil {
		n.undefined = true
	}
	return nil
}

// ruleByName gives the name under which the decoder knows a matching rule.
func ruleByName(s string) string {
	switch s = strings.ToLower(s); s {
	case "2.5.13.2", "1.3.6.1.4.1.1466.109.114.2", "caseignoreia5match":
		return "caseignorematch"
	case "2.5.13.5", "1.3.6.1.4.1.1466.109.114.1", "caseexactia5match":
		return "caseexactmatch"
	case "integerbitandmatch":
		return ruleBitAnd
	case "integerbitormatch":
		return ruleBitOr
	}
	return s
}
