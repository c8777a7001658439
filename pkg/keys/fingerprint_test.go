package keys_test

import (
	"strings"
	"testing"
	"time"

	"ad-ldap-connector/pkg/keys"
)

// A fingerprint depends on the secret and the private key alone: not on the
// certificate, nor on the key's line ends.
func TestFingerprint(t *testing.T) {
	pair, other := generate(t), generate(t)
	renewed, err := pair.Renew(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	cert, key := pair.PEM()
	crlf, err := keys.Parse(cert, []byte(strings.ReplaceAll(string(key), "\n", "\r\n")))
	if err != nil {
		t.Fatal(err)
	}
	want := pair.Fingerprint("secret")
	if len(want) != 16 || strings.Contains(want, "secret") {
		t.Errorf("%q", want)
	}
	for name, p := range map[string]*keys.Pair{"renewed": renewed, "CRLF": crlf} {
		if got := p.Fingerprint("secret"); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	for name, got := range map[string]string{"another key": other.Fingerprint("secret"), "another secret": pair.Fingerprint("secreT")} {
		if got == want {
			t.Errorf("%s: the same", name)
		}
	}
	if got := pair.Fingerprint(""); got != "" {
		t.Errorf("of nothing: %q", got)
	}
	if got := (*keys.Pair)(nil).Fingerprint("x"); got != "" {
		t.Errorf("of no key: %q", got)
	}
}

func TestSealAlike(t *testing.T) {
	pair, other := generate(t), generate(t)
	sealed := func(p *keys.Pair, text string) string {
		s, err := p.SealAlike(text)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	one := sealed(pair, "Passw0rd!")
	if two := sealed(pair, "Passw0rd!"); two != one {
		t.Error("not alike")
	}
	if got, err := pair.Open(one); got != "Passw0rd!" {
		t.Errorf("%v", err)
	}
	// Not even the salt tells of what another secret or key has.
	for name, s := range map[string]string{"another secret": sealed(pair, "Passw0rd?"), "another key": sealed(other, "Passw0rd!")} {
		for i, part := range strings.Split(s, ".")[1:] {
			if strings.Split(one, ".")[i+1] == part {
				t.Errorf("%s: part %d is the same", name, i)
			}
		}
	}
	if _, err := pair.SealAlike("two\nlines"); err == nil {
		t.Error("a line end")
	}
}
