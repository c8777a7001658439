var crypto = require('crypto');
var hash = function (name, text, how) { return crypto.createHash(name).update(text).digest(how || 'hex'); };
module.exports = function (raw) {
  return {
    md5: hash('md5', raw.mail), sha1: hash('sha1', Buffer.from('abc'), 'base64'), sha256: crypto.createHash('SHA256').update('a').update('bc').digest('hex'),
    raw: hash('sha512', '', undefined).length, buffer: crypto.createHash('md5').update('').digest().length,
    hmac: require('node:crypto').createHmac('sha256', 'key').update('The quick brown fox jumps over the lazy dog').digest('hex')
  };
};
// want: {"md5":"1feccab64b4d1dd6389de5e3bee7cba0","sha1":"qZk+NkcGgWq6PiVxeFDCbJzQ2J0=","sha256":"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad","raw":128,"buffer":16,"hmac":"f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8"}
