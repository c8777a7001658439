package main

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"

	"ad-ldap-connector/pkg/identity"
)

// benchUsers are the users of a measurement. Whose password is not known to be
// right is tried by one worker at a time, and whose is refused never again, nor is
// who could not be tried a few times in a row: a directory would lock the account.
type benchUsers struct {
	mu      sync.Mutex
	settled *sync.Cond
	all     []*benchUser
	trying  int
}

type benchUser struct {
	identity.Credentials

	state  benchState
	faults int // in a row
}

// benchFaults is how often a login may fail, one time after the other, that a
// user is tried again: who cannot be told right from wrong may be locked by it.
const benchFaults = 3

type benchState int

const (
	benchUntried benchState = iota
	benchTrying
	benchRight
)

func newBenchUsers(all []identity.Credentials) *benchUsers {
	b := &benchUsers{all: make([]*benchUser, len(all))}
	b.settled = sync.NewCond(&b.mu)
	for i, c := range all {
		b.all[i] = &benchUser{Credentials: c}
	}
	return b
}

// pick returns any user who may be tried, or nil when there is none left.
// Whoever picks one settles it.
func (b *benchUsers) pick() *benchUser {
	b.mu.Lock()
	defer b.mu.Unlock()
	for {
		if len(b.all) == 0 {
			return nil
		}
		if b.trying == len(b.all) {
			b.settled.Wait()
			continue
		}
		u := b.all[rand.IntN(len(b.all))]
		switch u.state {
		case benchUntried:
			u.state = benchTrying
			b.trying++
			return u
		case benchRight:
			return u
		}
	}
}

// settle says what came of trying a user.
func (b *benchUsers) settle(u *benchUser, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var refusal *identity.Refusal
	refused := errors.As(err, &refusal)
	if u.state == benchTrying {
		b.trying--
		u.state = benchUntried
	}
	if err == nil {
		u.state, u.faults = benchRight, 0
	} else if u.state != benchRight {
		u.faults++
	}
	if refused || u.faults >= benchFaults {
		b.all = slices.DeleteFunc(b.all, func(other *benchUser) bool { return other == u })
	}
	b.settled.Broadcast()
}

// maxBenchUsers bounds the file, in lines.
const maxBenchUsers = 1_000_000

// benchUsers reads the names and passwords.
func (a *app) benchUsers(name string) ([]identity.Credentials, error) {
	from := a.stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, fmt.Errorf("read --users-file: %w", err)
		}
		defer func() { _ = f.Close() }() // it was only read
		from = f
	}
	var users []identity.Credentials
	lines := bufio.NewScanner(from)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSuffix(lines.Text(), "\r")
		if line == "" {
			continue
		}
		user, err := parseBenchUser(line)
		if err != nil { // the line may hold a password: it is not quoted
			return nil, usagef("--users-file, line %d: %w", n, err)
		}
		if users = append(users, user); len(users) > maxBenchUsers {
			return nil, usagef("--users-file has more than %d users", maxBenchUsers)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read --users-file: %w", err)
	}
	if len(users) == 0 {
		return nil, usagef("--users-file names no user")
	}
	return users, nil
}

func parseBenchUser(line string) (identity.Credentials, error) {
	name, password, ok := strings.Cut(line, "\t")
	if !ok {
		name, password, ok = strings.Cut(line, ":")
	}
	if !ok || name == "" || password == "" {
		return identity.Credentials{}, errors.New("it is not a name, a tab or a colon, and a password")
	}
	return identity.Credentials{Username: name, Password: identity.Password(password)}, nil
}
