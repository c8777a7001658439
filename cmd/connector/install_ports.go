package main

import (
	"context"
	"fmt"
	"net"
	"strconv"

	"ad-ldap-connector/pkg/config"
	"ad-ldap-connector/pkg/home"
)

// mostInstances bounds how far a free port is looked for.
const mostInstances = 100

// choosePorts gives a new connector ports that none of the others on this host is
// configured with and nobody listens on, where the operator has chosen none and
// the usual ones are taken.
func (a *app) choosePorts(ctx context.Context, h *home.Home, c *config.Config) error {
	used := map[int]bool{}
	for _, n := range h.Neighbours() {
		if _, port, err := net.SplitHostPort(n.Config.Agent.ConsoleAddr); err == nil {
			p, _ := strconv.Atoi(port) // what is no number is in nobody's way
			used[p] = true
		}
		used[n.Config.SignIn.Port] = true
	}
	for key, first := range map[string]int{"CONSOLE_ADDR": 8357, "PORT": 4000} {
		if c.Source(key) != "default" {
			continue
		}
		port, err := freePort(ctx, first, used)
		if err != nil {
			return fmt.Errorf("choose %s: %w", key, err)
		}
		if port == first {
			continue
		}
		value := strconv.Itoa(port)
		if key == "CONSOLE_ADDR" {
			value = net.JoinHostPort("127.0.0.1", value)
		}
		if err := c.Set(key, value); err != nil {
			return err
		}
		a.say("port %d is taken; %s will be %s", first, key, value)
	}
	return nil
}

func freePort(ctx context.Context, first int, used map[int]bool) (int, error) {
	for port := first; port < first+mostInstances; port++ {
		if used[port] {
			continue
		}
		ln, err := new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			continue
		}
		return port, ln.Close()
	}
	return 0, fmt.Errorf("none of %d to %d is free", first, first+mostInstances-1)
}
