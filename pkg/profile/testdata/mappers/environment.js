// What is there of Node, and what is not.
var fs;
try { fs = require('fs'); } catch (e) { fs = e.code + ': ' + e.message; }
module.exports = function (raw) {
  return {
    fs: fs, env: Object.keys(process.env), home: process.env.HOME, g: global === globalThis, self: typeof window, dir: typeof __dirname,
    args: process.argv.length, exports: this === undefined || typeof this, nested: (function () { return typeof require('buffer').Buffer; })()
  };
};
return; // allowed in a module
// want: {"fs":"MODULE_NOT_FOUND: module 'fs' is not available to the mapper","env":[],"g":true,"self":"undefined","dir":"string","args":0,"exports":"object","nested":"function"}
