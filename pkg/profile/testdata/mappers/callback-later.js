// A callback after timers, in the order of Node's queues.
module.exports = function (raw, callback) {
  var order = [];
  var never = setTimeout(function () { order.push('never'); }, 1);
  clearTimeout(never);
  var ticks = 0;
  var every = setInterval(function () {
    order.push('interval');
    if (++ticks === 2) {
      clearInterval(every);
      callback(null, { order: order });
    }
  }, 5);
  setTimeout(function (a, b) { order.push(a + b); }, 2, 'time', 'out').unref();
  setImmediate(function () { order.push('immediate'); });
  process.nextTick(function (s) { order.push(s); }, 'tick');
  Promise.resolve().then(function () { order.push('promise'); });
};
// want: {"order":["promise","tick","immediate","timeout","interval","interval"]}
