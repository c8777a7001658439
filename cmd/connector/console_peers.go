package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"ad-ldap-connector/pkg/console"
)

// peersAgain is how old what is known of the other nodes may be.
const peersAgain = 30 * time.Second

// peersSeen is what the other nodes last said. They are asked only while
// somebody looks at the console, and nobody waits for them.
type peersSeen struct {
	mu     sync.Mutex
	nodes  []console.Peer
	warned []string
	at     time.Time
	asking bool
}

// look returns what is known, and has the nodes asked if that is old.
func (p *peersSeen) look(n *node) (nodes []console.Peer, warned []string, asking bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.asking && time.Since(p.at) > peersAgain {
		p.asking = true
		go p.ask(n)
	}
	return p.nodes, p.warned, p.asking && p.at.IsZero()
}

func (p *peersSeen) ask(n *node) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*peerTime)
	defer cancel()
	a := n.commands(io.Discard)
	nodes, warned := []console.Peer(nil), []string(nil)
	pair, err := n.home.Keys(n.config)
	var all cluster
	if err == nil {
		all, err = a.askCluster(ctx, n.home, n.config, pair)
	}
	if err != nil {
		warned = []string{oneLine(err.Error())}
	}
	for i, c := range all.Nodes {
		peer := console.Peer{Address: c.Address, Name: c.Name, Version: c.Version, Health: c.Health, Fault: c.Error, Self: i == 0}
		for _, d := range c.Drift {
			peer.Drift = append(peer.Drift, fmt.Sprint(d))
		}
		nodes = append(nodes, peer)
	}
	for _, w := range all.Warnings {
		if !strings.Contains(w, "one node only") { // the overview says it by itself
			warned = append(warned, w)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.nodes, p.warned, p.at, p.asking = nodes, warned, time.Now(), false
}

// commands is the app by which the console does what the commands do, on the
// node's own home. What it writes goes to stdout, and nothing is asked.
func (n *node) commands(stdout io.Writer) *app {
	return &app{stdin: strings.NewReader(""), stdout: stdout, stderr: io.Discard, environ: n.environ, home: n.home.Dir(), output: "text", quiet: true, yes: true}
}
