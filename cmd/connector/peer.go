package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"sync"
	"time"

	"ad-ldap-connector/pkg/agent"
	"ad-ldap-connector/pkg/home"
	"ad-ldap-connector/pkg/keys"
)

// A peerReport is what a node tells the others of its connector. It holds no
// secrets, but fingerprints that only they can make.
type peerReport struct {
	Instance    string       `json:"instance"`
	Name        string       `json:"name"`
	Host        string       `json:"host"`
	Version     string       `json:"version"`
	Health      agent.State  `json:"health"`
	Now         time.Time    `json:"now"`
	Certificate string       `json:"certificate"` // thumbprint
	Settings    nodeSettings `json:"settings"`
}

const (
	peerPath      = "/v1/node"
	peerTime      = 5 * time.Second
	maxPeerReport = 1 << 20 // bytes
	maxAtOnce     = 16      // connections; a cluster has a handful of nodes
	peerSubject   = "peer"
)

// errStranger is what a node says of somebody without the private key.
var errStranger = errors.New("it has another private key: it is no node of this connector")

// peerTLS returns the settings by which two nodes know each other: both prove
// that they have the private key, which all nodes share. The certificate that
// is shown is made for the occasion and says nothing, so that a stranger who
// connects learns nothing.
func peerTLS(pair *keys.Pair) (*tls.Config, error) {
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Unix(0, 0), NotAfter: time.Now().AddDate(10, 0, 0)}
	template.Subject.CommonName = peerSubject
	der, err := x509.CreateCertificate(rand.Reader, template, template, pair.Signer.Public(), pair.Signer)
	if err != nil {
		return nil, fmt.Errorf("make a certificate for peers: %w", err)
	}
	own, err := x509.MarshalPKIXPublicKey(pair.Signer.Public())
	if err != nil {
		return nil, fmt.Errorf("make a certificate for peers: %w", err)
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS13, ClientAuth: tls.RequireAnyClientCert, ServerName: peerSubject, SessionTicketsDisabled: true,
		Certificates:       []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: pair.Signer}},
		InsecureSkipVerify: true, //nolint:gosec // names and authorities say nothing here: the key itself is compared
		VerifyConnection: func(s tls.ConnectionState) error {
			if len(s.PeerCertificates) == 0 || !bytes.Equal(s.PeerCertificates[0].RawSubjectPublicKeyInfo, own) {
				return errStranger
			}
			return nil
		},
	}, nil
}

// servePeers answers the other nodes until ctx ends.
func (n *node) servePeers(ctx context.Context, report func(agent.State, string)) error {
	ln, err := n.listeners.open(ctx, "peers", n.config.Agent.PeerAddr)
	if err != nil {
		return fmt.Errorf("listen on PEER_ADDR: %w", err)
	}
	defer func() { _ = ln.Close() }() // a second time is no error
	pair, err := n.home.Keys(n.config)
	if err != nil {
		return err
	}
	t, err := peerTLS(pair)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+peerPath, func(w http.ResponseWriter, _ *http.Request) {
		r, err := reportOf(n.home)
		if err != nil {
			http.Error(w, "the home cannot be read", http.StatusInternalServerError)
			n.log.Debug("peer", "err", err)
			return
		}
		r.Health = agent.Worst(n.agent.Health())
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(r) // a peer that has gone needs no answer
	})
	n.serveUpdates(mux)
	s := &http.Server{
		Handler: mux, ReadTimeout: peerTime, WriteTimeout: 2 * peerTime, IdleTimeout: peerTime, MaxHeaderBytes: 4 << 10,
		ErrorLog: quiet, Protocols: new(http.Protocols),
	}
	s.Protocols.SetHTTP1(true)
	stop := context.AfterFunc(ctx, func() { _ = s.Close() }) // what is cut off is asked again
	defer stop()
	report(agent.OK, ln.Addr().String())
	err = s.Serve(tls.NewListener(&fewConns{Listener: ln, free: make(chan struct{}, maxAtOnce)}, t))
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// reportOf is what a home has to tell, but for its health.
func reportOf(h *home.Home) (peerReport, error) {
	var r peerReport
	c, err := h.Config()
	if err != nil {
		return r, err
	}
	pair, err := h.Keys(c)
	if err != nil {
		return r, err
	}
	script, _, err := h.Mapper(c)
	if err != nil {
		return r, err
	}
	var i instance
	if err := ignoreMissing(h.LoadState("instance", &i)); err != nil {
		return r, err
	}
	r = peerReport{
		Instance: i.ID, Name: c.Agent.Name, Host: thisHost(), Version: thisBuild().Version, Health: agent.Down, Now: time.Now().UTC(),
		Certificate: pair.Thumbprint(), Settings: describe(c, pair, pair, script),
	}
	if r.Name == "" {
		r.Name = r.Instance
	}
	return r, nil
}

// askPeer asks a node, and returns how far its clock is ahead of ours.
func askPeer(ctx context.Context, addr string, t *tls.Config) (r peerReport, ahead time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, peerTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+addr+peerPath, nil)
	if err != nil {
		return r, 0, err
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: t.Clone(), DisableKeepAlives: true}}
	begun := time.Now()
	res, err := client.Do(req)
	if err != nil {
		return r, 0, err
	}
	defer func() { _ = res.Body.Close() }() // it was read, or is of no use
	if res.StatusCode != http.StatusOK {
		return r, 0, fmt.Errorf("status %d", res.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, maxPeerReport+1))
	took := time.Since(begun)
	if err != nil {
		return r, 0, err
	}
	r, err = readPeer(body)
	return r, r.Now.Sub(begun.Add(took / 2)), err
}

// readPeer reads what a peer says of itself.
func readPeer(body []byte) (r peerReport, err error) {
	if len(body) > maxPeerReport {
		return r, fmt.Errorf("its answer is longer than %d bytes", maxPeerReport)
	}
	if err := json.Unmarshal(body, &r); err != nil {
		return peerReport{}, fmt.Errorf("read its answer: %w", err)
	}
	if r.Instance == "" || r.Settings == nil {
		return peerReport{}, errors.New("read its answer: it is no node's")
	}
	return r, nil
}

// fewConns bounds how many connections are open at once: a stranger cannot have
// them all for longer than a handshake may take.
type fewConns struct {
	net.Listener
	free chan struct{}
}

// Accept waits until there is room for one more.
func (l *fewConns) Accept() (net.Conn, error) {
	l.free <- struct{}{}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.free
		return nil, err
	}
	return &countedConn{Conn: c, free: l.free}, nil
}

type countedConn struct {
	net.Conn
	free chan struct{}
	once sync.Once
}

// Close makes room.
func (c *countedConn) Close() error {
	err := c.Conn.Close()
	c.once.Do(func() { <-c.free })
	return err
}
