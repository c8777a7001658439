//go:build !race

package hub

// raced says that the race detector watches, which takes ten times as long.
const raced = false
