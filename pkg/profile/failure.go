package profile

import (
	"errors"
	"regexp"
	"strconv"
	"strings"

	"github.com/dop251/goja"
)

// thrown is an error value that came by callback or Promise, not by throw.
type thrown struct{ value goja.Value }

func (thrown) Error() string { return "the mapper's own error" }

// maxFailure is the most of a message that is handed on, in octets. The
// connector takes the user's values out of it before it cuts it shorter.
const maxFailure = 64 << 10

// failure describes what a script threw: the name and message of an Error, the
// text of a string, or else its kind, with the place in the script.
func (s *script) failure(err error) *failure {
	f := &failure{Text: err.Error()}
	var own thrown
	var ex *goja.Exception
	var overflow *goja.StackOverflowError
	switch {
	case errors.As(err, &own):
		f.Text = s.describe(own.value)
	case errors.As(err, &overflow):
		f.Text = "RangeError: Maximum call stack size exceeded"
		f.Line, f.Column = s.position(overflow.Stack())
	case errors.As(err, &ex):
		f.Text = s.describe(ex.Value())
		f.Line, f.Column = s.position(ex.Stack())
	}
	if len(f.Text) > maxFailure {
		f.Text = strings.ToValidUTF8(f.Text[:maxFailure], "")
	}
	return f
}

func (s *script) describe(v goja.Value) (text string) {
	o, ok := v.(*goja.Object)
	if !ok {
		if v == nil || goja.IsUndefined(v) || goja.IsNull(v) {
			return "threw " + kindOf(v)
		}
		return "threw " + v.String()
	}
	text = "threw " + kindOf(v)
	// The object's getters are the script's, and may throw in their turn.
	_ = s.guard(func() {
		message := o.Get("message")
		if message == nil || goja.IsUndefined(message) {
			return
		}
		name := o.Get("name")
		if name == nil || goja.IsUndefined(name) {
			text = "Error: " + message.String()
			return
		}
		text = name.String() + ": " + message.String()
	})
	return text
}

// position returns the innermost place of a stack that is in the script itself.
func (s *script) position(stack []goja.StackFrame) (line, column int) {
	for i := range stack {
		if p := stack[i].Position(); stack[i].SrcName() == s.name && p.Line > 1 {
			return p.Line - 1, p.Column // the wrapper has the first line
		}
	}
	return 0, 0
}

var (
	// place finds where the parser or the compiler saw a syntax error.
	place = regexp.MustCompile(`(?s)^(?:SyntaxError: )?(?:.*?: Line (\d+):(\d+) (.*)|(.*) at .*?:(\d+):(\d+))$`)
	// more is how the parser ends when it found others behind the first.
	more = regexp.MustCompile(` \(and \d+ more errors\)$`)
)

// syntaxFailure describes a script that does not compile.
func syntaxFailure(err error) *failure {
	text := more.ReplaceAllString(err.Error(), "")
	m := place.FindStringSubmatch(text)
	if m == nil {
		return &failure{Text: "SyntaxError: " + strings.TrimPrefix(text, "SyntaxError: ")}
	}
	f := &failure{Text: "SyntaxError: " + m[3] + m[4]}
	// The pattern lets digits only through, at most ten of which matter.
	f.Line, _ = strconv.Atoi(m[1] + m[5])
	f.Column, _ = strconv.Atoi(m[2] + m[6])
	f.Line-- // the wrapper has the first line
	return f
}

// kindOf names what a value is, for errors.
func kindOf(v goja.Value) string {
	switch {
	case v == nil || goja.IsUndefined(v):
		return "undefined"
	case goja.IsNull(v):
		return "null"
	case goja.IsString(v):
		return "a string"
	case goja.IsNumber(v):
		return "a number"
	}
	o, ok := v.(*goja.Object)
	switch {
	case ok && isArray(o):
		return "an array"
	case ok && isFunction(o):
		return "a function"
	case ok:
		return "an object"
	}
	if _, ok := v.(*goja.Symbol); ok {
		return "a symbol"
	}
	return "a " + v.ExportType().String() // bool, or *big.Int
}

func isArray(o *goja.Object) bool { return o.ClassName() == "Array" }

func isFunction(o *goja.Object) bool {
	_, ok := goja.AssertFunction(o)
	return ok
}

func isObject(v goja.Value) bool {
	_, ok := v.(*goja.Object)
	return ok
}
