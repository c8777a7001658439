package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// A word is one line of JSON between two processes of one home: the one that
// runs, at its porter, and the one that asks there.
type word struct {
	Say     string `json:"say"`
	Version string `json:"version,omitempty"`
	PID     int    `json:"pid,omitempty"`
	Sockets []spot `json:"sockets,omitempty"` // the descriptors came with this word, in this order
	Error   string `json:"error,omitempty"`
	Hint    string `json:"hint,omitempty"`
	Frame   []byte `json:"frame,omitempty"` // of the hub, or for it

	Next  bool  `json:"next,omitempty"`    // the successor is the home's next program, and not kept for who asks no more
	Watch int64 `json:"watchMs,omitempty"` // how long the successor has to be well before it takes over

	Unmanaged bool `json:"unmanaged,omitempty"` // a refusal: nobody could be told of another main process
}

// What is said, in the order of a takeover.
const (
	sayTakeover = "takeover" // asks: I want to take over
	sayHello    = "hello"    // the porter: these are my sockets
	sayGo       = "go"       // asks: I serve
	sayYours    = "yours"    // the porter: the home is no longer locked
	sayHere     = "here"     // asks: I have locked it
	sayDone     = "done"     // the porter: I end
	sayCommand  = "command"  // the porter: this frame of the hub came too late
	sayReply    = "reply"    // the porter: I have no link for this reply
	saySucceed  = "succeed"  // asks: start the one that is to take over
	sayAble     = "able"     // asks: could you?
	sayNo       = "no"       // either: it comes to nothing
)

// The longest words: one that asks for something, and one that hands on a reply.
const (
	maxAsking = 64 << 10
	maxHanded = 256 << 20
)

// A refusedError is what the other process says of why it comes to nothing.
type refusedError struct{ word }

func (e *refusedError) Error() string { return e.word.Error }
func (e *refusedError) Hint() string  { return e.word.Hint }

// refusal is the word for an error.
func refusal(err error) word {
	unmanaged, ended := (*unmanagedError)(nil), (*endedError)(nil)
	w := word{Say: sayNo, Error: oneLine(err.Error()), Hint: hintOf(err), Unmanaged: errors.As(err, &unmanaged)}
	if errors.As(err, &ended) {
		w.PID = ended.pid // by which its last words are found
	}
	return w
}

// A porterWire carries words. Many may say something at a time.
type porterWire struct {
	conn net.Conn
	r    *bufio.Reader
	most int // octets of a word that is heard
	mu   sync.Mutex
}

func newPorterWire(conn net.Conn, most int) *porterWire {
	return &porterWire{conn: conn, r: bufio.NewReader(conn), most: most}
}

func encodeWord(w word) []byte {
	data, err := json.Marshal(w)
	if err != nil {
		panic(err) // a word is made of texts and numbers
	}
	return append(data, '\n')
}

// say sends a word, within so much time.
func (d *porterWire) say(w word, within time.Duration) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.conn.SetWriteDeadline(time.Now().Add(within)); err != nil {
		return err
	}
	_, err := d.conn.Write(encodeWord(w))
	return err
}

// hear waits for a word, 0 is for ever. One that says no is a *refusedError;
// one that is not among the expected is an error too.
func (d *porterWire) hear(within time.Duration, expected ...string) (word, error) {
	until := time.Time{}
	if within > 0 {
		until = time.Now().Add(within)
	}
	if err := d.conn.SetReadDeadline(until); err != nil {
		return word{}, err
	}
	line, err := readWord(d.r, d.most)
	if err != nil {
		return word{}, err
	}
	return parseWord(line, expected...)
}

// readWord reads up to the end of a line of at most so many octets.
func readWord(r *bufio.Reader, most int) ([]byte, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		if len(line)+len(part) > most {
			return nil, fmt.Errorf("a word of more than %d octets", most)
		}
		line = append(line, part...)
		switch {
		case err == nil:
			return line, nil
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF) && len(line) > 0:
			return nil, io.ErrUnexpectedEOF
		default:
			return nil, err
		}
	}
}

func parseWord(line []byte, expected ...string) (w word, err error) {
	if err := json.Unmarshal(bytes.TrimSpace(line), &w); err != nil {
		return word{}, fmt.Errorf("a word that is none: %w", err)
	}
	if w.Say == sayNo {
		return w, &refusedError{w}
	}
	for _, say := range expected {
		if w.Say == say {
			return w, nil
		}
	}
	return word{}, fmt.Errorf("it says %q, not %q", oneLine(w.Say), expected)
}
