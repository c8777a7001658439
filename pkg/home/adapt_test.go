package home

import (
	"strings"
	"testing"

	"ad-ldap-connector/pkg/config"
)

func TestAdapt(t *testing.T) {
	for name, tt := range map[string]struct {
		file, url string
		said      int
	}{
		"the first node's default": {`{"SERVER_URL":"http://NODE1:4000"}`, "http://node2:4000", 1},
		"by its full name":         {`{"SERVER_URL":"http://node1.corp.example:4000/"}`, "http://node2:4000", 1},
		"with its own port":        {`{"SERVER_URL":"http://node1:4321","PORT":"4321"}`, "http://node2:4321", 1},
		"this host's already":      {`{"SERVER_URL":"http://NODE2:4000"}`, "http://NODE2:4000", 0},
		"a balancer with TLS":      {`{"SERVER_URL":"https://sso.corp.example"}`, "https://sso.corp.example", 0},
		"a balancer, other port":   {`{"SERVER_URL":"http://sso.corp.example"}`, "http://sso.corp.example", 0},
		"an address with a path":   {`{"SERVER_URL":"http://node1:4000/ad"}`, "http://node1:4000/ad", 0},
		"an IP address":            {`{"SERVER_URL":"http://192.0.2.1:4000"}`, "http://192.0.2.1:4000", 0},
		"not a URL":                {`{"SERVER_URL":"http://%zz:4000"}`, "", 0},
		"none":                     {`{}`, "", 0},
		"a rule in the firewall":   {`{"FIREWALL_RULE_CREATED":true}`, "", 1},
		"a rule, said to be none":  {`{"FIREWALL_RULE_CREATED":false}`, "", 1},
		"another machine's store":  {`{"SECRETS":"dpapi"}`, "", 1},
		"a node's name":            {`{"INSTANCE_NAME":"first"}`, "", 1},
		"both":                     {`{"SERVER_URL":"http://node1:4000","FIREWALL_RULE_CREATED":true}`, "http://node2:4000", 2},
	} {
		c, err := config.Parse([]byte(tt.file))
		if err != nil {
			t.Fatal(err)
		}
		port := c.SignIn.Port
		a := &Archive{Config: c}
		said := a.Adapt("node2", "")
		if a.Config.Tenant.ServerURL != tt.url || a.Config.SignIn.Port != port || len(said) != tt.said {
			t.Errorf("%s: %q, port %d, %q", name, a.Config.Tenant.ServerURL, a.Config.SignIn.Port, said)
		}
		file, err := a.Config.Encode()
		if err != nil || strings.Contains(string(file), "FIREWALL") || strings.Contains(string(file), "SECRETS") {
			t.Errorf("%s: %s, %v", name, file, err)
		}
		for _, s := range said {
			if !strings.HasSuffix(s, ".") || !strings.Contains(s, "SERVER_URL") && !strings.Contains(s, "FIREWALL_RULE_CREATED") && !strings.Contains(s, "INSTANCE_NAME") && !strings.Contains(s, "SECRETS") {
				t.Errorf("%s: %q", name, s)
			}
		}
		if again := a.Adapt("node2", ""); len(again) > 0 {
			t.Errorf("%s: once more: %q", name, again)
		}
	}
	a := &Archive{Config: config.Default()}
	a.Config.Tenant.ServerURL = "http://node1:4000"
	if said := a.Adapt("", ""); len(said) > 0 {
		t.Errorf("without a host name: %q", said)
	}
}
