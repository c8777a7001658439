//go:build unix

package kerberos_test

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"ad-ldap-connector/pkg/identity"
	"ad-ldap-connector/pkg/kerberos"
	"ad-ldap-connector/testdata/lab"
)

// TestMIT has MIT's KDC issue tickets and MIT's library make tokens of them and
// judge our answers, with channel bindings too.
func TestMIT(t *testing.T) {
	t.Parallel()
	const service, user = "HTTP/www.lab.test", "jane"
	k := lab.KDC(t, service, "HTTP/other.lab.test", user)
	keytab, cache := k.Keytab(service), k.Cache(k.Keytab(user), user, "1h")
	certFile, _ := lab.NewCA(t, t.TempDir()).Issue(t, "www.lab.test")
	text, err := os.ReadFile(certFile)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	sum := sha256.Sum256(block.Bytes) // of a certificate that SHA-256 signs
	endPoint := append([]byte("tls-server-end-point:"), sum[:]...)
	for _, tt := range []struct {
		name    string
		change  func(*kerberos.Options)
		binding []byte
		service string
		want    kerberos.Reason
	}{
		{name: "over HTTP"},
		{name: "over TLS, bound", binding: endPoint},
		{name: "over TLS, bound as required", binding: endPoint, change: func(o *kerberos.Options) { o.Binding = kerberos.BindingRequire }},
		{name: "over TLS, bound to another", binding: append([]byte("tls-server-end-point:"), make([]byte, 32)...), want: kerberos.WrongBinding},
		{name: "over TLS, not bound", change: func(o *kerberos.Options) { o.Binding = kerberos.BindingRequire }, want: kerberos.WrongBinding},
		{name: "another service", service: "HTTP@other.lab.test", want: kerberos.WrongKey},
		{name: "a principal of ours alone", service: "HTTP@other.lab.test", change: func(o *kerberos.Options) { o.Principals = []string{service} }, want: kerberos.WrongService},
		{name: "the ticket has ended", change: func(o *kerberos.Options) { o.Now = func() time.Time { return time.Now().Add(2 * time.Hour) } }, want: kerberos.Expired},
		{name: "our clock is ahead", change: func(o *kerberos.Options) { o.Now = func() time.Time { return time.Now().Add(10 * time.Minute) } }, want: kerberos.ClockSkew},
		{name: "our clock is behind", change: func(o *kerberos.Options) { o.Now = func() time.Time { return time.Now().Add(-10 * time.Minute) } }, want: kerberos.NotYet},
		{name: "a larger tolerance", change: func(o *kerberos.Options) {
			o.Now, o.Skew = func() time.Time { return time.Now().Add(10 * time.Minute) }, 15*time.Minute
		}},
		{name: "another's realm", change: func(o *kerberos.Options) { o.Realms = kerberos.Realms{"OTHER.TEST": {}} }, want: kerberos.WrongRealm},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o := kerberos.Options{Keytab: keytab, Binding: kerberos.BindingAllow, Log: slog.New(slog.DiscardHandler),
				Certificates: func(*http.Request) [][]byte { return [][]byte{block.Bytes} }}
			if tt.change != nil {
				tt.change(&o)
			}
			a, to := kerberos.New(o), tt.service
			if to == "" {
				to = "HTTP@www.lab.test"
			}
			said := k.Initiate(cache, to, tt.binding, func(token string) string {
				r := httptest.NewRequest(http.MethodGet, "/", nil)
				r.Header.Set("Authorization", "Negotiate "+token)
				if strings.Contains(tt.name, "TLS") {
					r.TLS = &tls.ConnectionState{}
				}
				w := httptest.NewRecorder()
				p, err := a.Accept(w, r)
				var denial *kerberos.Denial
				switch {
				case tt.want == "" && (err != nil || p != identity.Principal{Name: user, Realm: k.Realm}):
					t.Errorf("%+v, %v", p, err)
				case tt.want != "" && (!errors.As(err, &denial) || denial.Reason != tt.want):
					t.Errorf("%+v, %v; want %s", p, err, tt.want)
				}
				return strings.TrimPrefix(w.Header().Get("WWW-Authenticate"), "Negotiate ")
			})
			if (said == "complete") != (tt.want == "") {
				t.Errorf("MIT's library says %s", said)
			}
		})
	}
}
