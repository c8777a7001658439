// Generalized time and file time to dates, numbers and flags.
module.exports = function (raw) {
  var t = '20200102030405.0Z'.match(/^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)/).map(Number);
  return {
    created: new Date(Date.UTC(t[1], t[2] - 1, t[3], t[4], t[5], t[6])),
    fileTime: new Date(132223104000000000 / 1e4 - 11644473600000).toISOString(),
    disabled: (parseInt('514', 10) & 2) !== 0, nan: Number('x'), type: Number(raw.sAMAccountType).toString(16),
    cloned: JSON.parse(JSON.stringify({ b: 1, a: [undefined, function () {}, NaN] }))
  };
};
// want: {"created":"2020-01-02T03:04:05.000Z","fileTime":"2020-01-01T00:00:00.000Z","disabled":true,"nan":null,"type":"30000000","cloned":{"b":1,"a":[null,null,null]}}
