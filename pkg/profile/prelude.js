// What a mapper finds around it, as far as JavaScript says it best. It runs
// before the script, and keeps what it needs of the language to itself.
(function (global, native) {
  const { Buffer } = native;
  const PromiseOriginal = Promise;
  const ErrorOriginal = Error;
  const hidden = (o, name, value) => Object.defineProperty(o, name, { value, writable: true, configurable: true });

  // util.inspect: depth 2 unless told, one line while it is short.
  function inspect(value, options) {
    const depth = options && options.depth !== undefined ? options.depth : 2;
    return show(value, depth === null ? Infinity : depth, [], false);
  }

  const quote = (s) => {
    const mark = !s.includes("'") ? "'" : !s.includes('"') ? '"' : !s.includes('`') ? '`' : "'";
    return mark + s.replace(/[\\\n\r\t\b\f]/g, (c) => ({ '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t', '\b': '\\b', '\f': '\\f' })[c])
      .replace(mark === "'" ? /'/g : /$^/g, "\\'") + mark;
  };
  const key = (k) => typeof k === 'symbol' ? '[' + k.toString() + ']' : /^[A-Za-z_$][\w$]*$/.test(k) ? k : quote(k);

  function show(v, depth, seen, top) {
    if (typeof v === 'string') return top ? v : quote(v);
    if (typeof v === 'bigint') return v + 'n';
    if (typeof v === 'function') return (/^class\b/.test(Function.prototype.toString.call(v)) ? '[class ' : '[Function: ') + (v.name || '(anonymous)') + ']';
    if (Object.is(v, -0)) return '-0';
    if (typeof v !== 'object' || v === null) return String(v);
    if (Buffer.isBuffer(v)) {
      const more = v.length > 50 ? ' ... ' + (v.length - 50) + ' more bytes' : '';
      return '<Buffer' + v.toString('hex', 0, 50).replace(/../g, ' $&') + more + '>';
    }
    if (seen.includes(v)) return '[Circular *1]';
    if (v instanceof Date) return isNaN(v) ? 'Invalid Date' : v.toISOString();
    if (v instanceof RegExp) return String(v);
    if (v instanceof ErrorOriginal) return v.stack || String(v);
    if (v instanceof PromiseOriginal) return 'Promise {}';
    if (v instanceof String || v instanceof Number || v instanceof Boolean) return '[' + v.constructor.name + ': ' + show(v.valueOf(), 0, seen, false) + ']';
    const array = Array.isArray(v) || ArrayBuffer.isView(v);
    const proto = Object.getPrototypeOf(v);
    const name = proto === null ? '[Object: null prototype]' : (proto.constructor && proto.constructor.name) || 'Object';
    const map = v instanceof Map, set = v instanceof Set;
    const prefix = map || set ? name + '(' + v.size + ') ' : array ? (name === 'Array' ? '' : name + '(' + v.length + ') ') : name === 'Object' ? '' : name + ' ';
    if (depth < 0) return '[' + (array ? 'Array' : name) + ']';
    const inner = seen.concat([v]);
    const part = (x) => show(x, depth - 1, inner, false);
    const parts = [];
    if (map) v.forEach((x, k) => parts.push(part(k) + ' => ' + part(x)));
    else if (set) v.forEach((x) => parts.push(part(x)));
    else if (array) {
      for (let i = 0; i < v.length && i < 100; i++) parts.push(i in v ? part(v[i]) : '<empty item>');
      if (v.length > 100) parts.push('... ' + (v.length - 100) + ' more items');
    }
    for (const k of Object.keys(v)) {
      if (array && /^\d+$/.test(k)) continue;
      const d = Object.getOwnPropertyDescriptor(v, k);
      parts.push(key(k) + ': ' + (d && d.get ? '[Getter]' : part(v[k])));
    }
    const [open, close] = array ? ['[', ']'] : ['{', '}'];
    if (!parts.length) return prefix + open + close;
    const line = parts.join(', ');
    if (line.length <= 72 && !line.includes('\n')) return prefix + open + ' ' + line + ' ' + close;
    return prefix + open + '\n  ' + parts.map((p) => p.replace(/\n/g, '\n  ')).join(',\n  ') + '\n' + close;
  }

  function format(...args) {
    let text = '', next = 0;
    if (typeof args[0] === 'string') {
      next = 1;
      text = args[0].replace(/%([sdifjoOc%])/g, (whole, c) => {
        if (c === '%') return '%';
        if (next >= args.length) return whole;
        const v = args[next++];
        switch (c) {
          case 's': return typeof v === 'object' && v !== null ? show(v, 0, [], true) : typeof v === 'bigint' ? v + 'n' : String(v);
          case 'd': return String(Number(v));
          case 'i': return String(parseInt(v, 10));
          case 'f': return String(parseFloat(v));
          case 'j': try { return String(JSON.stringify(v)); } catch (e) { return '[Circular]'; }
          case 'c': return '';
          default: return show(v, 4, [], false);
        }
      });
    }
    for (; next < args.length; next++) text += (next ? ' ' : '') + show(args[next], 2, [], true);
    return text;
  }

  const tag = (v) => Object.prototype.toString.call(v).slice(8, -1);
  const isA = (name) => (v) => tag(v) === name;
  class TextEncoder {
    get encoding() { return 'utf-8'; }
    encode(text) { return new Uint8Array(text === undefined ? [] : Buffer.from(String(text))); }
  }
  class TextDecoder {
    constructor(label) { this.encoding = label || 'utf-8'; Buffer.from('', this.encoding); }
    decode(data) { return data === undefined ? '' : Buffer.from(data).toString(this.encoding).replace(/^\ufeff/, ''); }
  }
  const util = {
    inspect, format, TextEncoder, TextDecoder,
    deprecate: (f) => f,
    inherits(child, parent) { child.super_ = parent; Object.setPrototypeOf(child.prototype, parent.prototype); },
    promisify: (f) => function (...args) {
      return new PromiseOriginal((resolve, reject) => f.call(this, ...args, (err, value) => err ? reject(err) : resolve(value)));
    },
    callbackify: (f) => function (...args) {
      const callback = args.pop();
      f.apply(this, args).then((v) => native.tick(callback, null, v), (e) => native.tick(callback, e));
    },
    types: {
      isDate: isA('Date'), isRegExp: isA('RegExp'), isMap: isA('Map'), isSet: isA('Set'), isPromise: (v) => v instanceof PromiseOriginal,
      isNativeError: isA('Error'), isUint8Array: (v) => v instanceof Uint8Array, isTypedArray: (v) => ArrayBuffer.isView(v) && !(v instanceof DataView)
    },
    isArray: Array.isArray, isBuffer: Buffer.isBuffer, isDate: isA('Date'), isRegExp: isA('RegExp'),
    isError: (v) => v instanceof ErrorOriginal, isFunction: (v) => typeof v === 'function',
    isObject: (v) => v !== null && typeof v === 'object', isString: (v) => typeof v === 'string',
    isNumber: (v) => typeof v === 'number', isBoolean: (v) => typeof v === 'boolean', isSymbol: (v) => typeof v === 'symbol',
    isUndefined: (v) => v === undefined, isNull: (v) => v === null, isNullOrUndefined: (v) => v == null,
    isPrimitive: (v) => v === null || typeof v !== 'object' && typeof v !== 'function'
  };

  class Hash {
    constructor(algorithm, secret) {
      hidden(this, 'algorithm', algorithm);
      hidden(this, 'secret', secret);
      hidden(this, 'parts', []);
      native.digest(algorithm, secret, Buffer.alloc(0)); // an unknown algorithm is told at once
    }
    update(data, encoding) {
      if (!this.parts) throw new ErrorOriginal('Digest already called');
      this.parts.push(Buffer.from(data, encoding));
      return this;
    }
    digest(encoding) {
      if (!this.parts) throw new ErrorOriginal('Digest already called');
      const sum = native.digest(this.algorithm, this.secret, Buffer.concat(this.parts));
      this.parts = null;
      return encoding === undefined || encoding === 'buffer' ? sum : sum.toString(encoding);
    }
  }
  const crypto = {
    createHash: (algorithm) => new Hash(algorithm),
    createHmac: (algorithm, secret) => new Hash(algorithm, Buffer.from(secret)),
    getHashes: () => ['md5', 'sha1', 'sha224', 'sha256', 'sha384', 'sha512']
  };

  const querystring = {
    escape: encodeURIComponent,
    unescape: (s) => { try { return decodeURIComponent(s); } catch (e) { return s; } },
    stringify: (o, sep = '&', eq = '=') => Object.keys(o || {}).map((k) => [].concat(o[k])
      .map((v) => encodeURIComponent(k) + eq + encodeURIComponent(v === null || v === undefined || typeof v === 'object' ? '' : v)).join(sep)).join(sep),
    parse(text, sep = '&', eq = '=') {
      const found = Object.create(null), decode = (s) => querystring.unescape(s.replace(/\+/g, ' '));
      for (const pair of String(text).split(sep)) {
        if (!pair) continue;
        const at = pair.indexOf(eq), name = decode(at < 0 ? pair : pair.slice(0, at)), value = at < 0 ? '' : decode(pair.slice(at + eq.length));
        found[name] = name in found ? [].concat(found[name], value) : value;
      }
      return found;
    }
  };
  querystring.encode = querystring.stringify;
  querystring.decode = querystring.parse;

  const modules = new Map([['util', util], ['buffer', { Buffer, kMaxLength: 2147483647 }], ['crypto', crypto], ['querystring', querystring]]);
  const find = Map.prototype.get.bind(modules);
  function require(name) {
    const found = find(String(name).replace(/^node:/, ''));
    if (found) return found;
    const e = new ErrorOriginal("module '" + name + "' is not available to the mapper");
    e.code = 'MODULE_NOT_FOUND';
    throw e;
  }

  class Timeout {
    constructor(id) { hidden(this, 'id', id); }
    ref() { return this; }
    unref() { return this; }
    hasRef() { return true; }
    [Symbol.toPrimitive]() { return this.id; }
  }
  const clear = (t) => { if (t !== undefined && t !== null) native.clear(Number(t)); };
  const denied = (what) => () => { throw new ErrorOriginal(what + ' is not available to the mapper'); };
  const started = Date.now();
  const process = {
    env: {}, argv: [], execArgv: [], platform: 'connector', version: '', versions: {}, pid: 0,
    nextTick: native.tick, cwd: () => '/', uptime: () => (Date.now() - started) / 1000,
    on: () => process, once: () => process, emitWarning: (w) => native.console('warn', String(w)),
    exit: denied('process.exit'), abort: denied('process.abort'), kill: denied('process.kill'), chdir: denied('process.chdir')
  };
  const console = {};
  for (const level of ['log', 'info', 'debug', 'warn', 'error']) {
    console[level] = (...args) => native.console(level, format(...args));
  }
  console.trace = console.debug;
  console.dir = (v, options) => native.console('log', inspect(v, options));
  console.assert = (ok, ...args) => { if (!ok) native.console('error', 'Assertion failed' + (args.length ? ': ' + format(...args) : '')); };
  for (const name of ['time', 'timeEnd', 'timeLog', 'group', 'groupEnd', 'count', 'table']) console[name] = () => {};

  const globals = {
    global, console, process, Buffer, TextEncoder, TextDecoder,
    setTimeout: (f, ms, ...args) => new Timeout(native.later(f, ms, false, ...args)),
    setInterval: (f, ms, ...args) => new Timeout(native.later(f, ms, true, ...args)),
    setImmediate: (f, ...args) => { native.soon(f, ...args); },
    clearTimeout: clear, clearInterval: clear, clearImmediate: () => {},
    queueMicrotask: (f) => { PromiseOriginal.resolve().then(() => f()); },
    atob: (s) => Buffer.from(String(s), 'base64').toString('latin1'),
    btoa: (s) => Buffer.from(String(s), 'latin1').toString('base64')
  };
  for (const name of Object.keys(globals)) hidden(global, name, globals[name]);

  return { require, adopt: (thenable) => new PromiseOriginal((resolve) => resolve(thenable)) };
})
