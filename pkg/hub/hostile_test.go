package hub

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"ad-ldap-connector/pkg/identity"
)

// TestHostileFrames sends what a hub must not send. A frame that is not a good
// message is logged at most, and a good login works on the same link
// afterwards.
func TestHostileFrames(t *testing.T) {
	l, log, hub := meet(t, &people{}, nil)
	for _, tt := range []struct{ name, frame, logged string }{
		{"not JSON", `not json`, "not a JSON object"},
		{"empty", ``, "not a JSON object"},
		{"null", `null`, "no event name"},
		{"an array", `[]`, "not a JSON object"},
		{"an empty object", `{}`, "no event name"},
		{"a number", `42`, "not a JSON object"},
		{"a string", `"str"`, "not a JSON object"},
		{"an empty name", `{"n":""}`, "no event name"},
		{"a name that is a number", `{"n":42,"p":{}}`, "no event name"},
		{"a name that is an array", `{"n":["authenticate_user"],"p":{}}`, "no event name"},
		{"a name that is null", `{"n":null,"p":{}}`, "no event name"},
		{"a name in another case", `{"N":"authenticate_user","P":{}}`, "no event name"},
		{"an unknown event", `{"n":"nosuch","p":{}}`, "event=nosuch"},
		{"an event with a line break", `{"n":"a\nlevel=ERROR","p":{}}`, `event="a\\nlevel=ERROR"`},
		{"no payload", `{"n":"authenticate_user"}`, "Unauthorized attemp of authentication."},
		{"a search without payload", `{"n":"search_users"}`, "Unauthorized attemp of search_users."},
		{"a listing without payload", `{"n":"list_groups"}`, "Unauthorized attempt of list_groups"},
		{"a password change without payload", `{"n":"change_password"}`, "Unauthorized change_password attempt"},
		{"a payload that is null", `{"n":"authenticate_user","p":null}`, "the payload is not an object"},
		{"a payload that is a string", `{"n":"authenticate_user","p":"str"}`, "the payload is not an object"},
		{"a payload without token", `{"n":"authenticate_user","p":{}}`, "no token"},
		{"a token that is a number", `{"n":"authenticate_user","p":{"jwt":42}}`, "the token is not a string"},
		{"a token that is null", `{"n":"authenticate_user","p":{"jwt":null}}`, "the token is not a string"},
		{"a token that is an object", `{"n":"authenticate_user","p":{"jwt":{}}}`, "the token is not a string"},
		{"a token that is none", `{"n":"authenticate_user","p":{"jwt":"a.b.c"}}`, "not a token"},
		{"claims that are null", ask("authenticate_user", `null`), "the token has no pid"},
		{"claims that are an array", ask("authenticate_user", `[]`), "not a token"},
		{"no pid", ask("authenticate_user", `{"username":"jane"}`), "the token has no pid"},
		{"an empty pid", ask("authenticate_user", `{"pid":""}`), "the token has no pid"},
		{"a pid that is an object", ask("authenticate_user", `{"pid":{}}`), "the token has no pid"},
		{"something after the message", ask("authenticate_user", `{"pid":"x"}`) + " trailing", "not a JSON object"},
		{"a byte order mark", "\uFEFF{}", "not a JSON object"},
		{"the event close", `{"n":"close","p":{}}`, "event=close"},
		{"the event error", `{"n":"error","p":{}}`, "event=error"},
		{"the event open", `{"n":"open","p":{}}`, "event=open"},
		{"the event message", `{"n":"message","p":{}}`, "event=message"},
		{"the event __proto__", `{"n":"__proto__","p":{}}`, "event=__proto__"},
		{"a second verdict", `{"n":"authenticated"}`, ""},
		{"a rejection after the acceptance", `{"n":"authentication_failure"}`, ""},
		{"arrays 100,000 deep", `{"n":"nosuch","p":` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + `}`, "exceeded max depth"},
		{"objects 9,000 deep", `{"n":"authenticate_user","p":` + strings.Repeat(`{"jwt":`, 9000) + "1" + strings.Repeat("}", 9000) + `}`, "the token is not a string"},
		{"a token of half a megabyte", `{"n":"authenticate_user","p":{"jwt":"` + strings.Repeat("a.", 250_000) + `"}}`, "not a token"},
		{"5 MB", `{"n": "nosuch", "p": "` + strings.Repeat("z", 5_000_000) + `"}`, "it is too long"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l.say(t, tt.frame)
			l.login(t)
			if out := log.String(); !strings.Contains(out, tt.logged) {
				t.Errorf("the log does not say %q", tt.logged)
			}
		})
	}
	t.Run("a binary frame with a good message", func(t *testing.T) {
		frame := ask("authenticate_user", `{"pid":"bin1","username":"jane","password":"secret"}`)
		if err := l.Write(t.Context(), websocket.MessageBinary, []byte(frame)); err != nil {
			t.Fatal(err)
		}
		l.login(t) // would hear bin1_result first
	})
	t.Run("long frames are told of once", func(t *testing.T) {
		l.say(t, strings.Repeat(" ", maxFrame+1))
		l.login(t)
		if n := strings.Count(log.String(), "it is too long"); n != 1 {
			t.Errorf("%d times", n)
		}
	})
	t.Run("the longest frame", func(t *testing.T) {
		frame := ask("authenticate_user", `{"pid":"long","username":"jane","password":"secret"}`)
		l.say(t, frame+strings.Repeat(" ", maxFrame-len(frame)))
		if got := l.hear(t); !strings.HasPrefix(got, `{"n":"long_result","p":{"profile"`) {
			t.Errorf("got %s", got)
		}
	})
	select {
	case <-hub.links:
		t.Error("the agent came back on another link")
	default:
	}
	if out := log.String(); strings.Contains(out, "panicked") || strings.Contains(out, "eyJ") {
		t.Error("something panicked, or a token was logged")
	}
}

// TestRecordedFrames plays the malformed frames that the existing connector was
// sent. Those that break the websocket protocol end the link, and a good login
// works on the next one.
func TestRecordedFrames(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	hub, log := newRawHub(), &diary{}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			hub.conns <- conn
		}
	}()
	defer listener.Close() // a test's end
	start(t, &people{}, options("http://"+listener.Addr().String(), log))

	l, outer := hub.accept(t), t // a link outlives the subtest that opens it
	played := 0
	note := ""
	for _, e := range recording(t, "60-malformed-frames.jsonl") {
		switch {
		case e.Kind == "note":
			note = e.Text
			continue
		case e.Dir != "hub>agent":
			continue
		}
		played++
		t.Run(fmt.Sprintf("%d %.60s", played, note), func(t *testing.T) {
			switch e.Kind {
			case "ws.rawbytes":
				b, err := hex.DecodeString(e.Hex)
				if err != nil {
					t.Fatal(err)
				}
				l.raw(t, b)
				if strings.Contains(note, "opcode") || strings.Contains(note, "RSV1") {
					if op, payload, err := l.read(); err != nil || op != opClose || string(payload[:2]) != "\x03\xea" { // 1002
						t.Fatalf("opcode %d %q, %v", op, payload, err)
					}
					l = hub.accept(outer)
				}
			case "ws.binary":
				b, err := base64.StdEncoding.DecodeString(e.Base64)
				if err != nil {
					t.Fatal(err)
				}
				l.raw(t, rawFrame(0x80|2, len(b), string(b))) // was answered; text frames only now
			default:
				l.text(t, e.Frame)
				if strings.Contains(note, "good login") || strings.Contains(e.Frame, "eyJ") && !strings.Contains(e.Frame, "trailing") {
					l.hear(t) // this user is unknown here, which is an answer too
				}
			}
			l.login(t)
		})
	}
	if played < 40 {
		t.Errorf("only %d frames", played)
	}
}

// TestProtocol is about frames below the messages: fragments, wrong UTF-8,
// lies about lengths.
func TestProtocol(t *testing.T) {
	for _, tt := range []struct {
		name string
		send func(t *testing.T, l *rawLink)
		same bool // the link survives
	}{
		{"a message in fragments, with a ping between them", func(t *testing.T, l *rawLink) {
			text := ask("authenticate_user", `{"pid":"parts","username":"jane","password":"secret"}`)
			l.raw(t, rawFrame(opText, 10, text[:10]))
			l.raw(t, rawFrame(0x80|opPing, 2, "hi"))
			if op, payload, err := l.read(); err != nil || op != opPong || string(payload) != "hi" {
				t.Fatalf("opcode %d %q, %v", op, payload, err)
			}
			l.raw(t, rawFrame(0, 10, text[10:20]))
			l.raw(t, rawFrame(0x80, len(text)-20, text[20:]))
			if got := l.hear(t); !strings.HasPrefix(got, `{"n":"parts_result","p":{"profile"`) {
				t.Fatal(got)
			}
		}, true},
		{"a thousand empty fragments", func(t *testing.T, l *rawLink) {
			l.raw(t, rawFrame(opText, 0, ""))
			for range 1000 {
				l.raw(t, rawFrame(0, 0, ""))
			}
			l.raw(t, rawFrame(0x80, 0, ""))
		}, true},
		{"text that is not UTF-8", func(t *testing.T, l *rawLink) {
			l.raw(t, rawFrame(0x80|opText, 2, "\xff\xfe"))
			l.raw(t, rawFrame(0x80|opText, 12, `{"n":"`+"\xff"+`y"}  `))
		}, true},
		{"an unasked pong", func(t *testing.T, l *rawLink) { l.raw(t, rawFrame(0x80|opPong, 1, "x")) }, true},
		{"a continuation of nothing", func(t *testing.T, l *rawLink) { l.raw(t, rawFrame(0x80, 2, "{}")) }, false},
		{"a message within a message", func(t *testing.T, l *rawLink) {
			l.raw(t, rawFrame(opText, 2, "{}"))
			l.raw(t, rawFrame(0x80|opText, 2, "{}"))
		}, false},
		{"a ping in fragments", func(t *testing.T, l *rawLink) { l.raw(t, rawFrame(opPing, 2, "hi")) }, false},
		{"a negative length", func(t *testing.T, l *rawLink) {
			l.raw(t, append([]byte{0x80 | opText, 127}, "\xff\xff\xff\xff\xff\xff\xff\xff"...))
		}, false},
		{"a close frame", func(t *testing.T, l *rawLink) { l.raw(t, rawFrame(0x80|opClose, 2, "\x03\xe8")) }, false},
		{"a close frame of one byte", func(t *testing.T, l *rawLink) { l.raw(t, rawFrame(0x80|opClose, 1, "\x03")) }, false},
		{"the line drops", func(t *testing.T, l *rawLink) { _ = l.Close() }, false},
		{"the line drops in a frame", func(t *testing.T, l *rawLink) {
			l.raw(t, rawFrame(0x80|opText, 100, "{"))
			_ = l.Close()
		}, false},
		{"more than 64 MiB", func(t *testing.T, l *rawLink) {
			l.raw(t, rawFrame(0x80|opText, maxSkip+2, ""))
			chunk := make([]byte, 1<<20)
			for range maxSkip >> 20 {
				l.raw(t, chunk)
			}
			_, _ = l.Write([]byte("xx"))    // the agent may hang up at the first byte too many
			_, _ = io.Copy(io.Discard, l.r) // waits for the agent's hanging up
		}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			hub := newRawHub()
			o := options("http://hub.example", io.Discard)
			o.HTTP = hub.client()
			start(t, &people{}, o)
			l := hub.accept(t)
			tt.send(t, l)
			if !tt.same {
				go io.Copy(io.Discard, l.r) // the pipe holds nothing: someone must read the farewell
				l = hub.accept(t)
			}
			l.login(t)
		})
	}
}

// TestOldDefects sends what stopped or wedged the existing connector. Each is
// answered, unless it asks for nothing, and a good login works on the same
// link.
func TestOldDefects(t *testing.T) {
	h := &people{
		authenticate: func(ctx context.Context, c identity.Credentials) (identity.Profile, error) {
			switch c.Username {
			case "slow":
				<-ctx.Done() // the directory does not answer
				return identity.Profile{}, ctx.Err()
			case "busy":
				return identity.Profile{}, fmt.Errorf("bind as CN=busy: LDAP Result Code 51 \"Busy\"")
			}
			return goodLogin(ctx, c)
		},
		change: func(_ context.Context, c identity.Credentials) (identity.Profile, error) {
			switch {
			case c.Username == "nobody" || c.Username == "":
				return identity.Profile{}, &identity.Refusal{Reason: identity.WrongUsername}
			case c.Password == "":
				return identity.Profile{}, &identity.Refusal{Reason: identity.PasswordTooWeak, Profile: profile(`{"id":"jane"}`)}
			case c.Username == "constraint":
				return identity.Profile{}, fmt.Errorf("set password: LDAP Result Code 19 \"Constraint Violation\"")
			}
			return identity.Profile{}, &identity.Refusal{Reason: identity.InsufficientAccess, Profile: profile(`{"id":"jane"}`)}
		},
		groups: func(_ context.Context, limit int) ([]identity.Group, error) {
			return []identity.Group{{Label: []byte(`"a"`)}, {Label: []byte(`"b"`)}, {Label: []byte(`"c"`)}}[:max(limit, 0)], nil
		},
	}
	const (
		wrongUser     = `"p":{"err":{"message":"Wrong username","username":"","name":"WrongUsername"},"profile":{"username":""}}}`
		wrongPassword = `"p":{"err":{"message":"Wrong password","profile":{"id":"jane"},"name":"WrongPassword"},"profile":{"id":"jane"}}}`
		tooWeak       = `"p":{"err":{"message":"Password doesn’t meet minimum requirements","profile":{"id":"jane"},"name":"PasswordComplexityError"},"profile":{"id":"jane"}}}`
		noAccess      = `"p":{"err":{"message":"Service Account has Insufficient Access Rights","profile":{"id":"jane"},"name":"InsufficientAccessRightsError"},"profile":{"id":"jane"}}}`
	)
	rows := []struct{ name, command, claims, want string }{
		{"a login with an empty name", "authenticate_user", `"username":"","password":"x"`, wrongUser},
		{"a login without name", "authenticate_user", `"password":"x"`, wrongUser},
		{"a login with a name that is an object", "authenticate_user", `"username":{"$ne":1},"password":"x"`, wrongUser},
		{"a login with an empty password", "authenticate_user", `"username":"jane","password":""`, wrongPassword},
		{"a login without password", "authenticate_user", `"username":"jane"`, wrongPassword},
		{"a login whose password is null", "authenticate_user", `"username":"jane","password":null`, wrongPassword},
		{"a login whose password is a number", "authenticate_user", `"username":"jane","password":12345`, wrongPassword},
		{"a login whose password is an object", "authenticate_user", `"username":"jane","password":{"a":1}`, wrongPassword},
		{"a login whose password is an array", "authenticate_user", `"username":"jane","password":["secret"]`, wrongPassword},
		{"a login that takes too long", "authenticate_user", `"username":"slow","password":"x"`,
			`"p":{"err":{"message":"Unexpected Error","inner":{"message":"no answer in time"}}}}`},
		{"a bind answered busy", "authenticate_user", `"username":"busy","password":"x"`,
			`"p":{"err":{"message":"Unexpected Error","inner":{"message":"bind as CN=busy: LDAP Result Code 51 \"Busy\""}}}}`},
		{"a new password for nobody", "change_password", `"username":"nobody","password":"new"`,
			`"p":{"err":{"message":"Wrong username","username":"nobody","name":"WrongUsername"}}}`},
		{"a new password for an empty name", "change_password", `"username":"","password":"new"`,
			`"p":{"err":{"message":"Wrong username","username":"","name":"WrongUsername"}}}`},
		{"an empty new password", "change_password", `"username":"jane","password":""`, tooWeak},
		{"a change without password", "change_password", `"username":"jane"`, tooWeak},
		{"a change whose password is an object", "change_password", `"username":"jane","password":{}`, tooWeak},
		{"a change without access", "change_password", `"username":"jane","password":"new"`, noAccess},
		{"a change that violates a constraint", "change_password", `"username":"constraint","password":"new"`,
			`"p":{"err":{"message":"Unexpected Error","inner":{"message":"set password: LDAP Result Code 19 \"Constraint Violation\""}}}}`},
		{"a listing with a limit below the groups", "list_groups", `"limit":2`, `"p":{"groups":["a","b"]}}`},
		{"a search with a negative limit", "search_users", `"search":"x","limit":-1`, `"p":{"users":[]}}`},
		{"a search for an object", "search_users", `"search":{}`,
			`"p":{"err":{"message":"Unexpected Error","inner":{"message":"the search term is not a string"}}}}`},
	}
	for _, tt := range rows {
		t.Run(tt.name, func(t *testing.T) {
			log := &diary{}
			logged := func(o *Options) { o.Log = slog.New(slog.NewTextHandler(log, nil)) }
			bubble(t, h, logged, func(t *testing.T, hub *rawHub, _ *Client, _ *states, _ func()) {
				l := hub.accept(t)
				l.text(t, ask(tt.command, `{"pid":"p",`+tt.claims+`}`))
				want := `{"n":"p` + commandsByName[tt.command].suffix + `",` + tt.want
				if got := l.hear(t); got != want {
					t.Errorf("\n got %s\nwant %s", got, want)
				}
				l.login(t)
			})
			if strings.Contains(log.String(), "panicked") || strings.Contains(log.String(), "reconnecting") {
				t.Errorf("log:\n%s", log)
			}
		})
	}
}
