package identity

import (
	"fmt"
	"io"
	"log/slog"
)

// A Password shows itself to nobody who does not write string(p): not to fmt,
// not to a log, not to JSON. A method on the struct that holds it would not be
// enough, because formatting reaches nested fields directly.
type Password string

const hidden = "[hidden]"

// Format writes a placeholder whatever the verb.
func (Password) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, hidden) } // fmt.State reports no errors

// LogValue gives the log a placeholder.
func (Password) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalText gives encoders a placeholder.
func (Password) MarshalText() ([]byte, error) { return []byte(hidden), nil }
