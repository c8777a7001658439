package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"ad-ldap-connector/pkg/agent"
	"ad-ldap-connector/pkg/config"
	"ad-ldap-connector/pkg/doctor"
	"ad-ldap-connector/pkg/home"
	"ad-ldap-connector/pkg/sandbox"
)

// registered is a home that the tenant knows, as a first start leaves it.
func registered(t *testing.T, cloud *sandbox.Cloud) *home.Home {
	t.Helper()
	h := newTestHome(t)
	c := config.Default()
	c.Tenant.Ticket, c.Network.CAPath = config.Secret(cloud.Ticket()), cloud.CAFile()
	c.Agent.ConsoleAddr = "127.0.0.1:0"
	c.Directory.Anonymous = true
	c.Directory.URLs, c.Directory.BaseDN = []string{"ldap://127.0.0.1:1"}, "DC=corp,DC=test" // nobody: the hub does not wait for it
	if err := h.SaveConfig(c); err != nil {
		t.Fatal(err)
	}
	tr, err := newTransport(c.Network, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tr.HTTP.CloseIdleConnections()
	if _, err := newProvisioner(h, tr).Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	return h
}

func TestDoctorAsksForTheAgent(t *testing.T) {
	t.Parallel()
	cloud := startCloud(t)
	h := registered(t, cloud)
	secret := cloud.Ticket()[strings.LastIndexByte(cloud.Ticket(), '/')+1:]
	x := examination{home: h.Dir(), secrets: []string{secret}}
	good := []expected{
		{"network.hub", doctor.Passed, []string{"opens a websocket"}},
		{"agent.ticket", doctor.Passed, nil}, {"agent.registered", doctor.Passed, []string{"thumbprint "}},
		{"agent.accepted", doctor.Passed, []string{"accepts the agent's token"}},
	}
	x.expect(t, good...)
	awaitAgents(t, cloud, "the visitor's end", func(a []sandbox.Agent) bool { return len(a) == 0 })

	// The runtime corrects its clock by the tenant's, and so does this.
	cloud.SetClock(time.Hour)
	x.expect(t, good...)
	cloud.SetClock(0)

	// A connector that runs is asked, and no second session made.
	c := newCLI(t)
	node := c.start("run", "--home", h.Dir())
	awaitAgent(t, cloud)
	before := cloud.Agents()
	x.expect(t, expected{"agent.accepted", doctor.Passed, []string{"the connector that runs here has been accepted since "}})
	if after := cloud.Agents(); len(after) != 1 || after[0].ID != before[0].ID {
		t.Errorf("agents %v, before %v", after, before)
	}
	node.interrupt()
	node.wait(patience)

	// Another connection's ticket says nothing of this home's agent.
	other := x
	other.target.ticketArg = cloud.URL() + "/p/ad/planted-secret"
	other.skip = []string{"agent.ticket", "agent.registered", "network.hub"}
	other.expect(t, expected{"agent.accepted", doctor.Skipped, []string{"the ticket that was given is not this home's"}})

	// With another key pair, both the tenant and the hub say no.
	if err := h.SaveKeys(newPair(t)); err != nil {
		t.Fatal(err)
	}
	x.expect(t,
		expected{"agent.registered", doctor.Failed, []string{"the tenant knows another certificate than this home's", "Start the connector again"}},
		expected{"agent.accepted", doctor.Skipped, []string{"it needs agent.registered, which failed"}},
	)
	x.skip = []string{"agent.registered"}
	x.expect(t, expected{"agent.accepted", doctor.Failed, []string{"the hub rejected the agent", "clock"}})
}

func TestDoctorHearsTheRunningConnector(t *testing.T) {
	says := func(h agent.State, detail string) status {
		return status{Parts: []statusPart{{Name: "directory", Health: agent.OK}, {Name: "hub", Health: h, Detail: detail}}}
	}
	if how, err := heard(says(agent.OK, "")); err != nil || !strings.Contains(how, "accepted since") {
		t.Errorf("%q, %v", how, err)
	}
	for _, s := range []agent.State{agent.Degraded, agent.Down} {
		if _, err := heard(says(s, "the hub rejected the agent")); err == nil || !strings.Contains(err.Error(), "not accepted: the hub rejected the agent") {
			t.Errorf("%s: %v", s, err)
		}
	}
	if _, err := heard(status{}); err == nil {
		t.Error("nothing said, and taken for a yes")
	}
}

// Where the hub is looked for depends on what is known.
func TestWhereDoctorLooksForTheHub(t *testing.T) {
	const learnt = `{"PROVISIONING_TICKET": "https://acme.example/p/ad/planted-secret", "AD_HUB": "https://hub.example/lo/hub", "CONNECTION": "corp"}`
	for name, tt := range map[string]struct {
		file    string
		flags   targetFlags
		hub     string
		guessed bool
		names   []string
	}{
		"a tenant alone":         {"", targetFlags{tenant: "acme.example"}, "https://acme.example:443/lo/hub", true, []string{"acme.example"}},
		"its address":            {"", targetFlags{tenant: "::1"}, "https://[::1]:443/lo/hub", true, []string{"::1"}},
		"a ticket alone":         {"", targetFlags{ticketArg: "https://acme.example/p/ad/given-secret"}, "", false, []string{"acme.example"}},
		"a home":                 {learnt, targetFlags{}, "https://hub.example/lo/hub", false, []string{"acme.example", "hub.example"}},
		"a home, named again":    {learnt, targetFlags{tenant: "acme.example:443"}, "https://hub.example/lo/hub", false, []string{"acme.example", "hub.example"}},
		"a home, and a tenant":   {learnt, targetFlags{tenant: "other.example"}, "https://other.example:443/lo/hub", true, []string{"other.example"}},
		"a home, and a ticket":   {learnt, targetFlags{ticketArg: "https://acme.example/p/ad/given-secret"}, "", false, []string{"acme.example"}},
		"its proxy":              {`{"AD_HUB": "wss://hub.example/x", "HTTP_PROXY": "p.example:1"}`, targetFlags{}, "wss://hub.example/x", false, []string{"p.example", "hub.example"}},
		"nothing":                {"", targetFlags{}, "", false, nil},
		"a hub without a scheme": {`{"AD_HUB": "hub.example/lo/hub"}`, targetFlags{}, "", false, nil},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCLI(t)
			if tt.file != "" {
				c.file("home/config.json", tt.file)
			}
			a := &app{stderr: discard, home: c.home}
			target, err := a.openTarget(tt.flags)
			if err != nil {
				t.Fatal(err)
			}
			var hosts []string
			for _, n := range a.networkEnv(target).Names {
				hosts = append(hosts, n.Host)
			}
			if !slices.Equal(hosts, tt.names) {
				t.Errorf("names %v, want %v", hosts, tt.names)
			}
			if target.tenant == "" {
				return
			}
			w := newWay(a, target)
			if w.hub != tt.hub || w.guessed != tt.guessed {
				t.Errorf("%q, guessed %t; want %q", w.hub, w.guessed, tt.hub)
			}
		})
	}
}
