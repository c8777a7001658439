package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"

	"ad-ldap-connector/pkg/home"
	"ad-ldap-connector/pkg/service"
)

// helper is what the tests run beside the command, in machines too.
func helper() {
	if err := help(os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func help(verb string, args []string) error {
	ctx := context.Background()
	switch verb {
	case "register": // UNIT: registers a service, whose home is there
		var u service.Unit
		if err := json.Unmarshal([]byte(args[0]), &u); err != nil {
			return err
		}
		h, err := home.Open(u.Home, nil)
		if err != nil {
			return err
		}
		if u.Owned, err = h.Belongings(); err != nil {
			return err
		}
		m, err := service.System()
		if err != nil {
			return err
		}
		if _, err := service.EnsureUser(ctx, u.User); err != nil {
			return err
		}
		if _, err := service.Entrust(ctx, u); err != nil {
			return err
		}
		_, err = m.Register(ctx, u)
		return err
	case "ask": // TENANT BODY N: has the pretend tenant authenticate, N times, and prints the last answer
		times, err := strconv.Atoi(args[2])
		if err != nil {
			return err
		}
		// The tenant is the test's own, in a machine that nobody else is in; what is
		// tried is the connector's trust, not the helper's.
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
		for i := range times {
			res, err := client.Post(args[0]+"/api/requests/authenticate_user", "application/json", bytes.NewReader([]byte(args[1])))
			if err != nil {
				return err
			}
			reply, err := io.ReadAll(res.Body)
			_ = res.Body.Close() // it was read to its end, or the error is told
			if err != nil || res.StatusCode != http.StatusOK {
				return fmt.Errorf("answer %d: %s: %w: %s", i, res.Status, err, reply)
			}
			if i == times-1 {
				fmt.Printf("%s\n", reply)
			}
		}
		return nil
	}
	return systemHelp(verb, args)
}
