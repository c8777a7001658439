(raw) => ({ id: raw.cn });
// want: {"id":"alice Person"}
