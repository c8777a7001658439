// The picture as a data URL: the commented-out example of the default mapper.
module.exports = function (raw_data) {
  var profile = { id: raw_data.cn };
  if (raw_data['thumbnailPhoto']) {
    profile['picture'] = 'data:image/bmp;base64,' +
      raw_data['thumbnailPhoto'].toString('base64');
  }
  profile.isBuffer = Buffer.isBuffer(raw_data.thumbnailPhoto);
  profile.raw = raw_data.thumbnailPhoto;
  return profile;
};
// want: {"id":"alice Person","picture":"data:image/bmp;base64,/9j/4AAQSkY=","isBuffer":true,"raw":{"type":"Buffer","data":[255,216,255,224,0,16,74,70]}}
