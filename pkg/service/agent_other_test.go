//go:build !linux

package service

import "errors"

func agent([]string) error { return errors.New("there is no machine to run on") }
