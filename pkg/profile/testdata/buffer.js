// What Buffer does, case by case; "result" holds what Node gives.
function run() {
  var out = {}, t = function (name, f) { try { var v = f(); out[name] = v === undefined ? 'undefined' : v; } catch (e) { out[name] = e.name; } };
  var b = Buffer.from('gr\u00fc\u00df \u{1F600}'), n = Buffer.from([0x01, 0xff, 0x80, 0x7f, 0xfe, 0x02]);
  ['utf8', 'UTF-8', 'hex', 'base64', 'base64url', 'latin1', 'binary', 'ascii', 'utf16le', 'ucs2'].forEach(function (enc) {
    t('to ' + enc, function () { return b.toString(enc); });
    t('from ' + enc, function () { return Buffer.from('aGk_\u00e9-+/', enc).toString('hex'); });
    t('length ' + enc, function () { return Buffer.byteLength('aGVsbG8=', enc); });
  });
  t('odd hex', function () { return Buffer.from('abc', 'hex').toString('hex') + '|' + Buffer.from('abxxcd', 'hex').toString('hex'); });
  t('base64 with spaces', function () { return Buffer.from(' aGVs\nbG8 = x', 'base64').toString(); });
  t('lone surrogate', function () { return Buffer.from('\ud83d').toString('hex'); });
  t('bad utf8', function () { return Buffer.from('61f18080e180c262', 'hex').toString(); });
  t('unknown encoding', function () { return Buffer.from('x', 'nope'); });
  t('unknown encoding to', function () { return b.toString('nope'); });
  t('from number', function () { return Buffer.from(5); });
  t('from nothing', function () { return Buffer.from(); });
  t('from array', function () { return Buffer.from([1, 256, -1, '3', 1.9, 'x']).toJSON(); });
  t('from json', function () { return Buffer.from(JSON.parse(JSON.stringify(n))).equals(n); });
  t('from array buffer', function () { var a = new ArrayBuffer(4), f = Buffer.from(a, 1, 2); f[0] = 7; return [f.length, new Uint8Array(a)[1]]; });
  t('from uint8', function () { var u = new Uint8Array([1, 2]), f = Buffer.from(u); u[0] = 9; return f[0]; });
  t('from uint16', function () { return Buffer.from(new Uint16Array([1, 258])).toString('hex'); });
  t('from String', function () { return Buffer.from(new String('x')).toString(); });
  t('alloc', function () { return [Buffer.alloc(3), Buffer.alloc(3, 'ab'), Buffer.alloc(2, 1), Buffer.alloc(2, '0f', 'hex'), Buffer.alloc(0)].map(String); });
  t('alloc bad', function () { return Buffer.alloc('5'); });
  t('alloc negative', function () { try { Buffer.alloc(-1); } catch (e) { return 'throws'; } });
  t('new', function () { return [new Buffer('ab').toString('hex'), new Buffer(2).toString('hex'), new Buffer([1]).toString('hex'), Buffer('x').toString()]; });
  t('is', function () { return [Buffer.isBuffer(b), Buffer.isBuffer(new Uint8Array(1)), Buffer.isBuffer({}), b instanceof Uint8Array, b instanceof Buffer, b.constructor === Buffer, Buffer.isEncoding('hex'), Buffer.isEncoding('x'), Array.isArray(b)]; });
  t('concat', function () { return [Buffer.concat([b.slice(0, 2), n]).toString('hex'), Buffer.concat([n, n], 8).toString('hex'), Buffer.concat([n], 8).toString('hex'), Buffer.concat([]).length]; });
  t('concat bad', function () { return Buffer.concat(['x']); });
  t('compare', function () { return [Buffer.compare(b, n), n.compare(b), b.compare(b), b.equals(Buffer.from(b)), [n, b].sort(Buffer.compare)[0] === n]; });
  t('slice', function () { var s = n.slice(1, -1); s[0] = 0xee; var r = [s.toString('hex'), n[1], n.slice(-2).toString('hex'), n.slice(9).length, n.subarray(2, 1).length, s.slice(1).toString('hex'), n.slice(0, 3).slice(1, 2)[0]]; n[1] = 0xff; return r; });
  t('toString range', function () { return [n.toString('hex', 1, 3), n.toString('hex', 4), n.toString('hex', 3, 1), n.toString('hex', -1, 99)]; });
  t('copy', function () { var c = Buffer.alloc(4); return [n.copy(c, 1, 2), c.toString('hex'), n.copy(c, 3, 0, 2), c.toString('hex')]; });
  t('index', function () { return [n.indexOf(0x80), n.indexOf('80', 0, 'hex'), n.indexOf('\u00fe', 'latin1'), n.indexOf(1, 1), n.indexOf(Buffer.from([0x7f, 0xfe])), n.indexOf(9), n.includes(2), b.indexOf('\u00df'), Buffer.from('abab').lastIndexOf('ab'), Buffer.from('abab').lastIndexOf('ab', 1), Buffer.from('abab').indexOf('ab', -2)]; });
  t('write', function () { var w = Buffer.alloc(6); return [w.write('abc'), w.write('\u00e9\u00e9', 3), w.toString('hex'), w.write('0102', 0, 'hex'), w.write('zz', 1, 1), w.toString('hex')]; });
  t('fill', function () { return [Buffer.alloc(4).fill('ab').toString(), Buffer.alloc(4).fill(1, 1, 3).toString('hex'), Buffer.alloc(3).fill('0102', 'hex').toString('hex')]; });
  t('read', function () { return [n.readUInt8(1), n.readInt8(1), n.readUInt16LE(0), n.readUInt16BE(0), n.readInt16BE(1), n.readInt16LE(2), n.readUInt32LE(0), n.readUInt32BE(1), n.readInt32LE(1), n.readInt32BE(1), n.readUIntBE(0, 6), n.readUIntLE(0, 6), n.readIntBE(1, 3), n.readIntLE(0, 6), n.readUint8()]; });
  t('read outside', function () { return n.readUInt32LE(3); });
  t('write numbers', function () { var w = Buffer.alloc(8); return [w.writeUInt8(255, 0), w.writeUInt16LE(258, 1), w.writeInt32BE(-2, 3), w.writeUIntBE(7, 7, 1), w.toString('hex')]; });
  t('iterate', function () { return [Array.from(n), [...n].length, Object.keys(n).length]; });
  t('array methods', function () { var m = n.map(function (x) { return x + 1; }); return [Buffer.isBuffer(m), m.toString('hex'), n.reduce(function (a, x) { return a + x; }, 0), Buffer.isBuffer(n.filter(function (x) { return x > 2; })), Buffer.from(n).reverse().toString('hex'), n.join()]; });
  t('json', function () { return JSON.stringify({ n: n.slice(0, 2) }); });
  t('string', function () { return [String(b), b + '', `${n.slice(3, 4)}`]; });
  return out;
}
