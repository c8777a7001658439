package wsfed

import (
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"ad-ldap-connector/pkg/identity"
)

// FuzzRequest sends queries, cookies and bodies: nobody gets in, nothing of
// them gets out, and an assertion goes nowhere else than it may.
func FuzzRequest(f *testing.F) {
	f.Add("wtrealm=urn:auth0:corp&wreply=https://other.example/cb&wctx=a", "connector-form=x; connector-session=AAAA", "username=ada&password=x")
	f.Add("wtrealm=SESSION_SECRET", "", "token=%00")
	f.Add("wtrealm=urn:auth0:corp&wctx=<script>", "__Host-connector-session=\x00", `{"username":1}`)
	s := newSite(f)
	h := s.handler(f)
	f.Fuzz(func(t *testing.T, query, cookie, body string) {
		o := s.options
		if q, err := o.parse(query); err == nil && (q.realm != realm || !slices.Contains(o.PostURLs, q.post)) {
			t.Errorf("%q became %+v", query, q)
		}
		for _, r := range []*http.Request{
			httptest.NewRequest(http.MethodGet, "/wsfed", nil),
			httptest.NewRequest(http.MethodPost, "/wsfed", strings.NewReader(body)),
			httptest.NewRequest(http.MethodGet, "/logout", nil),
		} {
			r.URL.RawQuery = query
			r.Header.Set("Cookie", cookie)
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set("Accept-Language", body)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code >= 500 || strings.Contains(w.Body.String(), "<script") || strings.Contains(w.Body.String(), "wresult") && r.Method == http.MethodGet {
				t.Errorf("%s %q: %d %s", r.Method, query, w.Code, w.Body)
			}
			if to := w.Header().Get("Location"); to != "" && origin(to) != "https://corp.example" && origin(to) != "https://other.example" && origin(to) != origin(o.URL) {
				t.Errorf("%q leads to %s", query, to)
			}
		}
	})
}

// FuzzProfile has whatever profile there is become XML that parses, with the
// same texts in it.
func FuzzProfile(f *testing.F) {
	f.Add(nasty, "state")
	f.Add(`{"id":"\ud800","x":[[["\u0008"]]]}`, "\x00\xff")
	f.Fuzz(func(t *testing.T, text, context string) {
		p, err := identity.ParseProfile([]byte(text))
		if err != nil {
			return
		}
		who, err := subjectOf(p)
		if err != nil {
			return
		}
		a := assertion{id: "_x", issuer: context, audience: context, subject: who, method: ByPassword}
		out := element{name: "t:x", space: trustSpace, attributes: []attribute{{"Context", context}}, children: []element{a.element()}}.String()
		d := xml.NewDecoder(strings.NewReader(out))
		values := 0
		for {
			token, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%v in %s", err, out)
			}
			if start, ok := token.(xml.StartElement); ok && start.Name.Local == "AttributeValue" {
				values++
			}
		}
		want := 0
		for _, c := range who.claims {
			want += len(c.values)
		}
		if values != want {
			t.Errorf("%d values of %d in %s", values, want, out)
		}
	})
}
