package sandbox

import (
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
)

// The ways in which 389 Directory Server says no: results, texts and controls.
func TestBind389(t *testing.T) {
	soon := time.Now().Add(time.Hour).UTC().Format("20060102150405Z")
	data := `dn: dc=lab,dc=test
objectClass: domain
dc: lab

` + person389("fine") + person389("warned", "passwordExpirationTime: "+soon) + person389("off", "nsAccountLock: true") +
		person389("locked", "pwdAccountLockedTime: 20240101000000Z") + person389("stale", "userAccountControl: 8388608") +
		person389("reset", "pwdReset: TRUE")
	d := startDirectory(t, DirectoryOptions{LDIF: strings.NewReader(data), Traits: Traits{Server389: true}})
	for _, tt := range []struct {
		name    string
		code    int
		text    string
		older   string // OIDs of the older controls
		policy  int8
		refused bool // whatever is asked next
	}{
		{"fine", 0, "", "", -1, false},
		{"warned", 0, "", controlExpiring, -1, false},
		{"off", 53, "Account inactivated. Contact system administrator.", "", 1, false},
		{"locked", 19, "Exceed password retry limit. Please try later.", "", 1, false},
		{"stale", 49, "password expired!", controlExpired, 0, false},
		{"reset", 0, "", controlExpired, 2, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := dialDirectory(t, d)
			res, err := c.SimpleBind(ldap.NewSimpleBindRequest("uid="+tt.name+",dc=lab,dc=test", "right-Passw0rd",
				[]ldap.Control{ldap.NewControlBeheraPasswordPolicy()}))
			if code, text := ldapCode(t, err); code != tt.code || text != tt.text {
				t.Errorf("%d %q", code, text)
			}
			older, policy := "", int8(-1)
			for _, control := range res.Controls {
				if p, ok := control.(*ldap.ControlBeheraPasswordPolicy); ok {
					policy = p.Error
				} else {
					older += control.GetControlType()
				}
			}
			if older != tt.older || policy != tt.policy {
				t.Errorf("controls %q, policy %d", older, policy)
			}
			if tt.code == 0 {
				_, err := c.Search(ldap.NewSearchRequest(d.BaseDN(), ldap.ScopeBaseObject, 0, 0, 0, false, "(objectClass=*)", nil, nil))
				if code, _ := ldapCode(t, err); (code == 53) != tt.refused || code != 0 && code != 53 {
					t.Errorf("what comes next: %v", err)
				}
			}
		})
	}
	dse, err := dialDirectory(t, d).Search(ldap.NewSearchRequest("", ldap.ScopeBaseObject, 0, 0, 0, false, "(objectClass=*)", []string{"vendorName"}, nil))
	if err != nil || len(dse.Entries) != 1 || dse.Entries[0].GetAttributeValue("vendorName") != "389 Project" {
		t.Errorf("root DSE: %v, %v", dse, err)
	}
}

func person389(uid string, more ...string) string {
	return "dn: uid=" + uid + ",dc=lab,dc=test\nobjectClass: inetOrgPerson\nuid: " + uid + "\ncn: " + uid + "\nsn: x\nuserPassword: right-Passw0rd\n" +
		strings.Join(append(more, ""), "\n") + "\n"
}

// A directory that is told to takes new passwords by the extended operation
// alone, and can be unavailable.
func TestOnlyExtendedPasswords(t *testing.T) {
	d := startDirectory(t, DirectoryOptions{LDIF: strings.NewReader("dn: dc=lab,dc=test\nobjectClass: domain\ndc: lab\n\n" + person389("fine")),
		Traits: Traits{OnlyExtendedPasswords: true}})
	c := bindDirectory(t, d)
	req := ldap.NewModifyRequest("uid=fine,dc=lab,dc=test", nil)
	req.Replace("userPassword", []string{"other-Passw0rd"})
	if code, _ := ldapCode(t, c.Modify(req)); code != 53 {
		t.Errorf("modified: %d", code)
	}
	if _, err := c.PasswordModify(ldap.NewPasswordModifyRequest("uid=fine,dc=lab,dc=test", "", "other-Passw0rd")); err != nil {
		t.Error(err)
	}
	d.SetTraits(Traits{Fault: func(string) Fault { return FaultUnavailable }})
	if code, _ := ldapCode(t, dialDirectory(t, d).Bind("uid=fine,dc=lab,dc=test", "other-Passw0rd")); code != 52 {
		t.Errorf("unavailable: %d", code)
	}
}
