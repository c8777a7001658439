package doctor

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"
)

// failure is the outcome of a question that ended with err. An error that
// carries advice knows better than the check what to do.
func failure(err error) Outcome {
	o := Fail(err.Error())
	var advised interface{ Hint() string }
	if errors.As(err, &advised) && advised.Hint() != "" {
		o.Remedy = sentence(advised.Hint())
	}
	return o
}

// sentence makes a hint, which begins in lower case and has no full stop, a
// remedy.
func sentence(hint string) string {
	first, size := utf8.DecodeRuneInString(hint)
	if word, _, _ := strings.Cut(hint, " "); strings.ToLower(word) == word {
		hint = string(unicode.ToUpper(first)) + hint[size:]
	}
	return strings.TrimSuffix(hint, ".") + "."
}
