package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"ad-ldap-connector/pkg/config"
	"ad-ldap-connector/pkg/home"
	"ad-ldap-connector/pkg/hub"
	"ad-ldap-connector/pkg/identity"
	"ad-ldap-connector/pkg/wsfed"
	"ad-ldap-connector/testdata/lab"
)

func auditHome(t *testing.T) (*home.Home, config.Config) {
	t.Helper()
	h, c := newTestHome(t), config.Default()
	c.Signals.AuditFile = "logs/audit.jsonl"
	return h, c
}

func auditTo(t *testing.T, target auditTarget, again time.Duration) (*auditLog, *transcript) {
	t.Helper()
	said := new(transcript)
	a := newAuditLog(newLog(said, false, false), newMetrics(), again)
	t.Cleanup(a.close)
	a.use(target)
	return a, said
}

// requests reads the requests' IDs of an audit file; a line that says how many
// are missing is told as such, and one that is no JSON as torn.
func requests(t *testing.T, file string) (all []string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		var r struct {
			Request string
			Missing int
		}
		switch err := json.Unmarshal([]byte(line), &r); {
		case err != nil:
			all = append(all, "torn")
		case r.Missing > 0:
			all = append(all, fmt.Sprint("missing ", r.Missing))
		default:
			all = append(all, r.Request)
		}
	}
	return all
}

func TestAuditFileHasTheRequests(t *testing.T) {
	t.Parallel()
	h, c := auditHome(t)
	n := &node{home: h, config: c, stats: new(stats), log: newLog(discard, false, false), identity: instance{"node-1"}}
	c.Tenant.Hub, c.Tenant.Connection = "wss://corp.example/lo/hub", "corp"
	n.served.Store(&c.Tenant)
	n.stats.follow(n)
	at := time.Date(2026, 1, 2, 3, 4, 5, 6e6, time.FixedZone("", 3600))
	n.answered(hub.Answer{Command: "authenticate_user", Request: "p-1", User: "jane", Outcome: "refused", Reason: "wrong_password", Arrived: at, Took: 1500 * time.Microsecond,
		Link: 2, Stages: []identity.Stage{{Name: "bind", Server: "ldaps://dc1", Detail: "CN=Jane"}}})
	n.answered(hub.Answer{Command: "change_password", Request: "p-2", User: "a\n\"b", Outcome: "fault", Reason: "boom", Fault: hub.Unanswered, Lost: true})
	n.stats.close()
	data, err := os.ReadFile(h.Path("logs", "audit.jsonl"))
	want := `{"time":"2026-01-02T02:04:05.006Z","from":"hub","command":"authenticate_user","request":"p-1","user":"jane","outcome":"refused","reason":"wrong_password","server":"ldaps://dc1","tookMs":1.5,"tenant":"corp.example","connection":"corp","instance":"node-1","link":2}
{"time":"0001-01-01T00:00:00Z","from":"hub","command":"change_password","request":"p-2","user":"a\\n\\"b","outcome":"fault","reason":"boom","fault":"unanswered","tookMs":0,"tenant":"corp.example","connection":"corp","instance":"node-1","lost":true}
`
	if want = strings.ReplaceAll(want, `\\`, `\`); err != nil || string(data) != want {
		t.Errorf("%v\n%s\nwant\n%s", err, data, want)
	}
}

// TestAuditFileHasTheBrowsers: each try, with where it came from.
func TestAuditFileHasTheBrowsers(t *testing.T) {
	t.Parallel()
	h, c := auditHome(t)
	n := &node{home: h, config: c, stats: new(stats), log: newLog(discard, false, false), identity: instance{"node-1"}}
	c.Tenant.Hub, c.Tenant.Connection = "wss://corp.example/lo/hub", "corp"
	n.served.Store(&c.Tenant)
	n.stats.follow(n)
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	n.signedIn(wsfed.Entry{Method: "kerberos", Outcome: wsfed.Accepted, User: "jane", Source: "192.0.2.7", Began: at, Took: 2 * time.Millisecond,
		Request: "abc", Stages: []identity.Stage{{Name: "find", Server: "ldaps://dc1"}}})
	n.signedIn(wsfed.Entry{Method: "password", Outcome: wsfed.Throttled, User: "jane", Source: "192.0.2.7", Began: at})
	n.stats.close()
	data, err := os.ReadFile(h.Path("logs", "audit.jsonl"))
	const rest = `"tenant":"corp.example","connection":"corp","instance":"node-1","remote":"192.0.2.7"`
	want := `{"time":"2026-01-02T03:04:05Z","from":"browser","command":"sign_in","request":"abc","user":"jane","outcome":"accepted","server":"ldaps://dc1","tookMs":2,` + rest + `,"method":"kerberos"}
{"time":"2026-01-02T03:04:05Z","from":"browser","command":"sign_in","request":"","user":"jane","outcome":"refused","reason":"throttled","tookMs":0,` + rest + `,"method":"password"}
`
	if err != nil || string(data) != want {
		t.Errorf("%v\n%s\nwant\n%s", err, data, want)
	}
}

// TestAuditFileInTheWay: a login never waits for the file; what comes meanwhile
// is recorded once it works again.
func TestAuditFileInTheWay(t *testing.T) {
	t.Parallel()
	h, c := auditHome(t)
	file := h.Path("logs", "audit.jsonl")
	if err := os.MkdirAll(file, 0o700); err != nil {
		t.Fatal(err)
	}
	a, said := auditTo(t, auditTargetOf(h, c), 20*time.Millisecond)
	health := reports{}
	a.health.follow(health.report)
	for i := range 10 {
		a.add(auditRecord{Request: fmt.Sprint(i)})
	}
	lab.Eventually(t, "the part to be degraded", func() bool {
		return strings.HasPrefix(health.String(), "degraded requests are answered, but their records wait: AUDIT_FILE: open ")
	})
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	lab.Eventually(t, "all to be recorded", func() bool { return len(requests(t, file)) == 10 })
	lab.Eventually(t, "the part to be well", func() bool { return health.String() == "ok logs/audit.jsonl" })
	if warns := strings.Count(said.String(), "the audit file cannot be written"); warns != 1 {
		t.Errorf("%d warnings: %s", warns, said)
	}
}

// TestAuditFileTurns: by size, when somebody else puts it aside, and at a reload.
func TestAuditFileTurns(t *testing.T) {
	t.Parallel()
	h, c := auditHome(t)
	file := h.Path("logs", "audit.jsonl")
	target := auditTargetOf(h, c)
	target.bytes, target.keep = 2000, 2
	a, _ := auditTo(t, target, time.Hour)
	for i := range 100 {
		a.add(auditRecord{Request: fmt.Sprint(i), User: strings.Repeat("x", 400)})
		lab.Eventually(t, "it to be written", func() bool { return len(a.records) == 0 })
	}
	a.close()
	last := 99
	for _, suffix := range []string{"", ".1", ".2"} {
		all := requests(t, file+suffix)
		if info, err := os.Stat(file + suffix); suffix != "" && (err != nil || info.Size() < 2000 || info.Size() > 2000+auditBatch*1000) {
			t.Errorf("%s: %v, %v", suffix, info, err)
		}
		for i := range all {
			if got := all[len(all)-1-i]; got != fmt.Sprint(last) {
				t.Fatalf("%s: %v, want %d", suffix, all, last)
			}
			last--
		}
	}
	if _, err := os.Stat(file + ".3"); err == nil {
		t.Error("a third is kept")
	}
	a, _ = auditTo(t, auditTargetOf(h, c), time.Hour)
	a.add(auditRecord{Request: "first"})
	lab.Eventually(t, "it to begin", func() bool { return slices.Contains(requests(t, file), "first") })
	if err := os.Rename(file, file+".mine"); err != nil {
		t.Fatal(err)
	}
	lab.Eventually(t, "another file", func() bool { _, err := os.Stat(file); return err == nil })
	a.add(auditRecord{Request: "later"})
	lab.Eventually(t, "it to be used", func() bool { return fmt.Sprint(requests(t, file)) == "[later]" })
}

// TestAuditFileOnADiskThatHangs: neither a login, nor a reload, nor the end wait
// for it for long.
func TestAuditFileOnADiskThatHangs(t *testing.T) {
	t.Parallel()
	hang := make(chan struct{})
	t.Cleanup(func() { close(hang) })
	target := auditTarget{open: func() (recordFile, error) { <-hang; return nil, errors.New("it hung") }}
	a := newAuditLog(newLog(discard, false, false), newMetrics(), time.Hour)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 3 {
			a.use(target)
			for range 2 * auditQueue {
				a.add(auditRecord{})
			}
		}
		a.close()
	}()
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Error("it waits")
	}
}

// A narrow disk takes so many octets, and then none until there is room.
type narrowDisk struct {
	recordFile
	room *int
}

func (d narrowDisk) Write(p []byte) (int, error) {
	n, err := d.recordFile.Write(p[:min(len(p), *d.room)])
	*d.room -= n
	if err == nil && n < len(p) {
		err = syscall.ENOSPC
	}
	return n, err
}

// TestAuditFileOnAFullDisk: no record is there twice, what does not fit into
// the memory is counted, and the file says that it is missing.
func TestAuditFileOnAFullDisk(t *testing.T) {
	h, c := auditHome(t)
	target := auditTargetOf(h, c)
	room := 1000
	open := target.open
	target.open = func() (recordFile, error) {
		f, err := open()
		return narrowDisk{f, &room}, err
	}
	w := auditWriter{target: target, log: &auditLog{log: newLog(discard, false, false), records: make(chan auditRecord, 2)}}
	m := newMetrics()
	w.log.written, w.log.lost = m.auditWritten, m.auditLost
	for i := range 20 {
		w.pending = append(w.pending, encoded(auditRecord{Request: fmt.Sprint(i)}))
	}
	w.write()
	if w.bad == "" || w.file != nil || len(w.pending) == 0 || len(w.pending) == 20 || w.ready(time.Now().Add(time.Hour)) {
		t.Fatalf("bad %q, %d wait", w.bad, len(w.pending))
	}
	for i := range 5 { // two find room
		w.log.add(auditRecord{Request: fmt.Sprint(20 + i)})
	}
	w.tend(time.Now().Add(time.Hour))
	if w.bad == "" {
		t.Error("it is well on a full disk")
	}
	room = 1 << 20
	w.tend(time.Now().Add(time.Hour))
	w.take(<-w.log.records)
	w.write()
	w.shut()
	got := requests(t, h.Path("logs", "audit.jsonl"))
	count := map[string]int{}
	for _, one := range got {
		count[one]++
	}
	for i := range 22 {
		if count[fmt.Sprint(i)] != 1 {
			t.Errorf("%d is there %d times: %v", i, count[fmt.Sprint(i)], got)
		}
	}
	if count["torn"] != 1 || count["missing 3"] != 1 || len(got) != 24 || w.bad != "" {
		t.Errorf("%q: %v", w.bad, got)
	}
	if auditCount(t, m, "connector_audit_records_lost_total") != 3 || auditCount(t, m, "connector_audit_records_total") != 23 {
		t.Errorf("%v lost, %v written", auditCount(t, m, "connector_audit_records_lost_total"), auditCount(t, m, "connector_audit_records_total"))
	}
}

// auditCount is the value of one counter.
func auditCount(t *testing.T, m *metrics, name string) float64 {
	t.Helper()
	all, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	f := families{}
	for _, one := range all {
		f[one.GetName()] = one
	}
	return f.value(t, name)
}
