// Two parameters: a callback, called at once.
module.exports = function (raw, callback) {
  callback(null, { id: raw.objectGUID, n: arguments.length });
};
// want: {"id":"9b8f8479-b0a5-c6bb-d1dc-e7f2fd08131e","n":2}
