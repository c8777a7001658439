package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"ad-ldap-connector/pkg/config"
	"ad-ldap-connector/pkg/tenant"
	"ad-ldap-connector/testdata/lab"
)

// No client asks a proxy for localhost or 127.*, so the tests need another name
// for this machine, which only the proxy has to know. squid reads a hosts file
// of its own; tinyproxy asks the C library, which reads "127.1" as 127.0.0.1
// (inet_aton), whereas net/netip, and with it httpproxy, takes it for a name.
const (
	squidName     = "tenant.example.test"
	tinyproxyName = "127.1"
)

// origin starts a tenant and hub over TLS, known by all the names, and returns
// its port and the CA that issued its certificate.
func origin(t *testing.T) (port string, ca *lab.CA) {
	t.Helper()
	ca = lab.NewCA(t, t.TempDir())
	certificate, err := tls.LoadX509KeyPair(ca.Issue(t, squidName, tinyproxyName, "127.0.0.1"))
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Proxy-Authorization") != "" {
			t.Error("the proxy's credentials reach the tenant")
		}
		if r.URL.Path == "/lo/hub" {
			c, err := websocket.Accept(w, r, nil)
			if err != nil {
				t.Error(err)
				return
			}
			defer func() { _ = c.CloseNow() }() // the client has closed it
			kind, data, err := c.Read(r.Context())
			if websocket.CloseStatus(err) == websocket.StatusNormalClosure {
				return // it came to look
			}
			if err == nil {
				err = c.Write(r.Context(), kind, data)
			}
			if err != nil {
				t.Error(err)
			}
			<-c.CloseRead(r.Context()).Done() // answers the client's close
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"adHub":"https://h/lo/hub","connectionName":"c","realm":{"name":"r"},"clock":%d}`, time.Now().UnixMilli()) // the client may be gone
	}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}}
	s.StartTLS()
	t.Cleanup(s.Close)
	_, port, err = net.SplitHostPort(s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port, ca
}

// reach makes a transport and asks the tenant behind the proxy for a
// connection; then, if that went well, it speaks to the hub.
func reach(t *testing.T, n config.Network, host string) error {
	t.Helper()
	tr, err := newTransport(n, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tr.HTTP.CloseIdleConnections)
	return reachBy(t, tr, host)
}

func reachBy(t *testing.T, tr *transport, host string) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	ticket, err := tenant.ParseTicket("https://" + host + "/p/ad/x1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (&tenant.Client{HTTP: tr.HTTP}).Connection(ctx, ticket); err != nil {
		return err
	}
	hub, _, err := websocket.Dial(ctx, "wss://"+host+"/lo/hub", &websocket.DialOptions{HTTPClient: tr.HTTP})
	if err != nil {
		return tenant.Explain("connect to the hub", host, err)
	}
	defer func() { _ = hub.CloseNow() }() // it was closed properly below
	if err := hub.Write(ctx, websocket.MessageText, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	if _, echo, err := hub.Read(ctx); err != nil || string(echo) != "hello" {
		t.Fatalf("%q, %v", echo, err)
	}
	_ = hub.Close(websocket.StatusNormalClosure, "") // the other end may be quicker
	return nil
}

// wants fails unless err is an *Error of the cause that keeps the credentials
// to itself.
func wants(t *testing.T, err error, cause tenant.Cause, text string, secrets ...string) {
	t.Helper()
	var e *tenant.Error
	if !errors.As(err, &e) || e.Cause != cause || !strings.Contains(e.Error(), text) || e.Hint() == "" {
		t.Errorf("want %s (%s), got %v", cause, text, err)
		return
	}
	for inner := error(e); inner != nil; inner = errors.Unwrap(inner) {
		for _, s := range secrets {
			if shown := fmt.Sprintf("%v %+v %#v", inner, inner, inner); strings.Contains(shown, s) {
				t.Errorf("the error shows %q: %s", s, shown)
			}
		}
	}
}

func secretURL(scheme, user, password, host string) config.Secret {
	return config.Secret((&url.URL{Scheme: scheme, User: url.UserPassword(user, password), Host: host}).String())
}

func startTinyproxy(t *testing.T, lines ...string) (address string, said *transcript) {
	t.Helper()
	program := requireProgram(t, "tinyproxy")
	return startListener(t, func(port int) *exec.Cmd {
		file := filepath.Join(t.TempDir(), "tinyproxy.conf")
		text := fmt.Sprintf("Port %d\nListen 127.0.0.1\nTimeout 60\nLogLevel Info\nMaxClients 20\nAllow 127.0.0.1\n%s\n", port, strings.Join(lines, "\n"))
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return exec.Command(program, "-d", "-c", file)
	})
}

func TestTinyproxy(t *testing.T) {
	port, ca := origin(t)
	host := tinyproxyName + ":" + port
	address, said := startTinyproxy(t, "ConnectPort "+port)
	if err := reach(t, config.Network{Proxy: config.Secret(address), CAPath: ca.File}, host); err != nil {
		t.Error(err)
	}
	if n := strings.Count(said.String(), "CONNECT "+host); n != 2 {
		t.Errorf("%d requests came by the proxy, not one for the tenant and one for the hub:\n%s", n, said)
	}

	other := fmt.Sprintf("%s:%d", tinyproxyName, lab.FreePort(t))
	wants(t, reach(t, config.Network{Proxy: config.Secret(address)}, other),
		tenant.CauseProxyRefused, "the proxy "+address+" does not allow the connection (403 Forbidden)")
	wants(t, reach(t, config.Network{Proxy: config.Secret(address)}, host),
		tenant.CauseTLSAuthority, `signed by "lab test CA"`)
}

func TestTinyproxyWithAuthentication(t *testing.T) {
	port, ca := origin(t)
	host := tinyproxyName + ":" + port
	closed := fmt.Sprintf("%s:%d", tinyproxyName, lab.FreePort(t))
	address, _ := startTinyproxy(t, "ConnectPort "+port, "ConnectPort "+closed[len(tinyproxyName)+1:], "BasicAuth u planted-secret")
	right := secretURL("http", "u", "planted-secret", address)

	if err := reach(t, config.Network{Proxy: right, CAPath: ca.File}, host); err != nil {
		t.Error(err)
	}
	wants(t, reach(t, config.Network{Proxy: config.Secret(address), CAPath: ca.File}, host),
		tenant.CauseProxyAuth, "asks for credentials (407")
	wants(t, reach(t, config.Network{Proxy: secretURL("http", "u", "wrong-secret", address), CAPath: ca.File}, host),
		tenant.CauseProxyAuth, "does not accept our credentials (401 Unauthorized, offers Basic)", "wrong-secret")
	wants(t, reach(t, config.Network{Proxy: right, CAPath: ca.File}, closed),
		tenant.CauseProxyUpstream, "does not get through (500", "planted-secret")
}

// An https:// proxy is spoken to over TLS, and its certificate is held to the
// same CAs. A TLS listener before tinyproxy makes one.
func TestProxyOverTLS(t *testing.T) {
	port, ca := origin(t)
	host := tinyproxyName + ":" + port
	behind, _ := startTinyproxy(t, "ConnectPort "+port, "BasicAuth u planted-secret")
	front := tlsFront(t, ca, behind)
	proxy := secretURL("https", "u", "planted-secret", front)
	if err := reach(t, config.Network{Proxy: proxy, CAPath: ca.File}, host); err != nil {
		t.Error(err)
	}
	wants(t, reach(t, config.Network{Proxy: proxy}, host),
		tenant.CauseProxyUnreachable, `no connection to the proxy: its certificate is signed by "lab test CA"`, "planted-secret")
}

func tlsFront(t *testing.T, ca *lab.CA, behind string) (address string) {
	t.Helper()
	certificate, err := tls.LoadX509KeyPair(ca.Issue(t, "127.0.0.1"))
	if err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{certificate}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() }) // ends the loop below
	go func() {
		for {
			outer, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = outer.Close() }() // either end may have closed it
				inner, err := net.Dial("tcp", behind)
				if err != nil {
					return
				}
				go func() { _, _ = io.Copy(inner, outer); _ = inner.Close() }() // until either end closes
				_, _ = io.Copy(outer, inner)
			}()
		}
	}()
	return l.Addr().String()
}

// startSquid starts a squid that lets everyone in, or only those whom the
// password file lists.
func startSquid(t *testing.T, user, password string) (address string) {
	t.Helper()
	address, _ = startLoggingSquid(t, user, password)
	return address
}

// startLoggingSquid returns also the file where squid writes what it did, once
// it is done.
func startLoggingSquid(t *testing.T, user, password string) (address, accesses string) {
	t.Helper()
	program := requireProgram(t, "squid")
	helper := requireProgram(t, "basic_ncsa_auth")
	htpasswd := requireProgram(t, "htpasswd")
	dir := t.TempDir()
	// As root, squid becomes the user proxy, who has to get in and to write.
	for d, mode := range map[string]os.FileMode{filepath.Dir(dir): 0o755, dir: 0o777} {
		if err := os.Chmod(d, mode); err != nil {
			t.Fatal(err)
		}
	}
	hosts, passwords := filepath.Join(dir, "hosts"), filepath.Join(dir, "pw")
	if err := os.WriteFile(hosts, []byte("127.0.0.1 "+squidName+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	access := "http_access allow all"
	if user != "" {
		cmd := exec.Command(htpasswd, "-i", "-c", "-m", passwords, user)
		cmd.Stdin = strings.NewReader(password)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("htpasswd: %v %s", err, out)
		}
		access = "auth_param basic program " + helper + " " + passwords + "\nauth_param basic utf8 on\n" +
			"acl known proxy_auth REQUIRED\nhttp_access allow known\nhttp_access deny all"
	}
	address, _ = startListener(t, func(port int) *exec.Cmd {
		file := filepath.Join(dir, "squid.conf")
		text := fmt.Sprintf("http_port 127.0.0.1:%d\npid_filename none\ncache deny all\ncache_mem 1 MB\naccess_log stdio:%s/access.log\nbuffered_logs off\n"+
			"cache_log %s/cache.log\ncoredump_dir %s\nhosts_file %s\ndns_nameservers 127.0.0.1\npinger_enable off\nnetdb_filename none\n"+
			"shutdown_lifetime 0 seconds\n%s\n", port, dir, dir, dir, hosts, access)
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return exec.Command(program, "-N", "-n", fmt.Sprintf("t%dp%d", os.Getpid(), port), "-f", file)
	})
	return address, filepath.Join(dir, "access.log")
}

func TestSquid(t *testing.T) {
	port, ca := origin(t)
	host := squidName + ":" + port
	address := startSquid(t, "", "")
	for _, n := range []config.Network{
		{Proxy: config.Secret("http://" + address), CAPath: ca.File},
		{HTTPSProxy: config.Secret(address + "/"), CAPath: ca.File},
		{Proxy: config.Secret("http://127.0.0.1:1"), HTTPSProxy: config.Secret(address), CAPath: ca.File},
	} {
		if err := reach(t, n, host); err != nil {
			t.Error(err)
		}
	}
	closed := fmt.Sprintf("%s:%d", squidName, lab.FreePort(t))
	wants(t, reach(t, config.Network{Proxy: config.Secret(address)}, closed), tenant.CauseProxyUpstream, "does not get through (503")
	wants(t, reach(t, config.Network{Proxy: secretURL("http", "u", "planted-secret", fmt.Sprintf("127.0.0.1:%d", lab.FreePort(t)))}, host),
		tenant.CauseProxyUnreachable, "no connection to the proxy: connection refused", "planted-secret")
}

func TestSquidWithAuthentication(t *testing.T) {
	port, ca := origin(t)
	host := squidName + ":" + port
	const user, password = "corp\\sv c@x", `p@s:s/w#o?r%d& "é€`
	address := startSquid(t, user, password)
	if err := reach(t, config.Network{Proxy: secretURL("http", user, password, address), CAPath: ca.File}, host); err != nil {
		t.Error(err)
	}
	wants(t, reach(t, config.Network{Proxy: config.Secret(address), CAPath: ca.File}, host),
		tenant.CauseProxyAuth, "asks for credentials (407 Proxy Authentication Required, offers Basic)")
	wants(t, reach(t, config.Network{Proxy: secretURL("http", user, "planted-secret", address), CAPath: ca.File}, host),
		tenant.CauseProxyAuth, "does not accept our credentials (407 Proxy Authentication Required, offers Basic)", "planted-secret", "cGxhbnRlZC1zZWNyZXQ")
}

// With NO_PROXY the name is dialled directly; since only the proxy knows it,
// the dialler is told where it is.
func TestNoProxyGoesDirectly(t *testing.T) {
	port, ca := origin(t)
	host := squidName + ":" + port
	for _, except := range []string{squidName, ".example.test", "other.test, " + host, "a;b example.test", "*"} {
		tr, err := newTransport(config.Network{Proxy: config.Secret("127.0.0.1:1"), NoProxy: except, CAPath: ca.File}, nil)
		if err != nil {
			t.Fatal(err)
		}
		var dialled []string
		tr.HTTP.Transport.(*http.Transport).DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
			dialled = append(dialled, addr)
			return tr.Dial(ctx, network, "127.0.0.1:"+port)
		}
		if err := reachBy(t, tr, host); err != nil {
			t.Errorf("%s: %v", except, err)
		}
		if len(dialled) == 0 || dialled[0] != host {
			t.Errorf("%s: dialled %v", except, dialled)
		}
		tr.HTTP.CloseIdleConnections()
	}
}
