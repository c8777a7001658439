package profile

import (
	"bytes"
	"encoding/base64"
	"math"
	"reflect"

	"github.com/dop251/goja"
)

// buffers is Node's Buffer: a Uint8Array whose prototype has more methods.
type buffers struct {
	vm    *goja.Runtime
	ctor  *goja.Object // Buffer
	proto *goja.Object // Buffer.prototype
	array *goja.Object // Uint8Array, from before the script could replace it
}

var (
	typeBytes       = reflect.TypeFor[[]byte]()
	typeArrayBuffer = reflect.TypeFor[goja.ArrayBuffer]()
)

func newBuffers(vm *goja.Runtime) *buffers {
	b := &buffers{vm: vm, array: vm.Get("Uint8Array").(*goja.Object)}
	b.ctor = vm.ToValue(func(c goja.ConstructorCall) *goja.Object {
		if n := c.Argument(0); goja.IsNumber(n) {
			return b.alloc(n)
		}
		return b.from(c.Arguments)
	}).(*goja.Object)
	b.proto = b.ctor.Get("prototype").(*goja.Object)
	// Neither object is the script's yet, so nothing can refuse.
	_ = b.proto.SetPrototype(b.array.Get("prototype").(*goja.Object))
	_ = b.ctor.SetPrototype(b.array)
	_ = b.ctor.DefineDataProperty("name", vm.ToValue("Buffer"), goja.FLAG_FALSE, goja.FLAG_TRUE, goja.FLAG_FALSE)
	b.define(b.ctor, map[string]function{
		"from":            func(c goja.FunctionCall) goja.Value { return b.from(c.Arguments) },
		"alloc":           b.allocFilled,
		"allocUnsafe":     func(c goja.FunctionCall) goja.Value { return b.alloc(c.Argument(0)) },
		"allocUnsafeSlow": func(c goja.FunctionCall) goja.Value { return b.alloc(c.Argument(0)) },
		"isBuffer":        func(c goja.FunctionCall) goja.Value { return vm.ToValue(b.is(c.Argument(0))) },
		"isEncoding":      b.isEncoding,
		"byteLength":      b.byteLength,
		"concat":          b.concat,
		"compare": func(c goja.FunctionCall) goja.Value {
			return vm.ToValue(bytes.Compare(b.bytes(c.Argument(0)), b.bytes(c.Argument(1))))
		},
	})
	b.define(b.proto, b.methods())
	b.define(b.proto, b.numbers())
	return b
}

type function = func(goja.FunctionCall) goja.Value

// define adds methods that no for-in loop shows.
func (b *buffers) define(o *goja.Object, methods map[string]function) {
	for name, f := range methods {
		// The objects are fresh, so nothing can refuse.
		_ = o.DefineDataProperty(name, b.vm.ToValue(f), goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_FALSE)
	}
}

// wrap makes a Buffer of data, which it keeps.
func (b *buffers) wrap(data []byte) *goja.Object {
	return b.view(b.vm.ToValue(b.vm.NewArrayBuffer(data)), 0, len(data))
}

// view makes a Buffer that shares an ArrayBuffer.
func (b *buffers) view(buffer goja.Value, offset, length int) *goja.Object {
	o, err := b.vm.New(b.array, buffer, b.vm.ToValue(offset), b.vm.ToValue(length))
	if err == nil {
		err = o.SetPrototype(b.proto)
	}
	if err != nil {
		panic(err) // into the script, as the exception that it is
	}
	return o
}

// is reports whether v is a Buffer.
func (b *buffers) is(v goja.Value) bool {
	o, ok := v.(*goja.Object)
	if !ok || o.ExportType() != typeBytes {
		return false
	}
	for o = o.Prototype(); o != nil; o = o.Prototype() {
		if o == b.proto {
			return true
		}
	}
	return false
}

// octets returns the bytes of a Uint8Array or an ArrayBuffer, which it shares.
func octets(v goja.Value) (data []byte, ok bool) {
	o, isObject := v.(*goja.Object)
	if !isObject {
		return nil, false
	}
	switch o.ExportType() {
	case typeBytes:
		data, ok = o.Export().([]byte)
	case typeArrayBuffer:
		var a goja.ArrayBuffer
		if a, ok = o.Export().(goja.ArrayBuffer); ok {
			data = a.Bytes()
		}
	}
	return data, ok
}

// bytes returns the bytes of an argument that must have some.
func (b *buffers) bytes(v goja.Value) []byte {
	data, ok := octets(v)
	if !ok {
		panic(b.vm.NewTypeError("The argument must be a Buffer or Uint8Array. Received %s", kindOf(v)))
	}
	return data
}

func (b *buffers) alloc(size goja.Value) *goja.Object {
	n := size.ToFloat()
	if !goja.IsNumber(size) || !(n >= 0 && n <= math.MaxInt32) {
		panic(b.vm.NewTypeError("The size of a Buffer must be a number of bytes. Received %s", kindOf(size)))
	}
	return b.wrap(make([]byte, int(n)))
}

func (b *buffers) allocFilled(c goja.FunctionCall) goja.Value {
	o := b.alloc(c.Argument(0))
	fill(b.bytes(o), b.pattern(c.Argument(1), c.Argument(2)))
	return o
}

// from makes a Buffer of a string, a Buffer, an ArrayBuffer (shared), an array,
// or the JSON of a Buffer.
func (b *buffers) from(arguments []goja.Value) *goja.Object {
	argument := func(i int) goja.Value { return goja.FunctionCall{Arguments: arguments}.Argument(i) }
	v := argument(0)
	if goja.IsString(v) {
		return b.wrap(encode(v, b.encoding(argument(1))))
	}
	o, ok := v.(*goja.Object)
	if !ok {
		panic(b.vm.NewTypeError("The first argument must be a string, Buffer, ArrayBuffer or array. Received %s", kindOf(v)))
	}
	if data, ok := octets(o); ok {
		if o.ExportType() == typeBytes {
			return b.wrap(bytes.Clone(data))
		}
		offset := clamp(argument(1), 0, len(data))
		return b.view(o, offset, clamp(argument(2), len(data)-offset, len(data)-offset))
	}
	if o.ClassName() == "String" {
		return b.wrap(encode(o.ToString(), b.encoding(argument(1))))
	}
	if data, ok := o.Get("data").(*goja.Object); ok && isArray(data) {
		o = data
	}
	length := o.Get("length")
	if length == nil || !goja.IsNumber(length) {
		panic(b.vm.NewTypeError("The first argument must be a string, Buffer, ArrayBuffer or array. Received an object"))
	}
	data := make([]byte, 0, 64)
	for i := range max(length.ToInteger(), 0) {
		var octet byte
		if e := o.Get(b.vm.ToValue(i).String()); e != nil {
			octet = byte(e.ToInteger())
		}
		data = append(data, octet)
	}
	return b.wrap(data)
}

func (b *buffers) isEncoding(c goja.FunctionCall) goja.Value {
	_, ok := encodings[c.Argument(0).String()]
	return b.vm.ToValue(ok)
}

func (b *buffers) byteLength(c goja.FunctionCall) goja.Value {
	if v := c.Argument(0); !goja.IsString(v) {
		return b.vm.ToValue(len(b.bytes(v)))
	}
	encoding := b.encoding(c.Argument(1))
	if encoding == "hex" { // Node does not look at the digits
		return b.vm.ToValue(len(c.Argument(0).String()) / 2)
	}
	return b.vm.ToValue(len(encode(c.Argument(0), encoding)))
}

func (b *buffers) concat(c goja.FunctionCall) goja.Value {
	var whole []byte
	b.vm.ForOf(c.Argument(0), func(v goja.Value) bool {
		whole = append(whole, b.bytes(v)...)
		return true
	})
	if n := c.Argument(1); !goja.IsUndefined(n) {
		size := clamp(n, 0, math.MaxInt32)
		whole = append(whole[:min(size, len(whole))], make([]byte, max(size-len(whole), 0))...)
	}
	return b.wrap(whole)
}

// pictures makes Buffers of the base64 in which raw_data carries a photo: of
// one, or of each in an array.
func (b *buffers) pictures(v goja.Value) goja.Value {
	decoded := func(v goja.Value) goja.Value {
		data, err := base64.StdEncoding.DecodeString(v.String())
		if err != nil {
			return v // the connector did not write it
		}
		return b.wrap(data)
	}
	o, ok := v.(*goja.Object)
	if !ok {
		return decoded(v)
	}
	list := []any{}
	for i := range o.Get("length").ToInteger() {
		list = append(list, decoded(o.Get(b.vm.ToValue(i).String())))
	}
	return b.vm.NewArray(list...)
}

// clamp reads a position or a size: missing is the default, and what lies
// outside 0 to most is brought inside.
func clamp(v goja.Value, missing, most int) int {
	if v == nil || goja.IsUndefined(v) {
		return missing
	}
	return int(max(min(v.ToInteger(), int64(most)), 0))
}
