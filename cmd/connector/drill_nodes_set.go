package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"ad-ldap-connector/pkg/sandbox"
)

// set makes the nodes, the first by an install, the others by export and import
// alone, and starts them.
func (p *nodesPlay) set(ctx context.Context, count int) error {
	socket, closing, err := startManager()
	if err != nil {
		return err
	}
	p.manager = socket
	p.g.closers = append(p.g.closers, closing)
	var peers []string
	if p.next == "" && p.manager != "" { // it is another program only by its text
		if p.next, err = p.g.wrapped("next", ""); err != nil {
			return err
		}
	}
	for i := range count {
		n, err := newDrillNode(p.g, fmt.Sprintf("node%d", i+1))
		if err != nil {
			return err
		}
		n.hurried = p.hurried
		p.nodes, peers = append(p.nodes, n), append(peers, n.peer)
	}
	if p.haproxy != "" {
		if p.balancer, err = freeAddress(); err != nil {
			return err
		}
	}
	archive, export, open := filepath.Join(p.g.dir, "node.zip"), []string{"--plain"}, []string(nil)
	if !p.hurry { // a passphrase takes a second each time, on purpose
		phrase, err := p.file("phrase", "of a drill, and of no use elsewhere")
		if err != nil {
			return err
		}
		open = []string{"--passphrase-file", phrase}
		export = open
	}
	for i, n := range p.nodes {
		if i == 0 {
			err = errors.Join(p.install(ctx, n), n.settle(ctx), n.set(ctx, p.shared(peers)...))
			if err == nil {
				_, err = n.do(ctx, append([]string{"export", "--file", archive}, export...)...)
			}
		} else if _, err = n.do(ctx, append([]string{"import", archive}, open...)...); err == nil {
			err = n.settle(ctx)
		}
		if err = errors.Join(err, n.h.SaveProgram(p.program), p.certify(n)); err != nil {
			return err
		}
	}
	for _, n := range p.nodes {
		if err := n.start(p.manager); err != nil {
			return err
		}
	}
	if p.haproxy == "" {
		return nil
	}
	return p.balance(ctx)
}

// shared are the settings that all nodes have alike.
func (p *nodesPlay) shared(peers []string) []string {
	keys := []string{
		"PEERS", strings.Join(peers, ","),
		// Sign-in is on at the tenant, and there are no Kerberos tickets here.
		"WITH_KERBEROS_PROXY_FRONTEND", "true",
		"TLS_CERT", drillCertificate,
		"UPDATE_WATCH_SECONDS", strconv.Itoa(updateWatch),
	}
	if p.balancer != "" {
		keys = append(keys, "SERVER_URL", "https://"+p.balancer)
	}
	if p.hurry { // so does the balancer
		keys = append(keys, "LEAVE_SECONDS", "2")
	}
	return keys
}

func (p *nodesPlay) file(name, line string) (path string, err error) {
	path = filepath.Join(p.g.dir, name)
	return path, os.WriteFile(path, []byte(line+"\n"), 0o600)
}

// install makes the first node's home.
func (p *nodesPlay) install(ctx context.Context, n *drillNode) error {
	here := strings.TrimPrefix(p.g.cloud.URL(), "https://")
	_, port, err := net.SplitHostPort(here)
	if err != nil {
		return err
	}
	ticket, err := p.file("ticket", strings.Replace(p.g.cloud.Ticket(), here, net.JoinHostPort(sandbox.ProxiedName, port), 1))
	if err != nil {
		return err
	}
	password, err := p.file("password", p.g.directory.BindPassword())
	if err != nil {
		return err
	}
	_, err = n.do(ctx, "install", "--no-service", "--non-interactive", "--skip", "host", "--ticket-file", ticket,
		"--ca-file", p.g.cloud.CAFile(), "--ldap-url", p.g.directory.URL(), "--ldap-base", p.g.directory.BaseDN(),
		"--ldap-bind-user", p.g.directory.BindUser(), "--ldap-bind-password-file", password)
	return err
}

// settle gives a node what is its own: its name, and where it listens.
func (n *drillNode) settle(ctx context.Context) error {
	_, port, err := net.SplitHostPort(n.signIn)
	if err != nil {
		return err
	}
	return n.set(ctx, "INSTANCE_NAME", n.name, "PEER_ADDR", n.peer, "HEALTH_ADDR", n.health, "PORT", port)
}

// set sets keys of the node's configuration: names and values in turn.
func (n *drillNode) set(ctx context.Context, keys ...string) error {
	for pair := range slices.Chunk(keys, 2) {
		if _, err := n.do(ctx, "config", "set", pair[0], pair[1]); err != nil {
			return err
		}
	}
	return nil
}

// nodeOf is the node that an address at the hub's end belongs to, -1 if none.
func (p *nodesPlay) nodeOf(remote string) int {
	return slices.IndexFunc(p.nodes, func(n *drillNode) bool { return n.way.Carried(remote) })
}
