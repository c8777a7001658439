package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// findHAProxy returns the path of a program, or "" when there is none. Servers
// lie where only root's PATH leads.
func findHAProxy(named string) (string, error) {
	if named != "" {
		return exec.LookPath(named)
	}
	for _, name := range []string{"haproxy", "/usr/sbin/haproxy", "/usr/local/sbin/haproxy"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", nil
}

// exampleOf is the guide's file for HAProxy, as somebody adapts it to nodes here.
// In a short drill it is in a hurry.
func exampleOf(bind string, nodes []*drillNode, hurry bool) (string, error) {
	text, err := guides.ReadFile("guide/load-balancer/haproxy.cfg")
	if err != nil {
		return "", err
	}
	var out strings.Builder
	servers := 0
	for line := range strings.Lines(string(text)) {
		switch {
		case strings.Contains(line, "    server node"):
			servers++
			continue
		case strings.Contains(line, "    bind "):
			line = "    bind " + bind + "\n"
		case hurry:
			line = strings.Replace(line, "inter 2s", "inter 500ms", 1)
		}
		out.WriteString(line)
	}
	if servers == 0 {
		return "", errors.New("the example for HAProxy has no servers")
	}
	for _, n := range nodes {
		_, port, err := net.SplitHostPort(n.health)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&out, "    server %s %s port %s\n", n.name, n.signIn, port)
	}
	return out.String(), nil
}

// balance starts HAProxy in front of the nodes. It ends with the drill's ground.
func (p *nodesPlay) balance(ctx context.Context) error {
	text, err := exampleOf(p.balancer, p.nodes, p.hurry)
	if err != nil {
		return err
	}
	file := filepath.Join(p.g.dir, "haproxy.cfg")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return err
	}
	var said bytes.Buffer
	cmd := exec.CommandContext(context.WithoutCancel(ctx), p.haproxy, "-db", "-f", file)
	cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr = p.g.environ, p.g.dir, &said, &said
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start HAProxy: %w", err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // it is killed
		close(ended)
	}()
	p.g.closers = append(p.g.closers, func() error {
		_ = cmd.Process.Kill() // it may have ended
		<-ended
		return nil
	})
	for late := time.Now().Add(waitTime); time.Now().Before(late); {
		select {
		case <-ended:
			return fmt.Errorf("HAProxy ended: %s", oneLine(said.String()))
		default:
		}
		conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", p.balancer)
		if err == nil {
			return conn.Close()
		}
		if err := pass(ctx, lookEvery/4); err != nil {
			return err
		}
	}
	return fmt.Errorf("HAProxy does not listen on %s", p.balancer)
}

// certify gives a node a certificate of its own for PORT, by which browsers tell
// nodes apart, in a file that all homes have at the same place.
func (p *nodesPlay) certify(n *drillNode) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: n.name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	own, err := x509.ParseCertificate(der)
	if err != nil {
		return err
	}
	p.roots.AddCert(own)
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	text := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})...)
	return os.WriteFile(n.h.Path(drillCertificate), text, 0o600)
}

// drillCertificate is a file in each node's home.
const drillCertificate = "tls.pem"

// countBrowsers says what became of the sign-ins, phase by phase, and what should
// not have.
func (p *nodesPlay) countBrowsers(r *drillResult, steps []nodesStep) (problems []error) {
	continued, opened, whole := 0, 0, 0
	stray := map[string]int{}
	for _, v := range p.browsers.visits {
		if v.err != nil {
			problems = append(problems, fmt.Errorf("a sign-in through HAProxy came to nothing: %w", v.err))
			continue
		}
		whole++
		if v.nodes[1] != v.nodes[0] {
			continued++
		}
		if v.nodes[2] != v.nodes[1] {
			opened++
		}
		for i := range r.Phases {
			r.Phases[i].browse(v, steps)
		}
		for _, t := range v.tries {
			if t.why != "" && !t.excused(steps) {
				stray[t.why]++
			}
		}
	}
	for why, n := range stray {
		problems = append(problems, fmt.Errorf("%d requests of browsers got no answer, though nothing was to be lost: %s", n, oneLine(why)))
	}
	if continued == 0 || opened == 0 {
		problems = append(problems, fmt.Errorf("of %d sign-ins through HAProxy %d went on at another node, and %d sessions", whole, continued, opened))
	}
	r.Detail += fmt.Sprintf("; %d sign-ins through HAProxy, of which %d went from one node's form to another node, and %d sessions were opened by another one", whole, continued, opened)
	return problems
}

// browse counts a visit that began in the phase.
func (f *nodesPhase) browse(v browserVisit, steps []nodesStep) {
	in := func(at time.Duration) bool {
		for _, s := range steps {
			if s.name == f.Name && at >= s.from && at < s.to {
				return true
			}
		}
		return false
	}
	if in(v.tries[0].begun) {
		f.SignIns++
	}
	for _, t := range v.tries {
		if t.why != "" && in(t.begun) {
			f.Reloads++
		}
	}
}

// excused reports whether a request got no answer while something happened that
// nobody planned.
func (t browserTry) excused(steps []nodesStep) bool {
	for _, s := range steps {
		if !s.planned && s.from < t.ended && s.to > t.begun {
			return true
		}
	}
	return false
}
