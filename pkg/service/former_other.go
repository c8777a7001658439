//go:build !linux && !windows

package service

import (
	"context"
	"errors"
)

// The connector that was there before was never a service on other systems.

func formers(context.Context, func(string) bool) ([]Former, error) { return nil, nil }

func retired(context.Context, Former, string) (bool, error) { return true, nil }

func retire(context.Context, Former, string) error { return nil }

func restore(_ context.Context, f Former) error {
	return errors.New("bring back the service " + f.Name + ": it belonged to another system")
}

func strays(_, _ string, _ []Former) []string { return nil }
