package main

import (
	"fmt"
	"strings"

	"ad-ldap-connector/pkg/doctor"
)

var (
	// A command of GitHub's runner ends with its line; in a property the
	// characters that part properties must not occur either.
	githubData     = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	githubProperty = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
)

// doctorAnnotations is a report as GitHub's runner takes it: an error for a
// check that blocks, a warning for one that warns, a notice for what is waived.
func doctorAnnotations(d doctor.Document) string {
	var b strings.Builder
	annotate := func(kind, title, text string) {
		fmt.Fprintf(&b, "::%s title=%s::%s\n", kind, githubProperty.Replace(title), githubData.Replace(text))
	}
	for _, e := range d.Checks {
		title := fmt.Sprintf("%s: not so: %s", e.ID, e.Title)
		switch {
		case e.Status == doctor.Failed && e.Severity == doctor.Blocks:
			annotate("error", title, findingText(e))
		case e.Status == doctor.Failed:
			annotate("warning", title, findingText(e))
		case e.Status == doctor.Waived:
			annotate("notice", string(e.ID)+" is waived", fmt.Sprintf("until %s: %s", e.Waiver.Until, e.Waiver.Reason))
		}
	}
	for _, n := range d.Notes {
		annotate("warning", "connector doctor", n)
	}
	if d.Changes != nil {
		for _, c := range d.Changes.Checks {
			annotate("notice", fmt.Sprintf("%s since the earlier report", c.What), fmt.Sprintf("%s: %s", c.ID, becameOf(c)))
		}
	}
	fmt.Fprintf(&b, "connector doctor: %s\n", summary(d))
	return b.String()
}
