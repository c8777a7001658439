package main

// ballastSize is how much a program that serves allocates between two garbage
// collections, at the least. Logins leave much garbage and keep little: with
// the few megabytes that are otherwise between two collections, a quarter of a
// busy connector's time goes into them.
const ballastSize = 16 << 20

// ballast is never written, and so is no memory of the machine's; the collector
// counts it, and waits until as much again has been allocated.
var ballast []byte

// settleMemory is for the commands that answer many logins.
func settleMemory() {
	if ballast == nil {
		ballast = make([]byte, ballastSize)
	}
}
