package main

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"ad-ldap-connector/pkg/identity"
)

// Whatever people write into the directory, it does nothing to the terminal of
// who looks at it.
func TestTheDirectoryCannotMoveTheCursor(t *testing.T) {
	const evil = "eve\x1b[2J\r\nroot\u202e\u009b2J"
	var out strings.Builder
	a := &app{stdout: &out, stderr: &out}
	p, err := json.Marshal(map[string]string{"nickname": evil, "displayName": evil, "dn": "CN=" + evil})
	if err != nil {
		t.Fatal(err)
	}
	profile, err := identity.ParseProfile(p)
	if err != nil {
		t.Fatal(err)
	}
	err = errors.Join(a.printUsers([]identity.Profile{profile}, nil),
		a.printGroups([]identity.Group{{DN: "CN=" + evil, Label: json.RawMessage(`"` + "x\u009b2J" + `"`)}}, nil))
	if err != nil {
		t.Fatal(err)
	}
	a.sayStages([]stageReport{{Stage: "bind", Server: "ldap://x", Detail: "bind as CN=" + evil}}, true)
	if strings.ContainsAny(out.String(), "\x1b\r\u202e\u009b") || strings.Count(out.String(), "\n") != 5 || !strings.Contains(out.String(), "eve") {
		t.Errorf("%q", out.String())
	}
}
