package main

import (
	"github.com/prometheus/client_golang/prometheus"

	"ad-ldap-connector/pkg/directory"
	"ad-ldap-connector/pkg/hub"
	"ad-ldap-connector/pkg/profile"
)

// A named counter has one event of a room as its cause.
type named[E ~string] struct {
	event      E
	name, help string
}

var hubEvents = []named[hub.Event]{
	{hub.LinkAccepted, "connector_hub_links_accepted_total", "Links on which the hub accepted this agent. The first of each link is no reconnection, all others are."},
	{hub.LinkEnded, "connector_hub_links_ended_total", "Accepted links that ended without the connector's doing."},
	{hub.LinkRejected, "connector_hub_links_rejected_total", "Attempts at which the hub rejected this agent's key or clock."},
	{hub.LinkFailed, "connector_hub_links_failed_total", "Attempts at which there was no link to the hub to be had."},
	{hub.FrameIgnored, "connector_hub_frames_ignored_total", "Frames of the hub that were not understood, or too long."},
	{hub.Unverified, "connector_hub_commands_unverified_total", "Commands whose token did not verify, which get no answer."},
	{hub.CommandTurned, "connector_hub_commands_shed_total", "Commands answered with a fault and without work, because too many waited or for too long."},
	{hub.CommandLost, "connector_hub_commands_dropped_total", "Commands that were given up without an answer."},
	{hub.ReplyLost, "connector_hub_replies_lost_total", "Answers that found no way to the hub in time."},
}

var directoryEvents = []named[directory.Event]{
	{directory.ServerChanged, "connector_directory_server_changes_total", "Moves from one directory server to another: failovers, and returns."},
	{directory.ServerFailed, "connector_directory_server_failures_total", "Times that a directory server was found not to work."},
	{directory.ConnectionOpened, "connector_directory_connections_opened_total", "Connections to directory servers that were opened."},
	{directory.GroupsRemembered, "connector_groups_cache_hits_total", "Readings of a user's groups that needed no question, for they were remembered."},
	{directory.GroupsAsked, "connector_groups_cache_misses_total", "Readings of a user's groups that asked the directory, or waited for one that did."},
}

var mapperEvents = []named[profile.Event]{
	{profile.ProcessStarted, "connector_mapper_process_starts_total", "Processes of the operator's mapper that were started. The native mapper has none."},
	{profile.StartFailed, "connector_mapper_process_start_failures_total", "Processes of the operator's mapper that did not start, or did not load it."},
	{profile.ProcessEnded, "connector_mapper_process_ends_total", "Processes of the operator's mapper that ended: killed, dead, or after their time."},
	{profile.TimedOut, "connector_mapper_timeouts_total", "Runs of the operator's mapper that were killed at the limit of time."},
}

func eventCounters[E ~string](m *metrics, all []named[E]) map[E]prometheus.Counter {
	counters := map[E]prometheus.Counter{}
	for _, one := range all {
		counters[one.event] = m.counter(one.name, one.help)
	}
	return counters
}

// counting counts events. One that has no name here is left out.
func counting[E ~string](counters map[E]prometheus.Counter) func(E) {
	return func(e E) {
		if c := counters[e]; c != nil {
			c.Inc()
		}
	}
}
