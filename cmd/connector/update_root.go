package main

import (
	"encoding/base64"
	"fmt"
	"io"
	"os"
)

// updateRoot is the root document by which "connector update" knows whose
// releases to believe, base64. A published build has it stamped by the linker,
//
//	-X main.updateRoot=$(base64 -w0 1.root.json)
//
// as "make build UPDATE_ROOT=1.root.json" does. A build of anybody else's has
// none, and so trusts nobody, until its operator names a root of their own in
// UPDATE_ROOT_FILE. Which version of the root is stamped matters little, for
// later ones are fetched; a recent one makes for fewer steps, and forgets keys
// that were stolen meanwhile.
var updateRoot string

// maxUpdateRoot is more than any root document has, in octets.
const maxUpdateRoot = 64 << 10

// trustedRoot returns the root document in an operator's file or, when file is
// "", the one that is compiled in; nothing when there is none.
func trustedRoot(file string) ([]byte, error) { return rootOf(updateRoot, file) }

func rootOf(stamped, file string) ([]byte, error) {
	if file == "" {
		data, err := base64.StdEncoding.DecodeString(stamped)
		if err != nil {
			return nil, fmt.Errorf("read the root document of this build: %w", err)
		}
		return data, nil
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("read UPDATE_ROOT_FILE: %w", err)
	}
	defer func() { _ = f.Close() }() // read only
	data, err := io.ReadAll(io.LimitReader(f, maxUpdateRoot+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read UPDATE_ROOT_FILE: %w", err)
	case len(data) == 0 || len(data) > maxUpdateRoot:
		return nil, fmt.Errorf("read UPDATE_ROOT_FILE: %s is no root document", file)
	}
	return data, nil
}
