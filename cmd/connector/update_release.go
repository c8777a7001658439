package main

import (
	"context"
	"errors"
)

// look says whether there is a newer version.
func (u *updateRun) look(context.Context) error { return errNoReleases }

func (u *updateRun) chooseRelease(context.Context) (*nextProgram, error) { return nil, errNoReleases }

var errNoReleases error = &hinted{errors.New("UPDATE_URL is not set"), "connector update --from FILE"}
