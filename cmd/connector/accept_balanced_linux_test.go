package main

import (
	"context"
	"net"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"ad-ldap-connector/pkg/sandbox"
	"ad-ldap-connector/testdata/lab"
)

// acceptBalanced signs users in by all four ways through HAProxy in front of two
// nodes, first with TLS that goes through to them and then with TLS that ends at
// HAProxy. The nodes have one keytab, for the balancer's name.
func (l *kerberosLab) acceptBalanced(t *testing.T) {
	const name = "balanced.corp.example.test"
	program := requireProgram(t, "haproxy")
	g := l.newSignInGround(t, name)
	first, second := g.node, newCLI(t)
	setting := func(key string) string { return strings.TrimSpace(first.must("config", "get", key).stdout.String()) }
	free := func() string { return "127.0.0.1:" + strconv.Itoa(lab.FreePort(t)) }
	nodes := []balancee{{"127.0.0.1:" + setting("PORT"), free()}, {free(), free()}}
	through := startBalancer(t, program, "haproxy.cfg", nodes, nil)
	ends := startTLSBalancer(t, program, name, setting("TLS_CERT"), setting("TLS_KEY"), g.root.CAFile, nodes)
	at := func(addr string) string { return "https://" + name + addr[strings.LastIndexByte(addr, ':'):] }

	// The first node goes on with the balancer's settings, the second is its copy.
	alone := first.said[0]
	for _, i := range first.said {
		if i.args[0] == "run" {
			alone = i
		}
	}
	alone.interrupt()
	alone.wait(patience)
	first.configure(map[string]any{
		"SERVER_URL": at(through), "HEALTH_ADDR": nodes[0].health, "TRUSTED_PROXIES": "127.0.0.1", "TRUSTED_PROXY_SECRET": proxySecret,
		"CLIENT_CERT_HEADER": "x-ssl-client-cert", "KERBEROS_CHANNEL_BINDING": "none",
	})
	first.must("export", "--plain", "--file", first.dir+"/node.zip")
	second.must("import", "--offline", first.dir+"/node.zip")
	_, port, err := net.SplitHostPort(nodes[1].port)
	if err != nil {
		t.Fatal(err)
	}
	second.configure(map[string]any{"PORT": port, "HEALTH_ADDR": nodes[1].health})
	logs := []*transcript{first.start("run", "--home", first.home).stderr, second.start("run", "--home", second.home).stderr}
	awaitAgents(t, g.cloud, "both nodes", func(a []sandbox.Agent) bool { return len(a) == 2 })
	for _, n := range nodes {
		awaitMetadata(t, g.base, n.port)
	}
	for _, addr := range []string{through, ends} {
		awaitMetadata(t, at(addr), addr)
	}

	users := workplace{hosts: []string{name}, policies: policiesFor(name)}
	domain, card, none := users, users, users
	domain.environ = g.login(lab.User(4), lab.Password(4))
	card.cert, card.key = g.root.Issue("/O=Corp/CN="+lab.User(5), lab.UserExtensions)
	none.environ = []string{"KRB5_CONFIG=" + l.KRB5Config, "KRB5CCNAME=FILE:" + filepath.Join(t.TempDir(), "nothing")}
	both := func(browser context.Context, user, method string, signIn func(start, base string) string) {
		t.Helper()
		for kind, addr := range map[string]string{"TLS goes through": through, "TLS ends at HAProxy": ends} {
			start := g.start
			if addr == ends { // the tenant knows of one place only
				start = at(ends) + "/wsfed?" + url.Values{"wa": {"wsignin1.0"}, "wtrealm": {"urn:auth0:sandbox"}, "wctx": {pendingOf(t, g.start)}}.Encode()
			}
			if says, want := signIn(start, at(addr)), "Signed in: "+user+" ("+method+")"; says != want {
				t.Errorf("%s: the tenant says %q, want %q", kind, says, want)
			}
			g.verified(t, kind+", "+method)
			signOut(t, browser, at(addr))
		}
	}
	browser := domain.chromium(t)
	both(browser, "User 00004", "1510", func(start, _ string) string { return signInByTicket(t, browser, start) })
	holder := card.chromium(t)
	both(holder, "User 00005", "2246", func(start, _ string) string { return signInByCertificate(t, holder, start) })
	guest := none.chromium(t)
	both(guest, "User 00006", "password", func(start, _ string) string { return signInByForm(t, guest, start, lab.User(6), lab.Password(6)) })
	both(guest, "User 00007", "password", func(start, base string) string {
		return signInDirectly(t, guest, g.start, base, lab.User(7), lab.Password(7))
	})
	for i, log := range logs {
		if !strings.Contains(log.String(), "method=") {
			t.Errorf("node %d has signed nobody in:\n%s", i+1, log)
		}
	}
}
