// State of the module lives on from call to call; raw_data is fresh each time.
var calls = 0;
const seen = new Map();
module.exports = function (raw) {
  calls++;
  seen.set(raw.dn, (seen.get(raw.dn) || 0) + 1);
  var touched = raw.touched === true;
  raw.touched = true;
  raw.groups.push('x');
  return { counted: calls === seen.get(raw.dn), touched: touched, groups: raw.groups.length, literal: String.raw`\n`, sym: typeof Symbol.iterator };
};
// want: {"counted":true,"touched":false,"groups":3,"literal":"\\n","sym":"symbol"}
