module.exports = function (raw_data) {
  return {
    id: raw_data.objectGUID || raw_data.sAMAccountName,
    displayName: raw_data.displayName,
    emails: raw_data.mail ? [{ value: raw_data.mail }] : [],
    department: raw_data.department
  };
};
