package wsfed

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// An element is XML that is written in canonical form at once: what exclusive
// canonicalization (https://www.w3.org/TR/xml-exc-c14n/) would make of it. So
// that no parser and no transformation stands between what is signed and what
// is sent. It may hold a text or children.
type element struct {
	name       string // with its prefix
	space      string // the namespace declared here, for the name's prefix; "" = none
	attributes []attribute
	text       string
	children   []element
}

type attribute struct{ name, value string } // the name without a prefix

// String returns the canonical form: a declaration before the attributes, these
// by their names, and an end tag even where there is no content.
func (e element) String() string {
	var b strings.Builder
	e.write(&b)
	return b.String()
}

func (e element) write(b *strings.Builder) {
	b.WriteString("<" + e.name)
	if e.space != "" {
		declared := "xmlns"
		if prefix, _, ok := strings.Cut(e.name, ":"); ok {
			declared += ":" + prefix
		}
		writeAttribute(b, attribute{declared, e.space})
	}
	for _, a := range slices.SortedFunc(slices.Values(e.attributes), func(a, b attribute) int { return strings.Compare(a.name, b.name) }) {
		writeAttribute(b, a)
	}
	b.WriteString(">")
	_, _ = textEscapes.WriteString(b, printable(e.text)) // a Builder takes everything
	for _, c := range e.children {
		c.write(b)
	}
	b.WriteString("</" + e.name + ">")
}

func writeAttribute(b *strings.Builder, a attribute) {
	b.WriteString(" " + a.name + `="`)
	_, _ = attributeEscapes.WriteString(b, printable(a.value)) // a Builder takes everything
	b.WriteString(`"`)
}

// The escapes of canonical XML (https://www.w3.org/TR/xml-c14n, section 2.3).
var (
	textEscapes      = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "\r", "&#xD;")
	attributeEscapes = strings.NewReplacer("&", "&amp;", "<", "&lt;", `"`, "&quot;", "\t", "&#x9;", "\n", "&#xA;", "\r", "&#xD;")
)

// printable replaces what XML 1.0 cannot hold, in whatever form, by U+FFFD. A
// directory may have it in any value.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t', r == '\n', r == '\r', r >= 0x20 && r < 0xd800, r >= 0xe000 && r < 0xfffe, r >= 0x10000:
			return r // Map has made invalid UTF-8 into U+FFFD
		}
		return utf8.RuneError
	}, s)
}
