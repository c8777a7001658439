package doctor

// Host is what the checks may ask of this machine.
type Host struct{}

var hostChecks = []Check{}
