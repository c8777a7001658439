package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/fatih/color"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"ad-ldap-connector/pkg/home"
	"ad-ldap-connector/pkg/install"
	"ad-ldap-connector/pkg/service"
)

// An app is what all commands share: the global flags and the three streams.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	environ        []string

	// spoiled lets a test have steps of an install fail; nil: none does.
	spoiled func(install.Plan) install.Plan
	hurried time.Duration // how long a test has an updated program watched; 0: as configured

	stop     <-chan struct{} // closed when the command is to end; nil: never
	terminal *term.State     // of stdin before the first question; nil: none was put

	home, name, output           string
	noColor, yes, quiet, verbose bool
}

func (a *app) flags(f *pflag.FlagSet) {
	f.StringVar(&a.home, "home", a.env("CONNECTOR_HOME"), "the connector's `folder`: config.json, certs, lib, state")
	f.StringVar(&a.name, "name", "", "another connector on this host, by its `name`: its home, service and account")
	output := a.env("CONNECTOR_OUTPUT")
	if output == "" {
		output = "text"
	}
	f.StringVarP(&a.output, "output", "o", output, "what stdout carries: `text|json`")
	f.BoolVar(&a.noColor, "no-color", false, "no colours (also: NO_COLOR, or no terminal)")
	f.BoolVarP(&a.yes, "yes", "y", false, "answer every confirmation with yes")
	f.BoolVarP(&a.quiet, "quiet", "q", false, "say less on stderr")
	f.BoolVarP(&a.verbose, "verbose", "v", false, "say more on stderr")
}

// begin checks the global flags before any command does its work.
func (a *app) begin() error {
	if a.output != "text" && a.output != "json" {
		return usagef("--output %q is neither text nor json", a.output)
	}
	if a.name != "" && !instanceName.MatchString(a.name) {
		return usagef("--name %q: use small letters, digits and dashes, at most 19, the first a letter or a digit", a.name)
	}
	return nil
}

// colours reports whether what is written to a stream is for eyes.
func (a *app) colours(stream io.Writer) bool {
	return !a.noColor && a.env("NO_COLOR") == "" && a.env("TERM") != "dumb" && isTerminal(stream)
}

// paint returns how text is coloured that goes to a stream, or left as it is.
func (a *app) paint(stream io.Writer, colour ...color.Attribute) *color.Color {
	return brush(a.colours(stream), colour...)
}

// brush asks no one but its argument: the library's own switch is the whole
// program's.
func brush(colourful bool, colour ...color.Attribute) *color.Color {
	c := color.New(colour...)
	if colourful {
		c.EnableColor()
	} else {
		c.DisableColor()
	}
	return c
}

// env returns a variable of the environment the app was given.
func (a *app) env(name string) string { return lookup(a.environ, name) }

func lookup(environ []string, name string) string {
	for _, kv := range slices.Backward(environ) {
		if v, ok := strings.CutPrefix(kv, name+"="); ok {
			return v
		}
	}
	return ""
}

// instanceName is what can be part of a service's, an account's and a folder's
// name everywhere.
var instanceName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,18}$`)

// openHome opens the home that the flags name, or where the service has it, or
// where it is by default.
func (a *app) openHome() (*home.Home, error) {
	dir := a.home
	if dir == "" {
		dir = service.HomeOf(service.Name(a.name))
	}
	if dir == "" && a.name != "" {
		dir = home.InstanceDir(a.name)
	}
	return home.Open(dir, a.environ)
}

func (a *app) spoil(p install.Plan) install.Plan {
	if a.spoiled == nil {
		return p
	}
	return a.spoiled(p)
}

// json reports whether stdout carries JSON.
func (a *app) json() bool { return a.output == "json" }

// print writes v to stdout as one indented JSON document.
func (a *app) print(v any) error {
	e := json.NewEncoder(a.stdout)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// line writes v to stdout as one line of JSON.
func (a *app) line(v any) error {
	e := json.NewEncoder(a.stdout)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// say writes a line of progress to stderr.
func (a *app) say(format string, args ...any) {
	_, _ = fmt.Fprintf(a.progress(), format+"\n", args...) // nowhere is left to say that stderr is gone
}

// text writes to stdout for people.
func (a *app) text(format string, args ...any) error {
	_, err := fmt.Fprintf(a.stdout, format, args...)
	return err
}

func (a *app) progress() io.Writer {
	if a.quiet {
		return discard
	}
	return a.stderr
}

// log returns the logger of commands that are not the runtime: silent unless
// --verbose.
func (a *app) log() *slog.Logger {
	if !a.verbose {
		return slog.New(slog.DiscardHandler)
	}
	return newLog(a.stderr, false, true)
}

// interactive reports whether there is somebody to ask.
func (a *app) interactive() bool { return isTerminal(a.stdin) && isTerminal(a.stderr) }

func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// oneLine keeps an error's text to one line: an error of several faults names
// them one after the other.
func oneLine(s string) string { return strings.ReplaceAll(strings.TrimSpace(s), "\n", "; ") }
