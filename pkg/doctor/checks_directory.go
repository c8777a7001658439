package doctor

// Directory is what the checks may ask of the directory and the service account.
type Directory struct{}

var directoryChecks = []Check{}
