package hub

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"ad-ldap-connector/pkg/identity"
)

// BenchmarkLogin is what a login costs on this side of the directory: decode
// the frame, verify the token, call the handler, write the reply. The claims
// differ in their pids, as the tenant's do.
func BenchmarkLogin(b *testing.B) {
	p := profile(string(bigProfile))
	h := &people{authenticate: func(context.Context, identity.Credentials) (identity.Profile, error) { return p, nil }}
	c, err := New(h, Options{URL: "wss://hub.example", Signer: agentKey(), SigningKey: signingKey, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	frames := make([][]byte, 10_000)
	for i := range frames {
		frames[i] = []byte(ask("authenticate_user", fmt.Sprintf(
			`{"pid":"p%d","username":"user00042","password":"Passw0rd-00042","iat":%d,"exp":%d}`, i, time.Now().Unix(), time.Now().Unix()+60)))
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if i%len(frames) == 0 {
			c.verify.seen = newMemory(maxRemembered)
		}
		f, err := decodeFrame(frames[i%len(frames)])
		if err != nil {
			b.Fatal(err)
		}
		token, err := f.token()
		if err != nil {
			b.Fatal(err)
		}
		claims, err := c.verify.check(token)
		if err != nil {
			b.Fatal(err)
		}
		r, err := newRequest(commandsByName[f.Name], claims)
		if err != nil {
			b.Fatal(err)
		}
		if res := c.perform(b.Context(), r); res.outcome != accepted {
			b.Fatal(res)
		}
		i++
	}
}

// BenchmarkLink is the same over a socket, 64 logins outstanding.
func BenchmarkLink(b *testing.B) {
	p := profile(string(bigProfile))
	h := &people{authenticate: func(context.Context, identity.Credentials) (identity.Profile, error) { return p, nil }}
	hub := newPretendHub(b)
	o := options(hub.URL, io.Discard)
	o.Log = nil
	start(b, h, o)
	l := hub.accept(b)
	b.ResetTimer()
	for i := range b.N {
		l.say(b, ask("authenticate_user", fmt.Sprintf(`{"pid":"p%d","username":"user00042","password":"Passw0rd-00042"}`, i)))
		if i >= 64 {
			l.hear(b)
		}
	}
	for range min(b.N, 64) {
		l.hear(b)
	}
}

var bigProfile = []byte(`{"id":"user00042","displayName":"Given42 Number00042","name":{"familyName":"Number00042","givenName":"Given42"},` +
	`"nickname":"User 00042","groups":["team-041","project-090","all-staff"],"emails":[{"value":"user00042@lab.test"}],` +
	`"dn":"uid=user00042,ou=people,dc=lab,dc=test","st":"WA","description":"` + strings.Repeat("employee 42 ", 5) + `","organizationUnits":"uid=user00042,ou=people,dc=lab,dc=test"}`)
