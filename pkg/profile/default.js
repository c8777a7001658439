// The profile mapper decides what the tenant learns about a user. The connector
// calls this function for every login and for every user that a search finds,
// and sends what it returns.
//
// raw_data holds what the directory says of the user:
//   dn                 the user's distinguished name, a string
//   each attribute     under the directory's own name, spelled as there:
//                      a string when it has one value, an array when several
//   objectGUID         as text, "3f2504e0-4f89-11d3-9a0c-0305e82c3301"
//   objectSid          as text, "S-1-5-21-..."
//   thumbnailPhoto     a Buffer with the picture's bytes
//   groups             an array of the user's groups, nested ones included
//   organizationUnits  the DN, or a list of OU names (ORGANIZATION_UNITS)
//   ldapStatus         at logins: "active", "wrong_password", "account_locked", ...
//
// Members that are undefined are left out. The function may also take a callback,
// function (raw_data, callback), and call callback(error, profile); or return a
// Promise. It runs without files, network and environment; util, buffer, crypto
// and querystring can be required. "connector profile USER" shows what it makes
// of a user. While this file is unchanged the connector does the same without
// running it, which is faster.

module.exports = function (raw_data) {
  const profile = {
    id: raw_data.objectGUID || raw_data.uid || raw_data.cn,
    displayName: raw_data.displayName,
    name: { familyName: raw_data.sn, givenName: raw_data.givenName },
    nickname: raw_data.sAMAccountName || raw_data.cn || raw_data.commonName,
    groups: raw_data.groups,
    emails: raw_data.mail ? [{ value: raw_data.mail }] : undefined
  };

  // Attributes that go over under their own name. Add yours to the list.
  const same = [
    'dn', 'st', 'description', 'postalCode', 'telephoneNumber', 'distinguishedName',
    'co', 'department', 'company', 'mailNickname', 'sAMAccountName', 'sAMAccountType',
    'userPrincipalName', 'manager', 'organizationUnits'
  ];
  for (const name of same) {
    profile[name] = raw_data[name];
  }

  // An attribute under another name:
  // profile.costCenter = raw_data.extensionAttribute1;

  // Only if everyone's address in this directory is known to be theirs:
  // profile.email_verified = true;

  // The picture. It makes the profile large:
  // if (raw_data.thumbnailPhoto) {
  //   profile.picture = 'data:image/jpeg;base64,' + raw_data.thumbnailPhoto.toString('base64');
  // }

  return profile;
};
