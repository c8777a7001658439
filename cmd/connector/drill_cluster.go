package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"ad-ldap-connector/pkg/agent"
)

// What is to be said of a node by the others.
type expectation int

const (
	isAnything expectation = iota // it is between two states
	isWell
	isLost   // nobody answers there
	isThere  // it answers, and may not be well
	isAiling // it answers, and is not well
)

// drillDiffers is the one setting in which the nodes of a drill differ.
const drillDiffers = "HTTPS_PROXY"

// askOf has one node ask all, and returns what "connector status --cluster" says,
// and whether it ended as if all were well.
func askOf(ctx context.Context, n *drillNode) (c cluster, well bool, err error) {
	out, err := n.do(ctx, "status", "--cluster", "-o", "json")
	var code exitError
	if err != nil && (!errors.As(err, &code) || code != exitError(exitFault)) {
		return c, false, err
	}
	if err := json.Unmarshal(out, &c); err != nil {
		return c, false, fmt.Errorf("read what status --cluster says on %s: %w", n.name, err)
	}
	return c, err == nil, nil
}

// judge returns what is not true in what status --cluster says of nodes, given
// what is so.
func (c cluster) judge(well bool, nodes []*drillNode, want []expectation) error {
	var errs []error
	say := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("status --cluster: "+format, args...))
	}
	if len(c.Nodes) != len(nodes) {
		say("%d nodes of %d", len(c.Nodes), len(nodes))
	}
	there, all := 0, true
	for i, n := range nodes {
		at := slices.IndexFunc(c.Nodes, func(o clusterNode) bool {
			return o.Reachable && o.Name == n.name || !o.Reachable && o.Address == n.peer
		})
		if at < 0 {
			say("nothing of %s", n.name)
			continue
		}
		o := c.Nodes[at]
		all = all && o.Reachable && o.Health == agent.OK
		if o.Reachable {
			there++
		}
		switch want[i] {
		case isLost:
			if o.Reachable {
				say("%s is %s, and it is not there", n.name, o.Health)
			}
			if !slices.ContainsFunc(c.Warnings, func(w string) bool { return strings.HasPrefix(w, n.peer+" cannot be asked: ") }) {
				say("no warning of %s: %q", n.name, c.Warnings)
			}
		case isWell, isThere, isAiling:
			switch {
			case !o.Reachable:
				say("%s is lost (%s), and it is there", n.name, o.Error)
			case want[i] == isWell && o.Health != agent.OK:
				say("%s is %s, and all is well", n.name, o.Health)
			case want[i] == isAiling && o.Health == agent.OK:
				say("%s is well, and it is cut off", n.name)
			case o.Address != "" && (len(o.Drift) != 1 || o.Drift[0].Key != drillDiffers):
				say("%s differs in %s alone, and not in %v", n.name, drillDiffers, o.Drift)
			}
		}
	}
	if well != all {
		say("it ended as if all were well: %t; it says of each: %t", well, all)
	}
	shared := slices.ContainsFunc(c.Warnings, func(w string) bool { return strings.Contains(w, " are on one host, ") })
	if shared != (there > 1) {
		say("%d nodes on one host, and a warning of that: %t", there, shared)
	}
	for _, w := range c.Warnings {
		expected := strings.Contains(w, " cannot be asked: ") || strings.Contains(w, " are on one host, ") ||
			strings.HasSuffix(w, ": "+drillDiffers) || there < 2 && strings.HasPrefix(w, "one node only")
		if !expected {
			say("it warns: %s", w)
		}
	}
	return errors.Join(errs...)
}
