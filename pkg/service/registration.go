package service

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
)

// A Registration is a service that the connector registered on this machine, as
// its manager has it now.
type Registration struct {
	Name    string
	Home    string
	Program string
	User    string // "" on Windows
}

// parseUnit reads what text wrote. Of lines that an administrator changed beyond
// that, it makes nothing.
func parseUnit(name string, text []byte) Registration {
	r := Registration{Name: name}
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		value = strings.ReplaceAll(value, "%%", "%")
		switch key {
		case "WorkingDirectory":
			r.Home = value
		case "User":
			r.User = value
		case "ExecStart":
			if quoted, ok := strings.CutPrefix(value, `"`); ok {
				r.Program, _, _ = strings.Cut(quoted, `"`)
			}
		}
	}
	return r
}

// parsePlist reads what plist wrote: the names of a flat dictionary, and the
// texts that follow them.
func parsePlist(name string, text []byte) (Registration, error) {
	r := Registration{Name: name}
	d := xml.NewDecoder(strings.NewReader(string(text)))
	element, key := "", ""
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return r, nil
		}
		if err != nil {
			return r, err
		}
		switch token := token.(type) {
		case xml.StartElement:
			element = token.Name.Local
		case xml.EndElement:
			element = ""
		case xml.CharData:
			switch value := string(token); {
			case element == "key":
				key = value
			case element != "string":
			case key == "WorkingDirectory":
				r.Home = value
			case key == "UserName":
				r.User = value
			case key == "ProgramArguments" && r.Program == "":
				r.Program = value
			}
		}
	}
}
