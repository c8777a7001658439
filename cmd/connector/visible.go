package main

import (
	"strings"
	"unicode"
)

// visible is a text of the directory's without what would move a terminal's
// cursor, forge a line or turn the direction of the text: in many directories
// people write their own display names.
func visible(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
			return '\uFFFD'
		}
		return r
	}, s)
}
