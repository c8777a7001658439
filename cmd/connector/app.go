package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"

	"github.com/fatih/color"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"ad-ldap-connector/pkg/home"
)

// An app is what all commands share: the global flags and the three streams.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	environ        []string

	stop     <-chan struct{} // closed when the command is to end; nil: never
	terminal *term.State     // of stdin before the first question; nil: none was put

	home, output                 string
	noColor, yes, quiet, verbose bool
}

func (a *app) flags(f *pflag.FlagSet) {
	f.StringVar(&a.home, "home", a.env("CONNECTOR_HOME"), "the connector's `folder`: config.json, certs, lib, state")
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
	color.NoColor = a.noColor || a.env("NO_COLOR") != "" || a.env("TERM") == "dumb" || !isTerminal(a.stderr)
	return nil
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

func (a *app) openHome() (*home.Home, error) { return home.Open(a.home, a.environ) }

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
