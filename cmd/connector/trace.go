package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	common "go.opentelemetry.io/proto/otlp/common/v1"
	trace "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"ad-ldap-connector/pkg/agent"
	"ad-ldap-connector/pkg/hub"
)

const (
	traceTries    = 5                // for one batch
	traceLongest  = 30 * time.Second // between two of them
	traceFarewell = 2 * time.Second  // for what waits at the end
)

// A tracer sends what was answered to a collector of OpenTelemetry: OTLP over
// HTTP, in protobuf. It is never worth a login: to hand it an answer takes no
// time, and what finds no place is counted and gone.
type tracer struct {
	settings *traceSettings
	fault    error // why there are no traces although somebody wants them
	answers  chan spanned
	count    *metrics
	pause    time.Duration // before the first repetition
}

// A spanned answer is one that somebody got, and attributes of its span that only
// answers of its kind have, names and values in turn.
type spanned struct {
	hub.Answer
	more []string
}

// newTracer returns nil where nobody wants traces.
func newTracer(n *node) *tracer {
	s, err := traceSettingsOf(n.config, n.transport.environ)
	if s == nil && err == nil {
		return nil
	}
	t := &tracer{settings: s, fault: err, count: n.stats.metrics(), pause: time.Second}
	if err == nil {
		t.answers = make(chan spanned, s.queue)
	}
	return t
}

// add takes an answer. A nil tracer does nothing.
func (t *tracer) add(a hub.Answer, more ...string) {
	if t == nil || t.fault != nil || !t.settings.taken() {
		return
	}
	select {
	case t.answers <- spanned{a, more}:
	default:
		t.count.tracesDropped.Inc()
	}
}

// serveTraces sends until the parts that answer have ended, and then what is
// left.
func (n *node) serveTraces(ctx context.Context, report func(agent.State, string)) error {
	t := n.tracer
	if t.fault != nil {
		report(agent.Degraded, oneLine(t.fault.Error()))
		<-ctx.Done() // it takes another configuration, and so a reload
		return nil
	}
	report(agent.OK, "to "+t.settings.url)
	c := collector{tracer: t, node: n, report: report}
	for ctx.Err() == nil {
		if batch := t.wait(ctx); len(batch) > 0 {
			c.send(ctx, batch)
		}
	}
	n.awaitLast()
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), traceFarewell)
	defer cancel()
	for len(t.answers) > 0 && last.Err() == nil {
		c.send(last, t.wait(last))
	}
	t.count.tracesDropped.Add(float64(len(t.answers)))
	return nil
}

// wait returns what came, once it is a batch or the first of it has waited for
// long enough.
func (t *tracer) wait(ctx context.Context) (batch []spanned) {
	var late <-chan time.Time
	spans := 0
	for spans < t.settings.batch {
		select {
		case a := <-t.answers:
			batch = append(batch, a)
			spans += 1 + len(a.Stages)
			if late == nil {
				late = time.After(t.settings.delay)
			}
			continue
		default:
		}
		select {
		case a := <-t.answers:
			batch = append(batch, a)
			spans += 1 + len(a.Stages)
			if late == nil {
				late = time.After(t.settings.delay)
			}
		case <-late:
			return batch
		case <-ctx.Done():
			return batch
		}
	}
	return batch
}

// A collector is where a node's traces go.
type collector struct {
	*tracer
	node   *node
	report func(agent.State, string)
}

// send sends a batch, again and again if that may help. What the collector does
// not take is lost, and counted.
func (c *collector) send(ctx context.Context, batch []spanned) {
	body, err := c.encode(batch)
	pause := c.pause
	for try := 1; err == nil; try++ {
		var again time.Duration
		if again, err = c.post(ctx, body); err == nil {
			c.count.tracesSent.Add(float64(len(batch)))
			c.report(agent.OK, "to "+c.settings.url)
			return
		}
		c.report(agent.Degraded, fmt.Sprintf("send traces to %s: %v", c.settings.url, err))
		if again < 0 || try == traceTries {
			break
		}
		timer := time.NewTimer(min(max(again, pause), traceLongest))
		select {
		case <-timer.C:
			err = nil
		case <-ctx.Done(): // the end: those that wait have the time that is left
			timer.Stop()
		}
		pause *= 2
	}
	c.count.tracesDropped.Add(float64(len(batch)))
}

// encode is the request: an ExportTraceServiceRequest, which is on the wire what
// a TracesData is.
func (c *collector) encode(batch []spanned) ([]byte, error) {
	connection := c.node.config.Tenant.Connection
	if served := c.node.served.Load(); served != nil {
		connection = served.Connection
	}
	scope := &trace.ScopeSpans{Scope: &common.InstrumentationScope{Name: "ad-ldap-connector", Version: thisBuild().Version}}
	for _, a := range batch {
		scope.Spans = append(scope.Spans, spansOf(a, connection)...)
	}
	body, err := proto.Marshal(&trace.TracesData{ResourceSpans: []*trace.ResourceSpans{{
		Resource: c.node.resourceOf(c.settings), ScopeSpans: []*trace.ScopeSpans{scope},
	}}})
	if err != nil || !c.settings.gzip {
		return body, err
	}
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err = z.Write(body)
	err = errors.Join(err, z.Close())
	return b.Bytes(), err
}

// post sends a request. With an error it says whether, and how long from now, it
// may be repeated; less than 0 is never.
func (c *collector) post(ctx context.Context, body []byte) (again time.Duration, err error) {
	// One that is under way when the end comes has a moment still.
	ended := ctx
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.settings.timeout)
	defer cancel()
	defer context.AfterFunc(ended, func() { time.AfterFunc(traceFarewell, cancel) })()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.settings.url, bytes.NewReader(body))
	if err != nil {
		return -1, err
	}
	req.Header = c.settings.headers.Clone()
	req.Header.Set("Content-Type", "application/x-protobuf")
	req.Header.Set("User-Agent", "ad-ldap-connector/"+thisBuild().Version)
	if c.settings.gzip {
		req.Header.Set("Content-Encoding", "gzip")
	}
	client := *c.node.transport.HTTP
	// The headers are for the collector that was named.
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	res, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	defer func() { _ = res.Body.Close() }()                      // it was read, or is of no use
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 64<<10)) // so that the connection can be used again; if not, there is another
	switch res.StatusCode {
	case http.StatusOK, http.StatusAccepted, http.StatusNoContent:
		return 0, nil
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		seconds, bad := strconv.Atoi(res.Header.Get("Retry-After"))
		if bad != nil || seconds < 0 || seconds > 3600 {
			seconds = 0
		}
		return time.Duration(seconds) * time.Second, fmt.Errorf("the collector answered %s", res.Status)
	}
	return -1, fmt.Errorf("the collector answered %s", res.Status)
}
