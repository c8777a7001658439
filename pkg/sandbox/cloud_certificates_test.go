package sandbox

import (
	"encoding/json"
	"slices"
	"testing"
)

// A tenant that takes several certificates lists all of them, the newest first,
// and lets in agents with the key of any; over its bound it refuses.
func TestSeveralCertificates(t *testing.T) {
	c, err := StartCloud(CloudOptions{SeveralCertificates: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() }) // the test has ended
	var keys []agentKey
	var want []string
	for range maxCertificates {
		k := makeAgentKey()
		keys, want = append(keys, k), append([]string{k.thumbprint}, want...)
		k.register(t, c, c.Ticket())
	}
	if got := c.Thumbprints(""); !slices.Equal(got, want) {
		t.Errorf("it lists %v, want %v", got, want)
	}
	for _, k := range keys {
		if _, thumbprint, err := c.judge(k.token(t, cloudFirstName, nil)); err != nil || thumbprint != k.thumbprint {
			t.Errorf("%s: %s, %v", k.thumbprint, thumbprint, err)
		}
	}
	keys[0].register(t, c, c.Ticket()) // a known one changes nothing
	if got := c.Thumbprints(""); !slices.Equal(got, want) {
		t.Errorf("it lists %v, want %v", got, want)
	}
	if status, body := makeAgentKey().post(t, c, c.Ticket()); status != 409 {
		t.Errorf("one too many: %d %s", status, body)
	}
}

// Both in one registration, as a renewal sends them: one tenant takes them, the
// other holds to what it has.
func TestCertificatesRegisteredTogether(t *testing.T) {
	for several, want := range map[bool]int{true: 200, false: 409} {
		c, err := StartCloud(CloudOptions{SeveralCertificates: several})
		if err != nil {
			t.Fatal(err)
		}
		former, next := makeAgentKey(), makeAgentKey()
		former.register(t, c, c.Ticket())
		body, err := json.Marshal(map[string]any{"certs": [][]byte{next.der, former.der, next.der}})
		if err != nil {
			t.Fatal(err)
		}
		status, said := callCloud(t, httpClient(t, c), "POST", c.Ticket(), string(body))
		if status != want || len(c.Thumbprints("")) != map[bool]int{true: 2, false: 1}[several] {
			t.Errorf("several %v: %d %s, lists %v", several, status, said, c.Thumbprints(""))
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
}
