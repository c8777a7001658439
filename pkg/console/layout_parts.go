package console

import "strings"

// A Field is one input of a form, for the template "field".
type Field struct {
	Name         string // of the input; its id is "f-"+Name
	Label        string
	Key          string // of the configuration, beside the label; ""
	Kind         string // text, url, number, password, checkbox, select, textarea, file
	Value        string // of a password or a file nothing is shown
	Checked      bool
	Choices      []Choice // of a select
	Help         string
	Fault        string // what is wrong with it
	Remedy       string // what to do about that
	Placeholder  string
	Required     bool
	Set          bool   // a secret is there: it stays if nothing is typed
	Locked       string // why it cannot be changed here
	Min, Max     string
	Rows         int
	Wide         bool   // over all columns
	Autocomplete string // "off" unless said
}

// Secret reports whether nothing of the value may be shown.
func (f Field) Secret() bool { return f.Kind == "password" || f.Kind == "file" }

// Described are the ids of what explains the field.
func (f Field) Described() string {
	ids := ""
	if f.Help != "" || f.Set || f.Locked != "" {
		ids = "h-" + f.Name
	}
	if f.Fault != "" {
		ids = strings.TrimSpace("e-" + f.Name + " " + ids)
	}
	return ids
}

// A Choice is one of a select.
type Choice struct {
	Value, Label string
	Selected     bool
}

// A Fault is one line of what is wrong with a form, for the template "faults".
type Fault struct {
	Field string // the Name of the Field; "" is the whole form
	Text  string
}

// An Empty stands where a list has nothing: what to do first.
type Empty struct {
	Title, Text  string
	Href, Action string // a link to where that is done; "" is none
}

// A DiffLine is one line of a difference.
type DiffLine struct {
	Kind string // "+", "-", " " or "@"
	Text string
}

// Class is the line's, for the style.
func (l DiffLine) Class() string {
	switch l.Kind {
	case "+":
		return "add"
	case "-":
		return "del"
	case "@":
		return "at"
	}
	return "same"
}
