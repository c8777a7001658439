//go:build !linux

package doctor

// otherSide is a matter of Linux.
func otherSide() bool { return false }
