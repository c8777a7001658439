package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ad-ldap-connector/pkg/config"
	"ad-ldap-connector/pkg/tenant"
	"ad-ldap-connector/testdata/lab"
)

// via returns the proxy that a transport asks for a URL, "" for none.
func via(t *testing.T, tr *transport, target string) string {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	choose := tr.HTTP.Transport.(*http.Transport).Proxy
	if choose == nil {
		return ""
	}
	proxy, err := choose(&http.Request{URL: u})
	if err != nil {
		t.Fatal(err)
	}
	if proxy == nil {
		return ""
	}
	return proxy.String()
}

func TestWhichProxyIsAsked(t *testing.T) {
	const a, b = "http://a.example:3128", "http://b.example:3128"
	for name, c := range map[string]struct {
		network config.Network
		environ []string
		want    map[string]string
	}{
		"none": {want: map[string]string{"https://acme.example/": "", "http://acme.example/": ""}},
		"one for all": {
			network: config.Network{Proxy: a},
			want:    map[string]string{"https://acme.example/": a, "http://acme.example/": a, "wss://acme.example/": a, "ws://acme.example/": a, "https://acme.example:8443/": a},
		},
		"another for https": {
			network: config.Network{Proxy: a, HTTPSProxy: b},
			want:    map[string]string{"https://acme.example/": b, "wss://acme.example/": b, "http://acme.example/": a},
		},
		"for https alone": {
			network: config.Network{HTTPSProxy: b},
			want:    map[string]string{"https://acme.example/": b, "http://acme.example/": ""},
		},
		"never for this machine": {
			network: config.Network{Proxy: a},
			want:    map[string]string{"https://localhost:8443/": "", "https://127.0.0.1/": "", "https://127.9.9.9/": "", "wss://[::1]:1/": "", "https://localhost.example/": a},
		},
		"exceptions": {
			network: config.Network{Proxy: a, NoProxy: "acme.example .corp.test;10.0.0.0/8, b.example:8443"},
			want: map[string]string{
				"https://acme.example/": "", "https://x.acme.example/": "", "https://corp.test/": a, "https://x.corp.test/": "",
				"https://10.1.2.3/": "", "https://11.1.2.3/": a, "https://b.example:8443/": "", "https://b.example/": a,
			},
		},
		"environment": {
			environ: []string{"HTTP_PROXY=" + a, "https_proxy=" + b, "no_proxy=acme.example"},
			want:    map[string]string{"http://x.example/": a, "https://x.example/": b, "https://acme.example/": ""},
		},
		"configuration before environment": {
			network: config.Network{Proxy: a},
			environ: []string{"HTTP_PROXY=" + b, "http_proxy=" + b},
			want:    map[string]string{"https://x.example/": a},
		},
		"without a scheme":     {network: config.Network{Proxy: "a.example:3128"}, want: map[string]string{"https://x.example/": a}},
		"with a slash":         {network: config.Network{Proxy: a + "/"}, want: map[string]string{"https://x.example/": a + "/"}},
		"over TLS":             {network: config.Network{Proxy: "https://a.example"}, want: map[string]string{"https://x.example/": "https://a.example"}},
		"SOCKS":                {network: config.Network{Proxy: "socks5://a.example:1080"}, want: map[string]string{"https://x.example/": "socks5://a.example:1080"}},
		"credentials":          {network: config.Network{Proxy: "http://u:p%40s@a.example:3128"}, want: map[string]string{"https://x.example/": "http://u:p%40s@a.example:3128"}},
		"credentials as typed": {network: config.Network{Proxy: "u:p@s@a.example:3128"}, want: map[string]string{"https://x.example/": "http://u:p%40s@a.example:3128"}},
		"white space around":   {network: config.Network{Proxy: " " + a + "\r\n"}, want: map[string]string{"https://x.example/": a}},
	} {
		t.Run(name, func(t *testing.T) {
			tr, err := newTransport(c.network, c.environ)
			if err != nil {
				t.Fatal(err)
			}
			got := map[string]string{}
			for target := range c.want {
				got[target] = via(t, tr, target)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Every bad address is an error that names the setting and quotes nothing.
func TestBadProxies(t *testing.T) {
	for _, bad := range []string{
		"http://u:planted#secret@a.example:3128", "http://u:12#planted@a.example", "http://u:planted/s@a.example:3128", "http://u:planted?s@a.example",
		"http://u:planted%zz@a.example", "http://u:planted@", "ftp://u:planted@a.example", "file:///planted/proxy.pac", "http://a.example/planted.pac",
		"://planted", "http://a.example:port-planted", "http://u:pla\nnted@a.example",
	} {
		for name, n := range map[string]config.Network{
			"HTTP_PROXY":  {Proxy: config.Secret(bad)},
			"HTTPS_PROXY": {HTTPSProxy: config.Secret(bad)},
		} {
			_, err := newTransport(n, nil)
			var advice interface{ Hint() string }
			if err == nil || !strings.HasPrefix(err.Error(), "read "+name+": ") || !errors.As(err, &advice) {
				t.Errorf("%q: %v", bad, err)
				continue
			}
			if all := fmt.Sprintf("%v %+v %#v %s", err, err, err, advice.Hint()); strings.Contains(all, "planted") {
				t.Errorf("%q: shows %s", bad, all)
			}
		}
	}
}

func TestNotesHideCredentials(t *testing.T) {
	tr, err := newTransport(config.Network{Proxy: "http://svc:planted@proxy:3128", NoProxy: "a.example,b.example"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"using the proxy http://proxy:3128 for https, except for a.example, b.example"}, tr.Notes); diff != "" {
		t.Error(diff)
	}
	if shown := fmt.Sprintf("%v %+v", tr, tr.Notes); strings.Contains(shown, "planted") || strings.Contains(shown, "svc") {
		t.Error(shown)
	}
	tr, err = newTransport(config.Network{}, nil)
	if err != nil || len(tr.Notes) != 0 {
		t.Errorf("%v %v", tr, err)
	}
}

// What a proxy calls its ways of authentication is foreign text.
func TestOffersAreSchemeNames(t *testing.T) {
	proxy := &url.URL{Host: "proxy:3128", User: url.UserPassword("u", "planted")}
	err := proxyAnswered(t.Context(), proxy, nil, &http.Response{StatusCode: http.StatusProxyAuthRequired, Header: http.Header{
		"Proxy-Authenticate": {`Basic realm="x"`, "", "\x1b[31m", "two,words", strings.Repeat("a", 100), "NTLM", `Digest realm="y"`}, "Www-Authenticate": {"Negotiate"},
	}})
	want := &tenant.ProxyError{Proxy: "proxy:3128", Status: 407, Schemes: []string{"Basic", "NTLM", "Digest", "Negotiate"}, Credentials: true}
	if diff := cmp.Diff(want, err); diff != "" {
		t.Error(diff)
	}
	if err := proxyAnswered(t.Context(), proxy, nil, &http.Response{StatusCode: http.StatusOK}); err != nil {
		t.Error(err)
	}
}

// bundle reads the CA's certificate as PEM and as DER.
func bundle(t *testing.T, ca *lab.CA) (text, der []byte) {
	t.Helper()
	text, err := os.ReadFile(ca.File)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	return text, block.Bytes
}

func lay(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

const usualPattern = `.+.(pem|crt|cer)$`

func TestExtraCAsAreTrusted(t *testing.T) {
	port, ca := origin(t)
	one, _ := bundle(t, ca)
	other, _ := bundle(t, lab.NewCA(t, t.TempDir()))
	both := string(other) + "# ours\r\n" + strings.ReplaceAll(string(one), "\n", "\r\n")
	for name, c := range map[string]struct {
		files   map[string]string
		pattern string
		count   int
		file    string // "" = the folder
	}{
		"a folder":            {map[string]string{"a.pem": string(one), "b.crt": string(other), "notes.txt": "no"}, usualPattern, 2, ""},
		"a bundle":            {map[string]string{"a.cer": both}, usualPattern, 2, ""},
		"one file":            {map[string]string{"ca-bundle": both}, usualPattern, 2, "ca-bundle"},
		"capitals":            {map[string]string{"CORP.PEM": string(one)}, usualPattern, 1, ""},
		"another pattern":     {map[string]string{"corp.ca": string(one), "bad.pem": "no"}, `^corp\.`, 1, ""},
		"no pattern":          {map[string]string{"corp": string(one)}, "", 1, ""},
		"a byte order mark":   {map[string]string{"a.pem": "\ufeff" + both}, usualPattern, 2, ""},
		"a key with it":       {map[string]string{"a.pem": "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n" + string(one)}, usualPattern, 1, ""},
		"the older word":      {map[string]string{"a.pem": strings.ReplaceAll(string(one), " CERTIFICATE", " X509 CERTIFICATE")}, usualPattern, 1, ""},
		"a folder called pem": {map[string]string{"a.pem": string(one)}, usualPattern, 1, ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			lay(t, dir, c.files)
			if err := os.Mkdir(filepath.Join(dir, "old.pem"), 0o700); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, c.file)
			n := config.Network{CAPath: path, CAFile: c.pattern}
			tr, err := newTransport(n, nil)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{fmt.Sprintf("trusting %d more CA certificates from %s", c.count, path)}, tr.Notes); diff != "" {
				t.Error(diff)
			}
			if err := reachBy(t, tr, "127.0.0.1:"+port); err != nil {
				t.Error(err)
			}
			tr.HTTP.CloseIdleConnections()
		})
	}
}

// The extra CAs come on top of the system's: what trusted before still does.
func TestExtraCAsReplaceNothing(t *testing.T) {
	ca := lab.NewCA(t, t.TempDir())
	tr, err := newTransport(config.Network{CAPath: ca.File}, nil)
	if err != nil {
		t.Fatal(err)
	}
	want, err := x509.SystemCertPool()
	if err != nil {
		t.Fatal(err)
	}
	text, _ := bundle(t, ca)
	want.AppendCertsFromPEM(text)
	if !want.Equal(tr.TLS.RootCAs) {
		t.Error("it is not the system's CAs and ours")
	}
	plain, err := newTransport(config.Network{}, nil)
	if err != nil || plain.TLS.RootCAs != nil {
		t.Errorf("%v: without extra CAs the system's own verifier decides", err)
	}
}

func TestBadCAFiles(t *testing.T) {
	ca := lab.NewCA(t, t.TempDir())
	good, der := bundle(t, ca)
	damaged := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der[:len(der)-9]}))
	for name, c := range map[string]struct {
		files         map[string]string
		pattern, file string
		text          string
	}{
		"empty file":           {map[string]string{"a.pem": "", "b.pem": string(good)}, usualPattern, "", "a.pem: the file is empty"},
		"no certificate":       {map[string]string{"a.pem": "hello"}, usualPattern, "", "a.pem: no certificate in PEM form is in it"},
		"a key only":           {map[string]string{"a.pem": "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"}, usualPattern, "", "a.pem: no certificate"},
		"DER":                  {map[string]string{"a.cer": string(der)}, usualPattern, "", "a.cer: it is not PEM but DER"},
		"damaged":              {map[string]string{"a.pem": string(good) + damaged}, usualPattern, "", "a.pem: certificate 2 of the file: "},
		"endless":              {map[string]string{"a.pem": strings.Repeat("a", maxCAFile+1)}, usualPattern, "", "a.pem: the file has more than 4194304 bytes"},
		"nothing in the dir":   {map[string]string{}, usualPattern, "", "no file's name matches SSL_CA_FILE, " + usualPattern},
		"nothing that matches": {map[string]string{"a.txt": string(good)}, usualPattern, "", "no file's name matches"},
		"no such path":         {map[string]string{}, usualPattern, "nowhere", "nowhere: no such file"},
		"bad pattern":          {map[string]string{}, "(", "", "SSL_CA_FILE: "},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			lay(t, dir, c.files)
			_, err := newTransport(config.Network{CAPath: filepath.Join(dir, c.file), CAFile: c.pattern}, nil)
			if err == nil || !strings.HasPrefix(err.Error(), "read the CA certificates of ") || !strings.Contains(err.Error(), c.text) {
				t.Errorf("%v", err)
			}
		})
	}
	if _, err := newTransport(config.Network{CAPath: os.DevNull}, nil); err == nil || !strings.Contains(err.Error(), "it is not a file") {
		t.Errorf("a device: %v", err)
	}
	dir := t.TempDir()
	if err := os.Symlink(filepath.Join(dir, "gone"), filepath.Join(dir, "a.pem")); err != nil {
		t.Fatal(err)
	}
	if _, err := newTransport(config.Network{CAPath: dir, CAFile: usualPattern}, nil); err == nil || !strings.Contains(err.Error(), "a.pem") {
		t.Errorf("a link to nothing: %v", err)
	}
}

// Whatever is in a file, it is an error or at least one certificate.
func FuzzReadCAs(f *testing.F) {
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"))
	f.Add([]byte("-----BEGIN CERTIFICATE-----\n"))
	f.Add([]byte{0x30, 0x82, 0x01})
	f.Fuzz(func(t *testing.T, data []byte) {
		file := filepath.Join(t.TempDir(), "a.pem")
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if all, err := readCAs(file); (err == nil) != (len(all) > 0) {
			t.Errorf("%d certificates, %v", len(all), err)
		}
	})
}

func TestOldTLSIsRefused(t *testing.T) {
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	s.TLS = &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // of the refused handshake
	s.StartTLS()
	defer s.Close()
	tr, err := newTransport(config.Network{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	wants(t, reachBy(t, tr, strings.TrimPrefix(s.URL, "https://")), tenant.CauseTLS, "protocol version")
	if tr.TLS.MinVersion != tls.VersionTLS12 {
		t.Error("directories may use older versions")
	}
}
