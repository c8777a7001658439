function (raw) { return { id: raw.cn }; } // as PROFILE_MAPPER holds it
// want: {"id":"alice Person"}
