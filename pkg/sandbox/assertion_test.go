package sandbox

import (
	"encoding/pem"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"
)

// agentResult is what an agent signed at noon for urn:auth0:corp, and its
// certificate.
func agentResult(t testing.TB) (result string, certs [][]byte, noon time.Time) {
	t.Helper()
	data, err := os.ReadFile("../../testdata/wsfed/assertion.xml")
	if err != nil {
		t.Fatal(err)
	}
	cert, err := os.ReadFile("../../testdata/wsfed/agent.pem")
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(cert)
	return string(data), [][]byte{block.Bytes}, time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
}

func TestAssertionsAreJudged(t *testing.T) {
	t.Parallel()
	result, certs, noon := agentResult(t)
	cut := func(from, to string) string {
		i := strings.Index(result, from)
		j := strings.Index(result[i:], to) + i + len(to)
		return result[i:j]
	}
	assertion := cut("<saml:Assertion ", "</saml:Assertion>")
	signature := cut("<Signature ", "</Signature>")
	forged := strings.ReplaceAll(strings.Replace(assertion, signature, "", 1), "ae8fbd21", "00000000")
	const audience = "urn:auth0:corp"
	for _, tt := range []struct {
		name     string
		result   string
		certs    [][]byte
		audience string
		after    time.Duration
		want     string
	}{
		{"good", result, certs, audience, 0, ""},
		{"another's", result, certs, "urn:auth0:other", 0, "is not for"},
		{"too late", result, certs, audience, 5*time.Minute + time.Second, "until"},
		{"too early", result, certs, audience, -time.Minute, "from"},
		{"nobody is registered", result, nil, audience, 0, "signature"},
		{"one letter", strings.Replace(result, "Lovelace", "Lovelaze", 1), certs, audience, 0, "signature"},
		{"no signature", strings.Replace(result, signature, "", 1), certs, audience, 0, "signature"},
		{"two assertions", strings.Replace(result, assertion, forged+assertion, 1), certs, audience, 0, "more than one"},
		{"the signed one inside a forged one", strings.Replace(result, assertion,
			strings.Replace(forged, "</saml:Assertion>", signature+"<Object>"+strings.Replace(assertion, signature, "", 1)+"</Object></saml:Assertion>", 1), 1), certs, audience, 0, "signature"},
		{"no XML", "<a", certs, audience, 0, "read the wresult"},
		{"nothing", "", certs, audience, 0, "no RequestSecurityTokenResponse"},
		{"another document", "<a/>", certs, audience, 0, "no RequestSecurityTokenResponse"},
	} {
		a, err := readResult(tt.result, tt.certs, tt.audience, noon.Add(tt.after))
		switch {
		case tt.want == "" && (err != nil || a.Subject != "ae8fbd21-d66c-4f78-ad8e-53ab078cee16" || a.Method != "urn:ietf:rfc:1510" || len(a.Claims["http://schemas.passportjs.com/groups"]) != 3):
			t.Errorf("%s: %v %+v", tt.name, err, a)
		case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// TestEveryOctetCounts changes octets of an assertion, from its first to its last,
// in each run others.
func TestEveryOctetCounts(t *testing.T) {
	t.Parallel()
	result, certs, noon := agentResult(t)
	const audience = "urn:auth0:corp"
	if _, err := readResult(result, certs, audience, noon); err != nil {
		t.Fatal(err)
	}
	begin, end := strings.Index(result, "<saml:Assertion "), strings.Index(result, "</saml:Assertion>")+len("</saml:Assertion>")
	const apart = 16 // all of them take half a minute with the race detector
	for i := begin + rand.IntN(apart); i < end; i += apart {
		forged := []byte(result)
		forged[i] ^= 1
		if a, err := readResult(string(forged), certs, audience, noon); err == nil {
			t.Errorf("octet %d of %d: nobody saw that %q became %q in %q: %+v", i-begin, end-begin, result[i], forged[i], forged[max(begin, i-20):min(end, i+20)], a)
		}
	}
}

func FuzzResult(f *testing.F) {
	result, certs, noon := agentResult(f)
	f.Add(result)
	f.Fuzz(func(t *testing.T, text string) {
		if a, err := readResult(text, certs, "urn:auth0:corp", noon); err == nil && a.Subject != "ae8fbd21-d66c-4f78-ad8e-53ab078cee16" {
			t.Errorf("a forgery was taken: %s", text)
		}
	})
}

func TestTheCallbackRefuses(t *testing.T) {
	c := startCloud(t, CloudOptions{Kerberos: true})
	client := httpClient(t, c)
	result, _, _ := agentResult(t)
	for name, form := range map[string]url.Values{
		"nothing":          {},
		"nobody's context": {"wa": {"wsignin1.0"}, "wctx": {"x"}, "wresult": {result}},
		"another wa":       {"wa": {"wsignout1.0"}, "wctx": {c.pend("sandbox")}, "wresult": {result}},
		"another's":        {"wa": {"wsignin1.0"}, "wctx": {c.pend("sandbox")}, "wresult": {result}},
	} {
		res, err := client.PostForm(c.URL()+"/login/callback", form)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close() // it is not read
		if res.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %d", name, res.StatusCode)
		}
	}
	for path, want := range map[string]int{"/login/browser": http.StatusConflict, "/login/browser?connection=x": http.StatusNotFound} {
		res, err := client.Get(c.URL() + path)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close() // it is not read
		if res.StatusCode != want {
			t.Errorf("%s: %d", path, res.StatusCode)
		}
	}
	for range maxPending {
		c.pend("sandbox")
	}
	if len(c.pending) > maxPending {
		t.Errorf("%d pending", len(c.pending))
	}
	state := c.pend("sandbox")
	if _, ok := c.pended(state); !ok {
		t.Error("a sign-in is not known")
	}
	if _, ok := c.pended(state); ok {
		t.Error("it counts twice")
	}
}
