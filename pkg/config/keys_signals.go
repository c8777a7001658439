package config

import (
	"slices"
	"strconv"
	"strings"
)

var signalKeys = []Key{
	{
		Name: "LOG_FORMAT", Type: "string", Group: "Logs and health", Values: []string{"text", "json"},
		Doc:   "What stderr and the log file in the home carry: text, or json, one object a line.",
		field: func(c *Config) any { return &c.Signals.LogFormat },
	},
	{
		Name: "LOG_LEVEL", Type: "string", Group: "Logs and health", Values: []string{"debug", "info", "warn", "error"},
		Doc:   "The least that is logged. A reload takes it; \"connector logs --level\" sets another one for a while.",
		field: func(c *Config) any { return &c.Signals.LogLevel },
	},
	{
		Name: "AUDIT_FILE", Type: "string", Group: "Logs and health",
		Doc:   "File for a line of JSON about each request and its answer, in the home or an absolute path, such as logs/audit.jsonl; empty is none.",
		field: func(c *Config) any { return &c.Signals.AuditFile },
		check: checkAuditFile,
	},
	{
		Name: "AUDIT_FILE_MB", Type: "integer", Group: "Logs and health", Min: 1, Max: 1024,
		Doc:   "How large AUDIT_FILE may grow, in MB, before it is put aside.",
		field: func(c *Config) any { return &c.Signals.AuditMB },
	},
	{
		Name: "AUDIT_FILES", Type: "integer", Group: "Logs and health", Min: 0, Max: 100,
		Doc:   "How many audit files that were put aside are kept; older ones are removed.",
		field: func(c *Config) any { return &c.Signals.AuditFiles },
	},
	{
		Name: "HEALTH_ADDR", Type: "string", Group: "Logs and health",
		Doc:   "Where /healthz and /readyz are served besides the console, HOST:PORT, for a balancer or an orchestrator; empty is nowhere.",
		field: func(c *Config) any { return &c.Signals.HealthAddr },
		check: func(c *Config) (string, string) { return checkServed(c.Signals.HealthAddr, "8358") },
	},
	{
		Name: "METRICS_ADDR", Type: "string", Group: "Logs and health",
		Doc:   "Where /metrics is served besides the console, HOST:PORT, for a Prometheus on another machine: without TLS or a password, so let a firewall admit it alone; empty is nowhere.",
		field: func(c *Config) any { return &c.Signals.MetricsAddr },
		check: func(c *Config) (string, string) { return checkServed(c.Signals.MetricsAddr, "8360") },
	},
	// These are variables of OpenTelemetry, which may be set for a whole machine:
	// a value that does not fit must not keep the connector from starting.
	{
		Name: "OTEL_EXPORTER_OTLP_ENDPOINT", Type: "string", Group: "Logs and health",
		Doc:   "URL of an OpenTelemetry collector that takes OTLP over HTTP, such as http://127.0.0.1:4318; traces go there.",
		field: func(c *Config) any { return &c.Signals.TraceEndpoint },
	},
	{
		Name: "OTEL_EXPORTER_OTLP_HEADERS", Type: "secret", Group: "Logs and health", Secret: true,
		Doc:   "Headers for the collector, such as an API key: NAME=VALUE, separated by commas, percent-encoded.",
		field: func(c *Config) any { return &c.Signals.TraceHeaders },
	},
	{
		Name: "OTEL_SERVICE_NAME", Type: "string", Group: "Logs and health",
		Doc:   "The service's name in traces.",
		field: func(c *Config) any { return &c.Signals.TraceService },
	},
	{
		Name: "OTEL_RESOURCE_ATTRIBUTES", Type: "string", Group: "Logs and health",
		Doc:   "Attributes of this machine in traces: NAME=VALUE, separated by commas, percent-encoded.",
		field: func(c *Config) any { return &c.Signals.TraceAttributes },
	},
}

func checkAuditFile(c *Config) (string, string) {
	const remedy = "write logs/audit.jsonl, or the absolute path of a file whose name ends in .jsonl or .log"
	name := c.Signals.AuditFile
	if name == "" {
		return "", ""
	}
	parts := strings.FieldsFunc(name, func(r rune) bool { return r == '/' || r == '\\' })
	if len(parts) == 0 || slices.Contains(parts, "..") || strings.ContainsRune(name, 0) {
		return strconv.Quote(name) + " does not name a file", remedy
	}
	// Whatever the name may be a mistake for, it must be no file of ours.
	last := strings.ToLower(parts[len(parts)-1])
	if !strings.HasSuffix(last, ".jsonl") && !strings.HasSuffix(last, ".log") || strings.HasPrefix(last, "connector") {
		return strconv.Quote(name) + " is not a name for an audit file", remedy
	}
	if !absolute.MatchString(name) && len(parts) > 1 && (len(parts) > 2 || parts[0] != "logs") {
		return strconv.Quote(name) + " is in another folder of the home than logs", remedy
	}
	return "", ""
}

// checkServed looks at an address to listen on, which may be none. The port is
// one for the advice.
func checkServed(addr, port string) (string, string) {
	if addr == "" {
		return "", ""
	}
	remedy := "write 127.0.0.1:" + port + ", or :" + port + " for all addresses of the machine"
	i := strings.LastIndexByte(addr, ':')
	if i < 0 || strings.ContainsAny(addr, " /") {
		return strconv.Quote(addr) + " is not HOST:PORT", remedy
	}
	if _, err := strconv.ParseUint(addr[i+1:], 10, 16); err != nil {
		return strconv.Quote(addr) + " has no valid port", remedy
	}
	return "", ""
}
