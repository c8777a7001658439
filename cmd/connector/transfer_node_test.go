package main

import (
	"strings"
	"testing"

	"ad-ldap-connector/pkg/config"
)

func TestStrangeToNode(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{}`: "",
		`{"LDAP_URL": "LDAPS://dc1.corp.example", "LDAP_BIND_METHOD": "simple", "HTTP_PROXY": "http://p"}`: "",
		`{"LDAP_URL": ["ldap://a", "ldap://b"]}`:                                                           "LDAP_URL names several servers",
		`{"LDAP_URL": "srvs://corp.example"}`:                                                              "LDAP_URL begins with srvs://",
		`{"LDAP_STARTTLS": true}`:                                                                          "in the clear",
		`{"LDAP_BIND_METHOD": "external"}`:                                                                 "LDAP_BIND_METHOD",
		`{"HTTPS_PROXY": "http://u:xyzzy@proxy"}`:                                                          "HTTPS_PROXY",
	} {
		c, err := config.Parse([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		got := strings.Join(strangeToNode(c), "\n")
		if want == "" && got != "" || !strings.Contains(got, want) || strings.Contains(got, "\n") || strings.Contains(got, "xyzzy") {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}
