'use strict';
// What compilers of newer JavaScript make.
Object.defineProperty(exports, '__esModule', { value: true });
exports.default = function map(raw) { return { id: raw.cn, strict: this === undefined }; };
// want: {"id":"alice Person","strict":true}
