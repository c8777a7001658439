package doctor

// Network is what the checks may ask of the network and the tenant.
type Network struct{}

var networkChecks = []Check{}
