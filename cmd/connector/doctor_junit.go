package main

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"time"

	"ad-ldap-connector/pkg/doctor"
)

// The elements of JUnit's XML, as CI servers read them: a suite a group, a case
// a check.
type (
	junitSuites struct {
		XMLName xml.Name `xml:"testsuites"`
		Name    string   `xml:"name,attr"`
		junitCounts
		Suites []junitSuite `xml:"testsuite"`
	} // no skipped, which some schemas do not allow here
	junitSuite struct {
		Name string `xml:"name,attr"`
		junitCounts
		Skipped   int         `xml:"skipped,attr"`
		Timestamp string      `xml:"timestamp,attr"` // without a zone, as the format has it; UTC
		Cases     []junitCase `xml:"testcase"`
	}
	junitCounts struct {
		Tests    int    `xml:"tests,attr"`
		Failures int    `xml:"failures,attr"`
		Errors   int    `xml:"errors,attr"`
		Time     string `xml:"time,attr"` // seconds
	}
	junitCase struct {
		Name    string        `xml:"name,attr"`
		Class   string        `xml:"classname,attr"`
		Time    string        `xml:"time,attr"`
		Failure *junitFailure `xml:"failure"`
		Skipped *junitSkipped `xml:"skipped"`
		Out     string        `xml:"system-out,omitempty"`
	}
	junitFailure struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr"`
		Text    string `xml:",chardata"`
	}
	junitSkipped struct {
		Message string `xml:"message,attr"`
	}
)

// writeJUnit writes a report as JUnit's XML. The format knows no warnings: one
// is a case that was skipped, and says what it found, unless warnings are to
// fail.
func writeJUnit(w io.Writer, d doctor.Document, failOnWarnings bool) error {
	all := junitSuites{Name: "connector doctor"}
	for _, g := range doctor.Groups {
		s := junitSuite{Name: g.Name, Timestamp: d.Started.UTC().Format("2006-01-02T15:04:05")}
		took := int64(0)
		for _, e := range d.Checks {
			if e.Group == g.Name {
				s.add(junitCaseOf(e, failOnWarnings))
				took += e.TookMs
			}
		}
		if s.Tests == 0 {
			continue
		}
		s.Time = seconds(took)
		all.Suites = append(all.Suites, s)
		all.Tests += s.Tests
		all.Failures += s.Failures
	}
	all.Time = seconds(d.TookMs)
	text, err := xml.MarshalIndent(all, "", "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s%s\n", xml.Header, text)
	return err
}

func (s *junitSuite) add(c junitCase) {
	s.Cases = append(s.Cases, c)
	s.Tests++
	if c.Failure != nil {
		s.Failures++
	}
	if c.Skipped != nil {
		s.Skipped++
	}
}

func junitCaseOf(e doctor.Entry, failOnWarnings bool) junitCase {
	c := junitCase{Name: string(e.ID), Class: "connector.doctor." + e.Group, Time: seconds(e.TookMs)}
	text := findingText(e)
	switch {
	case e.Status == doctor.Failed && (e.Severity == doctor.Blocks || failOnWarnings):
		c.Failure = &junitFailure{Message: "not so: " + e.Title, Type: string(e.Severity), Text: text}
	case e.Status == doctor.Failed:
		c.Skipped, c.Out = &junitSkipped{"warning, not so: " + e.Title}, text
	case e.Status == doctor.Waived:
		c.Skipped, c.Out = &junitSkipped{fmt.Sprintf("waived until %s: %s", e.Waiver.Until, e.Waiver.Reason)}, text
	case e.Status == doctor.Skipped:
		c.Skipped = &junitSkipped{oneLine(e.Detail)}
	default:
		c.Out = e.Observed
	}
	return c
}

// findingText is a finding with its remedy, a line for each.
func findingText(e doctor.Entry) string {
	lines := append(findingLines(e), "to do:    "+e.Remedy)
	if e.Command != "" {
		lines = append(lines, "          "+e.Command)
	}
	return strings.Join(lines, "\n")
}

func seconds(ms int64) string {
	return fmt.Sprintf("%.3f", (time.Duration(ms) * time.Millisecond).Seconds())
}
