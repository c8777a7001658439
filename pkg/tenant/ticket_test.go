package tenant

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// planted is the secret part of the tests' tickets: it must show up nowhere.
const planted = "pl4nted-S3cret"

func ticket(t *testing.T, s string) Ticket {
	t.Helper()
	k, err := ParseTicket(s)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestParseTicketForgivesPasting(t *testing.T) {
	for _, c := range []struct{ pasted, reveal, host string }{
		{"https://acme.example/p/ad/x1", "https://acme.example/p/ad/x1", "acme.example"},
		{" \t\nhttps://acme.example/p/ad/x1\r\n", "https://acme.example/p/ad/x1", "acme.example"},
		{`"https://acme.example/p/ad/x1"`, "https://acme.example/p/ad/x1", "acme.example"},
		{"<https://acme.example/p/ad/x1>", "https://acme.example/p/ad/x1", "acme.example"},
		{"\u201chttps://acme.example/p/ad/x1\u201d\u00a0", "https://acme.example/p/ad/x1", "acme.example"},
		{"\ufeffhttps://acme.example/p/ad/x1", "https://acme.example/p/ad/x1", "acme.example"},
		{"https://acme.example/p/ad/x1/", "https://acme.example/p/ad/x1", "acme.example"},
		{"https://acme.example/p/ad/x1/info", "https://acme.example/p/ad/x1", "acme.example"},
		{"https://acme.example/p/ad/x1/info/", "https://acme.example/p/ad/x1", "acme.example"},
		{"https://acme.example/p/ad/x1//", "https://acme.example/p/ad/x1", "acme.example"},
		{"acme.example/p/ad/x1", "https://acme.example/p/ad/x1", "acme.example"},
		{"HTTPS://Acme.Example:443/p/ad/X1", "https://acme.example/p/ad/X1", "acme.example"},
		{"https://acme.example:8443/p/ad/x1", "https://acme.example:8443/p/ad/x1", "acme.example:8443"},
		{"https://[::1]:8443/p/ad/x1", "https://[::1]:8443/p/ad/x1", "[::1]:8443"},
		{"http://127.0.0.1:3000/p/ad/x1", "http://127.0.0.1:3000/p/ad/x1", "127.0.0.1:3000"},
		{"http://localhost/p/ad/x1", "http://localhost/p/ad/x1", "localhost"},
		{"https://manage.acme.example/p/ad/x1", "https://manage.acme.example/p/ad/x1", "manage.acme.example"},
		{"https://acme.example/p/ad/infoinfo", "https://acme.example/p/ad/infoinfo", "acme.example"},
		{"https://acme.example/p/ad/A_b-c.d~9", "https://acme.example/p/ad/A_b-c.d~9", "acme.example"},
	} {
		k, err := ParseTicket(c.pasted)
		if err != nil {
			t.Errorf("%q: %v", c.pasted, err)
			continue
		}
		if k.Reveal() != c.reveal || k.Host() != c.host || k.IsZero() {
			t.Errorf("%q: %s at %s", c.pasted, k.Reveal(), k.Host())
		}
		if again := ticket(t, k.Reveal()); !again.Equal(k) || again != k {
			t.Errorf("%q: not the same when parsed again", c.pasted)
		}
	}
}

func TestParseTicketSaysWhatWasPasted(t *testing.T) {
	const p = planted
	for pasted, want := range map[string]struct{ text, hint string }{
		"":       {"it is empty", "whole ticket URL"},
		"\t\"\"": {"it is empty", "whole ticket URL"},
		p:        {"not a URL", "not only its last part"},
		"https://acme.example/p/ad/" + p + " https://":                {"white space", "as one line"},
		"https://acme.example/p/ad/\n" + p:                            {"white space", "as one line"},
		"http://acme.example/p/ad/" + p:                               {"http://", "with https://"},
		"http://10.0.0.7/p/ad/" + p:                                   {"http://", "with https://"},
		"https://manage.auth0.com/dashboard/eu/acme/connections/" + p: {"dashboard", "Open the connection"},
		"https://acme.example/dashboard/" + p:                         {"dashboard", "Open the connection"},
		"https://acme.example/p/ad/":                                  {"path", "Copy the ticket URL"},
		"https://acme.example/p/ad/info":                              {"path", "Copy the ticket URL"},
		"https://acme.example/testall":                                {"path", "Copy the ticket URL"},
		"https://acme.example/":                                       {"path", "Copy the ticket URL"},
		"/p/ad/" + p:                                                  {"not a URL", "whole ticket URL"},
		"https:///p/ad/" + p:                                          {"not a URL", "whole ticket URL"},
		"https://acme.example:port/p/ad/" + p:                         {"not a URL", "whole ticket URL"},
		"https://acme.example/p/ad/%zz" + p:                           {"not a URL", "whole ticket URL"},
		"https://acme.example/p/ad/" + p + "?a=b":                     {"? or #", "up to the end"},
		"https://acme.example/p/ad/" + p + "#info":                    {"? or #", "up to the end"},
		"https://me:" + p + "@acme.example/p/ad/x":                    {"user name", "as the dashboard"},
		"https://acme.example/p/ad/{" + p + "}":                       {"last part", "Copy the ticket URL again"},
		"https://acme.example/p/ad/" + p + "/x":                       {"last part", "Copy the ticket URL again"},
		"https://acme.example/p/ad/" + p + "%2f..":                    {"last part", "Copy the ticket URL again"},
		"https://acme.example/p/ad/..":                                {"last part", "Copy the ticket URL again"},
		"wss://acme.example/p/ad/" + p:                                {"neither", "whole ticket URL"},
		"C:\\tickets/" + p:                                            {"not a URL", "whole ticket URL"},
	} {
		k, err := ParseTicket(pasted)
		var e *Error
		if !errors.As(err, &e) || e.Cause != CauseTicket || !k.IsZero() {
			t.Errorf("%q: %v %v", pasted, k, err)
			continue
		}
		if !strings.HasPrefix(e.Error(), "read the ticket: ") || !strings.Contains(e.Error(), want.text) || !strings.Contains(e.Hint(), want.hint) {
			t.Errorf("%q: %v (hint: %s)", pasted, e, e.Hint())
		}
		if strings.Contains(e.Error()+e.Hint(), p) {
			t.Errorf("%q: the error shows the secret: %v", pasted, e)
		}
	}
}

func TestTheTicketHidesItsSecretPart(t *testing.T) {
	k := ticket(t, "https://acme.example/p/ad/"+planted)
	const want = "https://acme.example/p/ad/[hidden]"
	if k.String() != want {
		t.Error(k.String())
	}
	type exported struct{ Ticket Ticket }
	type unexported struct{ ticket Ticket }
	var shown []string
	for _, v := range []any{k, &k, exported{k}, &exported{k}, unexported{k}, &unexported{k}, []Ticket{k}, map[string]Ticket{"a": k}, map[Ticket]int{k: 1}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T", "%20s", "%!"} {
			shown = append(shown, fmt.Sprintf(verb, v))
		}
		shown = append(shown, fmt.Sprint(v))
		if data, err := json.Marshal(v); err == nil {
			shown = append(shown, string(data))
		}
		var b bytes.Buffer
		slog.New(slog.NewTextHandler(&b, nil)).Info("x", "ticket", v)
		slog.New(slog.NewJSONHandler(&b, nil)).Info("x", "ticket", v)
		shown = append(shown, b.String())
	}
	for _, s := range shown {
		if strings.Contains(s, planted) || strings.Contains(s, fmt.Sprintf("%x", planted)) {
			t.Errorf("shown: %s", s)
		}
	}
	if got := fmt.Sprintf("%v %s", k, k); got != want+" "+want {
		t.Error(got)
	}
	if data, _ := json.Marshal(exported{k}); string(data) != `{"Ticket":"`+want+`"}` {
		t.Errorf("%s", data)
	}
	var none Ticket
	if none.String() != "" || none.Reveal() != "" || !none.IsZero() || none.Equal(k) || none.censor("a") != "a" {
		t.Errorf("the zero ticket: %v", none)
	}
}

// Bad input gets an error; good input gets a ticket that reads back as itself.
func FuzzParseTicket(f *testing.F) {
	for _, s := range []string{
		"https://acme.example/p/ad/x1/info", "http://localhost:1/p/ad/x", "acme.example/p/ad/x", "<\"https://[::1]:9/p/ad/x//>",
		"https://acme.example/p/ad/..", "https://a@b/p/ad/x", "https://acme.example:443/p/ad/x?y#z", "://", "\x00", "https://%zz/p/ad/x",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		k, err := ParseTicket(s)
		if err != nil {
			if hint := new(Error); !errors.As(err, &hint) || hint.Hint() == "" || !k.IsZero() {
				t.Fatalf("%q: %v", s, err)
			}
			return
		}
		again, err := ParseTicket(k.Reveal())
		if err != nil || again != k {
			t.Fatalf("%q: %q, then %v %v", s, k.Reveal(), again, err)
		}
		if secret := k.secret.Value(); len(secret) > 12 && strings.Contains(k.String(), secret) && !strings.Contains(k.host, secret) {
			t.Fatalf("%q: shows %s", s, k)
		}
	})
}
