package hub

import (
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

// A frame is one message of the hub: an event's name and its payload.
type frame struct {
	Name    string
	payload json.RawMessage // nil when it is missing
}

// decodeFrame reads the text of a message. Whatever is not a JSON object with
// a member n that is a non-empty string is an error. Members are matched with
// their case, and the last of several wins, as in JavaScript; what else the
// object holds is of no concern.
func decodeFrame(text []byte) (frame, error) {
	if !utf8.Valid(text) {
		return frame{}, errors.New("not UTF-8")
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil {
		return frame{}, fmt.Errorf("not a JSON object: %w", err)
	}
	var f frame
	if err := json.Unmarshal(members["n"], &f.Name); err != nil || f.Name == "" {
		return frame{}, errors.New("no event name")
	}
	f.payload = members["p"]
	return f, nil
}

// token returns the payload's member jwt.
func (f frame) token() (string, error) {
	if f.payload == nil {
		return "", errors.New("no payload")
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(f.payload, &members) != nil || members == nil {
		return "", errors.New("the payload is not an object")
	}
	raw, ok := members["jwt"]
	if !ok {
		return "", errors.New("no token")
	}
	var token *string
	if json.Unmarshal(raw, &token) != nil || token == nil || *token == "" {
		return "", errors.New("the token is not a string")
	}
	return *token, nil
}
