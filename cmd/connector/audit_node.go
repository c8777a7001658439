package main

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"ad-ldap-connector/pkg/agent"
	"ad-ldap-connector/pkg/hub"
	"ad-ldap-connector/pkg/wsfed"
)

// answered learns of each answer that the hub got, or should have got.
func (n *node) answered(a hub.Answer) {
	n.stats.answered(a)
	if n.config.Signals.AuditFile != "" {
		n.stats.auditLog(n.log).add(n.auditRecord(a))
	}
	n.tracer.add(a, "connector.hub.link", strconv.Itoa(a.Link))
}

func (n *node) auditRecord(a hub.Answer) auditRecord {
	t := n.config.Tenant
	if served := n.served.Load(); served != nil {
		t = *served
	}
	return auditRecord{
		Time: a.Arrived.UTC(), From: "hub", Command: a.Command, Request: a.Request, User: a.User,
		Outcome: a.Outcome, Reason: strings.ToValidUTF8(a.Reason, "\uFFFD"), Fault: string(a.Fault), Server: a.Server(), TookMs: ms(a.Took),
		Tenant: hostOf(t.Hub), Connection: t.Connection, Instance: n.identity.ID, Link: a.Link, Lost: a.Lost,
	}
}

// signedIn learns of each try to get in by the browser.
func (n *node) signedIn(e wsfed.Entry) {
	n.stats.metrics().signIns.WithLabelValues(e.Method, string(e.Outcome)).Inc()
	if n.config.Signals.AuditFile != "" {
		n.stats.auditLog(n.log).add(n.signInRecord(e))
	}
	a := answerOf(e)
	if e.Outcome == wsfed.Fault {
		a.Fault = hub.Unanswered
		if i := len(e.Stages) - 1; i >= 0 && errors.Is(e.Stages[i].Err, context.DeadlineExceeded) {
			a.Fault = hub.Late
		}
	}
	if strings.ContainsFunc(a.Reason, func(r rune) bool { return r != '_' && (r < 'a' || r > 'z') }) {
		a.Reason = "not_proved" // the text of an error, which is the log's
	}
	n.tracer.add(a, "connector.sign_in.method", e.Method)
}

// answerOf is a try to get in as if the hub had asked for it.
func answerOf(e wsfed.Entry) hub.Answer {
	a := hub.Answer{
		Arrived: e.Began, Command: "sign_in", Request: e.Request, User: e.User,
		Outcome: string(e.Outcome), Reason: e.Reason, Took: e.Took, Stages: e.Stages,
	}
	if e.Outcome == wsfed.Throttled || e.Outcome == wsfed.Busy {
		a.Outcome, a.Reason = string(wsfed.Refused), string(e.Outcome)
	}
	return a
}

func (n *node) signInRecord(e wsfed.Entry) auditRecord {
	r := n.auditRecord(answerOf(e))
	r.From, r.Remote, r.Method = "browser", e.Source, e.Method
	return r
}

// watchAudit reports how the audit file fares.
func (n *node) watchAudit(ctx context.Context, report func(agent.State, string)) error {
	h := &n.stats.auditLog(n.log).health
	h.follow(report)
	<-ctx.Done()
	return nil // the next node's part takes its place, or has already
}
