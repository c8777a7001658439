module.exports = function (raw) {
  return { id: raw.cn };
};
// want: {"id":"alice Person"}
