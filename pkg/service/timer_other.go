//go:build !linux

package service

import "context"

// HasTimer reports whether a service has a timer that the connector made.
func HasTimer(string) bool { return false }

// TimerSet reports whether a timer is as it is to be.
func TimerSet(context.Context, Timer) (bool, error) { return false, ErrNoTimers }

// SetTimer makes a timer, which runs from now on.
func SetTimer(context.Context, Timer) (Change, error) { return Change{}, ErrNoTimers }

// DropTimer removes the timer of a service, if the connector made one.
func DropTimer(context.Context, string) (Change, error) { return Change{}, nil }
