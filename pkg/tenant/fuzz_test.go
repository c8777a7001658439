package tenant

import (
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
)

// Whatever a tenant answers, each request ends in a value or in an *Error with
// a cause, and the secret stays hidden.
func FuzzAnswers(f *testing.F) {
	for _, body := range []string{
		complete + "}", `{"signingKey":"k"}`, `{"clock":1795302195280}`, `{"adHub":7}`, `{"message":"/p/ad/` + planted + `"}`,
		"[]", "null", "", "\ufeff{}", `{"connectionDomain":[null,1]}`, `{"realm":{"name":[]}}`, `{"clock":1e400}`, "{\"a\":\"\xff\"}",
	} {
		f.Add(200, "application/json", body)
		f.Add(503, "text/html", body)
	}
	f.Fuzz(func(t *testing.T, status int, contentType, body string) {
		client := &Client{HTTP: &http.Client{Transport: roundTrip(func(*http.Request) (*http.Response, error) {
			return &http.Response{
				StatusCode: status, Body: io.NopCloser(strings.NewReader(body)),
				Header: http.Header{"Content-Type": {contentType}, "Location": {body}},
			}, nil
		})}}
		k := ticket(t, "https://acme.example/p/ad/"+planted)
		connection, err1 := client.Connection(t.Context(), k)
		_, err2 := client.Register(t.Context(), k, Registration{Certificate: &x509.Certificate{}})
		_, err3 := client.Clock(t.Context(), k)
		if err1 == nil && (connection.Name == "" || connection.Hub == "" || connection.Realm == "") {
			t.Errorf("incomplete: %+v", connection)
		}
		for _, err := range []error{err1, err2, err3} {
			if e := (*Error)(nil); err != nil && (!errors.As(err, &e) || e.Cause == "" || len(e.Error()) > 1000) {
				t.Errorf("%T %v", err, err)
			}
			hides(t, err)
		}
	})
}
