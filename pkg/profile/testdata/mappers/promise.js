// A Promise, by async and await.
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
module.exports = async (raw) => {
  await pause(3);
  const [first, second] = await Promise.all([raw.cn, pause(1).then(() => 'later')]);
  return { first, second };
};
// want: {"first":"alice Person","second":"later"}
