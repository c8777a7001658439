package main

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"ad-ldap-connector/pkg/config"
)

// traceSettings are those of OpenTelemetry that make sense here: its standard
// variables, of which some are also keys of the configuration.
type traceSettings struct {
	url      string
	headers  http.Header
	gzip     bool
	timeout  time.Duration // of one request to the collector
	ratio    float64       // of the requests that are traced
	queue    int           // requests that wait to be sent
	batch    int           // spans that are sent at once, about
	delay    time.Duration // how long a request waits for others
	resource [][2]string
}

// The bounds of OTEL_BSP_*, and of how long a name or value may be.
const (
	mostTraceQueue = 1 << 16
	longestHeader  = 8 << 10
)

// traceSettingsOf returns nil where nobody wants traces. What does not fit is
// an error: it concerns traces alone.
func traceSettingsOf(c config.Config, environ []string) (*traceSettings, error) {
	env := func(names ...string) string {
		for _, name := range names {
			if v := strings.TrimSpace(lookup(environ, name)); v != "" {
				return v
			}
		}
		return ""
	}
	exporter := env("OTEL_TRACES_EXPORTER")
	own := env("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
	base := strings.TrimSpace(c.Signals.TraceEndpoint)
	// The standard has them on by default, to localhost: we do not.
	if strings.EqualFold(env("OTEL_SDK_DISABLED"), "true") || exporter == "none" || own == "" && base == "" && exporter == "" {
		return nil, nil
	}
	if exporter != "" && exporter != "otlp" {
		return nil, fmt.Errorf("OTEL_TRACES_EXPORTER: %q is not otlp", exporter)
	}
	if p := env("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"); p != "" && p != "http/protobuf" {
		return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_PROTOCOL: %q is not http/protobuf, which is all that is spoken here", p)
	}
	s := &traceSettings{url: own, queue: 2048, batch: 512, delay: 5 * time.Second, timeout: 10 * time.Second, ratio: 1}
	if own == "" {
		if base == "" {
			base = "http://localhost:4318"
		}
		s.url = strings.TrimRight(base, "/") + "/v1/traces"
	}
	var faults []error
	if u, err := url.Parse(s.url); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil {
		faults = append(faults, errors.New("OTEL_EXPORTER_OTLP_ENDPOINT is not a URL of the form http://HOST:4318"))
	}
	switch z := env("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "OTEL_EXPORTER_OTLP_COMPRESSION"); z {
	case "", "none":
	case "gzip":
		s.gzip = true
	default:
		faults = append(faults, fmt.Errorf("OTEL_EXPORTER_OTLP_COMPRESSION: %q is neither gzip nor none", z))
	}
	number := func(to *int, most int, names ...string) {
		text := env(names...)
		if text == "" {
			return
		}
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > most {
			faults = append(faults, fmt.Errorf("%s: %q is no number between 1 and %d", names[0], text, most))
			return
		}
		*to = n
	}
	timeout, delay := int(s.timeout/time.Millisecond), int(s.delay/time.Millisecond)
	number(&timeout, 600_000, "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT")
	number(&delay, 600_000, "OTEL_BSP_SCHEDULE_DELAY")
	number(&s.queue, mostTraceQueue, "OTEL_BSP_MAX_QUEUE_SIZE")
	number(&s.batch, mostTraceQueue, "OTEL_BSP_MAX_EXPORT_BATCH_SIZE")
	s.timeout, s.delay = time.Duration(timeout)*time.Millisecond, time.Duration(delay)*time.Millisecond
	var err error
	if s.ratio, err = sampleRatio(env("OTEL_TRACES_SAMPLER"), env("OTEL_TRACES_SAMPLER_ARG")); err != nil {
		faults = append(faults, err)
	}
	headers := env("OTEL_EXPORTER_OTLP_TRACES_HEADERS")
	if headers == "" {
		headers = string(c.Signals.TraceHeaders)
	}
	pairs, err := pairsOf(headers)
	if err != nil {
		faults = append(faults, errors.New("OTEL_EXPORTER_OTLP_HEADERS are not NAME=VALUE, separated by commas"))
	}
	s.headers = http.Header{}
	for _, p := range pairs {
		s.headers.Set(p[0], p[1])
	}
	if s.resource, err = pairsOf(c.Signals.TraceAttributes); err != nil {
		faults = append(faults, errors.New("OTEL_RESOURCE_ATTRIBUTES are not NAME=VALUE, separated by commas"))
	}
	return s, errors.Join(faults...)
}

// sampleRatio is the part of all requests that a sampler takes. Requests of the hub
// have no parent, so that whatever looks at one takes its root's.
func sampleRatio(sampler, arg string) (float64, error) {
	switch strings.TrimPrefix(sampler, "parentbased_") {
	case "", "always_on":
		return 1, nil
	case "always_off":
		return 0, nil
	case "traceidratio":
		if arg == "" {
			return 1, nil
		}
		ratio, err := strconv.ParseFloat(arg, 64)
		if err != nil || !(ratio >= 0 && ratio <= 1) {
			return 0, fmt.Errorf("OTEL_TRACES_SAMPLER_ARG: %q is no number between 0 and 1", arg)
		}
		return ratio, nil
	}
	return 0, fmt.Errorf("OTEL_TRACES_SAMPLER: %q is not known here", sampler)
}

// pairsOf reads NAME=VALUE, separated by commas, values percent-encoded, as W3C
// Baggage has it. The error does not quote them: they may be secrets.
func pairsOf(text string) (pairs [][2]string, err error) {
	if len(text) > longestHeader {
		return nil, errors.New("too long")
	}
	for _, one := range strings.Split(text, ",") {
		if one = strings.TrimSpace(one); one == "" {
			continue
		}
		name, value, ok := strings.Cut(one, "=")
		value, err := url.PathUnescape(strings.TrimSpace(value))
		name = strings.TrimSpace(name)
		if err != nil || !ok || name == "" || strings.ContainsAny(name+value, "\r\n\x00") {
			return nil, errors.New("no pair")
		}
		pairs = append(pairs, [2]string{name, value})
	}
	return pairs, nil
}

// taken draws whether a request is traced.
func (s *traceSettings) taken() bool {
	switch s.ratio {
	case 0:
		return false
	case 1:
		return true
	}
	var b [8]byte
	_, _ = rand.Read(b[:]) // documented never to fail
	return float64(binary.BigEndian.Uint64(b[:]))/math.MaxUint64 < s.ratio
}
