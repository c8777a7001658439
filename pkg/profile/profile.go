// Package profile shapes a directory entry into the profile that the tenant
// learns: natively for the default mapping, and with the operator's own
// JavaScript in a confined child process.
package profile

import (
	"crypto/sha256"
	_ "embed" // for the default script
	"encoding/hex"
	"strings"
)

// Units says what the mapper is told of a user's organizational units.
type Units string

const (
	// UnitsDN gives the whole DN as a string, as the existing connector always
	// has, so applications came to depend on it. It is the default.
	UnitsDN Units = "dn"
	// UnitsList gives an array of the names of the units, innermost first.
	UnitsList Units = "list"
)

// Default is the mapper script of a fresh install. It does what Native does,
// and tells the operator how to change it.
//
//go:embed default.js
var Default string

// foreignDefault is the SHA-256 of the default mapper that the existing
// connector ships, normalized: an operator who never touched it runs no script.
const foreignDefault = "ffcc076394217a5a1234c33c45c97b10ac036a21f01694cee4cc6129a4611f8e"

// IsDefault reports whether script is a default mapper, ours or that of the
// existing connector. Line endings and white space at the end of lines and of
// the text do not count: editors and archives change them.
func IsDefault(script string) bool {
	n := normalize(script)
	if n == normalize(Default) {
		return true
	}
	sum := sha256.Sum256([]byte(n))
	return hex.EncodeToString(sum[:]) == foreignDefault
}

func normalize(script string) string {
	lines := strings.Split(strings.TrimPrefix(script, "\ufeff"), "\n")
	for i, line := range lines {
		lines[i] = strings.TrimRight(line, " \t\r")
	}
	return strings.TrimSpace(strings.Join(lines, "\n"))
}
