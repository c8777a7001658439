package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"syscall"
	"time"

	"ad-ldap-connector/pkg/install"
)

// spoilStep is the variable that has a step of an install go wrong, in a test's
// program: "STEP:HOW".
const spoilStep = "CONNECTOR_SPOIL"

// How a step goes wrong.
const (
	failBefore = "fail-before" // it fails before it did anything
	failAfter  = "fail-after"  // it does all it has to do, and fails then
	interrupt  = "interrupt"   // Ctrl-C, while it does what it has to do
	killAfter  = "kill-after"  // SIGKILL once it did all, before the next begins
)

var errSpoiled = errors.New("spoiled")

// spoilFrom reads a variable of that form; "" spoils nothing.
func spoilFrom(text string) func(install.Plan) install.Plan {
	name, how, _ := strings.Cut(text, ":")
	return func(plan install.Plan) install.Plan {
		for i, s := range plan {
			if s.Name == name {
				plan[i].Do = func(ctx context.Context) error { return spoilt(ctx, s, how) }
			}
		}
		return plan
	}
}

func spoilt(ctx context.Context, s install.Step, how string) error {
	kill := func(sig syscall.Signal) {
		self, err := os.FindProcess(os.Getpid())
		if err == nil {
			err = self.Signal(sig)
		}
		if err != nil {
			panic(err)
		}
	}
	switch how {
	case failBefore:
		return errSpoiled
	case interrupt:
		kill(syscall.SIGINT)
		<-ctx.Done()
	}
	if err := s.Do(ctx); err != nil {
		return err
	}
	switch how {
	case failAfter:
		return errSpoiled
	case interrupt: // it did not notice
		return ctx.Err()
	case killAfter:
		kill(syscall.SIGKILL)
		select {}
	}
	return nil
}

// request is a command of the test's program: it asks a server in a machine that
// the test cannot reach. Its arguments are the file of the server's authority,
// the URL, and what to post, if anything.
func request() {
	err := func() error {
		pem, err := os.ReadFile(os.Args[1])
		if err != nil {
			return err
		}
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(pem)
		client := &http.Client{Timeout: time.Minute, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
		var res *http.Response
		if len(os.Args) > 3 {
			res, err = client.Post(os.Args[2], "application/json", bytes.NewBufferString(os.Args[3]))
		} else {
			res, err = client.Get(os.Args[2])
		}
		if err != nil {
			return err
		}
		defer func() { _ = res.Body.Close() }()
		if res.StatusCode >= 300 {
			err = fmt.Errorf("status %d", res.StatusCode)
		}
		_, copied := io.Copy(os.Stdout, res.Body)
		return errors.Join(err, copied)
	}()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}
