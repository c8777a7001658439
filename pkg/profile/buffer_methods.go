package profile

import (
	"bytes"

	"github.com/dop251/goja"
)

// methods are those of Buffer.prototype, but for the numbers.
func (b *buffers) methods() map[string]function {
	return map[string]function{
		"toString":       b.toString,
		"toLocaleString": b.toString,
		"toJSON":         b.toJSON,
		"equals": func(c goja.FunctionCall) goja.Value {
			return b.vm.ToValue(bytes.Equal(b.bytes(c.This), b.bytes(c.Argument(0))))
		},
		"compare": func(c goja.FunctionCall) goja.Value {
			return b.vm.ToValue(bytes.Compare(b.bytes(c.This), b.bytes(c.Argument(0))))
		},
		"slice":    b.slice,
		"subarray": b.slice,
		"copy":     b.copy,
		"fill":     b.fill,
		"write":    b.write,
		"indexOf":  func(c goja.FunctionCall) goja.Value { return b.vm.ToValue(b.index(c, false)) },
		"lastIndexOf": func(c goja.FunctionCall) goja.Value {
			return b.vm.ToValue(b.index(c, true))
		},
		"includes": func(c goja.FunctionCall) goja.Value { return b.vm.ToValue(b.index(c, false) >= 0) },
	}
}

func (b *buffers) toString(c goja.FunctionCall) goja.Value {
	data := b.bytes(c.This)
	start := clamp(c.Argument(1), 0, len(data))
	end := max(clamp(c.Argument(2), len(data), len(data)), start)
	return b.decode(data[start:end], b.encoding(c.Argument(0)))
}

func (b *buffers) toJSON(c goja.FunctionCall) goja.Value {
	data := b.bytes(c.This)
	list := make([]any, len(data))
	for i, octet := range data {
		list[i] = int(octet)
	}
	o := b.vm.NewObject()
	// A fresh object refuses nothing.
	_ = o.Set("type", "Buffer")
	_ = o.Set("data", b.vm.NewArray(list...))
	return o
}

// slice shares the bytes; positions below zero count from the end.
func (b *buffers) slice(c goja.FunctionCall) goja.Value {
	data := b.bytes(c.This)
	start := b.relative(c.Argument(0), 0, len(data))
	end := max(b.relative(c.Argument(1), len(data), len(data)), start)
	this := c.This.(*goja.Object) // it has bytes
	return b.view(this.Get("buffer"), int(this.Get("byteOffset").ToInteger())+start, end-start)
}

func (b *buffers) relative(v goja.Value, missing, length int) int {
	if !goja.IsUndefined(v) && v.ToInteger() < 0 {
		return int(max(v.ToInteger()+int64(length), 0))
	}
	return clamp(v, missing, length)
}

// copy is source.copy(target, targetStart, sourceStart, sourceEnd).
func (b *buffers) copy(c goja.FunctionCall) goja.Value {
	source, target := b.bytes(c.This), b.bytes(c.Argument(0))
	target = target[clamp(c.Argument(1), 0, len(target)):]
	start := clamp(c.Argument(2), 0, len(source))
	end := max(clamp(c.Argument(3), len(source), len(source)), start)
	return b.vm.ToValue(copy(target, source[start:end]))
}

// fill is fill(value, offset, end, encoding); the two in the middle may miss.
func (b *buffers) fill(c goja.FunctionCall) goja.Value {
	data, encoding := b.bytes(c.This), c.Argument(3)
	start, end := 0, len(data)
	if goja.IsString(c.Argument(1)) {
		encoding = c.Argument(1)
	} else {
		start = clamp(c.Argument(1), 0, len(data))
		end = max(clamp(c.Argument(2), len(data), len(data)), start)
	}
	fill(data[start:end], b.pattern(c.Argument(0), encoding))
	return c.This
}

func fill(data, pattern []byte) {
	for n := 0; len(pattern) > 0 && n < len(data); {
		n += copy(data[n:], pattern)
	}
}

// pattern returns the bytes to fill with or to look for.
func (b *buffers) pattern(v, encoding goja.Value) []byte {
	if goja.IsUndefined(v) {
		return []byte{0}
	}
	if goja.IsString(v) {
		return encode(v, b.encoding(encoding))
	}
	if data, ok := octets(v); ok {
		return data
	}
	return []byte{byte(v.ToInteger())}
}

// write is write(string, offset, length, encoding); any of the last three may
// miss.
func (b *buffers) write(c goja.FunctionCall) goja.Value {
	data := b.bytes(c.This)
	rest := c.Arguments[min(1, len(c.Arguments)):]
	var encoding goja.Value
	for i, v := range rest {
		if goja.IsString(v) {
			rest, encoding = rest[:i], v
			break
		}
	}
	position := goja.FunctionCall{Arguments: rest}
	data = data[clamp(position.Argument(0), 0, len(data)):]
	data = data[:clamp(position.Argument(1), len(data), len(data))]
	name := b.encoding(encoding)
	octets := encode(c.Argument(0), name)
	n := min(len(octets), len(data))
	if name == "utf8" && n < len(octets) {
		for n > 0 && octets[n]&0xC0 == 0x80 { // no half characters
			n--
		}
	}
	return b.vm.ToValue(copy(data, octets[:n]))
}

// index is indexOf(value, offset, encoding) or lastIndexOf.
func (b *buffers) index(c goja.FunctionCall, last bool) int {
	data, offset, encoding := b.bytes(c.This), c.Argument(1), c.Argument(2)
	if goja.IsString(offset) {
		offset, encoding = goja.Undefined(), offset
	}
	what := b.pattern(c.Argument(0), encoding)
	if last {
		from := b.relative(offset, len(data), len(data))
		return bytes.LastIndex(data[:min(from+len(what), len(data))], what)
	}
	from := b.relative(offset, 0, len(data))
	at := bytes.Index(data[from:], what)
	if at < 0 {
		return -1
	}
	return from + at
}

// numbers are readUInt8 to writeInt32BE, readUIntLE and its kin for one to six
// bytes, each under both of Node's spellings.
func (b *buffers) numbers() map[string]function {
	methods := map[string]function{}
	for _, kind := range []struct {
		name   string
		size   int // 0: the argument after the position
		little bool
	}{{"8", 1, false}, {"16LE", 2, true}, {"16BE", 2, false}, {"32LE", 4, true}, {"32BE", 4, false}, {"LE", 0, true}, {"BE", 0, false}} {
		for _, sign := range []string{"UInt", "Uint", "Int"} {
			methods["read"+sign+kind.name] = func(c goja.FunctionCall) goja.Value {
				at := b.span(c.This, c.Argument(0), c.Argument(1), kind.size)
				return b.vm.ToValue(read(at, kind.little, sign == "Int"))
			}
			methods["write"+sign+kind.name] = func(c goja.FunctionCall) goja.Value {
				at := b.span(c.This, c.Argument(1), c.Argument(2), kind.size)
				write(at, kind.little, c.Argument(0).ToInteger())
				return b.vm.ToValue(clamp(c.Argument(1), 0, len(b.bytes(c.This))) + len(at))
			}
		}
	}
	return methods
}

// span returns the bytes of a number, or throws when they are not all there.
func (b *buffers) span(this, offset, length goja.Value, size int) []byte {
	data := b.bytes(this)
	if size == 0 {
		if size = clamp(length, 0, 7); size < 1 || size > 6 {
			panic(b.rangeError("The byteLength must be 1 to 6"))
		}
	}
	var at int64
	if !goja.IsUndefined(offset) {
		at = offset.ToInteger()
	}
	if at < 0 || at > int64(len(data)-size) {
		panic(b.rangeError("The offset is out of range"))
	}
	return data[at : int(at)+size]
}

func (b *buffers) rangeError(message string) *goja.Object {
	o, err := b.vm.New(b.vm.Get("RangeError"), b.vm.ToValue(message))
	if err != nil {
		return b.vm.NewTypeError(message) // the script has replaced RangeError
	}
	return o
}

func read(data []byte, little, signed bool) int64 {
	var n int64
	for i := range data {
		if little {
			i = len(data) - 1 - i
		}
		n = n<<8 | int64(data[i])
	}
	if bits := 8 * len(data); signed && n >= 1<<(bits-1) {
		n -= 1 << bits
	}
	return n
}

func write(data []byte, little bool, n int64) {
	for i := range data {
		if !little {
			i = len(data) - 1 - i
		}
		data[i] = byte(n)
		n >>= 8
	}
}
