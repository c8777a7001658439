package main

import (
	"context"
	"crypto/rand"
	"errors"
	"net/url"
	"os"
	"runtime"
	"time"

	common "go.opentelemetry.io/proto/otlp/common/v1"
	resource "go.opentelemetry.io/proto/otlp/resource/v1"
	trace "go.opentelemetry.io/proto/otlp/trace/v1"

	"ad-ldap-connector/pkg/identity"
)

// spansOf are a request and its stages. They have no user's name, no DN and no
// text of an error, for a collector's readers may be others than the log's: by
// the request's ID the log's line is found.
func spansOf(a spanned, connection string) []*trace.Span {
	id := randomID(16)
	root := &trace.Span{
		TraceId: id, SpanId: randomID(8), Name: a.Command, Kind: trace.Span_SPAN_KIND_SERVER,
		StartTimeUnixNano: nanos(a.Arrived), EndTimeUnixNano: nanos(a.Arrived.Add(a.Took)),
		Attributes: attributes("connector.command", a.Command, "connector.request.id", a.Request, "connector.outcome", a.Outcome,
			"connector.connection", connection),
	}
	root.Attributes = append(root.Attributes, attributes(a.more...)...)
	switch a.Outcome {
	case "refused": // an answer, and no error
		root.Attributes = append(root.Attributes, attributes("connector.refusal", a.Reason)...)
	case "fault":
		root.Status = &trace.Status{Code: trace.Status_STATUS_CODE_ERROR, Message: string(a.Fault)}
		root.Attributes = append(root.Attributes, attributes("error.type", string(a.Fault))...)
	}
	if a.Lost {
		root.Status = &trace.Status{Code: trace.Status_STATUS_CODE_ERROR, Message: "the answer was lost"}
	}
	spans := []*trace.Span{root}
	for _, s := range a.Stages {
		one := &trace.Span{
			TraceId: id, SpanId: randomID(8), ParentSpanId: root.SpanId, Name: s.Name, Kind: trace.Span_SPAN_KIND_CLIENT,
			StartTimeUnixNano: nanos(s.Began), EndTimeUnixNano: nanos(s.Began.Add(s.Took)), Attributes: serverAttributes(s.Server),
		}
		if s.Name == "map" {
			one.Kind = trace.Span_SPAN_KIND_INTERNAL
		}
		var no *identity.Refusal
		switch {
		case errors.As(s.Err, &no):
			one.Attributes = append(one.Attributes, attributes("connector.refusal", string(no.Reason))...)
		case s.Err != nil:
			kind := errorKind(s.Err)
			one.Status = &trace.Status{Code: trace.Status_STATUS_CODE_ERROR, Message: kind}
			one.Attributes = append(one.Attributes, attributes("error.type", kind)...)
		}
		spans = append(spans, one)
	}
	return spans
}

// errorKind is a fault in a word.
func errorKind(err error) string {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	case errors.Is(err, context.Canceled):
		return "cancelled"
	}
	return "fault"
}

// serverAttributes name a directory server as OpenTelemetry does.
func serverAttributes(server string) []*common.KeyValue {
	u, err := url.Parse(server)
	if err != nil || u.Hostname() == "" {
		return nil
	}
	return attributes("server.address", u.Hostname(), "server.port", u.Port(), "network.protocol.name", u.Scheme)
}

// resourceOf says which program, instance and machine the spans come from. What
// the operator says wins, but for the service's name, which has its own key.
func (n *node) resourceOf(s *traceSettings) *resource.Resource {
	build := thisBuild()
	host, err := os.Hostname()
	if err != nil {
		host = ""
	}
	pairs := [][2]string{
		{"service.version", build.Version}, {"service.instance.id", n.identity.ID}, {"host.name", host}, {"os.type", runtime.GOOS},
		{"telemetry.sdk.name", "ad-ldap-connector"}, {"telemetry.sdk.language", "go"}, {"telemetry.sdk.version", build.Version},
	}
	name, named := n.config.Signals.TraceService, n.config.Source("OTEL_SERVICE_NAME") != "default"
	seen := map[string]bool{}
	r := &resource.Resource{}
	add := func(key, value string) {
		if !seen[key] {
			seen[key] = true
			r.Attributes = append(r.Attributes, attributes(key, value)...)
		}
	}
	if named {
		add("service.name", name)
	}
	for _, p := range append(s.resource, pairs...) {
		add(p[0], p[1])
	}
	add("service.name", name)
	return r
}

// attributes makes pairs of names and values; those without a value are left
// out.
func attributes(pairs ...string) (all []*common.KeyValue) {
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			all = append(all, &common.KeyValue{Key: pairs[i], Value: &common.AnyValue{Value: &common.AnyValue_StringValue{StringValue: pairs[i+1]}}})
		}
	}
	return all
}

func nanos(t time.Time) uint64 { return uint64(max(0, t.UnixNano())) }

func randomID(n int) []byte {
	id := make([]byte, n)
	_, _ = rand.Read(id) // documented never to fail
	return id
}
