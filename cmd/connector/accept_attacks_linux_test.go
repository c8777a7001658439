package main

import (
	"bufio"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"html"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"ad-ldap-connector/pkg/sandbox"
	"ad-ldap-connector/testdata/lab"
)

// attacked is a node with all ways in, and a directory that lets in whoever
// brings no password at all.
type attacked struct {
	*testing.T
	cloud     *sandbox.Cloud
	directory *sandbox.Directory
	node      *invocation
	base      string
	address   string // of PORT
	root      *lab.PKI
	kdc       *lab.KDCServer
	cache     string // alice's tickets
	session   string // SESSION_SECRET
}

const attackedHost = "login.lab.test"

func newAttacked(t *testing.T) *attacked {
	t.Helper()
	a := &attacked{T: t, root: lab.NewPKI(t, "/CN=Corp Root", nil), kdc: lab.KDC(t, "HTTP/"+attackedHost, "alice"), session: "0123456789abcdef0123456789abcdef"}
	keytab := a.kdc.Keytab("HTTP/" + attackedHost)
	a.cache = a.kdc.Cache(a.kdc.Keytab("alice"), "alice", "1h")
	var err error
	if a.cloud, err = sandbox.StartCloud(sandbox.CloudOptions{State: filepath.Join(t.TempDir(), "tenant"), Timeout: patience, Kerberos: true, CertAuth: true}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.cloud.Close() }) // the test has ended
	if a.directory, err = sandbox.StartDirectory(sandbox.DirectoryOptions{Traits: sandbox.Traits{ActiveDirectory: true}}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.directory.Close() }) // the same
	c, port := newCLI(t), strconv.Itoa(lab.FreePort(t))
	a.base, a.address = "https://"+attackedHost+":"+port, "127.0.0.1:"+port
	cert, key := a.root.Issue("/CN="+attackedHost, "subjectAltName=DNS:"+attackedHost+"\nextendedKeyUsage=serverAuth")
	c.must("install", "--no-service", "--non-interactive", "--skip", "host.disk", "--ticket-file", c.file("ticket.txt", a.cloud.Ticket()), "--ca-file", a.cloud.CAFile(),
		"--ldap-url", a.directory.URL(), "--ldap-bind-user", a.directory.BindUser(), "--ldap-bind-password-file", c.file("password.txt", a.directory.BindPassword()))
	c.configure(map[string]any{
		"PORT": port, "SERVER_URL": a.base, "TLS_CERT": cert, "TLS_KEY": key, "KERBEROS_KEYTAB": keytab, "CA_CERT": readFile(t, a.root.CAFile),
		"KERBEROS_REALMS": "LAB.TEST", "WITH_KERBEROS_PROXY_FRONTEND": true, "TRUSTED_PROXIES": []string{"127.0.0.2"}, "TRUSTED_PROXY_SECRET": proxySecret,
		"SESSION_SECRET": a.session, "LDAP_USER_BY_NAME": "(|(sAMAccountName={0})(mail={0}))",
	})
	a.node = c.start("run", "--home", c.home)
	awaitAgent(t, a.cloud)
	awaitMetadata(t, a.base, a.address)
	return a
}

// A caller is somebody at the door.
type caller struct {
	*http.Client
	a *attacked
}

// caller comes from an address of this machine, with a certificate's files or
// without.
func (a *attacked) caller(t *testing.T, from string, files ...string) *caller {
	t.Helper()
	way := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}} // the node is the test's own
	if len(files) == 2 {
		pair, err := tls.LoadX509KeyPair(files[0], files[1])
		if err != nil {
			t.Fatal(err)
		}
		way.TLSClientConfig.Certificates = []tls.Certificate{pair}
	}
	dialer := &net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.MustParseAddrPort(from + ":0"))}
	way.DialContext = unguardedDial(dialer, a.address)
	t.Cleanup(way.CloseIdleConnections)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &caller{&http.Client{Transport: way, Jar: jar, Timeout: patience, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}, a}
}

// A said is an answer that has been read.
type said struct {
	*http.Response
	body string
}

func (s said) isForm() bool { return isForm(s.body) }
func (s said) signedIn() bool {
	return s.StatusCode == http.StatusOK && strings.Contains(s.body, "wresult")
}

var wresultField = regexp.MustCompile(`name="wresult" value="([^"]*)"`)

func (s said) wresult() string {
	if m := wresultField.FindStringSubmatch(s.body); m != nil {
		return html.UnescapeString(m[1])
	}
	return ""
}

// do sends a request; a body is a form's.
func (c *caller) do(t *testing.T, method, path, body string, header ...string) said {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, c.a.base+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	res, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }() // it was only read
	data, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return said{res, string(data)}
}

const attackedPage = "/wsfed?wa=wsignin1.0&wtrealm=urn%3Aauth0%3Asandbox&wctx=x"

// login fills the form in.
func (c *caller) login(t *testing.T, username, password string, header ...string) said {
	t.Helper()
	form := c.do(t, http.MethodGet, attackedPage+"&wprompt=consent", "")
	token := formToken.FindStringSubmatch(form.body)
	if token == nil {
		t.Fatalf("no form: %d %s", form.StatusCode, form.body)
	}
	return c.do(t, http.MethodPost, attackedPage, url.Values{"username": {username}, "password": {password}, "token": token[1:]}.Encode(), header...)
}

func (c *caller) direct(t *testing.T, body string, header ...string) said {
	t.Helper()
	return c.do(t, http.MethodPost, "/wsfed/direct", body, header...)
}

// TestAttacks has everything tried that is known to be possible with the
// connector before this one. The names are those of the list of its weaknesses:
// identity and authentication (1), the web surface (5). What is not of the
// browser's door is where the hub, the directory and the console are tested.
func TestAttacks(t *testing.T) {
	t.Parallel()
	a := newAttacked(t)
	for _, one := range []struct {
		name string
		try  func(*attacked, *testing.T)
	}{
		{"1.1 a user's name in a header of anybody", (*attacked).forgedHeaders},
		{"1.2 a back end beside the door", (*attacked).backEnd},
		{"1.3 a setting's name as wtrealm", (*attacked).realms},
		{"1.4 no password", (*attacked).noPassword},
		{"1.5 and 1.6 a filter as the name", (*attacked).filters},
		{"1.7 a name of two, and of another realm", (*attacked).twoOfAName},
		{"1.8 credentials in the address", (*attacked).credentialsInTheAddress},
		{"1.9 a command's token at the door", (*attacked).commandToken},
		{"1.10 what a refusal tells", (*attacked).refusal},
		{"1.11 guessing", (*attacked).guessing},
		{"4.31 the default session secret, and sessions of before", (*attacked).formerSessions},
		{"5.34 certificates", (*attacked).certificates},
		{"5.39 open redirect", (*attacked).redirects},
		{"5.39 header echo", (*attacked).echo},
		{"5.39 login CSRF", (*attacked).loginCSRF},
		{"5.39 markup in what is shown again", (*attacked).markup},
		{"5.39 the assertion: its context, id, method and life", (*attacked).assertion},
		{"5.39 metadata with a query, and of another host", (*attacked).metadata},
		{"5.40 the size of headers", (*attacked).headerSize},
		{"6 old TLS", (*attacked).oldTLS},
		{"a replayed authenticator", (*attacked).replay},
		{"a token for another connection", (*attacked).otherBinding},
		{"5.39 stack traces, when the directory is gone", (*attacked).stackTraces}, // the last: it is
	} {
		t.Run(one.name, func(t *testing.T) { one.try(a, t) })
	}
	for _, secret := range []string{sandbox.DemoPassword, proxySecret, a.session, a.directory.BindPassword()} {
		if strings.Contains(a.node.stderr.String(), secret) {
			t.Errorf("%q is in the log", secret)
		}
	}
}

// atOnce does something to all at the same time: each refusal takes a second.
func atOnce[T any](all []T, do func(T)) {
	var under sync.WaitGroup
	for _, one := range all {
		under.Go(func() { do(one) })
	}
	under.Wait()
}

func (a *attacked) forgedHeaders(t *testing.T) {
	for from, secret := range map[string][]string{
		"127.0.0.1": {secretHeader, proxySecret}, // somebody who even knows the secret
		"127.0.0.2": nil,                         // the proxy's address, without it
	} {
		c := a.caller(t, from)
		for name, value := range map[string]string{
			"X-Forwarded-User": "alice", "X-IISNode-Logon_User": `CORP\alice`, "X-Remote-User": "alice", "Remote-User": "alice", "X-SSL-Client-Cert": "alice",
		} {
			if in := c.do(t, http.MethodGet, attackedPage, "", append(secret, name, value)...); !in.isForm() {
				t.Errorf("%s from %s: %d %s", name, from, in.StatusCode, in.body)
			}
		}
	}
	if in := a.caller(t, "127.0.0.2").do(t, http.MethodGet, attackedPage, "", secretHeader, "wrong-"+proxySecret, "X-Forwarded-User", "alice"); !in.isForm() {
		t.Errorf("another secret: %s", in.body)
	}
	// The door is not shut for who may: else all of this would prove nothing.
	if in := a.caller(t, "127.0.0.2").do(t, http.MethodGet, attackedPage, "", secretHeader, proxySecret, "X-Forwarded-User", "alice@LAB.TEST"); !in.signedIn() {
		t.Errorf("the proxy itself: %d %s", in.StatusCode, in.body)
	}
}

// backEnd looks for a port behind the door that takes what nobody has looked at.
func (a *attacked) backEnd(t *testing.T) {
	open := listening(t, a.node.cmd.Process.Pid)
	door := a.address[strings.LastIndexByte(a.address, ':'):]
	for _, at := range open {
		if !strings.HasSuffix(at, door) && !netip.MustParseAddrPort(at).Addr().Unmap().IsLoopback() {
			t.Errorf("it listens on %s too", at)
		}
	}
	if !slices.ContainsFunc(open, func(at string) bool { return strings.HasSuffix(at, door) }) {
		t.Errorf("it listens on %v", open)
	}
}

// listening are the addresses on which a process accepts connections.
func listening(t *testing.T, pid int) (open []string) {
	t.Helper()
	mine := map[string]bool{}
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if to, err := os.Readlink(file); err == nil { // it may have been closed
			mine[strings.TrimSuffix(strings.TrimPrefix(to, "socket:["), "]")] = true
		}
	}
	for _, table := range []string{"tcp", "tcp6"} {
		for _, line := range strings.Split(readFile(t, fmt.Sprintf("/proc/%d/net/%s", pid, table)), "\n") {
			f := strings.Fields(line)
			if len(f) < 10 || f[3] != "0A" || !mine[f[9]] {
				continue
			}
			host, port, _ := strings.Cut(f[1], ":")
			raw, err := hex.DecodeString(host)
			if err != nil {
				t.Fatal(err)
			}
			for word := range slices.Chunk(raw, 4) { // each in the machine's order
				slices.Reverse(word)
			}
			ip, _ := netip.AddrFromSlice(raw)
			n, err := strconv.ParseUint(port, 16, 16)
			if err != nil {
				t.Fatal(err)
			}
			open = append(open, netip.AddrPortFrom(ip, uint16(n)).String())
		}
	}
	return open
}

func (a *attacked) realms(t *testing.T) {
	c := a.caller(t, "127.0.0.1")
	if in := c.login(t, "alice", sandbox.DemoPassword); !in.signedIn() {
		t.Fatalf("%d %s", in.StatusCode, in.body)
	}
	for _, name := range []string{"SESSION_SECRET", "TENANT_SIGNING_KEY", "LDAP_BIND_CREDENTIALS", "AUTH_CERT_KEY", "TRUSTED_PROXY_SECRET", "PATH", "HOME", "1", "0", "__proto__", "constructor"} {
		for _, query := range []string{"wtrealm=" + name, "wtrealm=" + name + "&wreply=" + url.QueryEscape(a.session), "wtrealm=" + name + "&wreply=" + name} {
			in := c.do(t, http.MethodGet, "/wsfed?"+query, "")
			if in.StatusCode != http.StatusBadRequest || in.signedIn() || strings.Contains(in.body, "action=") || strings.Contains(in.body, a.session) || strings.Contains(in.body, "BEGIN") {
				t.Errorf("%s: %d %s", query, in.StatusCode, in.body)
			}
		}
	}
	for _, reply := range []string{"https://evil.example/", a.cloud.URL() + "/login/callback/../x", a.cloud.URL() + "@evil.example/", "javascript:alert(1)", "//evil.example"} {
		if in := c.do(t, http.MethodGet, attackedPage+"&wreply="+url.QueryEscape(reply), ""); in.StatusCode != http.StatusBadRequest || strings.Contains(in.body, "wresult") {
			t.Errorf("%s: %d %s", reply, in.StatusCode, in.body)
		}
	}
}

func (a *attacked) noPassword(t *testing.T) {
	c := a.caller(t, "127.0.0.1")
	for _, body := range []string{"username=mary.smith", "username=mary.smith&password=", "username=mary.smith&password[]=x", "password=x"} {
		if in := c.direct(t, body); in.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s: %d %s", body, in.StatusCode, in.body)
		}
	}
	for _, body := range []string{`{"username":"mary.smith"}`, `{"username":"mary.smith","password":null}`, `{"username":"mary.smith","password":0}`, `{"username":"mary.smith","password":[""]}`, `{"username":"mary.smith","password":{"$ne":""}}`} {
		if in := c.direct(t, body, "Content-Type", "application/json"); in.StatusCode == http.StatusOK {
			t.Errorf("%s: %d %s", body, in.StatusCode, in.body)
		}
	}
	if in := c.login(t, "mary.smith", ""); !in.isForm() {
		t.Errorf("the form: %d %s", in.StatusCode, in.body)
	}
}

func (a *attacked) filters(t *testing.T) {
	c := a.caller(t, "127.0.0.1")
	atOnce([]string{"car*", "*", "carol)(cn=*", "carol*)(|(cn=*", `car\6fl`, "carol\x00", "(carol)", "carol)(objectClass=*))(|(x=y", "car$&ol", "$`carol", "carol$$", "{0}"}, func(name string) {
		if in := c.direct(t, url.Values{"username": {name}, "password": {sandbox.DemoPassword}}.Encode()); in.StatusCode != http.StatusUnauthorized {
			t.Errorf("%q: %d %s", name, in.StatusCode, in.body)
		}
	})
	for _, name := range []string{"car*", "carol)(cn=*"} {
		if in := c.login(t, name, sandbox.DemoPassword); !in.isForm() || in.StatusCode != http.StatusForbidden {
			t.Errorf("%q: %d %s", name, in.StatusCode, in.body)
		}
		cert, key := a.root.Issue("/CN="+name, lab.UserExtensions)
		if in := a.caller(t, "127.0.0.1", cert, key).do(t, http.MethodGet, attackedPage, ""); !in.isForm() {
			t.Errorf("%q as a certificate's: %d %s", name, in.StatusCode, in.body)
		}
		if in := a.caller(t, "127.0.0.2").do(t, http.MethodGet, attackedPage, "", secretHeader, proxySecret, "X-Forwarded-User", name); !in.isForm() {
			t.Errorf("%q as a proxy's: %d %s", name, in.StatusCode, in.body)
		}
	}
	if in := c.direct(t, url.Values{"username": {"carol"}, "password": {sandbox.DemoPassword}, "escaped": {"true"}}.Encode()); in.StatusCode != http.StatusOK {
		t.Errorf("carol herself: %d %s", in.StatusCode, in.body)
	}
	if in := c.direct(t, url.Values{"username": {"car*"}, "password": {sandbox.DemoPassword}, "escaped": {"true"}}.Encode()); in.StatusCode == http.StatusOK {
		t.Errorf("who says that it is escaped: %d %s", in.StatusCode, in.body)
	}
}

func (a *attacked) twoOfAName(t *testing.T) {
	c := a.caller(t, "127.0.0.1")
	if in := c.login(t, "twins@example.test", sandbox.DemoPassword); !in.isForm() || !strings.Contains(in.body, "is incorrect") {
		t.Errorf("one of two: %d %s", in.StatusCode, in.body)
	}
	for _, name := range []string{"alice@EVIL.EXAMPLE", `EVIL\alice`} {
		if in := a.caller(t, "127.0.0.2").do(t, http.MethodGet, attackedPage, "", secretHeader, proxySecret, "X-Forwarded-User", name); !in.isForm() {
			t.Errorf("%s: %d %s", name, in.StatusCode, in.body)
		}
	}
}

func (a *attacked) credentialsInTheAddress(t *testing.T) {
	c := a.caller(t, "127.0.0.1")
	credentials := "&username=mary.smith&password=" + url.QueryEscape(sandbox.DemoPassword)
	if in := c.do(t, http.MethodGet, attackedPage+credentials, ""); !in.isForm() || strings.Contains(in.body, sandbox.DemoPassword) || strings.Contains(in.body, "mary") {
		t.Errorf("%d %s", in.StatusCode, in.body)
	}
	if in := c.do(t, http.MethodPost, "/wsfed/direct?x=y"+credentials, "a=b"); in.StatusCode != http.StatusUnauthorized {
		t.Errorf("direct: %d %s", in.StatusCode, in.body)
	}
}

func (a *attacked) commandToken(t *testing.T) {
	c := a.caller(t, "127.0.0.1")
	for _, path := range []string{"/users?criteria=a", "/users", "/test-iis"} {
		if in := c.do(t, http.MethodGet, path, "", "Authorization", "Bearer eyJhbGciOiJub25lIn0.e30."); in.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %d %s", path, in.StatusCode, in.body)
		}
	}
}

func (a *attacked) refusal(t *testing.T) {
	c := a.caller(t, "127.0.0.1")
	atOnce([]string{"username=mary.smith&password=wrong", "username=nobody-of-this-name&password=wrong", "username=locked&password=wrong", "username=disabled&password=wrong"}, func(body string) {
		in := c.direct(t, body)
		if in.StatusCode != http.StatusUnauthorized || strings.TrimSpace(in.body) != `{"invalid_user_password":"Wrong email or password."}` {
			t.Errorf("%s: %d %s", body, in.StatusCode, in.body)
		}
	})
	one, other := c.login(t, "mary.smith", "wrong"), c.login(t, "nobody-else-of-it", "wrong")
	shape := func(s said, name string) string {
		text := strings.ReplaceAll(s.body, name, "NAME")
		return regexp.MustCompile(`value="[^"]*"`).ReplaceAllString(text, "")
	}
	if shape(one, "mary.smith") != shape(other, "nobody-else-of-it") || one.StatusCode != other.StatusCode {
		t.Errorf("a wrong password and an unknown name differ:\n%s\n%s", one.body, other.body)
	}
}

func (a *attacked) guessing(t *testing.T) {
	c := a.caller(t, "127.0.0.1")
	// Each from an address of its own, by its own word, and spelt anew.
	atOnce([]string{"bob.johnson", "BOB.JOHNSON", "bob.johnson@example.test", `CORP\bob.johnson`}, func(name string) {
		c.direct(t, url.Values{"username": {name}, "password": {"guess"}}.Encode(), "X-Forwarded-For", fmt.Sprintf("192.0.2.%d", len(name)))
	})
	in := c.direct(t, url.Values{"username": {"bob.johnson"}, "password": {sandbox.DemoPassword}}.Encode(), "X-Forwarded-For", "192.0.2.99")
	if in.StatusCode != http.StatusTooManyRequests || in.Header.Get("Retry-After") == "" {
		t.Errorf("the fifth: %d %s", in.StatusCode, in.body)
	}
}

// formerSessions brings the cookie of the connector before, sealed with the key
// that is set here, and with the one that everybody knows.
func (a *attacked) formerSessions(t *testing.T) {
	for _, secret := range []string{a.session, "a1b2c3d4567a1b2c3d4567a1b2c3d456"} {
		block, err := aes.NewCipher([]byte(secret))
		if err != nil {
			t.Fatal(err)
		}
		gcm, err := cipher.NewGCMWithNonceSize(block, 16)
		if err != nil {
			t.Fatal(err)
		}
		nonce := make([]byte, 16)
		sealed := gcm.Seal(nil, nonce, fmt.Appendf(nil, `{"d":{"user":{"id":"alice","displayName":"Alice"}},"t":%d}`, time.Now().UnixMilli()), nil)
		at := len(sealed) - 16
		value := hex.EncodeToString(sealed[:at]) + "$" + hex.EncodeToString(nonce) + "$" + hex.EncodeToString(sealed[at:])
		for _, name := range []string{"auth0-ad-conn", "connector-session", "__Host-connector-session"} {
			if in := a.caller(t, "127.0.0.1").do(t, http.MethodGet, attackedPage, "", "Cookie", name+"="+value); !in.isForm() {
				t.Errorf("%s: %d %s", name, in.StatusCode, in.body)
			}
		}
	}
}

func (a *attacked) certificates(t *testing.T) {
	stranger := lab.NewPKI(t, "/CN=Corp Root", nil)
	issue := func(p *lab.PKI, subject, extensions string) []string {
		cert, key := p.Issue(subject, extensions)
		return []string{cert, key}
	}
	for name, files := range map[string][]string{
		"none":                        nil,
		"of nobody":                   issue(a.root, "/CN=nobody-of-this-name", lab.UserExtensions),
		"another authority's":         issue(stranger, "/CN=alice", lab.UserExtensions),
		"a server's":                  issue(a.root, "/CN=alice", "extendedKeyUsage=serverAuth"),
		"of a user who is locked out": issue(a.root, "/CN=disabled", lab.UserExtensions),
	} {
		in := a.caller(t, "127.0.0.1", files...).do(t, http.MethodGet, attackedPage, "")
		if !in.isForm() || in.Header.Get("WWW-Authenticate") != "Negotiate" { // both ways at once, over TLS
			t.Errorf("%s: %d %v %s", name, in.StatusCode, in.Header, in.body)
		}
	}
	in := a.caller(t, "127.0.0.1", issue(a.root, "/CN=alice", lab.UserExtensions)...).do(t, http.MethodGet, attackedPage, "")
	if !in.signedIn() || !strings.Contains(in.wresult(), "urn:ietf:rfc:2246") {
		t.Errorf("a good one: %d %s", in.StatusCode, in.body)
	}
}

func (a *attacked) redirects(t *testing.T) {
	c := a.caller(t, "127.0.0.1")
	for _, to := range []string{"https://evil.example/", "//evil.example", `\\evil.example`, "https:evil.example", "javascript:alert(1)", a.cloud.URL() + ".evil.example/", a.cloud.URL() + "@evil.example/", "https://" + attackedHost + "@evil.example", "\t//evil.example"} {
		if in := c.do(t, http.MethodGet, "/logout?returnTo="+url.QueryEscape(to), ""); in.Header.Get("Location") != "" || in.StatusCode != http.StatusOK {
			t.Errorf("%s leads to %s", to, in.Header.Get("Location"))
		}
	}
	if in := c.do(t, http.MethodGet, "//evil.example/%2e%2e", ""); strings.Contains(in.Header.Get("Location"), "evil") && !strings.HasPrefix(in.Header.Get("Location"), "/evil") {
		t.Errorf("a path leads to %s", in.Header.Get("Location"))
	}
}

func (a *attacked) echo(t *testing.T) {
	c := a.caller(t, "127.0.0.1")
	for _, path := range []string{"/test-headers", "/test-iis", "/", "/wsfed/x", "/logout"} {
		if in := c.do(t, http.MethodGet, path, "", "X-Mark", "shown-again", "Cookie", "x=shown-again", "User-Agent", "shown-again"); strings.Contains(in.body, "shown-again") {
			t.Errorf("%s: %s", path, in.body)
		}
	}
	if in := c.do(t, "TRACE", "/wsfed", "", "X-Mark", "shown-again"); in.StatusCode < 400 || strings.Contains(in.body, "shown-again") {
		t.Errorf("TRACE: %d %s", in.StatusCode, in.body)
	}
}

func (a *attacked) loginCSRF(t *testing.T) {
	mallory, visitor := a.caller(t, "127.0.0.1"), a.caller(t, "127.0.0.1")
	token := formToken.FindStringSubmatch(mallory.do(t, http.MethodGet, attackedPage, "").body)
	own := formToken.FindStringSubmatch(visitor.do(t, http.MethodGet, attackedPage, "").body)
	fields := func(token string) string {
		return url.Values{"username": {"nogroups"}, "password": {sandbox.DemoPassword}, "token": {token}}.Encode()
	}
	if in := visitor.do(t, http.MethodPost, attackedPage, fields(token[1])); in.signedIn() {
		t.Error("another's form was taken")
	}
	for name, value := range map[string]string{"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"} {
		if in := visitor.do(t, http.MethodPost, attackedPage, fields(own[1]), name, value); in.signedIn() {
			t.Errorf("%s: another site's post was taken", name)
		}
		if in := visitor.direct(t, fields(""), name, value); in.signedIn() {
			t.Errorf("%s: another site's post was taken directly", name)
		}
	}
	in := visitor.do(t, http.MethodPost, attackedPage, fields(own[1]))
	if !in.signedIn() {
		t.Errorf("the visitor's own: %d %s", in.StatusCode, in.body)
	}
	for _, c := range in.Cookies() {
		if !strings.HasPrefix(c.Name, "__Host-") || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode {
			t.Errorf("%s", c)
		}
	}
}

func (a *attacked) markup(t *testing.T) {
	c := a.caller(t, "127.0.0.1")
	const mark = `"><script>alert(1)</script>`
	for name, in := range map[string]said{
		"the name": c.login(t, mark, "wrong"), "the realm": c.do(t, http.MethodGet, "/wsfed?wtrealm="+url.QueryEscape(mark), ""),
		"the context": c.do(t, http.MethodGet, attackedPage[:strings.LastIndex(attackedPage, "=")+1]+url.QueryEscape(mark), ""),
		"a member":    c.direct(t, url.Values{"username": {"carol"}, "password": {sandbox.DemoPassword}, "x": {mark}}.Encode()),
	} {
		if strings.Contains(in.body, "<script>alert") || in.Header.Get("X-Frame-Options") != "DENY" || strings.Contains(in.Header.Get("Content-Security-Policy"), "unsafe") {
			t.Errorf("%s: %v %s", name, in.Header, in.body)
		}
	}
}

func (a *attacked) assertion(t *testing.T) {
	c, seen := a.caller(t, "127.0.0.1"), map[string]bool{}
	for range 3 {
		in := c.do(t, http.MethodPost, "/wsfed/direct", url.Values{"username": {"carol"}, "password": {sandbox.DemoPassword}}.Encode())
		text := in.wresult()
		id := regexp.MustCompile(`AssertionID="(_[0-9a-f]{32})"`).FindStringSubmatch(text)
		if id == nil || seen[id[1]] || strings.Contains(text, "undefined") {
			t.Fatalf("%d %s", in.StatusCode, text)
		}
		seen[id[1]] = true
		times := regexp.MustCompile(`NotBefore="([^"]+)" NotOnOrAfter="([^"]+)"`).FindStringSubmatch(text)
		begins, err := time.Parse(time.RFC3339, times[1])
		if err != nil {
			t.Fatal(err)
		}
		ends, err := time.Parse(time.RFC3339, times[2])
		if err != nil || ends.Sub(begins) > 6*time.Minute {
			t.Errorf("it is good from %s until %s, %v", begins, ends, err)
		}
	}
	// Without a context there is none: not the word "undefined".
	form := c.do(t, http.MethodGet, "/wsfed", "")
	in := c.do(t, http.MethodPost, "/wsfed", url.Values{"username": {"carol"}, "password": {sandbox.DemoPassword}, "token": formToken.FindStringSubmatch(form.body)[1:]}.Encode())
	if !strings.Contains(in.wresult(), `Context=""`) || !strings.Contains(in.wresult(), "am:password") {
		t.Errorf("%s", in.wresult())
	}
}

func (a *attacked) metadata(t *testing.T) {
	c := a.caller(t, "127.0.0.1")
	plain := c.do(t, http.MethodGet, metadataPath, "")
	if !strings.Contains(plain.body, "<Address>"+a.base+"/wsfed</Address>") {
		t.Fatalf("%s", plain.body)
	}
	for name, in := range map[string]said{
		"a query": c.do(t, http.MethodGet, metadataPath+"?x=/wsfed/FederationMetadata", ""),
		"a host":  c.do(t, http.MethodGet, metadataPath, "", "X-Forwarded-Host", "evil.example", "X-Forwarded-Proto", "http", "X-IISNode-HTTPS", "off"),
	} {
		if in.body != plain.body {
			t.Errorf("%s: %s", name, in.body)
		}
	}
}

func (a *attacked) headerSize(t *testing.T) {
	c := a.caller(t, "127.0.0.1")
	if in := c.do(t, http.MethodGet, attackedPage, "", "X-Large", strings.Repeat("x", 60<<10)); !in.isForm() {
		t.Errorf("60 KiB: %d %s", in.StatusCode, in.body)
	}
	conn, err := tls.Dial("tcp", a.address, &tls.Config{InsecureSkipVerify: true}) // the node is the test's own
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }() // it was only read
	go func() {                         // it may be answered, and closed, before all is sent
		_, _ = io.WriteString(conn, "GET /wsfed HTTP/1.1\r\nHost: x\r\nX-Large: "+strings.Repeat("x", 80<<10)+"\r\n\r\n")
	}()
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || res.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("80 KiB: %v %v", res, err)
	}
}

// replay brings a service ticket's token twice, as whoever has overheard it can.
func (a *attacked) replay(t *testing.T) {
	c := a.caller(t, "127.0.0.1")
	once := a.kdc.Initiate(a.cache, "HTTP@"+attackedHost, nil, func(token string) string {
		in := c.do(t, http.MethodGet, attackedPage, "", "Authorization", "Negotiate "+token)
		if !in.signedIn() || !strings.Contains(in.wresult(), "urn:ietf:rfc:1510") {
			t.Fatalf("the first time: %d %s", in.StatusCode, in.body)
		}
		if again := a.caller(t, "127.0.0.1").do(t, http.MethodGet, attackedPage, "", "Authorization", "Negotiate "+token); !again.isForm() {
			t.Errorf("the second time: %d %s", again.StatusCode, again.body)
		}
		return strings.TrimPrefix(in.Header.Get("WWW-Authenticate"), "Negotiate ")
	})
	if once != "complete" || !strings.Contains(a.node.stderr.String(), "has been used before") {
		t.Errorf("%s, the log: %s", once, a.node.stderr)
	}
}

// otherBinding brings a token that was made for a TLS connection to somebody else,
// as one between the browser and us would pass on.
func (a *attacked) otherBinding(t *testing.T) {
	shown, err := tls.Dial("tcp", a.address, &tls.Config{InsecureSkipVerify: true}) // the node is the test's own
	if err != nil {
		t.Fatal(err)
	}
	ours := sha256.Sum256(shown.ConnectionState().PeerCertificates[0].Raw)
	_ = shown.Close() // it was only looked at
	theirs := sha256.Sum256([]byte("another's"))
	for _, sum := range [][32]byte{ours, theirs} {
		a.kdc.Initiate(a.cache, "HTTP@"+attackedHost, append([]byte("tls-server-end-point:"), sum[:]...), func(token string) string {
			in := a.caller(t, "127.0.0.1").do(t, http.MethodGet, attackedPage, "", "Authorization", "Negotiate "+token)
			if in.signedIn() != (sum == ours) || in.isForm() != (sum == theirs) {
				t.Errorf("ours: %t; %d %s", sum == ours, in.StatusCode, in.body)
			}
			return strings.TrimPrefix(in.Header.Get("WWW-Authenticate"), "Negotiate ")
		})
	}
}

func (a *attacked) oldTLS(t *testing.T) {
	for name, c := range map[string]*tls.Config{
		"TLS 1.1":              {MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11},
		"no forward secrecy":   {MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_RSA_WITH_AES_256_CBC_SHA}},
		"CBC in place of AEAD": {MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA}},
	} {
		c.InsecureSkipVerify = true // the node is the test's own
		if conn, err := tls.Dial("tcp", a.address, c); err == nil {
			_ = conn.Close() // it should not be
			t.Errorf("%s was taken", name)
		}
	}
}

func (a *attacked) stackTraces(t *testing.T) {
	c := a.caller(t, "127.0.0.1")
	address := strings.TrimPrefix(a.directory.URL(), "ldap://")
	if err := a.directory.Close(); err != nil {
		t.Fatal(err)
	}
	for name, in := range map[string]said{"the form": c.login(t, "alice", sandbox.DemoPassword), "direct": c.direct(t, url.Values{"username": {"alice"}, "password": {sandbox.DemoPassword}}.Encode())} {
		if in.StatusCode != http.StatusServiceUnavailable || !strings.Contains(in.body, "Reference: <code>") {
			t.Errorf("%s: %d %s", name, in.StatusCode, in.body)
		}
		for _, no := range []string{".go:", "goroutine", address, "CN=", "DC=", "dial", "LDAP"} {
			if strings.Contains(in.body, no) {
				t.Errorf("%s tells of %s: %s", name, no, in.body)
			}
		}
	}
}
