package main

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"ad-ldap-connector/pkg/agent"
	"ad-ldap-connector/pkg/config"
	"ad-ldap-connector/pkg/home"
	"ad-ldap-connector/pkg/keys"
)

// A clusterNode is one node, as "connector status --cluster" has it.
type clusterNode struct {
	Address     string      `json:"address"` // "" for the node that was asked
	Instance    string      `json:"instance"`
	Name        string      `json:"name"`
	Host        string      `json:"host"`
	Version     string      `json:"version"`
	Reachable   bool        `json:"reachable"`
	Error       string      `json:"error"` // why it is not, or ""
	Health      agent.State `json:"health"`
	ConfigHash  string      `json:"configHash"` // of the settings that all nodes share
	MapperHash  string      `json:"mapperHash"`
	Certificate string      `json:"certificate"`
	ClockOffset int64       `json:"clockOffsetMs"` // ahead of the node that was asked
	Drift       []change    `json:"drift"`
}

// A cluster is the nodes of one connector, the one that was asked first.
type cluster struct {
	Nodes    []clusterNode `json:"nodes"`
	Warnings []string      `json:"warnings"`
}

// quiet is for servers whose errors are strangers' doing.
var quiet = log.New(io.Discard, "", 0)

func thisHost() string {
	name, err := os.Hostname()
	if err != nil {
		return "localhost" // it only names what the operator may name better
	}
	return name
}

// ownOnly are the keys that may differ from node to node.
func ownOnly() (names []string) {
	for _, k := range config.Keys() {
		if k.MachineBound {
			names = append(names, k.Name)
		}
	}
	return append(names, "CONSOLE_ADDR", "HEALTH_ADDR", "METRICS_ADDR", "LAST_SENT_THUMBPRINT", "SSL_CA_PATH")
}

// statusOfCluster asks all nodes that PEERS names, and says what differs.
func (a *app) statusOfCluster(ctx context.Context) error {
	h, c, err := a.loadConfig()
	if err != nil {
		return err
	}
	pair, err := h.Keys(c)
	if err != nil {
		return err
	}
	all, err := a.askCluster(ctx, h, c, pair)
	if err != nil {
		return err
	}
	if a.json() {
		err = a.print(all)
	} else {
		err = a.printCluster(all)
	}
	well := !slices.ContainsFunc(all.Nodes, func(n clusterNode) bool { return !n.Reachable || n.Health != agent.OK })
	if err == nil && !well {
		return exitError(exitFault)
	}
	return err
}

func (a *app) askCluster(ctx context.Context, h *home.Home, c config.Config, pair *keys.Pair) (cluster, error) {
	here, err := reportOf(h)
	if err != nil {
		return cluster{}, err
	}
	if live, err := a.askRunning(ctx, h); err == nil {
		here.Health, here.Version = live.Health, live.Version
	}
	t, err := peerTLS(pair)
	if err != nil {
		return cluster{}, err
	}
	addrs := peerAddresses(ctx, c.Agent.Peers, lookUp)
	peers := make([]clusterNode, len(addrs))
	var wait sync.WaitGroup
	for i, addr := range addrs {
		wait.Go(func() { peers[i] = peerNode(ctx, here, addr, t) })
	}
	wait.Wait()
	all := cluster{Nodes: []clusterNode{here.node("", here, 0)}}
	for _, p := range peers {
		known := func(n clusterNode) bool { return p.Reachable && n.Instance == p.Instance }
		if !slices.ContainsFunc(all.Nodes, known) { // it may be this one, or be named twice
			all.Nodes = append(all.Nodes, p)
		}
	}
	all.Warnings = all.warn()
	return all, ctx.Err()
}

func peerNode(ctx context.Context, here peerReport, addr string, t *tls.Config) clusterNode {
	r, ahead, err := askPeer(ctx, addr, t)
	if err != nil {
		return clusterNode{Address: addr, Error: oneLine(err.Error()), Health: agent.Down, Drift: []change{}}
	}
	return r.node(addr, here, ahead)
}

// node is what is to be said of r, seen from here.
func (r peerReport) node(addr string, here peerReport, ahead time.Duration) clusterNode {
	shared := nodeSettings{}
	but := ownOnly()
	for name, value := range r.Settings {
		if !slices.Contains(but, name) && name != certificateKey && name != mapperKey {
			shared[name] = value
		}
	}
	text, err := json.Marshal(shared)
	if err != nil {
		text = nil // a map of texts: it cannot fail
	}
	return clusterNode{
		Address: addr, Instance: r.Instance, Name: r.Name, Host: r.Host, Version: r.Version, Reachable: true, Health: r.Health,
		ConfigHash: fmt.Sprintf("%.12x", sha256.Sum256(text)), MapperHash: strings.TrimPrefix(r.Settings[mapperKey], "sha256 "),
		Certificate: r.Certificate, ClockOffset: ahead.Milliseconds(), Drift: here.Settings.changes(r.Settings, but...),
	}
}

// maxApart is how far the clocks of nodes may be apart: the tenant allows each as
// much.
const maxApart = 5000 // ms

// warn says what is not as a cluster should be.
func (c cluster) warn() []string {
	warnings := []string{}
	say := func(format string, args ...any) { warnings = append(warnings, fmt.Sprintf(format, args...)) }
	reached, hosts, versions := 0, map[string]string{}, map[string]string{}
	for _, n := range c.Nodes {
		if !n.Reachable {
			say("%s cannot be asked: %s", n.Address, n.Error)
			continue
		}
		reached++
		if other, ok := hosts[n.Host]; ok {
			say("%s and %s are on one host, %s: both are lost with it", other, n.Name, n.Host)
		}
		hosts[n.Host] = n.Name
		versions[n.Version] = n.Name
		if len(n.Drift) > 0 {
			keys := []string{}
			for _, d := range n.Drift {
				keys = append(keys, d.Key)
			}
			say("%s differs from %s: %s", n.Name, c.Nodes[0].Name, strings.Join(keys, ", "))
		}
		if n.ClockOffset > maxApart || n.ClockOffset < -maxApart {
			say("the clocks of %s and %s are %d ms apart", n.Name, c.Nodes[0].Name, n.ClockOffset)
		}
	}
	if len(versions) > 1 {
		each := []string{}
		for _, n := range c.Nodes {
			if n.Reachable {
				each = append(each, n.Name+" "+n.Version)
			}
		}
		say("the nodes have different versions: %s", strings.Join(each, ", "))
	}
	if reached < 2 {
		say("one node only: 2 nodes minimum, 3 recommended")
	}
	return warnings
}

func (a *app) printCluster(c cluster) error {
	var errs []error
	for _, n := range c.Nodes {
		if !n.Reachable {
			errs = append(errs, a.text("%-8s %s\n", "lost", visible(n.Address)))
			continue
		}
		errs = append(errs, a.text("%-8s %s  version %s, host %s, configuration %s, certificate %s, clock %+d ms\n", visible(string(n.Health)),
			visible(n.Name), visible(n.Version), visible(n.Host), visible(n.ConfigHash), visible(n.Certificate), n.ClockOffset))
		for _, d := range n.Drift {
			errs = append(errs, a.text("         %s\n", d))
		}
	}
	for _, w := range c.Warnings {
		a.say("warning: %s", visible(w))
	}
	return errors.Join(errs...)
}
