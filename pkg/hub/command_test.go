package hub

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"ad-ldap-connector/pkg/identity"
)

const fullClaims = `{"pid":%q,"username":%q,"password":"hunter2-secret"}`

func TestFaultsAreAnswered(t *testing.T) {
	h := &people{authenticate: func(ctx context.Context, c identity.Credentials) (identity.Profile, error) {
		switch c.Username {
		case "fault":
			return identity.Profile{}, errors.New("map entry: boom\nat line 2")
		case "indiscreet":
			return identity.Profile{}, fmt.Errorf("bind with %s: refused", string(c.Password))
		case "panics":
			panic("oh no: " + string(c.Password))
		case "nil map":
			var m map[string]int
			m["x"]++ //nolint:staticcheck // it is to panic
		case "empty":
			return identity.Profile{}, nil
		case "strange":
			return identity.Profile{}, &identity.Refusal{Reason: "moon_phase"}
		case "wrapped":
			return identity.Profile{}, fmt.Errorf("log in: %w", &identity.Refusal{Reason: identity.AccountLocked, Detail: "since\nmonday"})
		case "long":
			return identity.Profile{}, errors.New(strings.Repeat("é", 5000))
		case "deaf":
			<-time.After(10 * time.Minute) // ignores its context
		}
		return goodLogin(ctx, c)
	}}
	unexpected := func(text string) string {
		return `"p":{"err":{"message":"Unexpected Error","inner":{"message":"` + text + `"}}}}`
	}
	log := &diary{}
	var mu sync.Mutex
	answers := map[string]Answer{}
	bubble(t, h, func(o *Options) {
		o.Log = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		o.Answered = func(a Answer) { mu.Lock(); answers[a.User] = a; mu.Unlock() }
	}, func(t *testing.T, hub *rawHub, c *Client, s *states, stop func()) {
		l := hub.accept(t)
		for _, tt := range []struct{ user, want string }{
			{"fault", unexpected(`map entry: boom\\nat line 2`)},
			{"indiscreet", unexpected("the cause is not shown, because it quotes the password")},
			{"panics", unexpected("internal error")},
			{"nil map", unexpected("internal error")},
			{"empty", unexpected("the login succeeded, but has no profile")},
			{"strange", unexpected("moon_phase")},
			{"wrapped", `"p":{"err":{"message":"Account locked","name":"AccountLocked"}}}`},
			{"long", unexpected(strings.Repeat("é", 100) + "…")},
			{"deaf", unexpected("no answer in time")},
		} {
			l.text(t, ask("authenticate_user", fmt.Sprintf(fullClaims, "pid "+tt.user, tt.user)))
			if got, want := l.hear(t), `{"n":"pid `+tt.user+`_result",`+tt.want; got != want {
				t.Errorf("\n got %s\nwant %s", got, want)
			}
		}
		stop()
		timer := time.NewTimer(time.Hour) // the deaf one returns at last
		<-timer.C
	})
	if out := log.String(); strings.Contains(out, "hunter2") || strings.Contains(out, "eyJ") || strings.Contains(out, "boom\n") {
		t.Errorf("the log tells a secret, or breaks a line:\n%s", out)
	}
	for _, want := range []string{"a command panicked", "command_test.go", `user="nil map" outcome=fault reason="internal error"`,
		`user=wrapped outcome=refused reason=account_locked detail=since\nmonday`} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log does not say %s:\n%s", want, log)
		}
	}
	if a := answers["deaf"]; a.Outcome != fault || a.Fault != Late || a.Took != defaultTimeout || a.Command != "authenticate_user" {
		t.Errorf("%+v", a)
	}
	if a := answers["wrapped"]; a.Outcome != refused || a.Reason != "account_locked" {
		t.Errorf("%+v", a)
	}
}

func TestManyAtOnce(t *testing.T) {
	var mu sync.Mutex
	working, most := 0, 0
	count := func(n int) {
		mu.Lock()
		defer mu.Unlock()
		working += n
		most = max(most, working)
	}
	h := &people{authenticate: func(ctx context.Context, c identity.Credentials) (identity.Profile, error) {
		count(1)
		defer count(-1)
		return slow(time.Second).authenticate(ctx, c)
	}}
	turned := 0
	event := func(e Event) {
		mu.Lock()
		defer mu.Unlock()
		if e == CommandTurned {
			turned++
		}
	}
	bubble(t, h, func(o *Options) { o.MaxInFlight, o.Event = 8, event }, func(t *testing.T, hub *rawHub, c *Client, s *states, _ func()) {
		l := hub.accept(t)
		replies := make(chan string, 100)
		go func() {
			defer close(replies)
			for range 40 {
				replies <- l.hear(t)
			}
		}()
		for i := range 40 { // 5 work, since 3 places are kept for other commands; 32 wait; 3 are too many
			l.text(t, ask("authenticate_user", fmt.Sprintf(fullClaims, fmt.Sprint(i), "jane")))
			synctest.Wait()
		}
		want := Load{Links: 1, MostLinks: 1, Working: 5, Most: 8, Waiting: 32}
		if got := c.Load(); got != want || turned != 3 {
			t.Errorf("the load is %+v and %d are turned away, want %+v and 3", got, turned, want)
		}
		start := time.Now()
		good, busy := 0, 0
		for reply := range replies {
			switch {
			case strings.Contains(reply, "too busy"):
				busy++
				if time.Since(start) > 0 {
					t.Errorf("told to be busy after %v", time.Since(start))
				}
			case strings.Contains(reply, `"profile"`):
				good++
			}
		}
		if good != 37 || busy != 3 || most != 5 || time.Since(start) != 8*time.Second {
			t.Errorf("%d good, %d busy, %d at once, in %v", good, busy, most, time.Since(start))
		}
	})
}

// TestDeafHub lets the hub not read: the agent still reads, gives the link up by
// itself, and every answer comes on the next one.
func TestDeafHub(t *testing.T) {
	bubble(t, &people{}, func(o *Options) { o.MaxInFlight = 4 }, func(t *testing.T, hub *rawHub, c *Client, s *states, _ func()) {
		l := hub.accept(t)
		const asked = 50
		for i := range asked {
			l.text(t, ask("authenticate_user", fmt.Sprintf(fullClaims, fmt.Sprint(i), "jane")))
		}
		synctest.Wait()
		start := time.Now()
		conn := <-hub.conns
		if took := time.Since(start); took > writeTimeout+spread {
			t.Errorf("the agent was back after %v", took)
		}
		if c.Accepted() {
			t.Error("the dead link is still said to be accepted")
		}
		hub.conns <- conn
		l = hub.accept(t)
		heard := map[string]bool{}
		for range asked {
			heard[l.hear(t)] = true
		}
		if len(heard) != asked {
			t.Errorf("%d different answers to %d commands", len(heard), asked)
		}
	})
}

func TestWriteBack(t *testing.T) {
	log := &diary{}
	h := &people{change: func(context.Context, identity.Credentials) (identity.Profile, error) {
		t.Error("a password was changed")
		return identity.Profile{}, nil
	}}
	bubble(t, h, func(o *Options) {
		o.WriteBack = false
		o.Log = slog.New(slog.NewTextHandler(log, nil))
	}, func(t *testing.T, hub *rawHub, c *Client, s *states, _ func()) {
		l := hub.accept(t)
		for i, want := range []int{1, 1, 1, 2} { // one line a minute
			l.text(t, ask("change_password", fmt.Sprintf(fullClaims, fmt.Sprint("c", i), "jane")))
			l.text(t, ask("list_groups", fmt.Sprintf(`{"pid":"g%d"}`, i)))
			if got, want := l.hear(t), fmt.Sprintf(`{"n":"g%d_list_groups_result","p":{"groups":[]}}`, i); got != want {
				t.Errorf("got %s", got)
			}
			if got := strings.Count(log.String(), "change_password was ignored"); got != want {
				t.Errorf("%d lines after %d commands", got, i+1)
			}
			for wait := time.Now(); time.Since(wait) < 25*time.Second; { // the hub lives
				op, payload, err := l.read()
				if err != nil || op != opPing {
					t.Fatal(op, err)
				}
				l.raw(t, rawFrame(0x80|opPong, len(payload), string(payload)))
			}
		}
	})
}

func TestLongReply(t *testing.T) {
	one := profile(`{"id":"` + strings.Repeat("x", 1000) + `"}`)
	many := make([]identity.Profile, 20_000) // 20 MB
	for i := range many {
		many[i] = one
	}
	l, _, _ := meet(t, &people{search: func(context.Context, identity.Query) ([]identity.Profile, error) { return many, nil }}, nil)
	l.say(t, ask("search_users", `{"pid":"all"}`))
	if got := l.hear(t); len(got) < 20_000_000 || !strings.HasPrefix(got, `{"n":"all_search_users_result","p":{"users":[{"id":"xxx`) ||
		!strings.HasSuffix(got, `xxx"}]}}`) {
		t.Errorf("%d bytes", len(got))
	}
	l.login(t)
}

// TestSlowLine lets a long reply take a minute: the agent answers the hub's
// pings meanwhile, and does not take the line for dead.
func TestSlowLine(t *testing.T) {
	one := profile(`{"id":"` + strings.Repeat("x", 1<<20) + `"}`)
	h := &people{search: func(context.Context, identity.Query) ([]identity.Profile, error) {
		return []identity.Profile{one, one, one, one}, nil
	}}
	bubble(t, h, nil, func(t *testing.T, hub *rawHub, c *Client, s *states, _ func()) {
		l := hub.accept(t)
		l.text(t, ask("search_users", `{"pid":"p"}`))
		synctest.Wait()
		start, got, pongs := time.Now(), 0, 0
		pinged := make(chan struct{})
		go func() { // the agent reads although it is writing
			defer close(pinged)
			for range 3 {
				l.raw(t, rawFrame(0x80|opPing, 2, "hi"))
			}
		}()
		for got < 4<<20 {
			timer := time.NewTimer(time.Second)
			<-timer.C
			op, payload, err := l.read()
			switch {
			case err != nil:
				t.Fatalf("after %v and %d bytes: %v", time.Since(start), got, err)
			case op == opPong:
				pongs++
			case op == opText || op == 0:
				got += len(payload)
			}
		}
		<-pinged
		if took := time.Since(start); pongs == 0 || took < 40*time.Second || !c.Accepted() {
			t.Errorf("%d pongs, %v, state %q", pongs, took, s.last())
		}
		for { // the end of the message, and the other pongs
			if op, _, err := l.read(); err != nil || op == opPing {
				break
			}
		}
	})
}

// TestArguments is about what reaches the handler.
func TestArguments(t *testing.T) {
	got := make(chan string, 1)
	h := &people{
		authenticate: func(_ context.Context, c identity.Credentials) (identity.Profile, error) {
			got <- fmt.Sprintf("%q %q", c.Username, string(c.Password))
			return profile("{}"), nil
		},
		search: func(_ context.Context, q identity.Query) ([]identity.Profile, error) {
			got <- fmt.Sprintf("%q %d", q.Text, q.Limit)
			return nil, nil
		},
		groups: func(_ context.Context, limit int) ([]identity.Group, error) {
			got <- fmt.Sprint(limit)
			return []identity.Group{{Label: []byte(`"a"`)}, {}, {Label: []byte(`{`)}, {Label: []byte(`{"cn":"b"}`)}}, nil
		},
	}
	l, log, _ := meet(t, h, nil)
	for i, tt := range []struct{ command, claims, want string }{
		{"authenticate_user", `"username":"a$$b$&$'","password":"pässwörd-€\u0000 "`, `"a$$b$&$'" "pässwörd-€\x00 "`},
		{"authenticate_user", `"username":42,"password":"x"`, `"42" "x"`},
		{"authenticate_user", `"username":-1.5e3`, `"-1500" ""`},
		{"authenticate_user", `"username":true`, `"" ""`},
		{"authenticate_user", `"username":["jane"]`, `"" ""`},
		{"authenticate_user", `"Username":"jane","USERNAME":"jane"`, `"" ""`},
		{"authenticate_user", `"username":"john","username":"jane"`, `"jane" ""`},
		{"authenticate_user", `"username":"jd\\28\\29e"`, `"jd\\28\\29e" ""`},
		{"authenticate_user", `"username":"jd\\28\\29e","escaped":true`, `"jd()e" ""`},
		{"authenticate_user", `"username":"\\c3\\A9\\00\\ff\\2","escaped":1`, `"é\x00\xff\\2" ""`},
		{"authenticate_user", `"username":"\\2a\\zz*\\","escaped":"false"`, `"*\\zz*\\" ""`},
		{"authenticate_user", `"username":"\\2a","escaped":0`, `"\\2a" ""`},
		{"authenticate_user", `"username":"\\2a","escaped":""`, `"\\2a" ""`},
		{"authenticate_user", `"username":"\\2a","escaped":null`, `"\\2a" ""`},
		{"authenticate_user", `"username":"\\2a","escaped":{}`, `"*" ""`},
		{"authenticate_user", `"username":"eve\nlevel=ERROR\u001b[31m","password":"x"`, `"eve\nlevel=ERROR\x1b[31m" "x"`},
		{"search_users", `"search":"jane"`, `"jane" 0`},
		{"search_users", `"limit":3`, `"" 3`},
		{"search_users", `"search":null,"limit":null`, `"" 0`},
		{"search_users", `"search":"\\2a","escaped":true,"limit":"2"`, `"*" 2`},
		{"search_users", `"search":7,"limit":2.9`, `"7" 2`},
		{"search_users", `"limit":" 12 "`, `"" 12`},
		{"search_users", `"limit":"abc"`, `"" 0`},
		{"search_users", `"limit":"2abc"`, `"" 0`},
		{"search_users", `"limit":0`, `"" 0`},
		{"search_users", `"limit":-1`, `"" 0`},
		{"search_users", `"limit":0.5`, `"" 0`},
		{"search_users", `"limit":"NaN"`, `"" 0`},
		{"search_users", `"limit":"Infinity"`, `"" 2147483647`},
		{"search_users", `"limit":1e300`, `"" 2147483647`},
		{"search_users", `"limit":[3]`, `"" 0`},
		{"search_users", `"limit":true`, `"" 0`},
		{"list_groups", `"limit":5,"search":{}`, `5`},
		{"list_groups", `"x":1`, `0`},
	} {
		l.say(t, ask(tt.command, fmt.Sprintf(`{"pid":%d,%s}`, i, tt.claims)))
		if got := <-got; got != tt.want {
			t.Errorf("%s %s: got %s, want %s", tt.command, tt.claims, got, tt.want)
		}
		reply := l.hear(t)
		if want := fmt.Sprintf(`{"n":"%d%s","p":{`, i, commandsByName[tt.command].suffix); !strings.HasPrefix(reply, want) {
			t.Errorf("reply %s", reply)
		}
		if tt.command == "list_groups" && !strings.HasSuffix(reply, `"p":{"groups":["a",null,null,{"cn":"b"}]}}`) {
			t.Errorf("reply %s", reply)
		}
	}
	log.waitFor(t, `user="eve\\nlevel=ERROR\\x1b[31m"`)
}

func TestUnusableSigningKeyRefusesEverything(t *testing.T) {
	for _, key := range []string{"", "  \n", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"} {
		s := &states{}
		l, log, _ := meet(t, &people{authenticate: func(context.Context, identity.Credentials) (identity.Profile, error) {
			t.Error("a login was tried")
			return identity.Profile{}, nil
		}}, func(o *Options) { o.SigningKey, o.State = key, s.told })
		l.say(t, `{"n":"authenticate_user","p":{"jwt":"`+hs256(key, `{"pid":"p","username":"jane","password":"secret"}`)+`"}}`)
		log.waitFor(t, "Unauthorized attemp of authentication.")
		log.waitFor(t, "no command can be verified")
		log.waitFor(t, "auth0: Agent accepted.") // after the state
		if !strings.Contains(s.last(), "keyless the tenant's signing key is") {
			t.Errorf("state %q", s.last())
		}
	}
}

func TestNewRefuses(t *testing.T) {
	good := options("https://hub.example/lo/hub", io.Discard)
	for name, change := range map[string]func(*Options){
		"no URL":                func(o *Options) { o.URL = "" },
		"another scheme":        func(o *Options) { o.URL = "ftp://hub.example" },
		"no host":               func(o *Options) { o.URL = "https:///hub" },
		"a damaged URL":         func(o *Options) { o.URL = "https://user:hunter2@hub.example:port" },
		"no key":                func(o *Options) { o.Signer = nil },
		"a key that is not RSA": func(o *Options) { o.Signer = ecKey() },
	} {
		o := good
		change(&o)
		if c, err := New(&people{}, o); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v, %v", name, c, err)
		}
	}
	if _, err := New(nil, good); err == nil {
		t.Error("no handler: no error")
	}
	for url, want := range map[string]string{
		"http://hub.example/lo/hub":  "ws://hub.example/lo/hub",
		"https://hub.example/lo/hub": "wss://hub.example/lo/hub",
		"wss://hub.example":          "wss://hub.example",
	} {
		o, log := good, &diary{}
		o.URL, o.Log = url, slog.New(slog.NewTextHandler(log, nil))
		c, err := New(&people{}, o)
		if err != nil || c.url != want {
			t.Errorf("%s became %v, %v", url, c, err)
		}
		if warned := strings.Contains(log.String(), "not encrypted"); warned != strings.HasPrefix(want, "ws:") {
			t.Errorf("%s: warned = %t", url, warned)
		}
	}
}

func TestRunTwice(t *testing.T) {
	c, stop := start(t, &people{}, options(newPretendHub(t).URL, io.Discard))
	stop()
	if err := c.Run(t.Context()); err == nil {
		t.Error("it ran twice")
	}
}

// TestDurationsIgnoreTheTokensClock: that clock is corrected by the tenant's,
// and jumps; what is measured by it would be hours, or less than nothing.
func TestDurationsIgnoreTheTokensClock(t *testing.T) {
	for _, jump := range []time.Duration{time.Hour, -time.Hour} {
		var offset atomic.Int64
		var got Answer
		bubble(t, slow(2*time.Second), func(o *Options) {
			o.Now = func() time.Time { return time.Now().Add(time.Duration(offset.Load())) }
			o.Answered = func(a Answer) { got = a }
		}, func(t *testing.T, hub *rawHub, _ *Client, _ *states, _ func()) {
			l := hub.accept(t)
			l.text(t, ask("authenticate_user", `{"pid":"p","username":"jane","password":"secret"}`))
			synctest.Wait()
			offset.Store(int64(jump))
			l.hear(t)
			synctest.Wait()
			if got.Took != 2*time.Second {
				t.Errorf("a jump by %v: a login of 2 s took %v", jump, got.Took)
			}
		})
	}
}
