package main

import "errors"

// canSignal reports whether a process can be stopped, and told to reload.
const canSignal = false

func stopProcess(int) error     { return errors.ErrUnsupported }
func continueProcess(int) error { return errors.ErrUnsupported }
func endProcess(int) error      { return errors.ErrUnsupported }
