package main

import (
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"ad-ldap-connector/pkg/agent"
	"ad-ldap-connector/pkg/console"
	"ad-ldap-connector/pkg/directory"
	"ad-ldap-connector/pkg/home"
	"ad-ldap-connector/pkg/hub"
	"ad-ldap-connector/pkg/profile"
	"ad-ldap-connector/pkg/sandbox"
	"ad-ldap-connector/testdata/lab"
)

// Families are the metrics of one scrape.
type families map[string]*dto.MetricFamily

// scraped reads /metrics of the connector that runs on a home.
func scraped(t *testing.T, dir string) (families, string) {
	t.Helper()
	h, err := home.Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	var r running
	if err := h.LoadState("run", &r); err != nil {
		t.Fatal(err)
	}
	text, err := fetchConsole(t.Context(), r.Console, "/metrics", maxMetrics)
	if err != nil {
		t.Fatal(err)
	}
	p := expfmt.NewTextParser(model.UTF8Validation)
	all, err := p.TextToMetricFamilies(strings.NewReader(string(text)))
	if err != nil {
		t.Fatalf("%v in:\n%s", err, text)
	}
	return all, string(text)
}

// value returns one sample: of a histogram its count. Labels are name=value.
func (f families) value(t *testing.T, name string, labels ...string) float64 {
	t.Helper()
	if f[name] == nil {
		t.Fatalf("there is no %s", name)
	}
	for _, m := range f[name].GetMetric() {
		matching := 0
		for _, l := range m.GetLabel() {
			for _, want := range labels {
				if l.GetName()+"="+l.GetValue() == want {
					matching++
				}
			}
		}
		if matching == len(labels) {
			switch {
			case m.GetHistogram() != nil:
				return float64(m.GetHistogram().GetSampleCount())
			case m.GetCounter() != nil:
				return m.GetCounter().GetValue()
			}
			return m.GetGauge().GetValue()
		}
	}
	t.Fatalf("there is no %s with %v", name, labels)
	return 0
}

// TestMetricsOfARun has a connector log people in, well and badly, and looks at
// what it counts.
func TestMetricsOfARun(t *testing.T) {
	t.Parallel()
	dir := lab.Slapd(t, lab.SlapdOptions{Users: 9, Anonymous: true})
	cloud := startCloud(t)
	c := newCLI(t)
	c.must("install", "--no-service", "--non-interactive", "--ticket-file", c.file("ticket", cloud.Ticket()+"\n"),
		"--ca-file", cloud.CAFile(), "--ldap-url", dir.URL, "--ldap-bind-user", dir.BindUser,
		"--ldap-bind-password-file", c.file("password", dir.BindPassword+"\n"))
	// A mapper that throws for one user makes that login a fault.
	c.must("config", "set", "LDAP_HEARTBEAT_SECONDS", "1")
	c.must("config", "set", "AUDIT_FILE", "logs/audit.jsonl")
	c.file("home/lib/profileMapper.js", `module.exports = function (raw_data) {
		if (raw_data.uid === `+"`"+lab.User(3)+"`"+` || raw_data.sAMAccountName === `+"`"+lab.User(3)+"`"+`) { throw new Error("no"); }
		return { id: "x", name: raw_data.cn };
	};`)
	node := c.start("run", "--home", c.home)
	awaitAgent(t, cloud)
	login(t, cloud, lab.User(5), lab.Password(5), "")
	login(t, cloud, lab.User(5), lab.Password(5), "")
	login(t, cloud, lab.User(6), "secret-wrong-Zq7", "WrongPassword")
	login(t, cloud, "nobody-Vb3", "x", "WrongUsername")
	broken := ask(t, cloud, "authenticate_user", sandbox.Request{Username: lab.User(3), Password: lab.Password(3)})
	if broken.Err == nil || broken.Err.Message != "Unexpected Error" {
		t.Fatalf("a login whose mapper throws is %+v", broken.Err)
	}
	lab.Eventually(t, "the clock and the directory to be looked at", func() bool {
		f, _ := scraped(t, c.home)
		return f["connector_clock_offset_seconds"] != nil && f["connector_certificate_expiry_timestamp_seconds"] != nil &&
			f.value(t, "connector_part_health", "part=directory") == 0 && f.value(t, "connector_logins_total", "outcome=fault", "reason=unanswered") == 1
	})
	f, text := scraped(t, c.home)
	for _, want := range []struct {
		v      float64
		name   string
		labels []string
	}{
		{2, "connector_logins_total", []string{"outcome=accepted", "reason="}},
		{1, "connector_logins_total", []string{"outcome=refused", "reason=wrong_password"}},
		{1, "connector_logins_total", []string{"outcome=refused", "reason=wrong_username"}},
		{0, "connector_logins_total", []string{"outcome=refused", "reason=account_locked"}},
		{1, "connector_logins_total", []string{"outcome=fault", "reason=unanswered"}},
		{0, "connector_logins_total", []string{"outcome=fault", "reason=busy"}},
		{2, "connector_commands_total", []string{"command=authenticate_user", "outcome=accepted"}},
		{2, "connector_login_duration_seconds", []string{"outcome=accepted"}},
		{2, "connector_login_duration_seconds", []string{"outcome=refused"}},
		{5, "connector_stage_duration_seconds", []string{"stage=find"}},
		{4, "connector_stage_duration_seconds", []string{"stage=bind"}},
		{4, "connector_stage_duration_seconds", []string{"stage=groups"}},
		{4, "connector_stage_duration_seconds", []string{"stage=map"}},
		{0, "connector_stage_faults_total", []string{"stage=bind"}},
		{1, "connector_stage_faults_total", []string{"stage=map"}},
		{1, "connector_groups_cache_hits_total", nil},
		{3, "connector_groups_cache_misses_total", nil},
		{1, "connector_hub_links_accepted_total", nil},
		{1, "connector_hub_links", nil},
		{1, "connector_hub_state", []string{"state=accepted"}},
		{0, "connector_hub_state", []string{"state=lost"}},
		{0, "connector_hub_commands_in_flight", nil},
		{256, "connector_hub_commands_in_flight_limit", nil},
		{0, "connector_hub_commands_shed_total", nil},
		{1, "connector_directory_server_in_use", []string{"server=" + dir.URL}},
		{0, "connector_directory_server_changes_total", nil},
		{64, "connector_directory_operations_in_flight_limit", []string{"server=" + dir.URL, "pool=bind"}},
		{0, "connector_mapper_timeouts_total", nil},
		{0, "connector_part_health", []string{"part=hub"}},
		{0, "connector_part_health", []string{"part=certificate"}},
		{1, "connector_build_info", nil},
	} {
		if got := f.value(t, want.name, want.labels...); got != want.v {
			t.Errorf("%s%v = %v, want %v", want.name, want.labels, got, want.v)
		}
	}
	if v := f.value(t, "connector_mapper_process_starts_total"); v < 1 {
		t.Errorf("%v processes of the mapper were started", v)
	}
	if v := f.value(t, "connector_directory_connections_opened_total"); v < 2 {
		t.Errorf("%v connections were opened", v)
	}
	if v := f.value(t, "connector_certificate_expiry_timestamp_seconds"); time.Until(time.Unix(int64(v), 0)) < 24*time.Hour {
		t.Errorf("the certificate ends at %v", v)
	}
	for _, secret := range []string{lab.User(5), lab.User(3), "nobody-Vb3", "Zq7", lab.Password(5), dir.BindPassword, dir.BaseDN, "dc="} {
		if strings.Contains(strings.ToLower(text), strings.ToLower(secret)) {
			t.Errorf("/metrics names %q", secret)
		}
	}
	if n := strings.Count(text, "\n"); n > 1000 {
		t.Errorf("/metrics has %d lines", n)
	}
	promtool(t, text, "check", "metrics")
	named := knownMetrics(f)
	for _, file := range []string{"alerts.yml", "dashboard.json"} {
		for _, name := range metricNames(t, file) {
			if !named[name] {
				t.Errorf("%s asks for %s, which is not there", file, name)
			}
		}
	}
	// A support case has a copy.
	c.must("support", "--file", "case.zip")
	files, err := unpacked(c.dir + "/case.zip")
	if err != nil || !strings.Contains(string(files["metrics.txt"]), `connector_logins_total{outcome="accepted",reason=""} 2`) {
		t.Errorf("the support archive: %v, metrics.txt is %.300q", err, files["metrics.txt"])
	}
	node.interrupt()
	node.wait(patience)
	// Five requests were asked, and five are recorded.
	audit, err := os.ReadFile(c.home + "/logs/audit.jsonl")
	if err != nil || strings.Count(string(audit), "\n") != 5 || strings.Count(string(audit), `"outcome":"accepted"`) != 2 || strings.Contains(string(audit), "Zq7") ||
		!strings.Contains(string(audit), `"user":"nobody-Vb3","outcome":"refused","reason":"wrong_username","server":"`+dir.URL) {
		t.Errorf("the audit file: %v\n%s", err, audit)
	}
}

// TestMetricsOfAnotherHostName: a page elsewhere must not read them.
func TestMetricsOfAnotherHostName(t *testing.T) {
	t.Parallel()
	n := &node{agent: agent.New(nil), stats: new(stats), log: slog.New(slog.DiscardHandler)}
	h := console.Handler(console.Options{Metrics: n.metricsHandler()})
	for host, want := range map[string]int{"localhost:8357": 200, "127.0.0.1": 200, "evil.example": 403, "": 403} {
		r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
		r.Host, r.RemoteAddr = host, "127.0.0.1:50000"
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != want || strings.Contains(w.Body.String(), "connector_") != (want == 200) {
			t.Errorf("%q: status %d, %.200s", host, w.Code, w.Body)
		}
	}
}

// TestMetricsStayBounded: whatever texts faults have, no series come of them.
func TestMetricsStayBounded(t *testing.T) {
	m := newMetrics()
	series := func() int {
		all, err := m.registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, f := range all {
			if strings.HasPrefix(f.GetName(), "connector_") {
				n += len(f.GetMetric())
			}
		}
		return n
	}
	before := series()
	for i := range 100 {
		text := strings.Repeat("x", i)
		m.answered(hub.Answer{Command: "authenticate_user", User: text, Outcome: "fault", Reason: text, Fault: hub.Unanswered, Took: time.Second})
		m.stage("bind", time.Second, errors.New(text))
		counting(m.ofHub)(hub.Event(text))
	}
	if after := series(); after != before {
		t.Errorf("%d series became %d", before, after)
	}
}

// TestEveryEventIsCounted: a room's new event needs a name here.
func TestEveryEventIsCounted(t *testing.T) {
	m := newMetrics()
	for _, e := range hub.Events {
		if m.ofHub[e] == nil {
			t.Errorf("nothing counts the hub's %s", e)
		}
	}
	for _, e := range directory.Events {
		if m.ofDirectory[e] == nil {
			t.Errorf("nothing counts the directory's %s", e)
		}
	}
	for _, e := range profile.Events {
		if m.ofMapper[e] == nil {
			t.Errorf("nothing counts the mapper's %s", e)
		}
	}
}

// BenchmarkAnswered is what counting adds to a login: four stages and the
// answer.
func BenchmarkAnswered(b *testing.B) {
	s := new(stats)
	watch := stageWatch(s.metrics().stage)
	stages := []string{"find", "bind", "groups", "map"}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		var err error
		for pb.Next() {
			for _, stage := range stages {
				watch.end(stage, time.Now(), &err)
			}
			s.answered(hub.Answer{Command: "authenticate_user", User: "alice", Outcome: "accepted", Took: 3 * time.Millisecond})
		}
	})
}
