//go:build unix

package service

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// registrations reads the files of a service manager's folder that are the
// connector's. A foreign one, or one that only somebody else may read, is not.
func registrations(ctx context.Context, dir, suffix string, read func(name string) (Registration, error)) ([]Registration, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*"+suffix))
	if err != nil {
		return nil, err
	}
	var list []Registration
	for _, file := range files {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("list the connector's services: %w", err)
		}
		if r, err := read(strings.TrimSuffix(filepath.Base(file), suffix)); err == nil && r.Home != "" {
			list = append(list, r)
		}
	}
	slices.SortFunc(list, func(a, b Registration) int { return strings.Compare(a.Name, b.Name) })
	return list, nil
}
