package service

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
)

// A fake is a Manager whose services are entries of a map.
type fake struct {
	units map[string]Unit
	pids  map[string]int
	next  int
}

func newFake() *fake { return &fake{units: map[string]Unit{}, pids: map[string]int{}, next: 1} }

func (f *fake) Registered(_ context.Context, u Unit) (bool, error) {
	if err := u.check(); err != nil {
		return false, err
	}
	now, ok := f.units[u.Name]
	return ok && reflect.DeepEqual(now, u), nil
}

func (f *fake) Register(ctx context.Context, u Unit) (Change, error) {
	if same, err := f.Registered(ctx, u); same || err != nil {
		return Change{}, err
	}
	if err := ctx.Err(); err != nil {
		return Change{}, fmt.Errorf("register %s: %w", u.Name, err)
	}
	before, was := f.units[u.Name]
	f.units[u.Name] = u
	return Change{undo: func(ctx context.Context) error {
		if !was {
			return f.Remove(ctx, u.Name)
		}
		f.units[u.Name] = before
		return nil
	}}, nil
}

func (f *fake) Remove(_ context.Context, name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	delete(f.units, name)
	delete(f.pids, name)
	return nil
}

func (f *fake) Start(_ context.Context, name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	if _, ok := f.units[name]; !ok {
		return fmt.Errorf("start %s: %w", name, ErrNotRegistered)
	}
	if f.pids[name] == 0 {
		f.pids[name] = f.next
		f.next++
	}
	return nil
}

func (f *fake) Stop(_ context.Context, name string) error {
	delete(f.pids, name)
	return checkName(name)
}

func (f *fake) Status(_ context.Context, name string) (Status, error) {
	if err := checkName(name); err != nil {
		return Status{}, err
	}
	if _, ok := f.units[name]; !ok {
		return Status{State: None}, nil
	}
	if pid := f.pids[name]; pid != 0 {
		return Status{State: Running, Enabled: true, PID: pid}, nil
	}
	return Status{State: Stopped, Enabled: true}, nil
}

func (f *fake) List(context.Context) ([]Registration, error) {
	var list []Registration
	for _, name := range slices.Sorted(maps.Keys(f.units)) {
		u := f.units[name]
		list = append(list, Registration{Name: name, Home: u.Home, Program: u.Program, User: u.User})
	}
	return list, nil
}
