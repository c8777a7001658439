package config

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// planted has a secret in every key that may hold one, and faults that make
// messages speak of them.
func planted(t *testing.T) Config {
	file := map[string]any{"REALM": "urn:a", "MY_TOKEN": "pLaNtEd", "CA_CERT": 5, "LDAP_URL": "ldap://svc:pLaNtEd@dc1"}
	for _, k := range Keys() {
		if k.Secret {
			file[k.Name] = "pLaNtEd"
		}
	}
	file["PROVISIONING_TICKET"] = "https://acme.example/p/ad/pLaNtEd"
	file["HTTP_PROXY"] = "http://user:pLaNtEd@proxy:8080"
	file["AUTH_CERT_KEY"] = "-----BEGIN PRIVATE KEY-----\ncExhTnRFZA==\n-----END PRIVATE KEY-----\n"
	file["AUTH_CERT"] = certPEM
	c := mustParse(t, string(marshal(file)))
	c = mustEnv(t, c, "SESSION_SECRET=pLaNtEd in the environment", "SSL_PFX=pLaNtEd!", "LDAP_BIND_CREDENTIALS=$2$.pLaNtEd", "https_proxy=http://pLaNtEd@x y")
	return c
}

func TestSecretsAreNeverShown(t *testing.T) {
	c := planted(t)
	var out bytes.Buffer
	printed := func(values ...any) {
		for _, v := range values {
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
				fmt.Fprintf(&out, verb+"\n", v)
			}
			for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
				slog.New(h).Info("configured", "value", v, slog.Group("nested", "value", v))
			}
			if err := json.NewEncoder(&out).Encode(v); err != nil {
				t.Logf("%T: %v", v, err)
			}
			if err := xml.NewEncoder(&out).Encode(v); err != nil {
				t.Logf("%T: %v", v, err)
			}
		}
	}
	printed(c, &c, c.Tenant, c.Directory, c.SignIn, c.Network, c.Keys, c.Tenant.Ticket, []Secret{c.Tenant.Ticket},
		map[string]Secret{"a": c.Tenant.Ticket}, struct{ C Config }{c}, c.Validate(), c.Warnings(), c.Unknown())
	for _, name := range append(c.look().doc.names(), "SESSION_SECRET", "HTTPS_PROXY") {
		if name == "LDAP_URL" {
			continue
		}
		v, _ := c.Get(name)
		printed(v, c.Source(name))
		printed(c.Set(name, "[\"pLaNtEd\"") /* unfit for most */)
	}
	for _, file := range []string{`{"LDAP_BIND_PASSWORD":"pLaNtEd`, `{"LDAP_BIND_PASSWORD":"pLaNtEd"`, `{"LDAP_BIND_PASSWORD":pLaNtEd}`} {
		_, err := Parse([]byte(file))
		printed(err)
	}
	if i := strings.Index(out.String(), "pLaNtEd"); i >= 0 {
		t.Errorf("shown: ...%s", out.String()[max(0, i-200):min(out.Len(), i+50)])
	}
	if !strings.Contains(out.String(), hidden) || !strings.Contains(out.String(), "PROVISIONING_TICKET") && out.Len() < 1000 {
		t.Error("the test prints nothing")
	}
	if got := encode(t, planted(t)); !strings.Contains(got, `"LDAP_BIND_PASSWORD":"pLaNtEd"`) {
		t.Error("the file must keep them:", got)
	}
}

func TestWithoutUser(t *testing.T) {
	for in, want := range map[string]string{
		"ldap://u:p@h/x": "ldap://[hidden]@h/x", "a": "a", "http://h": "http://h", "x://a@b,y://c:d@e f": "x://[hidden]@b,y://[hidden]@e f",
		"u:p@h": "[hidden]@h", "u:p@h,ldap://h:389/x@y": "[hidden]@h,ldap://h:389/x@y", "x://u:p/s@h": "x://[hidden]@h", "(mail=a@b)": "(mail=a@b)",
		"x://a:p@ss@h": "x://[hidden]@h", "x://h/a@b": "x://h/a@b", "://@": "://[hidden]@", "": "",
	} {
		if got := withoutUser(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func TestFieldErrorsCanBeTold(t *testing.T) {
	var f *FieldError
	if err := Default().Validate(); !errors.As(err, &f) || f.Key != "PROVISIONING_TICKET" {
		t.Error(err)
	}
}
