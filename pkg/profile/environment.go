package profile

import (
	_ "embed" // for the prelude
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"

	"github.com/dop251/goja"
	"github.com/dop251/goja/parser"
)

// prelude is the part of the environment that is easiest said in JavaScript.
//
//go:embed prelude.js
var prelude string

// An environment is what a script finds around it: Node's most used globals and
// a few of its modules, but no files, no network and no other processes.
type environment struct {
	vm      *goja.Runtime
	loop    *loop
	buffers *buffers
	require goja.Value
	adopt   goja.Callable // makes a Promise of a thenable
	parse   goja.Callable // JSON.parse, from before the script could replace it
	out     io.Writer
	written int           // console output of this call, in octets
	orphan  *goja.Promise // the last one rejected while nobody listened
}

// newEnvironment furnishes a fresh runtime. An error is a defect of the prelude.
func newEnvironment(vm *goja.Runtime, out io.Writer) (*environment, error) {
	e := &environment{vm: vm, out: out, buffers: newBuffers(vm)}
	e.loop = &loop{failed: func(err error) { e.console("error", "a timer of an earlier call: "+err.Error()) }}
	vm.SetPromiseRejectionTracker(func(p *goja.Promise, op goja.PromiseRejectionOperation) {
		if op == goja.PromiseRejectionReject {
			e.orphan = p
		} else if e.orphan == p {
			e.orphan = nil
		}
	})
	native := vm.NewObject()
	for name, v := range map[string]any{
		"Buffer":  e.buffers.ctor,
		"console": func(level, text string) { e.console(level, text) },
		"digest":  e.digest,
		"tick":    e.enqueue(func() *[]task { return &e.loop.ticks }),
		"soon":    e.enqueue(func() *[]task { return &e.loop.soon }),
		"later":   e.later,
		"clear":   e.loop.clear,
	} {
		_ = native.Set(name, v) // a fresh object refuses nothing
	}
	program, err := goja.Parse("prelude.js", prelude, parser.WithDisableSourceMaps)
	if err != nil {
		return nil, err
	}
	compiled, err := goja.CompileAST(program, true)
	if err != nil {
		return nil, err
	}
	made, err := vm.RunProgram(compiled)
	if err != nil {
		return nil, err
	}
	install, _ := goja.AssertFunction(made)
	result, err := install(goja.Undefined(), vm.GlobalObject(), native)
	if err != nil {
		return nil, err
	}
	o := result.(*goja.Object)
	e.require = o.Get("require")
	e.adopt, _ = goja.AssertFunction(o.Get("adopt"))
	e.parse, _ = goja.AssertFunction(vm.Get("JSON").(*goja.Object).Get("parse"))
	return e, nil
}

// enqueue adds a function and its arguments to a queue.
func (e *environment) enqueue(queue func() *[]task) function {
	return func(c goja.FunctionCall) goja.Value {
		q := queue()
		*q = append(*q, e.task(c.Argument(0), c.Arguments[min(1, len(c.Arguments)):]))
		return goja.Undefined()
	}
}

// later is later(function, milliseconds, repeat, arguments...), and gives an id.
func (e *environment) later(c goja.FunctionCall) goja.Value {
	t := e.task(c.Argument(0), c.Arguments[min(3, len(c.Arguments)):])
	return e.vm.ToValue(e.loop.later(t, c.Argument(1).ToFloat(), c.Argument(2).ToBoolean()))
}

func (e *environment) task(v goja.Value, arguments []goja.Value) task {
	f, ok := goja.AssertFunction(v)
	if !ok {
		panic(e.vm.NewTypeError("The callback must be a function. Received %s", kindOf(v)))
	}
	return task{e.loop.call, f, slices.Clone(arguments)} // they lie on the engine's stack
}

// console hands a line to the connector's log, up to maxConsole for each call.
func (e *environment) console(level, text string) {
	left := maxConsole - e.written
	if left <= 0 {
		return
	}
	e.written += len(text) + 1
	if len(text) >= left {
		text = strings.ToValidUTF8(text[:left], "") + " ... (more than 64 KiB: the rest of this call's output is left out)"
	}
	body, err := json.Marshal(line{level, text})
	if err == nil {
		err = writeFrame(e.out, frameConsole, body)
	}
	if err != nil {
		e.written = maxConsole // the connector is gone; the call's answer will tell
	}
}

// flush ends the account of one call's output.
func (e *environment) flush() { e.written, e.orphan = 0, nil }

var typePromise = reflect.TypeFor[*goja.Promise]()

// promise returns v as a Promise if it is one, or is like one; else nil.
func (e *environment) promise(s *script, v goja.Value) (p *goja.Promise, err error) {
	o, ok := v.(*goja.Object)
	if !ok {
		return nil, nil
	}
	if o.ExportType() != typePromise {
		thenable := false
		if err := s.guard(func() { _, thenable = goja.AssertFunction(o.Get("then")) }); err != nil || !thenable {
			return nil, err
		}
		adopted, err := e.adopt(goja.Undefined(), o)
		if err != nil {
			return nil, err
		}
		o = adopted.(*goja.Object)
	}
	p, ok = o.Export().(*goja.Promise)
	if !ok {
		return nil, errors.New("the script has replaced Promise")
	}
	return p, nil
}

// lost is the error of a call that nothing will answer any more. A rejection
// that nobody handled is the likely reason.
func (e *environment) lost() error {
	if e.orphan != nil {
		return thrown{e.orphan.Result()}
	}
	return errNoAnswer
}

func (e *environment) digest(c goja.FunctionCall) goja.Value {
	sum, err := digest(c.Argument(0).String(), c.Argument(1), e.buffers.bytes(c.Argument(2)))
	if err != nil {
		panic(e.vm.NewGoError(fmt.Errorf("crypto: %w", err)))
	}
	return e.buffers.wrap(sum)
}
