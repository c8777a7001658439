// Destructuring, spread, classes, templates, optional chaining and the rest.
class Profile {
  #secret = 1;
  static of(raw) { return new this(raw); }
  constructor({ objectGUID: id, sn: familyName, givenName = '?', mail, nothing, ...rest }) {
    Object.assign(this, { id, name: { familyName, givenName }, mail: mail?.toLowerCase(), nothing: nothing?.deep?.er ?? 'none' });
    this.count = Object.keys(rest).length > 5;
  }
  get full() { return `${this.name.givenName} ${this.name.familyName}`; }
  toJSON() { return { ...this, full: this.full, secret: this.#secret }; }
}
function* letters(s) { for (const c of s) yield c; }
module.exports = (raw) => Profile.of({ ...raw, mail: [...letters(raw.mail)].reverse().join(''), nothing: undefined });
// want: {"id":"9b8f8479-b0a5-c6bb-d1dc-e7f2fd08131e","name":{"familyName":"Person","givenName":"alice"},"mail":"tset.proc@ecila","nothing":"none","count":true,"full":"alice Person","secret":1}
