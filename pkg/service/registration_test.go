package service

import (
	"strings"
	"testing"
)

// What is written into a unit is read out of it again.
func TestRegistration(t *testing.T) {
	u := Unit{
		Name: "auth0-adldap", Description: "A service", Program: "/srv/a b/100%/bin/connector", Args: []string{"run", "--home", "/x"},
		Home: "/srv/a b/100%", User: "auth0-adldap",
	}
	want := Registration{Name: u.Name, Home: u.Home, Program: u.Program, User: u.User}
	if got := parseUnit(u.Name, []byte(systemd{version: 252}.text(u))); got != want {
		t.Errorf("unit: %+v", got)
	}
	u.Home, u.Program = `/srv/<a> & "b"`, `/srv/<a> & "b"/bin/connector`
	want.Home, want.Program = u.Home, u.Program
	if got, err := parsePlist(u.Name, []byte(plist(u))); err != nil || got != want {
		t.Errorf("property list: %+v, %v", got, err)
	}
	if got := parseUnit("other", []byte("ExecStart=/bin/true\nUser\n")); got != (Registration{Name: "other"}) {
		t.Errorf("a unit by hand: %+v", got)
	}
}

func FuzzRegistration(f *testing.F) {
	f.Add("ExecStart=\"/a\" \"run\"\nWorkingDirectory=/b%%\nUser=c\n")
	f.Add(plist(Unit{Name: "n", Program: "/p", Home: "/h", User: "u"}))
	f.Fuzz(func(t *testing.T, text string) {
		got := parseUnit("n", []byte(text))
		if strings.ContainsAny(got.Home+got.Program+got.User, "\n") {
			t.Errorf("%+v", got)
		}
		_, _ = parsePlist("n", []byte(text))
	})
}
