package tenant

import (
	"net/http"
	"strings"
	"testing"
)

func TestKeySet(t *testing.T) {
	for name, c := range map[string]struct {
		status            int
		contentType, body string
		cause             Cause
		text              string
	}{
		"keys":         {200, "application/json", `{"keys":[]}`, "", ""},
		"of its type":  {200, "application/jwk-set+json", `{"keys":[]}`, "", ""},
		"no such page": {404, "text/html", "no", CauseStatus, "status 404"}, // the ticket may be as good as ever
		"sent on":      {302, "", "", CauseRedirect, "sent on to"},
		"a page":       {200, "text/html", "<html>", CauseNotJSON, "not JSON"},
		"a list":       {200, "application/json", `[]`, CauseNotJSON, "not JSON"},
		"too long":     {200, "application/json", `{"keys":"` + strings.Repeat("x", maxAnswer) + `"}`, CauseTooLarge, "more than"},
	} {
		t.Run(name, func(t *testing.T) {
			client, k := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/.well-known/jwks.json" || r.Method != http.MethodGet {
					t.Errorf("%s %s", r.Method, r.URL.Path)
				}
				if c.status == http.StatusFound {
					w.Header().Set("Location", "https://elsewhere.example/keys")
				}
				say(c.status, c.contentType, c.body)(w, r)
			})
			data, err := client.KeySet(t.Context(), k)
			if c.cause == "" && (err != nil || string(data) != c.body) {
				t.Errorf("%q, %v", data, err)
			}
			if c.cause != "" {
				check(t, err, c.cause, c.text, "read the keys that the tenant publishes at ")
			}
		})
	}
}
