package main

import (
	"context"
	"errors"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestPeerNames: a name of several nodes is all of them, each once.
func TestPeerNames(t *testing.T) {
	t.Parallel()
	addrs := func(texts ...string) (all []netip.Addr) {
		for _, text := range texts {
			all = append(all, netip.MustParseAddr(text))
		}
		return all
	}
	of := func(_ context.Context, host string) ([]netip.Addr, error) {
		switch host {
		case "pods":
			return addrs("10.0.0.3", "10.0.0.1", "::ffff:10.0.0.2"), nil
		case "pods6":
			return addrs("fd00::2", "fd00::1"), nil
		case "dual":
			return addrs("10.0.0.9", "fd00::9"), nil
		case "one":
			return addrs("10.0.0.7"), nil
		}
		return nil, errors.New("no such host")
	}
	for _, tt := range []struct{ peers, want []string }{
		{[]string{"pods:8359"}, []string{"10.0.0.1:8359", "10.0.0.2:8359", "10.0.0.3:8359"}},
		{[]string{"pods6:8359"}, []string{"[fd00::1]:8359", "[fd00::2]:8359"}},
		{[]string{"one:1", "dual:2", "none:3", "10.0.0.1:4", "[fd00::1]:5"}, []string{"one:1", "dual:2", "none:3", "10.0.0.1:4", "[fd00::1]:5"}},
		{[]string{"10.0.0.1:8359", "pods:8359", "pods:8359"}, []string{"10.0.0.1:8359", "10.0.0.2:8359", "10.0.0.3:8359"}},
		{[]string{"nonsense"}, []string{"nonsense"}},
		{nil, nil},
	} {
		if diff := cmp.Diff(tt.want, peerAddresses(t.Context(), tt.peers, of)); diff != "" {
			t.Errorf("%q: %s", tt.peers, diff)
		}
	}
}
