package main

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"ad-ldap-connector/pkg/config"
	"ad-ldap-connector/pkg/home"
	"ad-ldap-connector/pkg/identity"
	"ad-ldap-connector/pkg/sandbox"
	"ad-ldap-connector/testdata/lab"
)

// groupless is a directory without groups, of which nothing else is asked.
type groupless struct{ identity.Directory }

func (groupless) ListGroups(context.Context, int) ([]identity.Group, error) { return nil, nil }

// serveSandbox runs the hub's part alone against a pretend tenant, until stop.
func serveSandbox(t *testing.T, cloud *sandbox.Cloud, change func(*config.Config)) (said *reports, stop func()) {
	t.Helper()
	return serveSandboxAt(t, cloud, newTestHome(t), change)
}

// serveSandboxAt is serveSandbox with a home that may have been used before.
func serveSandboxAt(t *testing.T, cloud *sandbox.Cloud, h *home.Home, change func(*config.Config)) (said *reports, stop func()) {
	t.Helper()
	c := config.Default()
	c.Tenant.Ticket, c.Network.CAPath = config.Secret(cloud.Ticket()), cloud.CAFile()
	change(&c)
	if err := h.SaveConfig(c); err != nil {
		t.Fatal(err)
	}
	tr, err := newTransport(c.Network, nil)
	if err != nil {
		t.Fatal(err)
	}
	n := &node{home: h, config: c, transport: tr, log: slog.New(slog.DiscardHandler), provisioner: newProvisioner(h, tr), stats: new(stats)}
	n.users = &identity.Authenticator{Directory: groupless{}}
	ctx, cancel := context.WithCancel(t.Context())
	said = new(reports)
	done := make(chan error, 1)
	go func() {
		err := errMoved
		for errors.Is(err, errMoved) { // as the agent does
			err = n.serveHub(ctx, said.report)
		}
		done <- err
	}()
	return said, func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		tr.HTTP.CloseIdleConnections()
	}
}

// TestATenantThatPublishesItsKeys: the agent registers, gets no key, and
// answers what the published ones have signed, also after they were exchanged.
func TestATenantThatPublishesItsKeys(t *testing.T) {
	if testing.Short() {
		t.Skip("keys are not read twice within half a minute")
	}
	t.Parallel()
	cloud, err := sandbox.StartCloud(sandbox.CloudOptions{State: t.TempDir(), JWKS: true, Timeout: 2 * time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cloud.Close() }()
	said, stop := serveSandbox(t, cloud, func(*config.Config) {})
	awaitAgent(t, cloud)
	for _, when := range []string{"at first", "with exchanged keys"} {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		answer, err := cloud.Request(ctx, "list_groups", sandbox.Request{})
		cancel()
		if err != nil || string(answer.Reply) != `{"groups":[]}` {
			t.Errorf("%s: %s, %v", when, answer.Reply, err)
		}
		if err := cloud.SetSigning("", "RS256"); err != nil {
			t.Fatal(err)
		}
	}
	if got := said.String(); got != "ok " {
		t.Errorf("reported %q", got)
	}
	stop()
}

// TestTwoLinksOfANode: with HUB_LINKS=2 the tenant sees the agent twice, the
// second time when the first link has lasted for a while.
func TestTwoLinksOfANode(t *testing.T) {
	if testing.Short() {
		t.Skip("the second link is made half a minute after the first")
	}
	t.Parallel()
	cloud := startCloud(t)
	said, stop := serveSandbox(t, cloud, func(c *config.Config) { c.Agent.HubLinks = 2 })
	awaitAgent(t, cloud)
	lab.Eventually(t, "the state to tell of the missing link", func() bool { return said.String() == "ok 1 of 2 links" })
	awaitAgents(t, cloud, "two agents", func(a []sandbox.Agent) bool { return len(a) == 2 })
	lab.Eventually(t, "the state to be good", func() bool { return said.String() == "ok " })
	for range 4 { // the tenant asks each in turn
		if answer, err := cloud.Request(t.Context(), "list_groups", sandbox.Request{}); err != nil || string(answer.Reply) != `{"groups":[]}` {
			t.Errorf("%s, %v", answer.Reply, err)
		}
	}
	for _, a := range cloud.Agents() {
		if a.Answered != 2 {
			t.Errorf("agent %s answered %d of 4", a.ID, a.Answered)
		}
	}
	stop()
	awaitAgents(t, cloud, "nobody", func(a []sandbox.Agent) bool { return len(a) == 0 })
}

// TestStopWithoutAHub: a connector that is told to stop ends well and in time,
// also when the tenant is not to be reached, from whatever time on.
func TestStopWithoutAHub(t *testing.T) {
	for name, lose := range map[string]func(*lab.Proxy){
		"nothing passes any more":    (*lab.Proxy).Hang,
		"nobody listens any more":    (*lab.Proxy).Down,
		"nothing ever passed at all": nil,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cloud := startCloud(t)
			direct := strings.TrimPrefix(cloud.URL(), "https://")
			way := lab.NewProxy(t, direct)
			if lose == nil {
				way.Hang()
			}
			h := newCLI(t, "DRAIN_SECONDS=2", "SSL_CA_PATH="+cloud.CAFile(), "LDAP_URL=ldap://127.0.0.1:1", "LDAP_BASE=dc=lab,dc=test",
				"LDAP_BIND_USER=cn=nobody", "LDAP_BIND_PASSWORD=x",
				"PROVISIONING_TICKET="+strings.Replace(cloud.Ticket(), direct, way.Addr, 1))
			node := h.start("run", "--home", h.home)
			if lose != nil {
				awaitAgent(t, cloud)
				lose(way)
			} else {
				node.says("connector starts")
			}
			begun := time.Now()
			node.interrupt()
			node.wait(patience)
			if took := time.Since(begun); node.status() != exitOK || took > 15*time.Second {
				t.Errorf("it ended with %d after %v:\n%s", node.status(), took, node.stderr)
			}
		})
	}
}
