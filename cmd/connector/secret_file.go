package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// readSecret returns the secret from where the flags point, and warns of a file
// that all users of this machine can read.
func (a *app) readSecret(s *secretFlags) (string, error) {
	if s.file != "" && openToAll(s.file) {
		a.say("warning: every user of this machine can read %s; keep it to its owner (chmod 600), or remove it once this has ended", s.file)
	}
	return s.read(a.input())
}

// openToAll reports whether a file may be read by whoever is on this machine. What
// is no file, such as a pipe, ends with its writer.
func openToAll(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.Mode().IsRegular() && worldReadable(info)
}

// errNotText is the cause of refusing what no editor has written.
var errNotText = errors.New("it is not text")

// plainText reads a text as editors and shells write it: UTF-8, with or without
// a byte order mark, or UTF-16 with one, which PowerShell's > makes. Anything
// else is no secret that somebody could type.
func plainText(data []byte) (string, error) {
	for _, mark := range []struct {
		bytes string
		order binary.ByteOrder
	}{{"\xff\xfe", binary.LittleEndian}, {"\xfe\xff", binary.BigEndian}} {
		if wide, ok := bytes.CutPrefix(data, []byte(mark.bytes)); ok {
			if len(wide)%2 != 0 {
				return "", errNotText
			}
			units := make([]uint16, len(wide)/2)
			for i := range units {
				units[i] = mark.order.Uint16(wide[2*i:])
			}
			data = []byte(string(utf16.Decode(units)))
		}
	}
	text := strings.TrimPrefix(string(data), "\ufeff")
	odd := func(r rune) bool {
		return r < ' ' && r != '\n' && r != '\r' && r != '\t' || r == 0x7f || r == utf8.RuneError
	}
	if !utf8.ValidString(text) || strings.ContainsFunc(text, odd) {
		return "", errNotText
	}
	return text, nil
}

// oneSecret returns the only line of a text, but for blank lines around it. Its
// error quotes nothing.
func oneSecret(text string) (string, error) {
	text = strings.Trim(text, "\r\n")
	if strings.ContainsAny(text, "\r\n") {
		return "", errors.New("it holds more than one line")
	}
	if text == "" {
		return "", errors.New("it is empty")
	}
	return text, nil
}

// readLine reads a secret that has one line.
func (a *app) readLine(s *secretFlags) (string, error) {
	text, err := a.readSecret(s)
	if err != nil {
		return "", err
	}
	if text, err = oneSecret(text); err != nil {
		return "", fmt.Errorf("read the %s: %w", s.name, err)
	}
	return text, nil
}
