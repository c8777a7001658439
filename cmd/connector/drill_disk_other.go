//go:build !linux

package main

import (
	"context"
	"time"
)

func startOnSmallDisk(g *drillGround) error { return g.start() }

// fillDisks knows no way here to fill one disk and no other.
func fillDisks(context.Context, *drillGround, *drillLoad, time.Duration) ([]string, error) {
	return []string{"not on this system: it has no disk that may be filled"}, nil
}
