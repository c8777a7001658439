package main

import (
	"bufio"
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// A logLine is a line of the connector's log, as a lineHandler writes it, or as
// LOG_FORMAT=json has it.
type logLine struct {
	Time       *time.Time        `json:"time,omitempty"` // nil: it is damaged
	Level      string            `json:"level,omitempty"`
	Message    string            `json:"message"` // all of it, when it is damaged
	Attributes map[string]string `json:"attributes,omitempty"`
	Damaged    bool              `json:"damaged,omitempty"` // it is no line as the connector writes them

	text string // as a lineHandler has it; as it is in the file, when it is damaged
}

var logPrefix = regexp.MustCompile(`^\[(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)\] (?:(debug|warn|error|info)(?:[+-]\d{1,4})?: )?`)

// parseLogLine reads a line without its line end. Whatever it is, it is
// returned; what the connector did not write so is Damaged.
func parseLogLine(text string) logLine {
	damaged := logLine{Message: text, Damaged: true, text: text}
	if strings.HasPrefix(text, "{") {
		if l, ok := parseJSONLine(text); ok {
			return l
		}
		return damaged
	}
	m := logPrefix.FindStringSubmatch(text)
	if m == nil {
		return damaged
	}
	at, err := time.ParseInLocation(time.DateTime, m[1], time.UTC)
	if err != nil { // a thirteenth month
		return damaged
	}
	l := logLine{Time: &at, Level: m[2], text: text}
	if l.Level == "" {
		l.Level = "info"
	}
	l.Message, l.Attributes = splitPairs(text[len(m[0]):])
	return l
}

// splitPairs tells a message from the pairs that end it. A message that looks
// like pairs at its own end cannot be told from them.
func splitPairs(body string) (message string, attributes map[string]string) {
	begin := len(body) // of the pairs that reach up to where it looks
	for at := strings.IndexByte(body, ' '); at >= 0 && at < len(body); {
		key, value, n := pairAt(body[at+1:])
		if n > 0 {
			if begin > at {
				begin, attributes = at, map[string]string{}
			}
			attributes[key] = value
			at += 1 + n
			continue
		}
		begin, attributes = len(body), nil
		next := strings.IndexByte(body[at+1:], ' ')
		if next < 0 {
			break
		}
		at += 1 + next
	}
	return body[:begin], attributes
}

// pairAt reads the pair that a text begins with, and says how long it is; 0
// when there is none.
func pairAt(text string) (key, value string, n int) {
	end := strings.IndexAny(text, `= "`)
	if end < 1 || text[end] != '=' {
		return "", "", 0
	}
	key, rest := text[:end], text[end+1:]
	if !strings.HasPrefix(rest, `"`) {
		value, _, _ = strings.Cut(rest, " ")
		if value == "" || strings.ContainsAny(value, `="`) { // it would be quoted
			return "", "", 0
		}
		return key, value, end + 1 + len(value)
	}
	quoted, err := strconv.QuotedPrefix(rest)
	if err != nil || len(rest) > len(quoted) && rest[len(quoted)] != ' ' {
		return "", "", 0
	}
	if value, err = strconv.Unquote(quoted); err != nil {
		return "", "", 0
	}
	return key, value, end + 1 + len(quoted)
}

// longestLine is how much is kept of a line. The connector's are shorter; a
// file may hold anything.
const longestLine = 1 << 20

// A lineReader reads lines from a file that may grow.
type lineReader struct {
	from *bufio.Reader
	part []byte // of a line whose end has not come
	long bool   // more of it than is kept
}

func newLineReader(r io.Reader) *lineReader { return &lineReader{from: bufio.NewReaderSize(r, 64<<10)} }

// next returns the next whole line without its end, or io.EOF where there is
// none yet: then it may be called again.
func (r *lineReader) next() (string, error) {
	for {
		piece, err := r.from.ReadSlice('\n')
		if keep := min(len(piece), longestLine-len(r.part)); keep < len(piece) {
			r.long = true
			piece = piece[:keep]
		}
		r.part = append(r.part, piece...)
		switch {
		case err == nil:
			return r.take(), nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return "", err
		}
	}
}

// rest returns what is left of a file that ends without a line's end.
func (r *lineReader) rest() (line string, ok bool) {
	ok = len(r.part) > 0
	return r.take(), ok
}

func (r *lineReader) take() string {
	line := strings.TrimSuffix(strings.TrimSuffix(string(r.part), "\n"), "\r")
	if r.long {
		line += "..."
	}
	r.part, r.long = r.part[:0], false
	return line
}
