package main

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"testing"
)

// TestTrustedRoot has an operator's file go before what is compiled in, and a
// build from source trust nobody.
func TestTrustedRoot(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	own, empty, large := filepath.Join(dir, "own"), filepath.Join(dir, "empty"), filepath.Join(dir, "large")
	for name, data := range map[string]string{own: "theirs", empty: "", large: string(make([]byte, maxUpdateRoot+1))} {
		if err := os.WriteFile(name, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	stamp := base64.StdEncoding.EncodeToString([]byte("ours"))
	for _, test := range []struct {
		stamped, file, want string
		well                bool
	}{
		{"", "", "", true},
		{stamp, "", "ours", true},
		{stamp, own, "theirs", true},
		{"", own, "theirs", true},
		{"no base64", "", "", false},
		{stamp, empty, "", false},
		{stamp, large, "", false},
		{stamp, dir, "", false},
		{stamp, filepath.Join(dir, "none"), "", false},
	} {
		data, err := rootOf(test.stamped, test.file)
		if string(data) != test.want || (err == nil) != test.well {
			t.Errorf("%q and %q: %q, %v", test.stamped, test.file, data, err)
		}
	}
	if data, err := trustedRoot(""); err != nil || len(data) != 0 {
		t.Errorf("a build from source trusts %q (%v)", data, err)
	}
}
