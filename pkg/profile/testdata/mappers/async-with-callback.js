// Declares a callback, returns a Promise all the same.
module.exports = async function (raw, callback) { return { id: raw.cn }; };
// want: {"id":"alice Person"}
