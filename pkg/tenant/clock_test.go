package tenant

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestClock(t *testing.T) {
	client, k := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/test" {
			t.Errorf("asked for %s", r.URL.Path)
		}
		say(200, "application/json", `{"clock":1795302195280.5}`)(w, r)
	})
	// Ours is 3 s behind at the start of a round trip of 1 s.
	start := time.UnixMilli(1795302195280).Add(-3 * time.Second)
	var calls int
	client.Now = func() time.Time {
		calls++
		return start.Add(time.Duration(max(0, calls-2)) * time.Second) // the first call is before the connection stands
	}
	got, err := client.Clock(t.Context(), k)
	if err != nil {
		t.Fatal(err)
	}
	want := Clock{Time: time.UnixMicro(1795302195280500).UTC(), Offset: 2500*time.Millisecond + 500*time.Microsecond, RoundTrip: time.Second}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestClockOverATransportThatTracesNothing(t *testing.T) {
	var now time.Time
	client := &Client{
		Now: func() time.Time { now = now.Add(time.Second); return now },
		HTTP: &http.Client{Transport: roundTrip(func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(`{"clock":1795302195280}`))}, nil
		})},
	}
	got, err := client.Clock(t.Context(), ticket(t, "https://acme.example/p/ad/x"))
	if err != nil || got.RoundTrip != time.Second {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestClockNamesWhatIsWrong(t *testing.T) {
	for body, text := range map[string]string{
		`{}`:                       "has no clock",
		`{"clock":null}`:           "has no clock",
		`{"clock":"1795302195"}`:   "not in milliseconds",
		`{"clock":1795302195}`:     "not in milliseconds",
		`{"clock":-1}`:             "not in milliseconds",
		`{"clock":1e200}`:          "not in milliseconds",
		`{"clock":{}}`:             "not in milliseconds",
		`{"clock":1795302195280e}`: "",
	} {
		client, k := serve(t, say(200, "application/json", body))
		_, err := client.Clock(t.Context(), k)
		cause := CauseClock
		if text == "" {
			cause, text = CauseNotJSON, "not JSON"
		}
		check(t, err, cause, text, "read the tenant's clock at ")
	}
	client, k := serve(t, say(404, "text/html", "nothing here"))
	_, err := client.Clock(t.Context(), k)
	check(t, err, CauseStatus, "status 404", "read the tenant's clock at ")
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
