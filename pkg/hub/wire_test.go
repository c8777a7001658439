package hub

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/coder/websocket"

	"ad-ldap-connector/pkg/identity"
)

// TestEncryptedLink uses the client's own trust, as a hub behind an inspecting
// proxy needs.
func TestEncryptedLink(t *testing.T) {
	hub := &pretendHub{links: make(chan *hubLink, 10)}
	hub.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			t.Errorf("handshake: %v", err)
			return
		}
		hub.serve(conn, r)
	}))
	hub.Config.ErrorLog = log.New(io.Discard, "", 0) // it tells of each distrusted handshake
	hub.StartTLS()
	t.Cleanup(hub.Close)

	said := &diary{}
	o := options(hub.URL, said)
	start(t, &people{}, o) // trusts nobody here
	said.waitFor(t, "certificate")

	transport := hub.Client().Transport.(*http.Transport).Clone()
	transport.ForceAttemptHTTP2 = true // a websocket needs HTTP/1.1 all the same
	o.HTTP = &http.Client{Transport: transport}
	start(t, &people{}, o)
	hub.accept(t).login(t)
}

// TestRedirectIsNotFollowed: the agent's token is for the hub that the tenant
// named.
func TestRedirectIsNotFollowed(t *testing.T) {
	elsewhere := newPretendHub(t)
	hub := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusFound))
	defer hub.Close()
	log := &diary{}
	start(t, &people{}, options(hub.URL, log))
	log.waitFor(t, "status code 101 but got 302")
	if len(elsewhere.links) > 0 {
		t.Error("the agent went elsewhere")
	}
}

type brokenSigner struct{ crypto.Signer }

func (brokenSigner) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, errors.New("the key store is locked")
}

func TestSignerFails(t *testing.T) {
	s, log := &states{}, &diary{}
	o := options(newPretendHub(t).URL, log)
	o.Signer, o.State = brokenSigner{agentKey()}, s.told
	start(t, &people{}, o)
	log.waitFor(t, "sign the agent's token: the key store is locked")
}

// TestConcurrentLogins sends many logins of several commands at once; each
// reply belongs to its command.
func TestConcurrentLogins(t *testing.T) {
	var mu sync.Mutex
	outcomes := map[string]int{}
	l, log, _ := meet(t, &people{authenticate: func(_ context.Context, c identity.Credentials) (identity.Profile, error) {
		if c.Password != "secret" {
			return identity.Profile{}, &identity.Refusal{Reason: identity.WrongPassword}
		}
		return profile(`{"id":"` + c.Username + `"}`), nil
	}}, func(o *Options) {
		o.Answered = func(a Answer) { mu.Lock(); outcomes[a.Outcome]++; mu.Unlock() }
	})
	const n = 300
	for i := range n {
		l.say(t, ask("authenticate_user", fmt.Sprintf(`{"pid":"p%d","username":"u%d","password":"secret"}`, i, i)))
		l.say(t, ask("authenticate_user", fmt.Sprintf(`{"pid":"q%d","username":"u%d","password":"wrong"}`, i, i)))
	}
	got := map[string]bool{}
	for range 2 * n {
		got[l.hear(t)] = true
	}
	for i := range n {
		if !got[fmt.Sprintf(`{"n":"p%d_result","p":{"profile":{"id":"u%d"}}}`, i, i)] ||
			!got[fmt.Sprintf(`{"n":"q%d_result","p":{"err":{"message":"Wrong password","name":"WrongPassword"}}}`, i)] {
			t.Fatalf("no reply to %d", i)
		}
	}
	log.waitFor(t, "user=u299")
	if strings.Contains(log.String(), "secret") || strings.Contains(log.String(), "eyJ") {
		t.Error("the log tells a secret")
	}
}
