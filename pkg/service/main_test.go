package service

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
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
	"ends": func([]string) error { // before it is ready
		return Run(context.Background(), "ends", func(context.Context, *Notifier) error { return errors.New("it ends") })
	},
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
	"formers": func(args []string) error {
		found, err := Formers(context.Background(), func(p string) bool { return p == args[0] || strings.HasPrefix(p, args[0]+"/") })
		return errors.Join(err, json.NewEncoder(os.Stdout).Encode(found))
	},
	"strays": func(args []string) error {
		for _, s := range Strays(args[0], nil) {
			fmt.Println(s)
		}
		return nil
	},
	"retire": func(args []string) error {
		var f Former
		if err := json.Unmarshal([]byte(args[0]), &f); err != nil {
			return err
		}
		was, err := Retired(context.Background(), f, args[1])
		fmt.Println("changed:", !was)
		return errors.Join(err, Retire(context.Background(), f, args[1]))
	},
	"restore": func(args []string) error {
		var f Former
		return errors.Join(json.Unmarshal([]byte(args[0]), &f), Restore(context.Background(), f))
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
