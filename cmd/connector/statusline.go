package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"ad-ldap-connector/pkg/agent"
)

// statusLine says in a line how the node fares, for "systemctl status": what is
// worth telling at once, and then what changes with each login.
func (n *node) statusLine() (news, rest string) {
	var ill []agent.Health
	for _, p := range n.agent.Health() {
		if p.State != agent.OK {
			ill = append(ill, p)
		}
	}
	l := n.stats.logins()
	rest = fmt.Sprintf(", %d logins (%d refused, %d faults)", l.Accepted+l.Refused+l.Faulted, l.Refused, l.Faulted)
	if len(ill) == 0 {
		news = "accepted by the hub"
		if server := n.serverInUse(); server != "" {
			news += ", directory " + server
		}
		return news, rest
	}
	// The worst and the oldest first: it may be the cause of the others.
	slices.SortStableFunc(ill, func(a, b agent.Health) int {
		return cmp.Or(-cmp.Compare(badness(a.State), badness(b.State)), a.Since.Compare(b.Since))
	})
	var parts []string
	for _, p := range ill {
		text := fmt.Sprintf("%s %s since %s", p.Part, p.State, p.Since.UTC().Format(time.DateTime))
		if p.Detail != "" {
			text += " (" + visible(oneLine(p.Detail)) + ")"
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, ", "), rest
}

// serverInUse is the directory server that is asked, or "".
func (n *node) serverInUse() string {
	d, ok := n.directory.peek()
	if !ok {
		return ""
	}
	for _, s := range d.Usage() {
		if s.InUse {
			return hostOf(s.URL)
		}
	}
	return ""
}
