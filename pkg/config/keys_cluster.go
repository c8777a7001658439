package config

import (
	"strconv"
	"strings"
)

// clusterKeys are for the nodes of one connector to know of each other.
var clusterKeys = []Key{
	{
		Name: "INSTANCE_NAME", Type: "string", Group: "Agent", MachineBound: true,
		Doc:   "What this node is called beside the others of its connector; empty is its instance id.",
		field: func(c *Config) any { return &c.Agent.Name },
	},
	{
		Name: "PEER_ADDR", Type: "string", Group: "Agent", MachineBound: true,
		Doc:   "Where this node answers the others of its connector, HOST:PORT: over TLS, to who has the same private key; empty is nowhere.",
		field: func(c *Config) any { return &c.Agent.PeerAddr },
		check: func(c *Config) (string, string) { return checkPeer(c.Agent.PeerAddr, false) },
	},
	{
		Name: "PEERS", Type: "list", Group: "Agent",
		Doc:   "PEER_ADDR of all nodes, as this one reaches them, HOST:PORT; it may be among them itself, and a name with several addresses is as many nodes.",
		field: func(c *Config) any { return &c.Agent.Peers },
		check: func(c *Config) (string, string) {
			for _, p := range c.Agent.Peers {
				if problem, remedy := checkPeer(p, true); problem != "" {
					return problem, remedy
				}
			}
			return "", ""
		},
	},
}

// checkPeer looks at an address, which another one may have to be reached by.
func checkPeer(addr string, reached bool) (string, string) {
	const remedy = "write node2.corp.example:8359"
	if addr == "" && !reached {
		return "", ""
	}
	i := strings.LastIndexByte(addr, ':')
	if i < 0 || strings.ContainsAny(addr, " /") {
		return strconv.Quote(addr) + " is not HOST:PORT", remedy
	}
	if port, err := strconv.ParseUint(addr[i+1:], 10, 16); err != nil || reached && port == 0 {
		return strconv.Quote(addr) + " has no valid port", remedy
	}
	if reached && i == 0 {
		return strconv.Quote(addr) + " names no host", remedy
	}
	return "", ""
}
