package main

import (
	"strings"
	"testing"
	"unicode/utf8"
)

const wideTicket = "\xff\xfeh\x00t\x00t\x00p\x00s\x00:\x00/\x00/\x00a\x00/\x00p\x00/\x00a\x00d\x00/\x00x\x00\r\x00\n\x00"

func TestPlainText(t *testing.T) {
	for name, tt := range map[string]struct{ in, want, fault string }{
		"plain":              {in: "secret\n", want: "secret\n"},
		"byte order mark":    {in: "\ufeffsecret", want: "secret"},
		"PowerShell's":       {in: wideTicket, want: "https://a/p/ad/x\r\n"},
		"the other order":    {in: "\xfe\xff\x00a\x00b", want: "ab"},
		"half a unit":        {in: "\xff\xfea", fault: "it is not text"},
		"not UTF-8":          {in: "p\xe4ssword", fault: "it is not text"},
		"zeroes":             {in: "a\x00b", fault: "it is not text"},
		"a program":          {in: "\x7fELF\x02\x01\x01", fault: "it is not text"},
		"escapes":            {in: "a\x1b[2J", fault: "it is not text"},
		"umlauts and emojis": {in: "pässwörd 🔑", want: "pässwörd 🔑"},
	} {
		got, err := plainText([]byte(tt.in))
		if got != tt.want || (err == nil) != (tt.fault == "") || err != nil && err.Error() != tt.fault {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

func TestOneSecret(t *testing.T) {
	for in, want := range map[string]string{"a": "a", "\r\n\na b \r\n\r\n": "a b ", "\n": "", "a\nb": "", "a\rb": ""} {
		got, err := oneSecret(in)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
}

func TestParseCredentials(t *testing.T) {
	for in, want := range map[string]string{
		"svc:secret\n":                 "svc:secret",
		"\ncorp\\svc:p@ss:w/#rd\r\n":   "corp%5Csvc:p%40ss%3Aw%2F%23rd",
		"svc: with a space":            "svc:%20with%20a%20space",
		"svc":                          "",
		":secret":                      "",
		"svc:":                         "",
		"svc:secret\nother:secret":     "",
		"":                             "",
		"http://svc:secret@proxy:3128": "http:%2F%2Fsvc%3Asecret%40proxy%3A3128", // as good a password as any
	} {
		got, err := parseCredentials(in)
		switch {
		case want == "" && err == nil, want != "" && (err != nil || got.String() != want):
			t.Errorf("%q: %v, %v, want %q", in, got, err, want)
		case err != nil && strings.Contains(err.Error(), "secret"):
			t.Errorf("%q: the error quotes it: %v", in, err)
		}
	}
}

func FuzzPlainText(f *testing.F) {
	for _, s := range []string{"secret\n", wideTicket, "\xfe\xff\xd8\x00", "\ufeff", "a\x00"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		text, err := plainText(data)
		if err == nil && (!utf8.ValidString(text) || strings.ContainsRune(text, 0)) {
			t.Errorf("%q is no text", text)
		}
	})
}

func FuzzParseCredentials(f *testing.F) {
	for _, s := range []string{"svc:secret\n", ":", "a\nb:c", "\r\n\\:@/%"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		u, err := parseCredentials(text)
		if err != nil {
			return
		}
		password, ok := u.Password()
		if !ok || password == "" || u.Username()+":"+password != strings.Trim(text, "\r\n") {
			t.Errorf("%q became %q and %q", text, u.Username(), password)
		}
	})
}
