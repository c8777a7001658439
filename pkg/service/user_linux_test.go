package service

import (
	"os/exec"
	"strings"
	"testing"
)

// An account that somebody else made must be one that a unit can name, and whose
// group is nobody else's: the group may make files in the home.
func TestCheckAccount(t *testing.T) {
	for _, test := range []struct{ name, is, want string }{
		{"root", "root:x:0:0:root:/root:/bin/bash", "all rights"},
		{"daemon", "daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin", ""},
		{"sync", "sync:x:4:65534:sync:/bin:/bin/sync", "no group of its own"}, // nogroup's
		{"nosuchaccount", "", ""}, // is made
	} {
		out, _ := exec.Command("getent", "passwd", test.name).Output() // none: it says nothing
		if strings.TrimSpace(string(out)) != test.is {
			t.Logf("%s is another here: %s", test.name, out)
			continue
		}
		err := CheckAccount(t.Context(), test.name)
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: %v, want %q", test.name, err, test.want)
		}
	}
}
