//go:build !linux

package service

import "testing"

func homeOf(*testing.T, Unit) {}
