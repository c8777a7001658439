package main

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"ad-ldap-connector/pkg/agent"
	"ad-ldap-connector/pkg/hub"
)

// maxServers is of how many directory servers there are series: a domain may
// have hundreds, and the first in the order of preference tell enough.
const maxServers = 32

// What a node measures of itself when it is asked.
var (
	partHealth = desc("connector_part_health", "How a part of the connector fares: 0 ok, 1 degraded, 2 down.", "part")

	hubState    = desc("connector_hub_state", "1 for the state of the link to the hub (connecting, accepted, keyless, rejected, lost), 0 for the others.", "state")
	hubLinks    = desc("connector_hub_links", "Links to the hub that are accepted.")
	hubWanted   = desc("connector_hub_links_wanted", "Links to the hub that are to be kept: HUB_LINKS.")
	hubWorking  = desc("connector_hub_commands_in_flight", "Commands of the hub at work.")
	hubMost     = desc("connector_hub_commands_in_flight_limit", "Commands of the hub that may be at work at a time; others wait.")
	hubWaiting  = desc("connector_hub_commands_queued", "Commands of the hub that wait for their turn.")
	hubHeld     = desc("connector_hub_commands_held", "Commands of the hub that wait until the tenant's published keys are read.")
	hubUnsent   = desc("connector_hub_answers_unsent", "Answers to shed commands that the hub has not taken yet.")
	serverInUse = desc("connector_directory_server_in_use", "1 for the directory server that is asked, 0 for the others.", "server")
	serverUp    = desc("connector_directory_server_up", "1 for a directory server that worked, or was not tried yet; 0 for one that did not when it was last tried.", "server")
	poolBusy    = desc("connector_directory_operations_in_flight", "Operations under way at a directory server, by kind of connection.", "server", "pool")
	poolMost    = desc("connector_directory_operations_in_flight_limit", "Operations that may be under way at a directory server at a time; others wait.", "server", "pool")
	poolIdle    = desc("connector_directory_connections_idle", "Connections to a directory server that are open and carry nothing.", "server", "pool")
	clockOffset = desc("connector_clock_offset_seconds", "The tenant's clock minus this machine's, as last measured. No value until it was.")
	certificate = desc("connector_certificate_expiry_timestamp_seconds", "When the agent's certificate ends, in seconds since 1970. No value until it was read.")
)

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

// A nodeCollector measures a node when somebody asks, and costs nothing between.
type nodeCollector struct{ n *node }

// Describe names all there may be.
func (nodeCollector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		partHealth, hubState, hubLinks, hubWanted, hubWorking, hubMost, hubWaiting, hubHeld, hubUnsent,
		serverInUse, serverUp, poolBusy, poolMost, poolIdle, clockOffset, certificate,
	} {
		to <- d
	}
}

// Collect measures. What a part has not brought up yet is left out.
func (c nodeCollector) Collect(to chan<- prometheus.Metric) {
	put := func(d *prometheus.Desc, v float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	for _, p := range c.n.agent.Health() {
		put(partHealth, badness(p.State), p.Part)
	}
	state, _ := c.n.hubState.Load().(hub.State)
	for _, s := range []hub.State{hub.Connecting, hub.Accepted, hub.Keyless, hub.Rejected, hub.Lost} {
		put(hubState, asNumber(s == state), string(s))
	}
	if client := c.n.hub.Load(); client != nil {
		l := client.Load()
		put(hubLinks, float64(l.Links))
		put(hubWanted, float64(l.MostLinks))
		put(hubWorking, float64(l.Working))
		put(hubMost, float64(l.Most))
		put(hubWaiting, float64(l.Waiting))
		put(hubHeld, float64(l.Held))
		put(hubUnsent, float64(l.Unsent))
	}
	c.servers(put)
	if offset := c.n.measured.Load(); offset != nil {
		put(clockOffset, offset.Seconds())
	}
	if ends := c.n.certificateEnds.Load(); ends != nil {
		put(certificate, float64(ends.Unix()))
	}
}

func (c nodeCollector) servers(put func(*prometheus.Desc, float64, ...string)) {
	d, ok := c.n.directory.peek()
	if !ok {
		return
	}
	told := map[string]bool{} // one server may be listed twice
	for _, s := range d.Usage() {
		if told[s.URL] || len(told) >= maxServers {
			continue
		}
		told[s.URL] = true
		put(serverInUse, asNumber(s.InUse), s.URL)
		put(serverUp, asNumber(!s.Down), s.URL)
		for _, p := range s.Pools {
			put(poolBusy, float64(p.Busy), s.URL, p.Name)
			put(poolMost, float64(p.Most), s.URL, p.Name)
			put(poolIdle, float64(p.Idle), s.URL, p.Name)
		}
	}
}

// badness is a part's health as a number. A word that is not in the list is no
// good news.
func badness(s agent.State) float64 {
	switch s {
	case agent.OK:
		return 0
	case agent.Degraded:
		return 1
	}
	return 2
}

func asNumber(on bool) float64 {
	if on {
		return 1
	}
	return 0
}

// A stageWatch learns how long a stage took, and what came of it. A nil one
// does not.
type stageWatch func(stage string, took time.Duration, err error)

// end is to be deferred: err is what the stage is about to return.
func (w stageWatch) end(stage string, began time.Time, err *error) {
	if w != nil {
		w(stage, time.Since(began), *err)
	}
}
