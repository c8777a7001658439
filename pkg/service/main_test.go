package service

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"testing"
)

// TestMain lets this program stand in for the connector: it is the service,
// and what registers it, where a test runs it with one of these words.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		if role, ok := roles[os.Args[1]]; ok {
			if err := role(os.Args[2:]); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			return
		}
	}
	os.Exit(m.Run())
}

var roles = map[string]func(args []string) error{
	"agent": agent,
	"register": func(args []string) error {
		return withUnit(args, func(ctx context.Context, m Manager, u Unit) error {
			if _, err := EnsureUser(ctx, u.User); err != nil {
				return err
			}
			c, err := m.Register(ctx, u)
			fmt.Println("changed:", c.Changed())
			return err
		})
	},
	"remove": func(args []string) error {
		return withUnit(args, func(ctx context.Context, m Manager, u Unit) error {
			if err := m.Remove(ctx, u.Name); err != nil {
				return err
			}
			return RemoveUser(ctx, u.User)
		})
	},
	"entrust": func(args []string) error {
		return withUnit(args, func(ctx context.Context, _ Manager, u Unit) error {
			_, err := Entrust(ctx, u)
			return err
		})
	},
	"status": func(args []string) error {
		return withUnit(args, func(ctx context.Context, m Manager, u Unit) error {
			st, err := m.Status(ctx, u.Name)
			if err != nil {
				return err
			}
			return json.NewEncoder(os.Stdout).Encode(st)
		})
	},
}

func withUnit(args []string, do func(context.Context, Manager, Unit) error) error {
	var u Unit
	if err := json.Unmarshal([]byte(args[0]), &u); err != nil {
		return err
	}
	m, err := System()
	if err != nil {
		return err
	}
	return do(context.Background(), m, u)
}
