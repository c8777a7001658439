package main

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"sync"
)

// resolve returns the addresses of a name.
type resolve func(ctx context.Context, host string) ([]netip.Addr, error)

func lookUp(ctx context.Context, host string) ([]netip.Addr, error) {
	return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
}

// peerAddresses returns where the nodes are that PEERS names. One name may stand
// for several nodes, as that of a headless service in Kubernetes does: then it
// is each of its addresses. A name with one address, or with none, stays as it
// is, and what is wrong with it is found out by who dials it.
func peerAddresses(ctx context.Context, peers []string, of resolve) []string {
	ctx, cancel := context.WithTimeout(ctx, peerTime)
	defer cancel()
	found := make([][]string, len(peers))
	var wait sync.WaitGroup
	for i, peer := range peers {
		wait.Go(func() { found[i] = addressesOf(ctx, peer, of) })
	}
	wait.Wait()
	var all []string
	for _, addrs := range found {
		for _, addr := range addrs {
			if !slices.Contains(all, addr) {
				all = append(all, addr)
			}
		}
	}
	return all
}

func addressesOf(ctx context.Context, peer string, of resolve) []string {
	host, port, err := net.SplitHostPort(peer)
	if err != nil {
		return []string{peer}
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return []string{peer}
	}
	// A machine with an address of each family is one node.
	addrs, err := of(ctx, host)
	four, six := []string{}, []string{}
	for _, a := range addrs {
		if a = a.Unmap(); a.Is4() {
			four = append(four, net.JoinHostPort(a.String(), port))
		} else {
			six = append(six, net.JoinHostPort(a.String(), port))
		}
	}
	several := four
	if len(six) > len(four) {
		several = six
	}
	if err != nil || len(several) < 2 {
		return []string{peer}
	}
	slices.Sort(several)
	return several
}
