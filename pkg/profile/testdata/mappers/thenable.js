// Something like a Promise, as old libraries make them.
module.exports = function (raw) {
  return { then: function (done) { setTimeout(function () { done({ id: raw.cn }); }, 1); } };
};
// want: {"id":"alice Person"}
