package main

import (
	"bytes"
	"strings"
	"testing"

	"ad-ldap-connector/pkg/agent"
)

// What a connector says of itself, or hands on, writes nothing but text to an
// administrator's terminal, and no word of it is a fault of the command's.
func TestStatusIsText(t *testing.T) {
	const forged = "\x1b[2J\n"
	var out bytes.Buffer
	a := &app{stdout: &out}
	s := status{
		Installed: true, Service: "running", Version: forged, Instance: forged, Connection: forged, Tenant: forged, Health: agent.State(forged),
		Parts: []statusPart{{Name: "hub", Health: agent.OK, Detail: forged}, {Name: forged, Health: agent.State(forged)}},
	}
	if err := a.printStatus(s); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsRune(out.String(), '\x1b') || strings.Count(out.String(), "\n") != 5 {
		t.Errorf("%q", out.String())
	}
}
