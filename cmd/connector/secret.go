package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/AlecAivazis/survey/v2"
	"github.com/AlecAivazis/survey/v2/terminal"
	"github.com/spf13/pflag"
	"golang.org/x/term"
)

// maxSecret is more than any ticket or password.
const maxSecret = 64 << 10

// A secretFlags value is where a secret is to be read from. It never holds the
// secret: argv is for all to see.
type secretFlags struct {
	name  string
	file  string
	stdin bool
}

func (s *secretFlags) add(f *pflag.FlagSet, name, what string) {
	s.addFile(f, name, what)
	f.BoolVar(&s.stdin, name+"-stdin", false, "read "+what+" from standard input")
}

// addFile declares the flag for a file alone.
func (s *secretFlags) addFile(f *pflag.FlagSet, name, what string) {
	s.name = name
	f.StringVar(&s.file, name+"-file", "", "`file` that holds "+what)
}

func (s *secretFlags) given() bool { return s.file != "" || s.stdin }

// read returns the secret from where the flags point: the whole content, less
// one line end.
func (s *secretFlags) read(stdin io.Reader) (string, error) {
	if s.file != "" && s.stdin {
		return "", usagef("give --%s-file or --%s-stdin, not both", s.name, s.name)
	}
	from, r := "standard input", stdin
	if s.file != "" {
		f, err := os.Open(s.file)
		if err != nil {
			return "", fmt.Errorf("read --%s-file: %w", s.name, err)
		}
		defer func() { _ = f.Close() }() // it was only read
		from, r = s.file, f
	}
	data, err := io.ReadAll(io.LimitReader(r, maxSecret+1))
	if err != nil {
		return "", fmt.Errorf("read the %s from %s: %w", s.name, from, err)
	}
	if len(data) > maxSecret {
		return "", fmt.Errorf("read the %s from %s: longer than %d bytes", s.name, from, maxSecret)
	}
	text, err := plainText(data)
	if err != nil {
		return "", fmt.Errorf("read the %s from %s: %w", s.name, from, err)
	}
	text = strings.TrimSuffix(strings.TrimSuffix(text, "\n"), "\r")
	if text == "" {
		return "", fmt.Errorf("read the %s from %s: it is empty", s.name, from)
	}
	return text, nil
}

// secret reads a secret from its flags, or asks for it on a terminal.
func (a *app) secret(s secretFlags, what string) (string, error) {
	if s.given() {
		return a.readSecret(&s)
	}
	if !a.interactive() {
		return "", usagef("there is no terminal to ask for the %s; give --%s-file or --%s-stdin", what, s.name, s.name)
	}
	return a.ask().password(strings.ToUpper(what[:1]) + what[1:])
}

// An asker puts questions to the person at the terminal.
type asker interface {
	input(question, preset, help string) (string, error)
	password(question string) (string, error)
	confirm(question string, preset bool) (bool, error)
}

// ask returns the asker for this terminal: survey where the terminal can be
// drawn on, plain lines where it is poor.
func (a *app) ask() asker {
	in, inOK := a.stdin.(*os.File)
	if inOK && a.terminal == nil {
		a.terminal, _ = term.GetState(int(in.Fd())) // none: it is no terminal
	}
	out, outOK := a.stderr.(*os.File)
	if t := a.env("TERM"); !inOK || !outOK || t == "dumb" || a.noColor {
		return &plainAsker{in: bufio.NewReader(a.input()), out: a.stderr, file: in, stop: a.stop}
	}
	return &surveyAsker{survey.WithStdio(in, out, out), a.stop} // prompts stay off stdout
}

type surveyAsker struct {
	io   survey.AskOpt
	stop <-chan struct{}
}

func (s *surveyAsker) input(question, preset, help string) (string, error) {
	answer, err := drawn[string](s, &survey.Input{Message: question, Default: preset, Help: help})
	return strings.TrimSpace(answer), err
}

func (s *surveyAsker) password(question string) (string, error) {
	return drawn[string](s, &survey.Password{Message: question})
}

func (s *surveyAsker) confirm(question string, preset bool) (bool, error) {
	return drawn[bool](s, &survey.Confirm{Message: question, Default: preset})
}

// drawn puts a question. Ctrl-C is a key while a question is drawn, and a
// signal just before; the signal ends the question as well.
func drawn[T any](s *surveyAsker, question survey.Prompt) (T, error) {
	return unlessStopped(s.stop, func() (answer T, err error) {
		err = survey.AskOne(question, &answer, s.io)
		return answer, interrupted(err)
	})
}

// interrupted turns survey's Ctrl-C, which is no signal, into one error with
// all others.
func interrupted(err error) error {
	if errors.Is(err, terminal.InterruptErr) {
		return exitError(exitInterrupted)
	}
	return err
}

// A plainAsker asks line by line.
type plainAsker struct {
	in   *bufio.Reader
	out  io.Writer
	file *os.File // for reading without echo; nil when there is no terminal
	stop <-chan struct{}
}

func (p *plainAsker) line(prompt string) (string, error) {
	if _, err := fmt.Fprint(p.out, prompt); err != nil {
		return "", err
	}
	text, err := p.in.ReadString('\n')
	if err != nil && (text == "" || !errors.Is(err, io.EOF)) {
		return "", fmt.Errorf("read the answer: %w", err)
	}
	return strings.TrimSpace(text), nil
}

func (p *plainAsker) input(question, preset, _ string) (string, error) {
	prompt := question + ": "
	if preset != "" {
		prompt = question + " [" + preset + "]: "
	}
	answer, err := p.line(prompt)
	if answer == "" {
		answer = preset
	}
	return answer, err
}

func (p *plainAsker) password(question string) (string, error) {
	if p.file == nil || !term.IsTerminal(int(p.file.Fd())) {
		return p.line(question + ": ")
	}
	// The echo goes before the question comes: whoever types at once is not
	// seen either.
	echo, err := term.MakeRaw(int(p.file.Fd()))
	if err != nil {
		return "", err
	}
	defer func() { _ = term.Restore(int(p.file.Fd()), echo) }() // whoever took the terminal away needs no echo
	line := term.NewTerminal(readWriter{p.file, p.out}, "")
	secret, err := unlessStopped(p.stop, func() (string, error) { return line.ReadPassword(question + ": ") })
	if errors.Is(err, io.EOF) { // Ctrl-C is a key here, and no signal
		return "", exitError(exitInterrupted)
	}
	return secret, err
}

type readWriter struct {
	io.Reader
	io.Writer
}

func (p *plainAsker) confirm(question string, preset bool) (bool, error) {
	choices := " [y/N]: "
	if preset {
		choices = " [Y/n]: "
	}
	answer, err := p.line(question + choices)
	if err != nil || answer == "" {
		return preset, err
	}
	return strings.EqualFold(answer[:1], "y"), nil
}
