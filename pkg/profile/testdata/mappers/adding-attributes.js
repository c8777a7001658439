// Attributes under other names, the commonest change of all.
module.exports = function (raw_data) {
  var profile = {
    id: raw_data.objectGUID || raw_data.uid || raw_data.cn,
    displayName: raw_data.displayName,
    name: { familyName: raw_data.sn, givenName: raw_data.givenName },
    nickname: raw_data['sAMAccountName'] || raw_data['cn'] || raw_data['commonName'],
    groups: raw_data['groups'],
    emails: (raw_data.mail ? [{value: raw_data.mail }] : undefined)
  };
  profile['companydept'] = raw_data['company'] + '/' + raw_data['department'];
  profile['missing'] = raw_data['noSuchAttribute'];
  profile['email_verified'] = true;
  profile['status'] = raw_data.ldapStatus;
  profile['nothing'] = null;
  return profile;
}
// want: {"id":"9b8f8479-b0a5-c6bb-d1dc-e7f2fd08131e","displayName":"alice Person","name":{"familyName":"Person","givenName":"alice"},"nickname":"alice","groups":["Everyone","Staff"],"emails":[{"value":"alice@corp.test"}],"companydept":"Corp/R&D","email_verified":true,"status":"active","nothing":null}
