package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestLicencesAreRecognised(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"Apache License\n   Version 2.0, January 2004":                                                  {"Apache-2.0"},
		"Permission is hereby granted, free of charge, to any\nperson obtaining a copy":                 {"MIT"},
		"Redistribution and use in source and binary forms":                                             {"BSD-2-Clause"},
		"Redistribution and use in source and binary forms ... Neither the name of":                     {"BSD-3-Clause"},
		"Permission to use, copy, modify, and distribute this software for any\npurpose":                {"ISC"},
		"Mozilla Public License, version 2.0 ... means the GNU General Public License, Version 2.0":     {"MPL-2.0"},
		"GNU AFFERO GENERAL PUBLIC LICENSE ... you may use the GNU General Public License":              {"AGPL", "GPL"},
		"Permission is hereby granted, free of charge, to any person obtaining a copy. Commons Clause:": {"Commons-Clause", "MIT"},
		"All rights reserved.": {},
	} {
		if have := namesOf(text); !slices.Equal(have, want) {
			t.Errorf("%q is %v, want %v", text, have, want)
		}
	}
}

// TestLicenceTexts takes those of a module's folders that are linked, and of
// no others.
func TestLicenceTexts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"LICENSE", "a/COPYING.md", "a/b/c/License.txt", "a/b/license.go", "other/LICENSE"} {
		name = filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(filepath.Base(name)+"\r\n\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	have, err := licenceTexts(dir, []string{filepath.Join(dir, "a", "b")})
	if want := "[LICENSE]\n\nLICENSE\n[a/COPYING.md]\n\nCOPYING.md\n"; err != nil || have != want {
		t.Errorf("%q (%v), want %q", have, err, want)
	}
	if _, err := licenceTexts(filepath.Join(dir, "a", "b"), nil); err == nil {
		t.Error("a module without a licence has one")
	}
}
