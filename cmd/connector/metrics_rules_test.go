package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// promtool runs Prometheus's own checker, which must have nothing to say
// against it, and returns what it says.
func promtool(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	cmd := exec.Command(requireProgram(t, "promtool"), args...)
	cmd.Stdin = strings.NewReader(stdin)
	said, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, said)
	}
	return string(said)
}

// guideFile is a file that "connector help metrics/NAME" prints.
func guideFile(t *testing.T, name string) string {
	t.Helper()
	text := printed(t, "help", "metrics/"+name)
	if text == "" {
		t.Fatalf("%s is empty", name)
	}
	return text
}

// knownMetrics are the names that a query may use: a histogram has three.
func knownMetrics(f families) map[string]bool {
	known := map[string]bool{}
	for name, family := range f {
		known[name] = true
		if family.GetType().String() == "HISTOGRAM" {
			known[name+"_bucket"], known[name+"_count"], known[name+"_sum"] = true, true, true
		}
	}
	return known
}

var metricName = regexp.MustCompile(`\b(connector|process|go)_[a-z_]*[a-z]\b`)

// metricNames are the metrics that a file of the guide asks for.
func metricNames(t *testing.T, file string) []string {
	t.Helper()
	names := metricName.FindAllString(guideFile(t, file), -1)
	if len(names) < 10 {
		t.Fatalf("%s asks for %q only", file, names)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// TestAlertsFire has promtool read the rules, and play to them what a connector
// would show in good times and in bad ones.
func TestAlertsFire(t *testing.T) {
	dir := t.TempDir()
	rules := filepath.Join(dir, "alerts.yml")
	write := func(path, text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(rules, guideFile(t, "alerts.yml"))
	if said := promtool(t, "", "check", "rules", rules); !strings.Contains(said, "SUCCESS") {
		t.Errorf("promtool says %s", said)
	}
	well := `
      - {series: 'up{job="connector",instance="a"}', values: '1x60'}
      - {series: 'connector_hub_state{job="connector",instance="a",state="accepted"}', values: '1x60'}
      - {series: 'connector_hub_state{job="connector",instance="a",state="rejected"}', values: '0x60'}
      - {series: 'connector_part_health{job="connector",instance="a",part="hub"}', values: '0x60'}
      - {series: 'connector_logins_total{job="connector",instance="a",outcome="accepted",reason=""}', values: '0+100x60'}
      - {series: 'connector_logins_total{job="connector",instance="a",outcome="refused",reason="wrong_password"}', values: '0+60x60'}
      - {series: 'connector_logins_total{job="connector",instance="a",outcome="fault",reason="late"}', values: '0+1x60'}
      - {series: 'connector_login_duration_seconds_bucket{job="connector",instance="a",outcome="accepted",le="1"}', values: '0+100x60'}
      - {series: 'connector_login_duration_seconds_bucket{job="connector",instance="a",outcome="accepted",le="+Inf"}', values: '0+100x60'}
      - {series: 'connector_logins_without_groups_total{job="connector",instance="a"}', values: '0x60'}
      - {series: 'connector_hub_commands_shed_total{job="connector",instance="a"}', values: '3x60'}
      - {series: 'connector_hub_commands_queued{job="connector",instance="a"}', values: '0x60'}
      - {series: 'connector_hub_links_ended_total{job="connector",instance="a"}', values: '0x30 1x30'}
      - {series: 'connector_directory_server_up{job="connector",instance="a",server="ldaps://dc1"}', values: '1x60'}
      - {series: 'connector_clock_offset_seconds{job="connector",instance="a"}', values: '-0.2x60'}
      - {series: 'connector_certificate_expiry_timestamp_seconds{job="connector",instance="a"}', values: '9000000x60'}`
	bad := `
      - {series: 'up{job="connector",instance="a"}', values: '0x60'}
      - {series: 'connector_hub_state{job="connector",instance="a",state="accepted"}', values: '0x60'}
      - {series: 'connector_hub_state{job="connector",instance="a",state="rejected"}', values: '1x60'}
      - {series: 'connector_part_health{job="connector",instance="a",part="hub"}', values: '2x60'}
      - {series: 'connector_part_health{job="connector",instance="a",part="clock"}', values: '1x60'}
      - {series: 'connector_logins_total{job="connector",instance="a",outcome="accepted",reason=""}', values: '0+100x60'}
      - {series: 'connector_logins_total{job="connector",instance="a",outcome="fault",reason="late"}', values: '0+10x60'}
      - {series: 'connector_login_duration_seconds_bucket{job="connector",instance="a",outcome="accepted",le="5"}', values: '0+90x60'}
      - {series: 'connector_login_duration_seconds_bucket{job="connector",instance="a",outcome="accepted",le="10"}', values: '0+100x60'}
      - {series: 'connector_login_duration_seconds_bucket{job="connector",instance="a",outcome="accepted",le="+Inf"}', values: '0+100x60'}
      - {series: 'connector_logins_without_groups_total{job="connector",instance="a"}', values: '0+1x60'}
      - {series: 'connector_hub_commands_shed_total{job="connector",instance="a"}', values: '0+5x60'}
      - {series: 'connector_hub_commands_queued{job="connector",instance="a"}', values: '9x60'}
      - {series: 'connector_hub_links_ended_total{job="connector",instance="a"}', values: '0+1x60'}
      - {series: 'connector_hub_commands_unverified_total{job="connector",instance="a"}', values: '0+1x60'}
      - {series: 'connector_directory_server_up{job="connector",instance="a",server="ldaps://dc1"}', values: '0x60'}
      - {series: 'connector_directory_server_changes_total{job="connector",instance="a"}', values: '0+1x60'}
      - {series: 'connector_directory_operations_in_flight{job="connector",instance="a",server="ldaps://dc1",pool="bind"}', values: '64x60'}
      - {series: 'connector_directory_operations_in_flight_limit{job="connector",instance="a",server="ldaps://dc1",pool="bind"}', values: '64x60'}
      - {series: 'connector_mapper_timeouts_total{job="connector",instance="a"}', values: '0+1x60'}
      - {series: 'connector_clock_offset_seconds{job="connector",instance="a"}', values: '-90x60'}
      - {series: 'connector_certificate_expiry_timestamp_seconds{job="connector",instance="a"}', values: '90000x60'}
      - {series: 'connector_reloads_total{job="connector",instance="a",outcome="refused"}', values: '0+1x60'}`
	alerts := regexp.MustCompile(`- alert: (\w+)`).FindAllStringSubmatch(guideFile(t, "alerts.yml"), -1)
	if len(alerts) < 10 {
		t.Fatalf("there are only %d alerts", len(alerts))
	}
	// ALERTS is Prometheus's own series of what fires.
	test := "rule_files: [alerts.yml]\ntests:\n"
	firing := func(series, samples string) {
		test += "  - interval: 1m\n    input_series:" + series + "\n    promql_expr_test:\n" +
			"      - {expr: 'count by (alertname) (ALERTS{alertstate=\"firing\"}) > bool 0', eval_time: 50m, exp_samples: [" + samples + "]}\n"
	}
	firing(well, "")
	samples := []string{}
	for _, a := range alerts {
		samples = append(samples, `{labels: '{alertname="`+a[1]+`"}', value: 1}`)
	}
	firing(bad, strings.Join(samples, ", "))
	write(filepath.Join(dir, "test.yml"), test)
	promtool(t, "", "test", "rules", filepath.Join(dir, "test.yml"))
}

// TestDashboardAsksWell has promtool parse every query of the dashboard, as the
// rules that they could be.
func TestDashboardAsksWell(t *testing.T) {
	var board struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal([]byte(guideFile(t, "dashboard.json")), &board); err != nil {
		t.Fatal(err)
	}
	variables := strings.NewReplacer("$__rate_interval", "5m", "$job", "connector", "$instance", ".*")
	type rule struct {
		Record string `json:"record"`
		Expr   string `json:"expr"`
	}
	rules := []rule{}
	for _, p := range board.Panels {
		for _, target := range p.Targets {
			rules = append(rules, rule{"board:q" + strings.Repeat("x", len(rules)), variables.Replace(target.Expr)})
		}
	}
	if len(rules) < 20 {
		t.Fatalf("the dashboard has %d queries", len(rules))
	}
	file := filepath.Join(t.TempDir(), "rules.yml") // JSON is YAML
	text := jsonOf(t, map[string]any{"groups": []any{map[string]any{"name": "dashboard", "rules": rules}}})
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	promtool(t, "", "check", "rules", file)
}
