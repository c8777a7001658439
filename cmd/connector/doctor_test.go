package main

import (
	"io/fs"
	"strings"
	"testing"

	"ad-ldap-connector/pkg/doctor"
)

// TestDoctorPages checks that the manual has a page for each check and none
// besides, and that the help's table is the catalogue.
func TestDoctorPages(t *testing.T) {
	pages, err := fs.Glob(doctorPages, "guide/doctor/*.md")
	if err != nil {
		t.Fatal(err)
	}
	left := map[string]bool{}
	for _, name := range pages {
		left[strings.TrimSuffix(strings.TrimPrefix(name, "guide/doctor/"), ".md")] = true
	}
	help, list := printed(t, "help", "doctor"), printed(t, "doctor", "--list")
	for _, c := range doctor.Checks {
		id := string(c.ID)
		if !left[id] {
			t.Errorf("there is no cmd/connector/guide/doctor/%s.md", id)
			continue
		}
		delete(left, id)
		text := printed(t, "doctor", "--explain", id)
		narrow(t, text)
		for _, heading := range []string{"\nWhat it looks at\n", "\nWhy it matters\n", "\nHow to mend it\n"} {
			if strings.Count(text, heading) != 1 {
				t.Errorf("%s.md: the heading %q, once, is missing", id, strings.TrimSpace(heading))
			}
		}
		_, mend, _ := strings.Cut(text, "How to mend it")
		each := strings.Contains(mend, "Linux") && strings.Contains(mend, "Windows")
		if len(c.OS) == 0 && !each && !strings.Contains(mend, "very system") {
			t.Errorf("%s.md: say how to mend it on Linux and on Windows, or on every system", id)
		}
		for where, text := range map[string]string{"the help": help, "--list": list} {
			if !strings.Contains(text, "  "+id+" ") || !strings.Contains(text, "  "+c.Title+"\n") {
				t.Errorf("%s is not in the table of %s", id, where)
			}
		}
	}
	for id := range left {
		t.Errorf("guide/doctor/%s.md: there is no such check", id)
	}
}
