package profile

import (
	"bufio"
	"errors"
	"fmt"
	"io"
)

// A frame is one line of the talk between the connector and its mapper process:
// a letter that says what it is, then JSON without line breaks.
type frame struct {
	kind byte
	body []byte
}

// The frames. The connector sends one script, which is answered by ready or
// failed, then calls, each answered by a profile or failed. Console frames may
// come before any answer.
const (
	frameScript  = 'S' // a loading
	frameReady   = 'R' // a loaded
	frameCall    = 'C' // raw_data
	frameProfile = 'P' // the profile
	frameFailed  = 'E' // a failure
	frameConsole = 'L' // a line
)

// How long a frame may be, in octets. A call holds an entry with its pictures
// and groups.
const (
	maxCall    = 64 << 20
	maxProfile = 4 << 20
	maxScript  = 4 << 20
	maxConsole = 64 << 10 // of one call, all lines together
	maxAnswer  = maxProfile + 1<<10
)

var errFrameTooLong = errors.New("the frame is too long")

// A loading is the script and what to call it in errors.
type loading struct {
	Name   string `json:"name"`
	Script string `json:"script"`
}

// A failure is what went wrong in the script. Line and Column are 1-based, and
// 0 when unknown.
type failure struct {
	Text   string `json:"text"`
	Line   int    `json:"line,omitempty"`
	Column int    `json:"column,omitempty"`
}

// A line is what the script wrote to its console.
type line struct {
	Level string `json:"level"` // the console method: log, info, debug, warn, error
	Text  string `json:"text"`
}

// readFrame returns the next frame, whose body is fresh. The error is io.EOF
// only at the end of a whole frame.
func readFrame(r *bufio.Reader, limit int) (frame, error) {
	var whole []byte
	for {
		part, err := r.ReadSlice('\n')
		if len(whole)+len(part) > limit+2 { // its letter and line end
			return frame{}, errFrameTooLong
		}
		whole = append(whole, part...)
		if err == nil {
			break
		}
		if errors.Is(err, io.EOF) && len(whole) > 0 {
			return frame{}, io.ErrUnexpectedEOF
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return frame{}, err
		}
	}
	if len(whole) < 2 {
		return frame{}, errors.New("the frame is empty")
	}
	return frame{whole[0], whole[1 : len(whole)-1]}, nil
}

// writeFrame writes a frame at once, so that a reader never waits for a half.
func writeFrame(w io.Writer, kind byte, body []byte) error {
	whole := make([]byte, 0, len(body)+2)
	whole = append(append(append(whole, kind), body...), '\n')
	if _, err := w.Write(whole); err != nil {
		return fmt.Errorf("write a frame: %w", err)
	}
	return nil
}
