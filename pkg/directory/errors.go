package directory

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/go-ldap/ldap/v3"
)

// An Error is a fault: the directory could not be asked. A directory's no is
// an *identity.Refusal instead.
type Error struct {
	Doing  string // "bind as cn=svc,dc=example,dc=test"; never a secret
	Server string // URL of the server; "" when none was reached
	Err    error
	hint   string
}

// Error says what was being done, where, and the cause.
func (e *Error) Error() string {
	s := e.Doing
	if e.Server != "" {
		s += " at " + e.Server
	}
	return s + ": " + describe(e.Err)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Refused reports whether the directory did answer, and does not let the
// service account in.
func (e *Error) Refused() bool {
	code, _, ok := result(e.Err)
	return isDenial(e.Err) || ok && code == ldap.LDAPResultInvalidCredentials
}

// Hint says what to do about it, or "".
func (e *Error) Hint() string {
	if e.hint != "" {
		return e.hint
	}
	return hint(e.Err)
}

// fault wraps err with what was being done. An Error that already says where
// connecting went wrong is left alone.
func fault(doing, server string, err error) error {
	var e *Error
	if errors.As(err, &e) {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return &Error{Doing: doing, Server: server, Err: err}
}

// unreachable is the error of all servers together.
type unreachable []error

func (u unreachable) Error() string {
	texts := make([]string, len(u))
	for i, err := range u {
		texts[i] = err.Error()
	}
	return strings.Join(texts, "; ")
}

func (u unreachable) Unwrap() []error { return u }

// Hint is that of the first server that has one.
func (u unreachable) Hint() string {
	for _, err := range u {
		var h interface{ Hint() string }
		if errors.As(err, &h) && h.Hint() != "" {
			return h.Hint()
		}
	}
	return ""
}

// overdue is the error of an operation that the server did not answer within
// that time. It is made for each operation, and mostly for nothing.
type overdue time.Duration

func (o overdue) Error() string {
	return fmt.Sprintf("no answer within %s: %v", time.Duration(o), context.DeadlineExceeded)
}

func (o overdue) Unwrap() error { return context.DeadlineExceeded }

// result returns the server's answer in err: its result code and message
// (RFC 4511, section 4.1.9). Not every *ldap.Error is one: the library counts
// its own troubles from 200 to 206.
func result(err error) (code uint16, message string, ok bool) {
	var e *ldap.Error
	if !errors.As(err, &e) || e.ResultCode >= ldap.ErrorNetwork && e.ResultCode <= ldap.ErrorEmptyPassword {
		return 0, "", false
	}
	if e.Err != nil {
		message = clean(e.Err.Error())
	}
	return e.ResultCode, message, true
}

// lost reports whether err means that the connection is gone, and nothing is
// known of the operation.
func lost(err error) bool {
	if err == nil || timedOut(err) {
		return false
	}
	_, _, ok := result(err)
	return !ok
}

// timedOut reports whether the operation ran out of its time, or of its
// caller's patience.
func timedOut(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}

// bare returns the cause of one of the library's own errors, without the
// library's words for it.
func bare(err error) error {
	var e *ldap.Error
	if errors.As(err, &e) && e.Err != nil {
		return e.Err
	}
	return err
}

// describe returns the text of a cause as people say it.
func describe(err error) string {
	var start *startError
	if errors.As(err, &start) {
		return start.Error()
	}
	code, message, ok := result(err)
	if !ok {
		return inWords(clean(bare(err).Error()))
	}
	name := strings.ToLower(ldap.LDAPResultCodeMap[code])
	if name == "" {
		name = "unknown result"
	}
	if message == "" {
		return fmt.Sprintf("%s (%d)", name, code)
	}
	return fmt.Sprintf("%s (%d): %s", name, code, message)
}

// inWords replaces the library's words for a connection that ended.
func inWords(s string) string {
	s = strings.TrimPrefix(s, "ldap: ")
	for _, prefix := range []string{"unable to read LDAP response packet: ", "unable to send request: "} {
		if cause, ok := strings.CutPrefix(s, prefix); ok {
			return wasLost + ": " + cause
		}
	}
	switch s {
	case "response channel closed", "connection closed", "could not retrieve response", "could not retrieve message":
		return wasLost
	}
	return s
}

const wasLost = "the connection was lost"

// clean makes a server's text fit for one line of a log: AD ends it with NUL,
// and a hostile server may write anything.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.TrimRight(s, "\x00"))
	if len(s) > 500 {
		s = strings.ToValidUTF8(s[:500], "") + "..."
	}
	return strings.TrimSpace(s)
}

// hint returns what to do about a cause.
func hint(err error) string {
	var h interface{ Hint() string }
	if errors.As(err, &h) && h.Hint() != "" {
		return h.Hint()
	}
	code, _, answered := result(err)
	switch {
	case answered && (code == ldap.LDAPResultStrongAuthRequired || code == ldap.LDAPResultConfidentialityRequired):
		return "the directory takes no passwords in clear: " + inClearHint
	case answered && code == ldap.LDAPResultNoSuchObject:
		return "LDAP_BASE (or LDAP_BASE_GROUPS) must be a DN that the directory holds"
	case answered:
		return ""
	}
	return tlsHint(err)
}
