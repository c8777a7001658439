// A GUID's text to octets and back: the mixed byte order of Active Directory.
module.exports = function (raw) {
  var hex = raw.objectGUID.replace(/-/g, '');
  var b = Buffer.from(hex, 'hex');
  var swapped = Buffer.concat([b.slice(0, 4), b.slice(4, 6), b.slice(6, 8)].map(function (p) { return Buffer.from(p).reverse(); }).concat(b.slice(8)));
  return {
    id: swapped.toString('base64'), first: b.readUInt32LE(0), last: b.readUIntBE(10, 6), old: new Buffer(hex, 'hex').equals(b),
    back: ['0', '4', '6', '8', '10'].map(function (at, i, all) { return b.toString('hex', at, all[i + 1]); }).join('-')
  };
};
// want: {"id":"eYSPm6Wwu8bR3Ofy/QgTHg==","first":2038730651,"last":255030813266718,"old":true,"back":"9b8f8479-b0a5-c6bb-d1dc-e7f2fd08131e"}
