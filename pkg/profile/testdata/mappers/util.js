var util = require('util');
function Person(raw) { this.id = raw.cn; }
function Base() {}
Base.prototype.describe = function () { return util.format('%s has %d groups %j', this.id, 2, { a: 1 }); };
util.inherits(Person, Base);
module.exports = function (raw, callback) {
  var p = new Person(raw);
  util.promisify(function (n, done) { setImmediate(done, null, n + 1); })(1).then(function (n) {
    callback(null, {
      id: p.describe(), n: n, array: util.isArray(raw.groups),
      inspected: util.inspect({ a: [1, 'x', { b: { c: {} } }], m: new Map([['k', new Set([1])]]), d: new Date(0), 'e-f': null, buf: raw.thumbnailPhoto }),
      date: util.types.isDate(new Date()), round: new util.TextDecoder().decode(new util.TextEncoder().encode('gr\u00fc\u00df'))
    });
  });
};
// want: {"id":"alice Person has 2 groups {\"a\":1}","n":2,"array":true,"inspected":"{\n  a: [ 1, 'x', { b: [Object] } ],\n  m: Map(1) { 'k' => Set(1) { 1 } },\n  d: 1970-01-01T00:00:00.000Z,\n  'e-f': null,\n  buf: <Buffer ff d8 ff e0 00 10 4a 46>\n}","date":true,"round":"grüß"}
