package config

import (
	"fmt"
	"io"
	"log/slog"
)

// A Secret is a setting that nobody sees who does not write string(s): not
// fmt with any verb, not a log, not JSON. A method on the struct that holds it
// would not be enough, because formatting reaches nested fields directly.
type Secret string

const hidden = "[hidden]"

// Format writes a placeholder whatever the verb.
func (Secret) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, hidden) } // fmt.State reports no errors

// LogValue gives the log a placeholder.
func (Secret) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalText gives encoders a placeholder. The file is written by
// Config.Encode, which does not use it.
func (Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }
