package sandbox

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"net"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
	"go.uber.org/goleak"
)

func TestDelayAndTimeLimit(t *testing.T) {
	d := startDirectory(t, DirectoryOptions{Traits: adTraits})
	c := bindDirectory(t, d)
	asked := make(chan string, 10)
	d.SetTraits(Traits{ActiveDirectory: true, Delay: func(op string) time.Duration {
		asked <- op
		if op == "search" {
			return time.Hour
		}
		return time.Millisecond
	}})
	_, err := c.Search(ldap.NewSearchRequest(d.BaseDN(), 2, 0, 0, 1, false, "(cn=*)", nil, nil))
	if code, _ := ldapCode(t, err); code != 3 {
		t.Errorf("%v", err)
	}
	if err := c.Bind(d.BindUser(), d.BindPassword()); err != nil {
		t.Error(err)
	}
	if a, b := <-asked, <-asked; a != "search" || b != "bind" {
		t.Error(a, b)
	}
	// A search that still waits does not keep the directory from closing.
	c.SetTimeout(time.Minute)
	go func() { _, _ = c.Search(ldap.NewSearchRequest(d.BaseDN(), 2, 0, 0, 0, false, "(cn=*)", nil, nil)) }() // ends with an error
	if op := <-asked; op != "search" {
		t.Error(op)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}

func TestFaults(t *testing.T) {
	d := startDirectory(t, DirectoryOptions{Traits: adTraits})
	var fault atomic.Int64
	search := func(c *ldap.Conn) error {
		_, err := c.Search(ldap.NewSearchRequest(d.BaseDN(), 0, 0, 0, 0, false, "(dc=*)", nil, nil))
		return err
	}
	c := bindDirectory(t, d)
	d.SetTraits(Traits{ActiveDirectory: true, Fault: func(op string) Fault {
		if op == "search" {
			return Fault(fault.Load())
		}
		return FaultNone
	}})
	if err := search(c); err != nil {
		t.Error(err)
	}
	fault.Store(int64(FaultBusy))
	if code, _ := ldapCode(t, search(c)); code != 51 {
		t.Errorf("busy: %d", code)
	}
	fault.Store(int64(FaultSilence))
	c.SetTimeout(50 * time.Millisecond)
	if err := search(c); !ldap.IsErrorWithCode(err, ldap.ErrorNetwork) {
		t.Errorf("silence: %v", err)
	}
	fault.Store(int64(FaultDrop))
	c = bindDirectory(t, d)
	if err := search(c); err == nil || ldap.IsErrorWithCode(err, ldap.LDAPResultBusy) {
		t.Errorf("drop: %v", err)
	}
}

// rawDirectory connects without a client library and bound as the service account.
func rawDirectory(t *testing.T, d *Directory) net.Conn {
	t.Helper()
	nc, err := net.Dial("tcp", strings.TrimPrefix(d.URL(), "ldap://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nc.Close() }) // the server may have done so
	if err := nc.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	var w berWriter
	m := w.begin(berSequence)
	w.number(berInteger, 1)
	op := w.begin(ldapBindRequest)
	w.number(berInteger, 3)
	w.string(berOctetString, d.BindUser())
	w.string(berContext, d.BindPassword())
	w.end(op)
	w.end(m)
	if _, err := nc.Write(w.b); err != nil {
		t.Fatal(err)
	}
	if got := readRaw(t, nc); got.op != ldapBindResponse {
		t.Fatalf("%+v", got)
	}
	return nc
}

type rawAnswer struct {
	id   int
	op   byte
	code int
	text string
}

// readRaw reads one answer, octet by octet so that nothing is read beyond it.
func readRaw(t *testing.T, nc net.Conn) rawAnswer {
	t.Helper()
	head := make([]byte, 6)
	if _, err := io.ReadFull(nc, head); err != nil {
		t.Fatal(err)
	}
	body := make([]byte, int(head[4])<<8|int(head[5]))
	if _, err := io.ReadFull(nc, body); err != nil {
		t.Fatal(err)
	}
	r := berReader(body)
	id, err := r.number(berInteger)
	if err != nil {
		t.Fatal(err)
	}
	op, inner, err := r.next()
	if err != nil {
		t.Fatal(err)
	}
	in := berReader(inner)
	code, _ := in.number(berEnumerated) // an entry has none
	_, _ = in.text()
	text, _ := in.text()
	return rawAnswer{id, op, code, text}
}

func rawMessage(id int, op byte, body string) []byte {
	var w berWriter
	m := w.begin(berSequence)
	w.number(berInteger, id)
	w.string(op, body)
	w.end(m)
	return w.b
}

// Abandoned operations get no answer: what comes next is the next one's.
func TestAbandon(t *testing.T) {
	d := startDirectory(t, DirectoryOptions{Traits: adTraits})
	nc := rawDirectory(t, d)
	begun := make(chan struct{}, 1)
	d.SetTraits(Traits{ActiveDirectory: true, Delay: func(op string) time.Duration {
		if op == "compare" {
			begun <- struct{}{}
			return time.Hour
		}
		return 0
	}})
	send := func(b []byte) {
		if _, err := nc.Write(b); err != nil {
			t.Fatal(err)
		}
	}
	send(rawMessage(2, ldapCompareRequest, ""))
	<-begun
	send(rawMessage(2, ldapDeleteRequest, "x")) // the number is in use
	if a := readRaw(t, nc); a.id != 2 || a.code != ldapProtocolError {
		t.Errorf("%+v", a)
	}
	send(rawMessage(3, ldapAbandonRequest, "\x02"))
	send(rawMessage(4, ldapAbandonRequest, "\x77"))          // nothing of that number runs
	send(rawMessage(5, ldapAbandonRequest, "1234567890123")) // nor can
	send(rawMessage(6, ldapDeleteRequest, "x"))
	if a := readRaw(t, nc); a.id != 6 || a.code != ldapUnwilling {
		t.Errorf("%+v", a)
	}
}

// Who has an answer may use its number at once for the next request.
func TestMessageNumbersMayBeUsedAgain(t *testing.T) {
	nc := rawDirectory(t, startDirectory(t, DirectoryOptions{Traits: adTraits}))
	for range 2000 {
		if _, err := nc.Write(rawMessage(2, ldapDeleteRequest, "x")); err != nil {
			t.Fatal(err)
		}
		if a := readRaw(t, nc); a.id != 2 || a.code != ldapUnwilling {
			t.Fatalf("%+v", a)
		}
	}
}

// What can not be read: an answer where there is a number to answer to, else a
// notice of disconnection.
func TestMalformed(t *testing.T) {
	d := startDirectory(t, DirectoryOptions{Traits: adTraits})
	for _, tt := range []struct {
		name, hex string
		id        int
		code      int
	}{
		{"search without anything", "3005020102" + "6300", 2, 2},
		{"search with an unknown filter", "3021020102631c" + "0400" + "0a01000a0100020100020100010100" + "af0704016104027878" + "3000", 2, 2},
		{"bind without anything", "30050201026000", 2, 2},
		{"modify of nothing", "30050201026600", 2, 2},
		{"compare of nothing", "30050201026e00", 2, 2},
		{"extended nothing", "30050201027700", 2, 2},
		{"unknown operation", "30050201027e00", 0, 2},
		{"an answer as a request", "30050201026100", 0, 2},
		{"number 0", "30050201006000", 0, 2},
		{"negative number", "30050201ff6000", 0, 2},
		{"no number", "30026000", 0, 2},
		{"broken controls", "300902010260003002" + "0400", 0, 2},
		{"no message", "474554202f20485454502f312e310d0a", 0, 2},
		{"indefinite length", "3080020102600000", 0, 2},
		{"too long", "3084ffffffff", 0, 2},
		{"longer than the limit", "308400500000", 0, 2},
		{"length of nine octets", "3089000000000000000001", 0, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			nc := rawDirectory(t, d)
			b, err := hex.DecodeString(tt.hex)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := nc.Write(b); err != nil {
				t.Fatal(err)
			}
			if a := readRaw(t, nc); a.id != tt.id || a.code != tt.code {
				t.Errorf("%+v", a)
			}
			if tt.id == 0 {
				if n, err := io.Copy(io.Discard, nc); n != 0 || err != nil && !errors.Is(err, net.ErrClosed) && !strings.Contains(err.Error(), "reset") {
					t.Errorf("the connection goes on: %d %v", n, err)
				}
			}
		})
	}
	if err := dialDirectory(t, d).Bind("alice@example.test", DemoPassword); err != nil {
		t.Errorf("the directory is gone: %v", err)
	}
}

// What is sent in the clear together with StartTLS is not believed.
func TestStartTLSInjection(t *testing.T) {
	server, _ := directoryTLS(t)
	d := startDirectory(t, DirectoryOptions{TLS: server})
	nc := rawDirectory(t, d)
	var w berWriter
	w.string(berContext, oidStartTLS)
	b := append(rawMessage(2, ldapExtendedRequest, string(w.b)), rawMessage(3, ldapDeleteRequest, "x")...)
	if _, err := nc.Write(b); err != nil {
		t.Fatal(err)
	}
	if a := readRaw(t, nc); a.id != 0 {
		t.Errorf("%+v", a)
	}
}

func TestListensOnLoopbackOnly(t *testing.T) {
	server, _ := directoryTLS(t)
	for _, addr := range []string{"0.0.0.0:0", ":0", "192.0.2.1:0", "[::]:0", "example.test:0", "127.0.0.1", "127.0.0.1:99999"} {
		for _, o := range []DirectoryOptions{{Listen: addr}, {TLSListen: addr, TLS: server}} {
			if d, err := StartDirectory(o); err == nil && addr != "" {
				t.Errorf("%+v: started on %s", o, d.URL())
			}
		}
	}
	for _, o := range []DirectoryOptions{{TLSListen: "127.0.0.1:0"}, {Users: -1}, {Users: 1_000_000}} {
		if _, err := StartDirectory(o); err == nil {
			t.Errorf("%+v: started", o)
		}
	}
	d := startDirectory(t, DirectoryOptions{Listen: "localhost:0"})
	if !strings.HasPrefix(d.URL(), "ldap://127.0.0.1:") {
		t.Error(d.URL())
	}
	if _, err := StartDirectory(DirectoryOptions{Listen: strings.TrimPrefix(d.URL(), "ldap://")}); err == nil {
		t.Error("started on a taken port")
	}
}

func TestCloseEndsEverything(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	d, err := StartDirectory(DirectoryOptions{Traits: adTraits, Users: 100})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 20 {
		c, err := ldap.DialURL(d.URL())
		if err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			defer func() { _ = c.Close() }() // the server ends it
			for c.Bind(d.BindUser(), d.BindPassword()) == nil {
				if _, err := c.Search(ldap.NewSearchRequest(d.BaseDN(), 2, 0, 0, 0, false, "(cn=*)", nil, nil)); err != nil {
					return
				}
			}
		})
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	if err := d.Close(); err != nil {
		t.Errorf("closed twice: %v", err)
	}
	wg.Wait()
}

func TestConnectionsAreBounded(t *testing.T) {
	d := startDirectory(t, DirectoryOptions{})
	var conns []net.Conn
	defer func() {
		for _, nc := range conns {
			_ = nc.Close() // some are closed by the other end
		}
	}()
	for range directoryMaxConns + 1 {
		nc, err := net.Dial("tcp", strings.TrimPrefix(d.URL(), "ldap://"))
		if err != nil {
			t.Skipf("the machine does not allow it: %v", err)
		}
		conns = append(conns, nc)
	}
	last := conns[len(conns)-1]
	if err := last.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if n, err := last.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Errorf("one too many is served: %d %v", n, err)
	}
}

// No password is ever logged.
func TestLogHidesPasswords(t *testing.T) {
	var mu sync.Mutex
	var log bytes.Buffer
	out := slog.New(slog.NewTextHandler(lockedWriter{&mu, &log}, &slog.HandlerOptions{Level: slog.LevelDebug}))
	d := startDirectory(t, DirectoryOptions{Traits: adTraits, Log: out})
	c := bindDirectory(t, d)
	_ = c.Bind("alice@example.test", "s3cret-wrong") // only the log matters
	_ = c.Bind("alice@example.test", DemoPassword)
	mu.Lock()
	defer mu.Unlock()
	if !strings.Contains(log.String(), "alice@example.test") {
		t.Error("binds are not logged")
	}
	for _, secret := range []string{"s3cret", DemoPassword, d.BindPassword()} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("the log tells %q", secret)
		}
	}
}

type lockedWriter struct {
	mu *sync.Mutex
	w  io.Writer
}

func (l lockedWriter) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}

// The client that everybody has understands the directory.
func TestLDAPSearchCommand(t *testing.T) {
	path, err := exec.LookPath("ldapsearch")
	if err != nil {
		t.Skip("ldapsearch is not installed")
	}
	d := startDirectory(t, DirectoryOptions{Traits: adTraits, Users: 20})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, path, "-x", "-LLL", "-o", "ldif-wrap=no", "-H", d.URL(), "-D", "alice@example.test", "-w", DemoPassword,
		"-E", "pr=5/noprompt", "-b", d.BaseDN(), "(sAMAccountName=user*)", "mail").CombinedOutput()
	if err != nil || strings.Count(string(out), "\nmail: user000") != 20 {
		t.Errorf("%v\n%s", err, out)
	}
}
