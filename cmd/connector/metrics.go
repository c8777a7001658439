package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"ad-ldap-connector/pkg/directory"
	"ad-ldap-connector/pkg/hub"
	"ad-ldap-connector/pkg/identity"
	"ad-ldap-connector/pkg/profile"
	"ad-ldap-connector/pkg/wsfed"
)

// Metrics are what /metrics counts over all nodes of one process: a reload does
// not set it back. No label holds what a user or the hub may choose, so that
// their number is bounded: every value is a constant of the rooms.
type metrics struct {
	registry *prometheus.Registry

	logins        *prometheus.CounterVec   // by outcome and reason
	commands      *prometheus.CounterVec   // by command and outcome
	took          *prometheus.HistogramVec // logins, by outcome
	stages        *prometheus.HistogramVec // by stage
	faults        *prometheus.CounterVec   // by stage
	reloads       *prometheus.CounterVec   // by outcome
	signIns       *prometheus.CounterVec   // by method and outcome
	withoutGroups prometheus.Counter

	auditWritten, auditLost   prometheus.Counter
	tracesSent, tracesDropped prometheus.Counter

	ofHub       map[hub.Event]prometheus.Counter
	ofDirectory map[directory.Event]prometheus.Counter
	ofMapper    map[profile.Event]prometheus.Counter
}

// buckets are those of all durations, in seconds: from a directory next door to
// REQUEST_TIMEOUT's default.
var buckets = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}

// loginReasons are why a login may be refused.
var loginReasons = []identity.Reason{
	identity.WrongUsername, identity.AmbiguousUsername, identity.WrongPassword, identity.PasswordExpired, identity.AccountDisabled,
	identity.AccountExpired, identity.PasswordChangeRequired, identity.AccountLocked,
}

// stageNames are the questions that make up the commands, as a trace names them.
var stageNames = []string{"find", "bind", "groups", "map", "search", "list-groups", "set-password"}

func newMetrics() *metrics {
	m := &metrics{registry: prometheus.NewRegistry()}
	m.logins = m.counters("connector_logins_total", "Logins that the hub asked for, by outcome (accepted, refused, fault) and by the reason of a refusal or the kind of fault.", "outcome", "reason")
	m.commands = m.counters("connector_commands_total", "All commands of the hub that were answered, by outcome.", "command", "outcome")
	m.took = m.histograms("connector_login_duration_seconds", "From the arrival of a login at the connector to the departure of its answer.", "outcome")
	m.stages = m.histograms("connector_stage_duration_seconds", "One question to the directory, or one run of the mapper, of any command. A login's are find, bind, groups (beside bind) and map.", "stage")
	m.faults = m.counters("connector_stage_faults_total", "Questions to the directory, and runs of the mapper, that ended without an answer. A refusal is an answer.", "stage")
	m.reloads = m.counters("connector_reloads_total", "Reloads of the configuration: done, or refused because it cannot work.", "outcome")
	m.signIns = m.counters("connector_sign_ins_total", "Tries to sign in through the browser, by how the user was or was to be proved (password, kerberos, certificate, proxy, or a session of before) and by outcome.", "method", "outcome")
	m.withoutGroups = m.counter("connector_logins_without_groups_total", "Logins that went on without groups because these could not be read.")
	m.auditWritten = m.counter("connector_audit_records_total", "Records written to AUDIT_FILE.")
	m.auditLost = m.counter("connector_audit_records_lost_total", "Records that found no place while AUDIT_FILE could not be written.")
	m.tracesSent = m.counter("connector_traces_sent_total", "Requests whose spans a collector of OpenTelemetry has taken.")
	m.tracesDropped = m.counter("connector_traces_dropped_total", "Requests whose spans were given up: the collector did not take them, or not fast enough.")
	m.ofHub, m.ofDirectory, m.ofMapper = eventCounters(m, hubEvents), eventCounters(m, directoryEvents), eventCounters(m, mapperEvents)
	m.begin()
	build := thisBuild()
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "connector_build_info", Help: "Always 1; the labels say what the program is.",
		ConstLabels: prometheus.Labels{"version": build.Version, "commit": build.Commit, "goversion": build.Go, "os": build.OS, "arch": build.Arch},
	})
	info.Set(1)
	m.registry.MustRegister(info, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// begin has all series there from the start: a counter that appears with its
// first event has no rate for it.
func (m *metrics) begin() {
	m.logins.WithLabelValues("accepted", "")
	for _, r := range loginReasons {
		m.logins.WithLabelValues("refused", string(r))
	}
	for _, f := range hub.Faults {
		m.logins.WithLabelValues("fault", string(f))
	}
	for _, outcome := range []string{"accepted", "refused", "fault"} {
		m.took.WithLabelValues(outcome)
		for _, command := range []string{"authenticate_user", "search_users", "list_groups", "change_password"} {
			m.commands.WithLabelValues(command, outcome)
		}
	}
	for _, stage := range stageNames {
		m.stages.WithLabelValues(stage)
		m.faults.WithLabelValues(stage)
	}
	for _, method := range wsfed.Methods {
		for _, outcome := range wsfed.Outcomes {
			m.signIns.WithLabelValues(method, string(outcome))
		}
	}
	m.reloads.WithLabelValues("done")
	m.reloads.WithLabelValues("refused")
}

func (m *metrics) counter(name, help string) prometheus.Counter {
	c := prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	m.registry.MustRegister(c)
	return c
}

func (m *metrics) counters(name, help string, labels ...string) *prometheus.CounterVec {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	m.registry.MustRegister(c)
	return c
}

func (m *metrics) histograms(name, help string, labels ...string) *prometheus.HistogramVec {
	h := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, labels)
	m.registry.MustRegister(h)
	return h
}

// answered counts one answer of the hub. A refusal's reason is one of a list;
// a fault's is a text, and only its kind counts.
func (m *metrics) answered(a hub.Answer) {
	m.commands.WithLabelValues(a.Command, a.Outcome).Inc()
	if a.Command != "authenticate_user" {
		return
	}
	reason := a.Reason
	if a.Outcome == "fault" {
		reason = string(a.Fault)
	}
	m.logins.WithLabelValues(a.Outcome, reason).Inc()
	m.took.WithLabelValues(a.Outcome).Observe(a.Took.Seconds())
}

// stage counts one question to the directory, or run of the mapper. One that
// nobody waits for any more is no fault of theirs.
func (m *metrics) stage(name string, took time.Duration, err error) {
	m.stages.WithLabelValues(name).Observe(took.Seconds())
	var no *identity.Refusal
	if err != nil && !errors.As(err, &no) && !errors.Is(err, context.Canceled) {
		m.faults.WithLabelValues(name).Inc()
	}
}

// metricsHandler serves /metrics: what counts over all nodes, and how this one
// fares now. What cannot be had is left out and logged.
func (n *node) metricsHandler() http.Handler {
	of := prometheus.NewRegistry()
	of.MustRegister(nodeCollector{n})
	return promhttp.HandlerFor(prometheus.Gatherers{n.stats.metrics().registry, of}, promhttp.HandlerOpts{
		ErrorLog: gatherLog{n.log}, ErrorHandling: promhttp.ContinueOnError,
		DisableCompression:  true, // it goes no further than this machine
		MaxRequestsInFlight: 8,
	})
}

// A gatherLog logs what the library could not gather.
type gatherLog struct{ log *slog.Logger }

func (l gatherLog) Println(v ...any) {
	if l.log != nil {
		l.log.Warn("a metric is missing", "part", "console", "err", oneLine(fmt.Sprint(v...)))
	}
}
