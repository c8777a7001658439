package doctor

import "slices"

// Checks is the catalogue. A check stands below all that it needs, within its
// group and between the groups.
var Checks = slices.Concat(
	hostChecks,
	configChecks,
	agentChecks,
	timeChecks,
	networkChecks,
	directoryChecks,
	signinChecks,
)

// A Group is a set of checks, and its heading.
type Group struct{ Name, Title string }

// Groups are the groups in the order of reports.
var Groups = []Group{
	{"host", "This machine"},
	{"config", "The configuration"},
	{"agent", "The agent's key pair and installation"},
	{"time", "The clock"},
	{"network", "The network and the tenant"},
	{"tls", "TLS"},
	{"directory", "The directory"},
	{"account", "The service account"},
	{"kerberos", "Kerberos"},
	{"signin", "Sign-in in the browser"},
}
