package main

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"ad-ldap-connector/pkg/doctor"
	"ad-ldap-connector/testdata/lab"
)

// TestDoctorInABlackHole loses packets on the way to the tenant: all of them,
// or only the large ones, as a tunnel does whose MTU nobody learns of.
func TestDoctorInABlackHole(t *testing.T) {
	t.Parallel()
	network := lab.Namespace(t)
	c := newCLI(t)
	c.program = network.Inside(t, c.program)
	s := c.start("sandbox", "--no-directory", "-o", "json")
	var box struct{ URL, CA string }
	lab.Eventually(t, "the sandbox", func() bool { return s.ended() || json.Unmarshal([]byte(s.stdout.String()), &box) == nil })
	if box.URL == "" {
		t.Fatalf("the sandbox says %s%s", s.stdout, s.stderr)
	}
	u, err := url.Parse(box.URL)
	if err != nil {
		t.Fatal(err)
	}
	c.environ = append(c.environ, "SSL_CA_PATH="+box.CA)
	ask := func(limit string) doctor.Entry {
		i := c.run("doctor", "--tenant", u.Host, "--only", "network.tenant", "--timeout", limit, "-o", "json")
		var d doctor.Document
		if err := json.Unmarshal([]byte(i.stdout.String()), &d); err != nil {
			t.Fatalf("%v: %s%s", err, i.stdout, i.stderr)
		}
		return found(t, d, "network.tenant")
	}
	if e := ask("30s"); e.Status != doctor.Passed {
		t.Fatalf("without loss: %+v", e)
	}
	for _, tt := range []struct{ lost, at, remedy string }{
		{"tcp dport " + u.Port(), "it hung at the connection to " + u.Host, "Allow outbound connections to " + u.Host},
		{"tcp sport " + u.Port() + " ip length > 400", "it hung at the TLS handshake with " + u.Host, "MTU"},
		{"tcp dport " + u.Port() + " ip length > 1000", "a handshake that begins with a small packet gets through", "GODEBUG=tlsmlkem=0"},
	} {
		network.Lose(t, tt.lost)
		if e := ask("3s"); e.Status != doctor.Failed || !strings.Contains(e.Detail, tt.at) || !strings.Contains(e.Remedy, tt.remedy) {
			t.Errorf("%s is lost: %+v, want %q", tt.lost, e, tt.at)
		}
	}
}
