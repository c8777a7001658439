package sandbox

import "testing"

// checkModes has nothing to look at: who may read is the folder's affair here.
func checkModes(*testing.T, string, ...string) {}
