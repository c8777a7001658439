package doctor

// Clocks is what the checks may ask of clocks.
type Clocks struct{}

var timeChecks = []Check{}
