// Text beyond ASCII, and what JSON.stringify leaves alone.
module.exports = function (raw) {
  return {
    upper: 'gr\u00fc\u00df \u{1F600}'.toUpperCase(), normal: 'e\u0301'.normalize('NFC'), html: '<b>&', pad: '7'.padStart(3, '0'),
    all: 'a-b-c'.replaceAll('-', '+'), at: [1, 2, 3].at(-1), entries: Object.fromEntries([['a', 1]]), flat: [[1], [[2]]].flat(Infinity),
    lone: '\ud83d', query: require('querystring').stringify({ a: ['1', 'x y'], b: '&' }), b64: btoa('a\u00ff'), named: /(?<y>\d{4})/.exec('in 2020').groups.y
  };
};
// want: {"upper":"GRÜSS 😀","normal":"é","html":"<b>&","pad":"007","all":"a+b+c","at":3,"entries":{"a":1},"flat":[1,2],"lone":"\ud83d","query":"a=1&a=x%20y&b=%26","b64":"Yf8=","named":"2020"}
