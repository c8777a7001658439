package profile

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"ad-ldap-connector/pkg/identity"
)

// hostile are the things that a script may do to a login, and what the login's
// error then says. None may harm the next login.
var hostile = []struct {
	name string
	body string // of the function; raw and callback are there
	want string // a pattern for all of the error
	slow bool   // it needs the time limit to end it
}{
	{name: "throws an error", body: `
  raw.nothing.deeper`, want: `TypeError: Cannot read property 'deeper' of undefined \(3:15\)`},
	{name: "throws its own", body: `throw new RangeError('no ' + 'department')`, want: `RangeError: no department \(2:\d+\)`},
	{name: "throws a string", body: `throw 'no department'`, want: `threw no department \(2:\d+\)`},
	{name: "throws null", body: `throw null`, want: `threw null \(2:\d+\)`},
	{name: "throws undefined", body: `throw undefined`, want: `threw undefined \(2:\d+\)`},
	{name: "throws a trap", body: `throw { get message() { throw 1 } }`, want: `threw an object \(2:\d+\)`},
	{name: "calls back with an error", body: `callback(new Error('no department'))`, want: `Error: no department`},
	{name: "calls back with a string", body: `setTimeout(callback, 1, 'no')`, want: `threw no`},
	{name: "throws later", body: `setTimeout(function () { throw new Error('late') }, 1)`, want: `Error: late \(2:\d+\)`},
	{name: "rejects", body: `return Promise.reject(new TypeError('no'))`, want: `TypeError: no`},
	{name: "rejects unheard", body: `Promise.resolve().then(function () { nowhere() })`, want: `ReferenceError: nowhere is not defined`},
	{name: "never calls back", body: `return`, want: `did not call back, and has nothing left to wait for`},
	{name: "never settles", body: `return new Promise(function () {})`, want: `did not call back, and has nothing left to wait for`},
	{name: "gives null", body: `callback(null, null)`, want: `returned null, want an object`},
	{name: "gives nothing", body: `callback()`, want: `returned undefined, want an object`},
	{name: "gives a string", body: `callback(null, 'x')`, want: `returned a string, want an object`},
	{name: "gives a number", body: `callback(null, 1)`, want: `returned a number, want an object`},
	{name: "gives a boolean", body: `callback(null, true)`, want: `returned a bool, want an object`},
	{name: "gives an array", body: `callback(null, [])`, want: `returned an array, want an object`},
	{name: "gives a function", body: `callback(null, function () {})`, want: `returned a function, want an object`},
	{name: "gives a date", body: `callback(null, new Date())`, want: `returned an object whose JSON is none, want an object`},
	{name: "gives a circle", body: `var a = {}; a.a = a; callback(null, a)`, want: `TypeError: Converting circular structure to JSON.*`},
	{name: "gives a bad toJSON", body: `callback(null, { toJSON: function () { throw new Error('no') } })`, want: `Error: no \(2:\d+\)`},
	{name: "gives a huge profile", body: `callback(null, { a: 'x'.repeat(5 << 20) })`, want: `returned a profile of more than 4 MiB`},
	{name: "requires fs", body: `require('fs')`, want: `Error: module 'fs' is not available to the mapper \(2:\d+\)`},
	{name: "requires child_process", body: `require('node:child_process')`, want: `Error: module 'node:child_process' is not available to the mapper \(2:\d+\)`},
	{name: "requires lodash", body: `require('lodash')`, want: `Error: module 'lodash' is not available to the mapper \(2:\d+\)`},
	{name: "requires a file", body: `require('/etc/passwd')`, want: `Error: module '/etc/passwd' is not available to the mapper \(2:\d+\)`},
	{name: "requires what objects inherit", body: `require('constructor')`, want: `Error: module 'constructor' is not available to the mapper \(2:\d+\)`},
	{name: "reads a source map", body: "eval('1 //# sourceMappingURL=/etc/passwd'); new Function('x', 'throw 7\\n//# sourceMappingURL=file:///etc/passwd')()", want: `threw 7.*`},
	{name: "exits", body: `process.exit(0)`, want: `Error: process.exit is not available to the mapper \(2:\d+\)`},
	{name: "kills", body: `process.kill(process.pid)`, want: `Error: process.kill is not available to the mapper \(2:\d+\)`},
	{name: "recurses", body: `(function f() { f() })()`, want: `RangeError: Maximum call stack size exceeded.*`},
	{name: "recurses natively", body: `(function f(a) { a.map(function () { f(a) }) })([1])`, want: `(RangeError: Maximum call stack size exceeded.*|recursed too deeply|used more than 64 MiB of memory)`},
	{name: "nests without end", body: `var a = {}; for (var i = 0; i < 1e6; i++) a = { a: a }; callback(null, a)`, want: `(recursed too deeply|used more than 64 MiB of memory|returned a profile.*)`},
	{name: "allocates strings", body: `var s = 'x'; for (;;) s += s + '\u20ac'`, want: `used more than 64 MiB of memory`},
	{name: "allocates at once", body: `callback(null, { a: 'x'.repeat(1 << 29) })`, want: `used more than 64 MiB of memory`},
	{name: "allocates arrays", body: `var a = []; for (;;) a.push(new Array(1000).fill(a.length))`, want: `used more than 64 MiB of memory`},
	{name: "allocates buffers", body: `var a = []; for (;;) a.push(Buffer.alloc(1 << 20, 'x'))`, want: `used more than 64 MiB of memory`},
	{name: "fills a large array", body: `new Array(3e7).fill(1)`, want: `used more than 64 MiB of memory`},
	{name: "loops", body: `for (;;);`, want: `no answer within 3s`, slow: true},
	{name: "loops in promises", body: `(function f() { Promise.resolve().then(f) })()`, want: `no answer within 3s`, slow: true},
	{name: "ticks for ever", body: `setInterval(function () {}, 1)`, want: `no answer within 3s`, slow: true},
	{name: "looks ahead for ever", body: `/^(?=a)(a+)+$/.test('a'.repeat(40) + 'b')`, want: `no answer within 3s`, slow: true},
	{name: "sorts for ever", body: `[1, 2, 3].sort(function () { for (;;); })`, want: `no answer within 3s`, slow: true},
}

func TestHostile(t *testing.T) {
	for _, tt := range hostile {
		t.Run(tt.name, func(t *testing.T) {
			o := options(t, "module.exports = function (raw, callback) { if (raw.cn === 'good') return callback(null, { ok: 1 });\n"+tt.body+"\n}")
			if tt.slow {
				t.Parallel()
				o.Timeout = 3 * time.Second // for the next login too, on a busy machine
			}
			m := start(t, o)
			_, err := m.Map(t.Context(), entry("", "cn", "bad"), nil, "")
			want := regexp.MustCompile(`^run lib/profileMapper\.js: ` + tt.want + `$`)
			if err == nil || !want.MatchString(err.Error()) {
				t.Errorf("err = %v, want %s", err, want)
			}
			good(t, m, `{"ok":1}`)
		})
	}
}

func good(t *testing.T, m *Mapper, want string) {
	t.Helper()
	p, err := m.Map(t.Context(), entry("", "cn", "good"), nil, "")
	if err != nil || p.String() != want {
		t.Errorf("the next login: %v, %v, want %s", p, err, want)
	}
}

// A script may ruin the language for itself, but neither its input nor the way
// its profile is read.
func TestTampering(t *testing.T) {
	m := start(t, options(t, `
JSON.stringify = JSON.parse = function () { return '{"forged":1}' };
Object.prototype.toString = Array.prototype.map = Array.prototype.push = function () { return 'forged' };
Function.prototype.call = Function.prototype.apply = null;
Object.defineProperty(Object.prototype, 'thumbnailPhoto', { get: function () { return 'forged' }, configurable: true });
Object.defineProperty(Object.prototype, 'groups', { set: function () { throw 1 }, configurable: true });
Uint8Array = ArrayBuffer = Buffer = Promise = RangeError = Error = null;
delete Map.prototype.get;
module.exports = function (raw) { return { cn: raw.cn, groups: raw.groups, util: typeof require('util') }; };`))
	for range 2 {
		p, err := m.Map(t.Context(), alice(), labels("g"), "")
		if want := `{"cn":"alice Person","groups":["g"],"util":"object"}`; err != nil || p.String() != want {
			t.Errorf("got %s, %v, want %s", p, err, want)
		}
	}
}

// Scripts that cannot run are told of when they are loaded, not at a login.
func TestNewRefuses(t *testing.T) {
	for _, tt := range []struct{ name, script, want string }{
		{"empty", "", `the script exports an object, want a function`},
		{"no syntax", "module.exports = function (raw) {\n  return {;\n}", `SyntaxError: Unexpected token ; \(\d:\d+\)`},
		{"not JavaScript", "\x00\xff<?xml?>", `SyntaxError: .*`},
		{"late syntax", "var a = 1;\nlet b; let b;", `SyntaxError: .* \(2:\d+\)`},
		{"bad regular expression", "\nmodule.exports = function () { return /(/ }", `SyntaxError: .*`},
		{"closes the wrapper", "})(); (function () {", `SyntaxError: .*`},
		{"throws", "\nnowhere()", `ReferenceError: nowhere is not defined \(2:\d+\)`},
		{"exports a string", "module.exports = 'x'", `the script exports a string, want a function`},
		{"exports null", "module.exports = null", `the script exports null, want a function`},
		{"has a trap", "module.exports = { get default() { throw new Error('trap') } }", `Error: trap \(1:\d+\)`},
		{"requires what is not there", "var _ = require('lodash');", `Error: module 'lodash' is not available to the mapper \(1:\d+\)`},
		{"hangs", "for (;;);", `no answer within 1s`},
		{"allocates", "var a = []; for (;;) a.push(new Array(1000).fill(1))", `used more than 64 MiB of memory`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := options(t, tt.script)
			if tt.name == "hangs" {
				o.Timeout = time.Second
			}
			m, err := New(o)
			if err == nil {
				t.Fatal("it was taken", m.Close())
			}
			if want := regexp.MustCompile(`^load lib/profileMapper\.js: ` + tt.want + `$`); !want.MatchString(err.Error()) {
				t.Errorf("err = %v, want %s", err, want)
			}
		})
	}
}

// Errors name what a script choked on, not the user's values.
func TestErrorsHideTheUser(t *testing.T) {
	m := start(t, options(t, `module.exports = function (raw) {
  switch (raw.cn) {
    case 'dn': throw new Error('bad user ' + raw.dn + ' of ' + raw.sn);
    case 'groups': throw raw.groups.join() + JSON.stringify(raw.mail);
    case 'long': throw new Error('x'.repeat(299) + raw.sn.repeat(3));
  }
  return raw.mail.length();
}`))
	for name, want := range map[string]string{
		"dn":     `run lib/profileMapper.js: Error: bad user [dn] of [sn] (3:22)`,
		"groups": `run lib/profileMapper.js: threw [group],[group]["[mail]","[mail]"] (4:20)`,
		"long":   `run lib/profileMapper.js: Error: ` + strings.Repeat("x", 293) + `... (5:24)`,
	} {
		user := entry("cn=Hidden Name,dc=org", "cn", name, "sn", "Hidden Name", "mail", "hidden@a", "mail", "hidden@b")
		_, err := m.Map(t.Context(), user, labels("Hidden Group", `{"cn":"Hidden Other"}`)[:1:1], "")
		if name == "groups" {
			_, err = m.Map(t.Context(), user, labels("Hidden Group", "Hidden Other"), "")
		}
		if err == nil || err.Error() != want {
			t.Errorf("err = %v\nwant  %s", err, want)
		}
	}
}

// A script's console goes to the log, but no call can flood it.
func TestConsole(t *testing.T) {
	var log lines
	o := options(t, `console.log('loading %d', 1);
module.exports = function (raw) {
  console.warn('warned', { a: [1] });
  console.error(new Map([['k', raw.cn]]));
  console.debug('debug'); console.info('info');
  for (var i = 0; i < 1000; i++) console.log('flood '.repeat(100));
  return { ok: 1 };
}`)
	o.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	m := start(t, o)
	for range 2 {
		good(t, m, `{"ok":1}`)
	}
	text := log.String()
	for want, times := range map[string]int{
		`level=INFO msg="the mapper says" text="loading 1"`:                 1,
		`level=WARN msg="the mapper says" text="warned { a: [ 1 ] }"`:       2,
		`level=ERROR msg="the mapper says" text="Map(1) { 'k' => 'good' }"`: 2,
		`level=DEBUG msg="the mapper says" text=debug`:                      2,
		`level=INFO msg="the mapper says" text=info`:                        2,
		`(more than 64 KiB: the rest of this call's output is left out)"`:   2,
	} {
		if n := strings.Count(text, want); n != times {
			t.Errorf("%d times %s, want %d", n, want, times)
		}
	}
	if len(text) > 2*(maxConsole+32<<10) {
		t.Errorf("the log has %d octets", len(text))
	}
}

// lines is a log's writer that may be read while it is written to.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestUnicodePropertiesAreWarnedOf(t *testing.T) {
	var log lines
	o := options(t, `(raw) => ({ ok: /\p{L}/u.test('x') || 1 })`)
	o.Log = slog.New(slog.NewTextHandler(&log, nil))
	start(t, o)
	if !strings.Contains(log.String(), `regular expression`) {
		t.Errorf("no warning: %s", log.String())
	}
}

// A call ends when its context does, whether it runs or waits for a process.
func TestContext(t *testing.T) {
	m := start(t, options(t, `(raw) => { if (raw.cn !== 'good') for (;;); return { ok: 1 } }`))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	for range 2 * warmest {
		go func() {
			_, err := m.Map(ctx, entry("", "cn", "bad"), nil, "")
			ended <- err
		}()
	}
	cancel()
	for range 2 * warmest {
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("err = %v", err)
		}
	}
	good(t, m, `{"ok":1}`)
	if _, err := m.Map(ctx, entry(""), nil, identity.Active); !errors.Is(err, context.Canceled) {
		t.Errorf("a call that was too late: %v", err)
	}
}
