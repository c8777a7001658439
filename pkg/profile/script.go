package profile

import (
	"errors"
	"io"
	"strings"

	"github.com/dop251/goja"
	"github.com/dop251/goja/ast"
	"github.com/dop251/goja/parser"
)

// A script is the operator's mapper, loaded. It keeps its global state from
// call to call, as it always has.
type script struct {
	name   string
	vm     *goja.Runtime
	env    *environment
	mapper goja.Callable
	params int64
}

// maxDepth is how deep a script may call. Node's limit is of the same order.
const maxDepth = 8000

// load compiles and runs a script and finds the mapper that it makes. Console
// frames go to out.
func load(l loading, out io.Writer) (*script, *failure) {
	s := &script{name: l.Name, vm: goja.New()}
	// A source map's address may be the name of any file of this machine.
	s.vm.SetParserOptions(parser.WithDisableSourceMaps)
	s.vm.SetMaxCallStackSize(maxDepth)
	var err error
	if s.env, err = newEnvironment(s.vm, out); err != nil {
		return nil, s.failure(err)
	}
	program, err := compile(l.Name, l.Script)
	if err != nil {
		return nil, syntaxFailure(err)
	}
	exported, err := s.run(program)
	if err == nil {
		err = s.guard(func() { s.adopt(exported) })
	}
	s.env.flush()
	if err != nil {
		return nil, s.failure(err)
	}
	if s.mapper == nil {
		return nil, &failure{Text: "the script exports " + kindOf(exported) + ", want a function"}
	}
	return s, nil
}

// Wrappers make a function of a script, as Node does, so that it has its own
// module, exports and require. The script begins on a line of its own, so its
// columns stay true. The operator before the line's end keeps return from
// ending there.
const (
	moduleHead     = "(function (exports, require, module, __filename, __dirname) {\n"
	expressionHead = "(function (exports, require, module, __filename, __dirname) { return 0,\n"
	tail           = "\n})"
)

// compile compiles a script: an expression, such as function (raw) { ... }, or
// a CommonJS module.
func compile(name, source string) (*goja.Program, error) {
	source = strings.TrimPrefix(source, "\ufeff")
	// An expression is nothing but that: behind return, more would never run.
	tree, err := goja.Parse(name, expressionHead+source+tail, parser.WithDisableSourceMaps)
	if err != nil || statements(tree) != 1 {
		tree, err = goja.Parse(name, moduleHead+source+tail, parser.WithDisableSourceMaps)
	}
	if err != nil {
		return nil, err
	}
	if statements(tree) < 0 {
		return nil, errors.New("SyntaxError: Unexpected token }") // it closes the wrapper
	}
	return goja.CompileAST(tree, false)
}

// statements counts the statements within the wrapper; -1 means that the
// program is not the wrapper alone. An empty statement does not count.
func statements(tree *ast.Program) (n int) {
	if len(tree.Body) != 1 {
		return -1
	}
	s, _ := tree.Body[0].(*ast.ExpressionStatement)
	if s == nil {
		return -1
	}
	f, _ := s.Expression.(*ast.FunctionLiteral)
	if f == nil {
		return -1
	}
	for _, s := range f.Body.List {
		if _, empty := s.(*ast.EmptyStatement); !empty {
			n++
		}
	}
	return n
}

// run runs a compiled script and returns what it exports: the value of the
// expression when it is a function, else module.exports.
func (s *script) run(program *goja.Program) (goja.Value, error) {
	wrapped, err := s.vm.RunProgram(program)
	if err != nil {
		return nil, err
	}
	exports, module := s.vm.NewObject(), s.vm.NewObject()
	if err := module.Set("exports", exports); err != nil {
		return nil, err
	}
	call, _ := goja.AssertFunction(wrapped)
	value, err := call(exports, exports, s.env.require, module, s.vm.ToValue(s.name), s.vm.ToValue("."))
	if err != nil {
		return nil, err
	}
	if _, ok := goja.AssertFunction(value); ok {
		return value, nil
	}
	err = s.guard(func() { value = module.Get("exports") })
	return value, err
}

// adopt takes the exported function for the mapper, or that in its default.
func (s *script) adopt(exported goja.Value) {
	f, ok := goja.AssertFunction(exported)
	if o, isObject := exported.(*goja.Object); !ok && isObject {
		exported = o.Get("default")
		f, ok = goja.AssertFunction(exported)
	}
	if ok {
		s.mapper = f
		s.params = exported.(*goja.Object).Get("length").ToInteger()
	}
}

// guard runs f, in which JavaScript may run and throw. A defect of the engine
// is not caught: what it leaves behind cannot be trusted.
func (s *script) guard(f func()) (err error) {
	defer func() {
		switch x := recover().(type) {
		case nil:
		case *goja.StackOverflowError:
			err = x
		default:
			panic(x)
		}
	}()
	if ex := s.vm.Try(f); ex != nil {
		return ex
	}
	return nil
}

// call maps one raw_data to the JSON of its profile.
func (s *script) call(raw string) (profile []byte, fault *failure) {
	defer s.env.flush()
	value, err := s.result(raw)
	if err != nil {
		return nil, s.failure(err)
	}
	o, ok := value.(*goja.Object)
	if !ok || isArray(o) || isFunction(o) {
		return nil, &failure{Text: "returned " + kindOf(value) + ", want an object"}
	}
	// Not the script's own JSON.stringify, which it may have replaced.
	if err := s.guard(func() { profile, err = o.MarshalJSON() }); err != nil {
		return nil, s.failure(err)
	}
	switch {
	case err != nil:
		return nil, s.failure(err)
	case len(profile) == 0 || profile[0] != '{':
		return nil, &failure{Text: "returned an object whose JSON is none, want an object"}
	case len(profile) > maxProfile:
		return nil, &failure{Text: "returned a profile of more than 4 MiB"}
	}
	return profile, nil
}

// errNoAnswer is that of a mapper which has nothing left to do and gave nothing.
var errNoAnswer = errors.New("did not call back, and has nothing left to wait for")

// result calls the mapper and waits for its profile. One declared parameter
// means that it is returned, or the value of a returned Promise; any other
// number that the mapper takes a callback. A mapper with a callback that
// returns an object, or a Promise, all the same is not held to the rule.
func (s *script) result(raw string) (goja.Value, error) {
	var answered bool
	var answer goja.Value
	var answerErr error
	input, err := s.input(raw)
	if err != nil {
		return nil, err
	}
	arguments := []goja.Value{input}
	if s.params != 1 {
		arguments = append(arguments, s.vm.ToValue(func(c goja.FunctionCall) goja.Value {
			if !answered {
				answered, answer = true, c.Argument(1)
				if e := c.Argument(0); e.ToBoolean() {
					answerErr = thrown{e}
				}
			}
			return goja.Undefined()
		}))
	}
	s.env.loop.begin()
	returned, err := s.mapper(goja.Undefined(), arguments...)
	if answered {
		return answer, answerErr
	}
	if err != nil {
		return nil, err
	}
	promise, err := s.env.promise(s, returned)
	if err != nil {
		return nil, err
	}
	if promise == nil && s.params == 1 {
		return returned, nil
	}
	err = s.env.loop.run(func() bool {
		return answered || promise != nil && (promise.State() == goja.PromiseStateRejected ||
			promise.State() == goja.PromiseStateFulfilled && (s.params == 1 || isObject(promise.Result())))
	})
	switch {
	case answered:
		return answer, answerErr
	case err != nil:
		return nil, err
	case promise == nil && isObject(returned):
		return returned, nil
	case promise == nil || promise.State() == goja.PromiseStatePending:
		return nil, s.env.lost()
	case promise.State() == goja.PromiseStateRejected:
		return nil, thrown{promise.Result()}
	case s.params != 1 && !isObject(promise.Result()):
		return nil, s.env.lost()
	}
	return promise.Result(), nil
}

// input makes the raw_data of one call, fresh each time.
func (s *script) input(raw string) (goja.Value, error) {
	value, err := s.env.parse(goja.Undefined(), s.vm.ToValue(raw))
	if err != nil {
		return nil, err
	}
	o, ok := value.(*goja.Object)
	if !ok {
		return nil, errors.New("the connector's raw_data is no object")
	}
	err = s.guard(func() {
		if p := o.Get(photo); p != nil {
			err = o.Set(photo, s.env.buffers.pictures(p))
		}
	})
	return o, err
}
