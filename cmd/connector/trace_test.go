package main

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	common "go.opentelemetry.io/proto/otlp/common/v1"
	trace "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"ad-ldap-connector/pkg/agent"
	"ad-ldap-connector/pkg/config"
	"ad-ldap-connector/pkg/hub"
	"ad-ldap-connector/pkg/identity"
	"ad-ldap-connector/testdata/lab"
)

// A pretend collector decodes what it gets with OpenTelemetry's own messages.
type pretendCollector struct {
	*httptest.Server
	got     chan *trace.TracesData
	headers chan http.Header
	answers chan int // to the next requests; 200 when there is none
}

func startCollector(t *testing.T) *pretendCollector {
	t.Helper()
	c := &pretendCollector{got: make(chan *trace.TracesData, 100), headers: make(chan http.Header, 100), answers: make(chan int, 100)}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case code := <-c.answers:
			w.WriteHeader(code)
			return
		default:
		}
		body := io.Reader(r.Body)
		if r.Header.Get("Content-Encoding") == "gzip" {
			z, err := gzip.NewReader(body)
			if err != nil {
				t.Error(err)
				return
			}
			body = z
		}
		data, err := io.ReadAll(body)
		var d trace.TracesData
		if err = errors.Join(err, proto.UnmarshalOptions{DiscardUnknown: false}.Unmarshal(data, &d)); err != nil || len(d.ProtoReflect().GetUnknown()) > 0 {
			t.Errorf("%v, %d octets are unknown", err, len(d.ProtoReflect().GetUnknown()))
		}
		if r.Method != http.MethodPost || r.URL.Path != "/v1/traces" || r.Header.Get("Content-Type") != "application/x-protobuf" {
			t.Errorf("%s %s %s", r.Method, r.URL, r.Header)
		}
		c.headers <- r.Header
		c.got <- &d
	}))
	t.Cleanup(c.Close)
	return c
}

// tracingNode runs the part of a node that sends traces.
func tracingNode(t *testing.T, change func(*config.Config), environ ...string) (n *node, said *reports, stop func() error) {
	t.Helper()
	c := config.Default()
	c.Tenant.Connection = "corp"
	change(&c)
	tr, err := newTransport(config.Network{}, environ)
	if err != nil {
		t.Fatal(err)
	}
	n = &node{config: c, transport: tr, stats: new(stats), agent: agent.New(nil), identity: instance{"node-1"}}
	if n.tracer = newTracer(n); n.tracer == nil {
		t.Fatal("nobody wants traces")
	}
	n.tracer.pause = time.Millisecond
	said = &reports{}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- n.serveTraces(ctx, said.report) }()
	t.Cleanup(cancel)
	return n, said, func() error {
		cancel()
		defer n.transport.HTTP.CloseIdleConnections()
		return <-done
	}
}

func textOfAttributes(all []*common.KeyValue) string {
	var text []string
	for _, a := range all {
		text = append(text, a.GetKey()+"="+a.GetValue().GetStringValue())
	}
	slices.Sort(text)
	return strings.Join(text, " ")
}

// TestTraces sends a refused and a faulted login, which say nothing of the user.
func TestTraces(t *testing.T) {
	t.Parallel()
	c := startCollector(t)
	n, said, stop := tracingNode(t, func(to *config.Config) {
		to.Signals.TraceEndpoint = c.URL + "/"
		to.Signals.TraceHeaders = "x-api-key=s3%20cret, x-tenant=a"
		to.Signals.TraceAttributes = "deployment.environment=lab%2C1,host.name=mine"
	}, "OTEL_EXPORTER_OTLP_COMPRESSION=gzip", "OTEL_BSP_SCHEDULE_DELAY=200")
	at := time.Now().Add(-time.Second).Round(0)
	n.answered(hub.Answer{Command: "authenticate_user", Request: "p-1", User: "jane", Outcome: "refused", Reason: "wrong_password", Arrived: at, Took: 9 * time.Millisecond, Link: 1,
		Stages: []identity.Stage{
			{Name: "find", Server: "ldaps://dc1.corp.example:636", Detail: "(cn=jane)", Began: at.Add(time.Millisecond), Took: 2 * time.Millisecond},
			{Name: "bind", Server: "ldaps://dc1.corp.example:636", Began: at.Add(3 * time.Millisecond), Took: 4 * time.Millisecond, Err: &identity.Refusal{Reason: identity.WrongPassword, Detail: "CN=jane"}},
			{Name: "map", Began: at.Add(8 * time.Millisecond), Took: time.Millisecond},
		}})
	n.answered(hub.Answer{Command: "authenticate_user", Request: "p-2", User: "jane", Outcome: "fault", Reason: "bind CN=jane: boom", Fault: hub.Late, Arrived: at, Took: time.Second,
		Stages: []identity.Stage{{Name: "find", Began: at, Took: time.Second, Err: fmt.Errorf("find jane: %w", context.DeadlineExceeded)}}})
	d := <-c.got
	h := <-c.headers
	if h.Get("X-Api-Key") != "s3 cret" || h.Get("X-Tenant") != "a" {
		t.Errorf("headers: %v", h)
	}
	text := d.String()
	for _, no := range []string{"jane", "boom", "cret"} {
		if strings.Contains(text, no) {
			t.Errorf("%q is in the traces: %s", no, text)
		}
	}
	if len(d.GetResourceSpans()) != 1 || len(d.GetResourceSpans()[0].GetScopeSpans()) != 1 {
		t.Fatal(text)
	}
	r := " " + textOfAttributes(d.GetResourceSpans()[0].GetResource().GetAttributes()) + " "
	for _, want := range []string{" service.name=ad-ldap-connector ", " service.instance.id=node-1 ", " deployment.environment=lab,1 ", " host.name=mine "} {
		if strings.Count(r, want) != 1 {
			t.Errorf("the resource has no%s: %s", want, r)
		}
	}
	spans := d.GetResourceSpans()[0].GetScopeSpans()[0].GetSpans()
	type brief struct {
		name, attributes, status string
		kind                     trace.Span_SpanKind
		parent                   int // -1: none
		took                     time.Duration
	}
	server := "network.protocol.name=ldaps server.address=dc1.corp.example server.port=636"
	want := []brief{
		{"authenticate_user", "connector.command=authenticate_user connector.connection=corp connector.hub.link=1 connector.outcome=refused connector.refusal=wrong_password connector.request.id=p-1", "", 2, -1, 9 * time.Millisecond},
		{"find", server, "", 3, 0, 2 * time.Millisecond},
		{"bind", "connector.refusal=wrong_password " + server, "", 3, 0, 4 * time.Millisecond},
		{"map", "", "", 1, 0, time.Millisecond},
		{"authenticate_user", "connector.command=authenticate_user connector.connection=corp connector.hub.link=0 connector.outcome=fault connector.request.id=p-2 error.type=late", "late", 2, -1, time.Second},
		{"find", "error.type=timeout", "timeout", 3, 4, time.Second},
	}
	if len(spans) != len(want) {
		t.Fatalf("%d spans: %s", len(spans), text)
	}
	ids := map[string]bool{}
	for i, s := range spans {
		w := want[i]
		got := brief{s.GetName(), textOfAttributes(s.GetAttributes()), s.GetStatus().GetMessage(), s.GetKind(), w.parent, time.Duration(s.GetEndTimeUnixNano() - s.GetStartTimeUnixNano())}
		parent := ""
		if w.parent >= 0 {
			parent = string(spans[w.parent].GetSpanId())
			if string(s.GetTraceId()) != string(spans[w.parent].GetTraceId()) {
				t.Errorf("%d is of another trace", i)
			}
		}
		if got != w || string(s.GetParentSpanId()) != parent || len(s.GetTraceId()) != 16 || len(s.GetSpanId()) != 8 || ids[string(s.GetSpanId())] ||
			(w.status != "") != (s.GetStatus().GetCode() == trace.Status_STATUS_CODE_ERROR) {
			t.Errorf("span %d:\n%+v, want\n%+v", i, got, w)
		}
		ids[string(s.GetSpanId())] = true
	}
	if s := spans[0].GetStartTimeUnixNano(); s != uint64(at.UnixNano()) || string(spans[0].GetTraceId()) == string(spans[4].GetTraceId()) {
		t.Errorf("it began at %d, or both are one trace", s)
	}
	lab.Eventually(t, "the part to be well", func() bool { return said.String() == "ok to "+c.URL+"/v1/traces" })
	// What waits at the end is sent.
	n.answered(hub.Answer{Command: "list_groups", Outcome: "accepted", Request: "p-3"})
	if err := stop(); err != nil {
		t.Error(err)
	}
	if d := <-c.got; !strings.Contains(d.String(), "p-3") {
		t.Errorf("at the end: %s", d)
	}
	if v := auditCount(t, n.stats.metrics(), "connector_traces_sent_total"); v != 3 {
		t.Errorf("%v were sent", v)
	}
}

// TestTracesOfADeadCollector: no login waits, the memory is bounded, and what is
// lost is counted.
func TestTracesOfADeadCollector(t *testing.T) {
	t.Parallel()
	c := startCollector(t)
	n, said, stop := tracingNode(t, func(to *config.Config) { to.Signals.TraceEndpoint = c.URL }, "OTEL_BSP_MAX_QUEUE_SIZE=10", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE=1", "OTEL_BSP_SCHEDULE_DELAY=1")
	c.answers <- 503
	c.answers <- 429
	n.answered(hub.Answer{Request: "later"})
	if d := <-c.got; !strings.Contains(d.String(), "later") {
		t.Error("it was not sent again")
	}
	c.answers <- 400
	n.answered(hub.Answer{Request: "refused"})
	lab.Eventually(t, "the part to be degraded", func() bool {
		return said.String() == "degraded send traces to "+c.URL+"/v1/traces: the collector answered 400 Bad Request"
	})
	lab.Eventually(t, "one to be lost", func() bool { return auditCount(t, n.stats.metrics(), "connector_traces_dropped_total") == 1 })
	c.Close()
	began := time.Now()
	for range 5000 {
		n.answered(hub.Answer{Command: "authenticate_user", Outcome: "accepted"})
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("5000 took %v", took)
	}
	if v := auditCount(t, n.stats.metrics(), "connector_traces_dropped_total"); v < 4900 {
		t.Errorf("%v are lost", v)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	if v := auditCount(t, n.stats.metrics(), "connector_traces_dropped_total"); v != 5001 {
		t.Errorf("%v are lost in the end", v)
	}
}

func TestTraceSettings(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		endpoint string
		environ  []string
		url      string // "" = none wanted
		fault    string
	}{
		"nothing":           {},
		"a key":             {endpoint: "http://c:4318", url: "http://c:4318/v1/traces"},
		"its own":           {"http://c:4318", []string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=https://d/x"}, "https://d/x", ""},
		"by default":        {"", []string{"OTEL_TRACES_EXPORTER=otlp"}, "http://localhost:4318/v1/traces", ""},
		"none":              {"http://c:4318", []string{"OTEL_TRACES_EXPORTER=none"}, "", ""},
		"disabled":          {"http://c:4318", []string{"OTEL_SDK_DISABLED=True"}, "", ""},
		"another exporter":  {"", []string{"OTEL_TRACES_EXPORTER=zipkin"}, "", `"zipkin" is not otlp`},
		"grpc":              {"http://c:4317", []string{"OTEL_EXPORTER_OTLP_PROTOCOL=grpc"}, "", "http/protobuf"},
		"no URL":            {"c:4318", nil, "", "is not a URL"},
		"a password in it":  {"http://u:p4ss@c:4318", nil, "", "is not a URL"},
		"a bad number":      {"http://c:4318", []string{"OTEL_BSP_MAX_QUEUE_SIZE=many"}, "", "OTEL_BSP_MAX_QUEUE_SIZE"},
		"a bad compression": {"http://c:4318", []string{"OTEL_EXPORTER_OTLP_COMPRESSION=zstd"}, "", "neither gzip"},
		"a bad sampler":     {"http://c:4318", []string{"OTEL_TRACES_SAMPLER=jaeger_remote"}, "", "is not known here"},
		"a bad ratio":       {"http://c:4318", []string{"OTEL_TRACES_SAMPLER=traceidratio", "OTEL_TRACES_SAMPLER_ARG=NaN"}, "", "between 0 and 1"},
	} {
		c := config.Default()
		c.Signals.TraceEndpoint = tt.endpoint
		s, err := traceSettingsOf(c, tt.environ)
		got := ""
		if s != nil && err == nil {
			got = s.url
		}
		if got != tt.url || (err == nil) != (tt.fault == "") || err != nil && (!strings.Contains(err.Error(), tt.fault) || strings.Contains(err.Error(), "p4ss")) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	c := config.Default()
	c.Signals.TraceEndpoint, c.Signals.TraceHeaders = "http://c:4318", "s3cret"
	if _, err := traceSettingsOf(c, nil); err == nil || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("headers: %v", err)
	}
	s, err := traceSettingsOf(func() config.Config { c.Signals.TraceHeaders = ""; return c }(), []string{"OTEL_TRACES_SAMPLER=parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG=0.25"})
	if err != nil {
		t.Fatal(err)
	}
	taken := 0
	for range 4000 {
		if s.taken() {
			taken++
		}
	}
	if taken < 700 || taken > 1300 {
		t.Errorf("%d of 4000 at a quarter", taken)
	}
}

// TestNoTracesCostNothing, nor do metrics that are there anyway.
func TestNoTracesCostNothing(t *testing.T) {
	var none *tracer
	a := hub.Answer{Command: "authenticate_user"}
	if n := testing.AllocsPerRun(100, func() { none.add(a) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzTracePairs reads any headers and attributes.
func FuzzTracePairs(f *testing.F) {
	for _, seed := range []string{"", "a=b", "a=b,c=%2C", "=", "a", "a=%", ",,a=\n", strings.Repeat("a=b,", 5000)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		pairs, err := pairsOf(text)
		for _, p := range pairs {
			if err == nil && (p[0] == "" || strings.ContainsAny(p[0]+p[1], "\r\n\x00")) {
				t.Errorf("%q: %q", text, pairs)
			}
		}
	})
}

// BenchmarkTracing is what tracing adds to a login: nothing where it is off.
func BenchmarkTracing(b *testing.B) {
	at := time.Now()
	a := hub.Answer{Command: "authenticate_user", Outcome: "accepted", Arrived: at, Stages: make([]identity.Stage, 4)}
	for name, t := range map[string]*tracer{"off": nil, "on": {settings: &traceSettings{ratio: 1}, answers: make(chan spanned, 1), count: newMetrics()}} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for range b.N {
				t.add(a)
			}
		})
	}
}
