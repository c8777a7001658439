package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// A workplace is what a user's machine is set up with: the names it knows, the
// policies of its browser, a Kerberos ticket, a certificate.
type workplace struct {
	hosts     []string       // names of this machine
	policies  map[string]any // of Chromium, as group policy or a file has them
	environ   []string       // KRB5_CONFIG and KRB5CCNAME, or nothing
	cert, key string         // PEM files of the user's certificate; "" = none
}

// policiesFor are what the guides have administrators set for a host.
func policiesFor(host string) map[string]any {
	return map[string]any{
		"AuthServerAllowlist":          host,
		"AutoSelectCertificateForUrls": []string{`{"pattern":"https://` + host + `","filter":{}}`},
	}
}

// chromium starts the browser of a workplace. Policies and host names are a
// machine's: it gets them in a mount namespace of its own.
func (w workplace) chromium(t *testing.T) context.Context {
	t.Helper()
	if os.Geteuid() != 0 {
		if os.Getenv("CONNECTOR_TEST_REQUIRE") == "1" {
			t.Fatal("a browser's policies take root, and CONNECTOR_TEST_REQUIRE is 1")
		}
		t.Skip("a browser's policies take root")
	}
	unshare, program := requireProgram(t, "unshare"), requireProgram(t, "chromium")
	dir := browserFolder(t)
	write := func(name string, data []byte, mode os.FileMode) string {
		t.Helper()
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, data, mode); err != nil {
			t.Fatal(err)
		}
		return name
	}
	policies, err := json.Marshal(w.policies)
	if err != nil {
		t.Fatal(err)
	}
	write("chromium/policies/managed/connector.json", policies, 0o600)
	// The first name of a line is the one that tickets are asked for.
	hosts := ""
	for _, name := range append(w.hosts, "localhost") {
		hosts += "127.0.0.1 " + name + "\n"
	}
	write("hosts", []byte(hosts), 0o600)
	// The shells and unshare make way for the browser, so that its end is theirs.
	starter := write("start", fmt.Appendf(nil, `#!/bin/sh
exec %s --mount --propagation private sh -ec 'mount --bind "$0/chromium" /etc/chromium; mount --bind "$0/hosts" /etc/hosts; exec %s "$@"' %s "$@"
`, unshare, program, dir), 0o700)
	w.fillStore(t, filepath.Join(dir, ".pki", "nssdb"))
	// On Linux it takes up Kerberos only after it was asked for a ticket once.
	write("profile/Local State", []byte(`{"net":{"received_http_auth_negotiate_headers":true}}`), 0o600)
	return newChromium(t, chromedp.ExecPath(starter), chromedp.UserDataDir(filepath.Join(dir, "profile")),
		chromedp.Env(append([]string{"HOME=" + dir}, w.environ...)...))
}

// fillStore makes the store that Chromium looks for certificates in.
func (w workplace) fillStore(t *testing.T, dir string) {
	t.Helper()
	certutil, pk12util := requireProgram(t, "certutil"), requireProgram(t, "pk12util")
	run := func(program string, args ...string) {
		t.Helper()
		if out, err := exec.CommandContext(t.Context(), program, args...).CombinedOutput(); err != nil {
			t.Fatalf("%s %v: %v\n%s", program, args, err, out)
		}
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	run(certutil, "-N", "-d", "sql:"+dir, "--empty-password")
	if w.cert == "" {
		return
	}
	bundle := filepath.Join(dir, "user.p12")
	run(requireProgram(t, "openssl"), "pkcs12", "-export", "-in", w.cert, "-inkey", w.key, "-passout", "pass:of-the-file", "-out", bundle)
	run(pk12util, "-i", bundle, "-d", "sql:"+dir, "-W", "of-the-file", "-K", "")
}

// The ways in begin at the tenant's page (its /login/browser?connection=...),
// which sends the browser to a node or a balancer, and end with what the tenant
// says of the assertion that came back: "Signed in: NAME (method)".

// signInByForm types a name and a password.
func signInByForm(t *testing.T, browser context.Context, start, username, password string) (says string) {
	t.Helper()
	return tenantSays(t, browser, chromedp.Navigate(start),
		chromedp.WaitVisible("#password"), chromedp.SendKeys("#username", username),
		chromedp.SendKeys("#password", password), chromedp.Click("button[type=submit]"))
}

// signInByTicket types nothing: the browser has a Kerberos ticket, and a policy
// that lets it show that.
func signInByTicket(t *testing.T, browser context.Context, start string) (says string) {
	t.Helper()
	return tenantSays(t, browser, chromedp.Navigate(start))
}

// signInByCertificate types nothing either: the browser has a certificate, and a
// policy by which it does not ask which.
func signInByCertificate(t *testing.T, browser context.Context, start string) (says string) {
	t.Helper()
	return tenantSays(t, browser, chromedp.Navigate(start))
}

// signInDirectly has the tenant's own page send a name and a password to a
// sign-in (https://login.corp.example), and send on what comes back, as its
// script does. The page may not: it gets what the script has.
func signInDirectly(t *testing.T, browser context.Context, start, base, username, password string) (says string) {
	t.Helper()
	tenant, err := url.Parse(start)
	if err != nil {
		t.Fatal(err)
	}
	// The sandbox's pages tell nobody where they are, and so have no origin.
	script := fmt.Sprintf(`(() => {
		const meta = document.createElement("meta");
		meta.name = "referrer"; meta.content = "origin";
		document.head.append(meta);
		const form = document.createElement("form");
		form.method = "post"; form.action = %s;
		for (const [name, value] of Object.entries(%s)) {
			const input = document.createElement("input");
			input.type = "hidden"; input.name = name; input.value = value;
			form.append(input);
		}
		document.body.append(form);
		form.submit();
	})()`, jsonOf(t, base+"/wsfed/direct"), jsonOf(t, map[string]string{"username": username, "password": password, "state": pendingOf(t, start)}))
	return tenantSays(t, browser, page.SetBypassCSP(true), chromedp.Navigate(tenant.Scheme+"://"+tenant.Host+"/"), chromedp.Evaluate(script, nil),
		chromedp.WaitReady(`form[name=hiddenform]`), chromedp.Evaluate(`document.forms[0].submit()`, nil))
}

// pendingOf is the wctx of a sign-in that begins at the tenant's page.
func pendingOf(t *testing.T, start string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, start, nil)
	if err != nil {
		t.Fatal(err)
	}
	way := unguarded("")
	defer way.CloseIdleConnections()
	res, err := way.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close() // where it leads is what is wanted
	to, err := res.Location()
	if err != nil {
		t.Fatal(err)
	}
	return to.Query().Get("wctx")
}

// unguarded takes any certificate: whom it talks to is the test's own. Every
// name is at the address, unless that is "".
func unguarded(address string) *http.Transport {
	way := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	if address != "" {
		way.DialContext = unguardedDial(new(net.Dialer), address)
	}
	return way
}

// unguardedDial goes to one address, whatever the name.
func unguardedDial(d *net.Dialer, address string) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, _ string) (net.Conn, error) {
		return d.DialContext(ctx, network, address)
	}
}

// signOut ends the browser's session at a sign-in.
func signOut(t *testing.T, browser context.Context, base string) {
	t.Helper()
	if err := chromedp.Run(browser, chromedp.Navigate(base+"/logout")); err != nil {
		t.Fatal(err)
	}
}

// tenantSays does what a user does, and waits for the tenant's word.
func tenantSays(t *testing.T, browser context.Context, does ...chromedp.Action) (says string) {
	t.Helper()
	var address, text string
	err := chromedp.Run(browser, append(does, chromedp.WaitVisible("#outcome"), chromedp.Text("#says", &says))...)
	if err != nil {
		_ = chromedp.Run(browser, chromedp.Location(&address), chromedp.Text("body", &text)) // as far as it can be had
		t.Fatalf("%v, at %s: %s", err, address, text)
	}
	return says
}
