package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"ad-ldap-connector/pkg/agent"
	"ad-ldap-connector/pkg/install"
)

// askAgain is how often nodes are asked of which one does not answer.
const askAgain = 3

// among makes sure that no other node updates meanwhile, that one of them is
// there to answer, and that the version has not failed on one.
func (u *updateRun) among(ctx context.Context) (release func(), err error) {
	release = func() {}
	if err := u.refuseFailed(); err != nil || len(u.config.Agent.Peers) == 0 {
		return release, err
	}
	pair, err := u.home.Keys(u.config)
	if err != nil {
		return release, err
	}
	var all cluster
	for range askAgain { // a node that is only slow must not be left out
		if all, err = u.askCluster(ctx, u.home, u.config, pair); err != nil {
			return release, err
		}
		if !slices.ContainsFunc(all.Nodes, func(n clusterNode) bool { return !n.Reachable }) {
			break
		}
	}
	well, others := 0, all.Nodes[1:]
	for _, n := range others {
		switch {
		case !n.Reachable:
			u.say("warning: the node at %s cannot be asked, and is not locked: %s", n.Address, visible(n.Error))
		case n.Health != agent.Down:
			well++
		default:
			u.say("warning: the node %s is %s", visible(n.Name), n.Health)
		}
	}
	if len(others) > 0 && well == 0 && !u.order.force {
		return release, &hinted{errors.New("no other node is well: should this update fail, nobody answers"),
			"see to them first: connector status --cluster; or add --force"}
	}
	if u.order.dryRun {
		return release, nil
	}
	t, err := peerTLS(pair)
	if err != nil {
		return release, err
	}
	return u.lockNodes(ctx, all.Nodes, t)
}

// refuseFailed refuses a version that did not prove itself, here or on another
// node: it would not there either.
func (u *updateRun) refuseFailed() error {
	var all failedList
	if err := u.home.LoadState(failedState, &all); err != nil || u.order.force || u.order.rollback {
		return ignoreMissing(err)
	}
	i := slices.IndexFunc(all.All, func(f failure) bool { return f.is(u.next) })
	if i < 0 {
		return nil
	}
	f := all.All[i]
	return &hinted{fmt.Errorf("%s has failed on the node %s at %s: %s", u.next.named(), visible(f.Node), f.At.UTC().Format(time.RFC3339), visible(f.Why)),
		"mend what is named, and add --force"}
}

// lockNodes has all nodes agree that this one updates. All ask in the same order,
// so that of two that want to, one gets it.
func (u *updateRun) lockNodes(ctx context.Context, nodes []clusterNode, t *tls.Config) (release func(), err error) {
	nodes = slices.DeleteFunc(slices.Clone(nodes), func(n clusterNode) bool { return !n.Reachable })
	here := nodes[0]
	slices.SortFunc(nodes, func(a, b clusterNode) int { return strings.Compare(a.Instance, b.Instance) })
	order := leaseOrder{Holder: here.Instance, Name: here.Name, Seconds: int(leaseTime.Seconds())}
	ask := func(ctx context.Context, n clusterNode, o leaseOrder) error {
		if n.Address == "" {
			_, err := takeLease(u.home, o, time.Now())
			return err
		}
		return askLease(ctx, n.Address, t, o)
	}
	var held []clusterNode
	stop := func() {}
	release = func() {
		stop()
		back, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*peerTime)
		defer cancel()
		for _, n := range slices.Backward(held) {
			o := order
			o.Seconds = 0
			_ = ask(back, n, o) // what is not given back ends by itself
		}
	}
	for _, n := range nodes {
		err := ask(ctx, n, order)
		if old := (*unlockableError)(nil); errors.As(err, &old) {
			u.say("warning: the node %s cannot be locked: %v", visible(n.Name), err)
			continue
		}
		if taken := (*takenError)(nil); !errors.As(err, &taken) {
			held = append(held, n) // one whose answer was lost may have agreed
		}
		if err != nil {
			release()
			return func() {}, err
		}
	}
	stop = u.renew(ctx, held, order, ask)
	return release, nil
}

// renew keeps the lock until stop is called.
func (u *updateRun) renew(ctx context.Context, held []clusterNode, o leaseOrder, ask func(context.Context, clusterNode, leaseOrder) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var work sync.WaitGroup
	work.Go(func() {
		beat := time.NewTicker(leaseTime / 3)
		defer beat.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-beat.C:
			}
			for _, n := range held {
				if err := ask(ctx, n, o); err != nil && ctx.Err() == nil {
					u.say("warning: the lock at the node %s: %v", visible(n.Name), err)
				}
			}
		}
	})
	return func() { cancel(); work.Wait() }
}

// An unlockableError is of a node that knows no lock.
type unlockableError struct{ error }

func (e *unlockableError) Unwrap() error { return e.error }

// askLease asks a node to agree.
func askLease(ctx context.Context, addr string, t *tls.Config, o leaseOrder) error {
	status, body, err := tellPeer(ctx, addr, lockPath, t, o)
	switch {
	case err != nil:
		return fmt.Errorf("lock the node at %s: %w", addr, err) // it was there a moment ago, and may be asked by another one
	case status == http.StatusOK:
		return nil
	case status == http.StatusConflict:
		var l lease
		if err := json.Unmarshal(body, &l); err != nil {
			return fmt.Errorf("read the answer of %s: %w", addr, err)
		}
		return &takenError{l}
	case status == http.StatusNotFound || status == http.StatusMethodNotAllowed:
		return &unlockableError{errors.New("it is of an earlier version")}
	}
	return fmt.Errorf("lock the node at %s: status %d", addr, status)
}

// tellPeer posts a document to a node.
func tellPeer(ctx context.Context, addr, path string, t *tls.Config, v any) (status int, body []byte, err error) {
	data, err := json.Marshal(v)
	if err != nil {
		return 0, nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, peerTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+addr+path, bytes.NewReader(data))
	if err != nil {
		return 0, nil, err
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: t.Clone(), DisableKeepAlives: true}}
	res, err := client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = res.Body.Close() }() // it was read, or is of no use
	body, err = io.ReadAll(io.LimitReader(res.Body, maxPeerOrder))
	return res.StatusCode, body, err
}

// proofs are the steps by which a version proves itself. What fails before says
// something of this machine.
var proofs = []string{"take-over", "restart-service", "prove"}

// failed remembers that a version has failed, and tells the other nodes, which do
// not update to it then.
func (u *updateRun) failed(ctx context.Context, err error) error {
	var step *install.StepError
	if !errors.As(err, &step) || !slices.Contains(proofs, step.Step) || ctx.Err() != nil || u.order.rollback {
		return err
	}
	f := failure{SHA256: u.next.sha256, Node: thisHost(), Why: oneLine(err.Error()), At: time.Now().UTC()}
	f.Why = f.Why[:min(len(f.Why), 1000)]
	if u.next.released {
		f.Version = u.next.version
	}
	if r, unknown := reportOf(u.home); unknown == nil {
		f.Node = r.Name
	}
	if lost := remember(u.home, f); lost != nil {
		u.say("warning: %v", lost)
	}
	u.tellAll(ctx, f)
	return err
}

// tellAll tells the other nodes, as far as they can be reached.
func (u *updateRun) tellAll(ctx context.Context, f failure) {
	pair, err := u.home.Keys(u.config)
	if err != nil || len(u.config.Agent.Peers) == 0 {
		return
	}
	t, err := peerTLS(pair)
	if err != nil {
		return
	}
	var wait sync.WaitGroup
	for _, addr := range peerAddresses(ctx, u.config.Agent.Peers, lookUp) {
		wait.Go(func() {
			if status, _, err := tellPeer(ctx, addr, failedPath, t, f); err != nil || status != http.StatusOK {
				u.say("warning: the node at %s was not told of the failure", addr)
			}
		})
	}
	wait.Wait()
}
